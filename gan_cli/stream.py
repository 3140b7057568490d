"""Samples without end, in constant memory: single images, shards of them, or one array.

One thread asks the generator; others encode and write what it has made meanwhile.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import secrets
import tarfile
import time
import zipfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeVar, cast

import numpy as np
import torch
from torch import Tensor

from gan_cli import disk
from gan_cli.console import Console
from gan_cli.errors import UserMistake
from gan_cli.plot import grid
from gan_cli.plot.quick import quick
from gan_cli.sampler import Sampler
from gan_cli.strict import clean
from gan_cli.wish import Wish, about, labels_of

WORKERS = min(8, os.cpu_count() or 1)
"""Threads that encode; PNG's compression runs without Python's lock."""

QUIET = 2.0
"""Seconds after which progress is shown."""

CARD = "shards.json"
"""What shards are of: they are gone on with by the same command alone."""

T = TypeVar("T")
R = TypeVar("R")


class Piece(NamedTuple):
    """Some samples, the number of the first of them, and their labels where there are classes."""

    first: int
    x: Tensor
    c: Tensor | None


def pieces(wish: Wish, sampler: Sampler, n: int, first: int = 0) -> Iterator[Piece]:
    """The n samples that are wished for, from number `first` on."""
    labels = labels_of(wish, sampler)
    each = n // len(labels) if labels else n
    for index, label in enumerate(labels or [-1]):
        c = torch.full((each,), label) if labels else sampler.labels(range(each))
        skipped = min(each, max(0, first - index * each))
        at = skipped
        for x in _from(sampler, each, wish, c, skipped):
            stop = at + len(x)
            yield Piece(index * each + at, x, None if c is None else c[at:stop])
            at = stop


def _from(sampler: Sampler, n: int, wish: Wish, c: Tensor | None, first: int) -> Iterator[Tensor]:
    """Samples from a number on. Those that D has refined are made again from the first one."""
    if type(sampler) is Sampler and first:
        lead = first % sampler.size  # passes begin where they do for the first samples
        batch = -(-wish.batch // sampler.size) * sampler.size
        for start in range(first - lead, n, batch):
            numbers = range(start, min(n, start + batch))
            asked = None if c is None else c[numbers.start : numbers.stop]
            yield sampler.generate(sampler.codes(numbers, wish.seed), asked)[lead:]
            lead = 0
    elif first < n:
        for x in sampler.batches(n, wish.seed, wish.batch, c):
            if first < len(x):
                yield x[first:]
            first = max(0, first - len(x))


def directory(wish: Wish, sampler: Sampler, n: int, out: Path) -> None:
    """Single images, 000000.png and so on."""
    empty(wish, out)
    told, scale = about(wish, sampler), wish.scale or 1
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk.failure(out, error) from error

    def write(piece: Piece) -> int:
        for index, image in enumerate(grid.pixels(piece.x), piece.first):
            data = quick(grid.enlarge(image, scale), told | {"index": str(index)})
            disk.replace(out / f"{index:06d}.png", data, sync=False)
        return len(piece.x)

    with _shown(n) as show:
        done = 0
        for count in ahead(pieces(wish, sampler, n), write, WORKERS):
            done += count
            show(done)


def array(wish: Wish, sampler: Sampler, n: int, out: Path) -> None:
    """An `.npz` file as numpy's `savez` writes it, piece by piece.

    Not compressed: that would take as long as to make the samples, and what looks like photographs
    hardly shrinks.
    """
    image = len(sampler.space.shape) == 3
    c, *size = sampler.space.shape
    shape, kind = ((n, *size, c), np.dtype("u1")) if image else ((n, c), np.dtype("<f4"))
    labels: list[Tensor] = []
    with whole(out) as file, zipfile.ZipFile(file, "w") as packed:
        with packed.open("images.npy" if image else "points.npy", "w", force_zip64=True) as member:
            header = {"descr": kind.str, "fortran_order": False, "shape": shape}
            cast(Any, np.lib.format).write_array_header_1_0(member, header)

            def write(piece: Piece) -> int:
                x = grid.pixels(piece.x) if image else piece.x.numpy()
                member.write(np.ascontiguousarray(x, kind).data)
                labels.extend([] if piece.c is None else [piece.c])
                return len(piece.x)

            with _shown(n) as show:
                done = 0
                for count in ahead(pieces(wish, sampler, n), write, 1):
                    done += count
                    show(done)
        rest: dict[str, Any] = {"labels": torch.cat(labels).numpy()} if labels else {}
        for name, value in (rest | about(wish, sampler) | {"seed": wish.seed}).items():
            with packed.open(f"{name}.npy", "w") as member:
                cast(Any, np.lib.format).write_array(member, np.asanyarray(value))


def shards(wish: Wish, sampler: Sampler, n: int, out: Path) -> str:
    """Tar files of PNGs, 00000.tar and so on, `000000.png` beside `000000.cls`, its label.

    The layout of WebDataset (Aizman et al. 2020, arXiv 2001.01858). Each is written whole; the same
    command goes on after those that are there. Returns what there is to tell of them.
    """
    size = wish.shards or n
    names = [f"{index:05d}.tar" for index in range(-(-n // size))]
    card = _card(wish, sampler, n)
    if not (out / CARD).is_file() or (out / CARD).read_bytes() != card:
        empty(wish, out)
        others = out.glob("[0-9]" * 5 + ".tar") if (out / CARD).is_file() else []
        for path in [*others, *(out / name for name in names)]:  # of another command, by --force
            path.unlink(missing_ok=True)
        with whole(out / CARD) as file:
            file.write(card)
    disk.tidy(out)
    there = next((i for i, name in enumerate(names) if not (out / name).is_file()), len(names))
    if there < len(names):
        _pack(wish, sampler, n, out, names, there)
    kept = f", {there} of them there already" if there else ""
    return f"{len(names)} shards of {size} images{kept}"


def _card(wish: Wish, sampler: Sampler, n: int) -> bytes:
    told = about(wish, sampler)
    del told["command"]
    told |= {"classes": wish.classes or "", "way": wish.way, "scale": str(wish.scale or 1)}
    told |= {"samples": str(n), "shard": str(wish.shards)}
    return json.dumps(told, indent=1).encode() + b"\n"


def _pack(wish: Wish, sampler: Sampler, n: int, out: Path, names: list[str], there: int) -> None:
    """The shards from a number on."""
    scale, size = wish.scale or 1, wish.shards or n

    def encode(piece: Piece) -> list[tuple[int, bytes, int | None]]:
        images = grid.pixels(piece.x)
        labels = [None] * len(images) if piece.c is None else piece.c.tolist()
        pngs = [quick(grid.enlarge(image, scale), {}) for image in images]
        return list(zip(range(piece.first, piece.first + len(pngs)), pngs, labels, strict=True))

    made = ahead(pieces(wish, sampler, n, there * size), encode, WORKERS)
    images = (image for some in made for image in some)
    with _shown(n, there * size) as show:
        for index in range(there, len(names)):
            with whole(out / names[index]) as file, tarfile.open(fileobj=file, mode="w") as tar:
                for _ in range(min(size, n - index * size)):
                    number, data, label = next(images)
                    _add(tar, f"{number:06d}.png", data)
                    if label is not None:
                        _add(tar, f"{number:06d}.cls", str(label).encode())
                    show(number + 1)


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)  # of no time and no owner: the same samples are the same bytes
    info.size, info.mode = len(data), 0o644
    tar.addfile(info, io.BytesIO(data))


def empty(wish: Wish, out: Path) -> None:
    """Raise UserMistake unless the directory is new or empty, or may be written over."""
    if not wish.force and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserMistake(
            f"{clean(out)} is there already: another --out, or --force to write over it"
        )


def ahead(items: Iterable[T], work: Callable[[T], R], workers: int) -> Iterator[R]:
    """What the work makes of each item, in order; a few items ahead of it, and no more."""
    waiting: deque[Future[R]] = deque()
    pool = ThreadPoolExecutor(workers)
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


@contextlib.contextmanager
def whole(path: Path) -> Iterator[IO[bytes]]:
    """A file to be written piece by piece, which is there when all of it is; DiskFailure."""
    temporary = path.with_name(f".gan-{secrets.token_hex(6)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise disk.failure(path, error) from error


@contextlib.contextmanager
def _shown(total: int, done: int = 0) -> Iterator[Callable[[int], None]]:
    """Progress, where it takes more than a moment."""
    began, first, console = time.monotonic(), done, None

    def show(count: int) -> None:
        nonlocal console
        seconds = time.monotonic() - began
        if console is None and seconds > QUIET:
            console = Console.make()
            console.start(total, count, "image")
        if console is not None:
            rate = (count - first) / seconds
            console.update(count, {"thousands": count / 1000}, rate, 0)

    try:
        yield show
    finally:
        if console is not None:
            console.stop()
