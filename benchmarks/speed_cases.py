"""What `speed.py` measures, case by case: training, and whole jobs."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from benchmarks.photos import folder
from benchmarks.race import Contender, Entry, Ratio, quartiles, race, rounded
from benchmarks.speed_training import TRAININGS, Asked, Case, training


def sampling(name: str, asked: Asked) -> Case:
    """`gan sample` of 10,000 images into a file, against batches of 64 and np.savez."""
    game, words = SAMPLINGS[name]
    place = asked.scratch / f"made-{game}"
    path = place / "run"
    if "dataset=folder" in words:
        words += f" dataset.path={folder(asked.scratch, asked.photos)}"
    if not path.is_dir():
        typed = [*words.split(), "steps=1", f"run_dir={path}", "tensorboard=false", *asked.on]
        run = [sys.executable, "-m", "gan_cli", "train", *typed]
        subprocess.run(run, env=asked.env, check=True, capture_output=True)
    n = str(asked.samples)
    entries = {
        "plain": Entry(["plain_sampling", game, n, str(place), asked.device], 0, 1, counts=False),
        "ours": Entry(["sampling", str(path), n, asked.device], 0, 1, counts=False),
    }
    race(entries, asked.env, asked.scratch, min(asked.pairs, 4), asked.seconds)
    what = f"gan sample -n {n} --out FILE.npz, of {words.partition(' dataset.path')[0]}"
    return {
        "what": what,
        "seconds": {who: rounded(statistics.median(e.ms) / 1000) for who, e in entries.items()},
        "ratio": {"ours": asdict(Ratio.of(entries["plain"].ms, entries["ours"].ms))},
    }


SAMPLINGS = {
    "sampling-mlp": ("mlp", "dataset=mnist model=mlp"),
    "sampling-dcgan32": ("dcgan32", "dataset=folder dataset.size=32 model=dcgan"),
}


def reading(name: str, asked: Asked) -> Case:
    """A folder of JPEGs: until the first batch, and images a second of two epochs."""
    place, size = str(folder(asked.scratch, asked.photos)), "64"
    entries = {
        "plain": Entry(["plain_reading", place, size, asked.device, "2"], 0, 1, counts=False),
        "ours": Entry(["reading", place, size, asked.device], 0, 1, counts=False),
    }
    race(entries, asked.env, asked.scratch, 2, asked.seconds)
    found = {
        who: {job: rounded(statistics.median(t)) for job, t in entry.tally["jobs"].items()}
        for who, entry in entries.items()
    }
    images = asked.photos // 64 * 64
    rates = {
        who: {job: round(images / jobs[job]) for job in ("first epoch", "second epoch")}
        for who, jobs in found.items()
    }
    times = [entries[who].tally["jobs"] for who in ("plain", "ours")]
    ratios = {job: asdict(Ratio.of(*(t[job] for t in times))) for job in found["ours"]}
    what = f"dataset=folder of {asked.photos:,} JPEGs of 178×218, as 64×64, batches of 64"
    return {"what": what, "seconds": found, "images_per_second": rates, "ratio": ratios}


def start_up(name: str, asked: Asked) -> Case:
    """From the command to its first words, and to the end of the first step."""
    game = TRAININGS["mlp"]
    found: dict[str, list[float]] = {}
    for _ in range(asked.pairs):
        for who, act in {
            "python -c pass": lambda: command(asked, "-c", "pass"),
            "gan --help": lambda: command(asked, "-m", "gan_cli", "--help"),
            "plain, first step": lambda: first_step(
                asked, "reference", game.game, asked.data, "0", asked.device, "default"
            ),
            "gan train, first step": lambda: first_step(
                asked, "ours", *game.words.split(), *asked.on
            ),
        }.items():
            found.setdefault(who, []).append(act())
    pairs = {
        "gan --help": (found["gan --help"], found["python -c pass"]),
        "gan train, first step": (found["plain, first step"], found["gan train, first step"]),
    }
    return {
        "what": "gan --help, and gan train dataset=mnist model=mlp to the end of its first step",
        "seconds": {who: rounded(statistics.median(times)) for who, times in found.items()},
        "ratio": {who: asdict(Ratio.of(*both)) for who, both in pairs.items()},
        "bars": {"gan --help": 3.0},
    }


def command(asked: Asked, *words: str) -> float:
    """Seconds of a whole command."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *words], env=asked.env, check=True, capture_output=True)
    return time.perf_counter() - began


def first_step(asked: Asked, *words: str) -> float:
    """Seconds from its start to the end of a contender's first step."""
    run = Contender(words, asked.env, asked.scratch / "first.log")
    try:
        return run.first()
    finally:
        run.end()


def saving(name: str, asked: Asked) -> Case:
    """A checkpoint of 50 MB, as a run saves it, against torch.save with and without a sync."""
    from benchmarks.saving import tensors, ways

    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(dir=asked.scratch) as place:
        (Path(place) / "run").mkdir()
        acts = ways(Path(place), tensors(5 if asked.quick else 50))
        for _ in range(2 * asked.pairs):
            for who in ("torch.save", "torch.save, synced", "save"):
                began = time.perf_counter()
                acts[who]()
                found.setdefault(who, []).append(time.perf_counter() - began)
    times = {"gan, a checkpoint": found["save"]} | {
        who: found[who] for who in ("torch.save", "torch.save, synced")
    }
    return {
        "what": "a checkpoint of 50 MB: hashed, synced, renamed and read back",
        "seconds": {who: rounded(statistics.median(t)) for who, t in times.items()},
        "ratio": {
            f"against {who}": asdict(Ratio.of(found[who], found["save"]))
            for who in ("torch.save", "torch.save, synced")
        },
    }


def overhead(name: str, asked: Asked) -> Case:
    """The whole loop at its defaults against the bare step, without average, log and looks."""
    words, steps = OVERHEADS[name]
    typed = [*words.split(), *asked.on]
    if "dataset=folder" in words:
        typed.append(f"dataset.path={folder(asked.scratch, asked.photos)}")
    size = 20 if asked.quick else steps  # whole intervals of log_every
    entries = {
        "ours": Entry(["ours", *typed, "diagnose.every=null"], 1, size, counts=False),
        "bare": Entry(["bare", *typed, "diagnose.every=null"], 1, size, counts=False),
    }
    race(entries, asked.env, asked.scratch, asked.pairs * (1 if asked.quick else 5), asked.seconds)
    whole, own = entries["ours"].ms, entries["bare"].ms
    shares = [100 * (a / b - 1) for a, b in zip(whole, own, strict=True)]
    low, middle, high = quartiles(shares)
    return {
        "what": f"average, log, metrics.jsonl and TensorBoard of gan train {words}",
        "ms": {who: rounded(statistics.median(entry.ms)) for who, entry in entries.items()},
        "percent": {"median": round(middle, 2), "low": round(low, 2), "high": round(high, 2)},
        "bars": {"percent": 3.0},
    }


OVERHEADS = {
    "overhead-mlp": ("dataset=mnist model=mlp", 60),
    "overhead-dcgan32": ("dataset=folder dataset.size=32 model=dcgan", 20),
}

CASES: dict[str, Callable[[str, Asked], Case]] = (
    dict.fromkeys(TRAININGS, training)
    | dict.fromkeys(SAMPLINGS, sampling)
    | {"folder": reading, "start-up": start_up, "saving": saving}
    | dict.fromkeys(OVERHEADS, overhead)
)
"""Every case, by the name that is typed for it."""
