"""Whole jobs, each in gan's way and in the plain one: many samples into a file, a folder read."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader

from benchmarks.reference import GAMES, NETS, images
from gan_cli import build, cli

BATCH = 64
Job = Callable[[], None]

told: dict[str, list[float]] = {}
"""What jobs have found besides the time they took in all, in seconds."""


def note(name: str, seconds: float) -> None:
    """Keep it with those of earlier jobs."""
    told.setdefault(name, []).append(round(seconds, 4))


def sampling(run: str, n: str, device: str) -> Job:
    """`gan sample` of so many images into one .npz file: the whole verb."""
    place = Path(tempfile.mkdtemp(dir=Path(run).parent))

    def job() -> None:
        out = place / "made.npz"
        out.unlink(missing_ok=True)
        words = ["sample", "--ckpt", run, "-n", n, "--out", str(out), "--device", device]
        if code := cli.main(words):
            raise RuntimeError(f"gan {' '.join(words)} ended with {code}")

    return job


def plain_sampling(game: str, n: str, place: str, device: str) -> Job:
    """Batches of 64 from netG without gradients, joined and saved as one .npz file."""
    rules = GAMES[game]
    weights, out = Path(place) / f"{game}.pt", Path(place) / f"{game}.npz"
    torch.save(NETS[rules.family](rules)[0].state_dict(), weights)

    def job() -> None:
        netG, _ = NETS[rules.family](rules)
        netG.load_state_dict(torch.load(weights, weights_only=True))
        netG.to(device).eval()
        made = []
        with torch.no_grad():
            for first in range(0, int(n), BATCH):
                noise = torch.randn(min(BATCH, int(n) - first), rules.nz, device=device)
                made.append(netG(noise).cpu())
        pixels = ((torch.cat(made) + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
        np.savez(out, images=pixels.permute(0, 2, 3, 1).numpy())

    return job


def reading(photos: str, size: str, device: str) -> Job:
    """`dataset=folder`: two epochs of a folder that was never seen before, then opened again."""
    n = len([*Path(photos).rglob("*.jpg")])

    def job() -> None:
        cache = tempfile.mkdtemp(dir=Path(photos).parent)
        words = ["dataset=folder", f"dataset.path={photos}", f"dataset.size={size}"]
        config = build.compose(*words, f"dataset.cache={cache}")

        def opened() -> Iterator[object]:
            feed = build.parts(config).dataset.load().open(BATCH, 0, torch.device(device))
            return map(feed, range(2 * n // BATCH))

        _two_epochs(opened, n // BATCH)

    return job


def plain_reading(photos: str, size: str, device: str, workers: str) -> Job:
    """ImageFolder and a DataLoader with workers, in the same way."""
    game = next(g for g in GAMES.values() if g.files and str(g.shape[1]) == size)
    where = torch.device(device)

    def opened() -> Iterator[object]:
        loader: DataLoader = images(game, photos, int(workers))
        for _ in range(2):
            for data in loader:
                yield data[0].to(where)

    n = len([*Path(photos).rglob("*.jpg")])
    return lambda: _two_epochs(opened, n // BATCH)


def _two_epochs(opened: Callable[[], Iterator[object]], batches: int) -> None:
    began = time.perf_counter()
    feed = opened()
    next(feed)
    note("first batch", time.perf_counter() - began)
    for _ in range(batches - 1):
        next(feed)
    first = time.perf_counter()
    note("first epoch", first - began)
    for _ in range(batches):
        next(feed, None)
    note("second epoch", time.perf_counter() - first)
    began = time.perf_counter()
    next(opened())
    note("opened again", time.perf_counter() - began)
