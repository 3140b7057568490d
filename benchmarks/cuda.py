"""Everything that needs a GPU, from a plain checkout, in calls of under ten minutes each.

    python benchmarks/cuda.py --stage tests        # what only CUDA can show: tests/test_gpu.py
    python benchmarks/cuda.py --stage bench        # speed.py and gan bench, case by case
    python benchmarks/cuda.py --stage train-label  # MNIST by class: samples, figures
    python benchmarks/cuda.py --stage train        # MNIST without labels
    python benchmarks/cuda.py --stage tests --device cpu --quick  # whether it runs at all

Nothing need be installed but torch and torchvision; what else is missing is named, and taken from a
directory of wheels: --wheels DIR. A job that is done is not done again: the same call goes on where
the last one ended, for `--minutes` at most. What comes of it goes to --results, in cuda.json what
was done, how long it took and on which machine; runs are under --scratch, which the training stages
go on from. MNIST is looked for where GAN_DATA says.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
NEEDED = {"antlr4": "antlr4-python3-runtime", "yaml": "pyyaml", "PIL": "pillow"} | {
    name.replace("-core", "").replace("scikit-learn", "sklearn").replace("-", "_"): name
    for name in "hydra-core omegaconf rich tensorboard safetensors filelock scikit-learn scipy "
    "torchmetrics torch-fidelity pytest hypothesis".split()
}
"""What a machine with torch may lack, by the name it is imported by."""

SPARE = 15.0
"""Seconds that a job is given to save what it has, after it is told to stop."""

LEAST = 20.0
"""Seconds without which no job is begun."""


@dataclass(frozen=True)
class Job:
    """A command, the file in the results that it is to leave, and the job that it comes after."""

    name: str
    command: list[str]
    leaves: str = ""
    after: str = ""


@dataclass
class Place:
    """Where it runs: what was asked for, and what is there."""

    device: str
    scratch: Path
    results: Path
    quick: bool
    until: float
    env: dict[str, str] = field(default_factory=dict)

    @property
    def left(self) -> float:
        """Seconds until this call is over."""
        return self.until - time.monotonic()


def gan(*words: str) -> list[str]:
    """A command of gan's."""
    return [sys.executable, "-m", "gan_cli", *words]


def tests(place: Place) -> Iterator[Job]:
    """The tests that need CUDA, by file; the recorded steps on the CPU beside them."""
    chosen = {"gpu": ["tests/test_gpu.py"], "graphs": ["tests/laws/test_graphs.py"]}
    few = ["-k", "tape or gpu"] if place.quick else []
    for name, files in chosen.items():
        report = f"cuda_tests_{name}.xml"
        where = ["-p", "no:cacheprovider", f"--junitxml={place.results / report}"]
        run = [sys.executable, "-m", "pytest", "-q", "-rs", *files, *where, *few]
        yield Job(f"tests/{name}", run, report)


SPEED = (
    *("mlp", "dcgan32", "dcgan64", "dcgan64-b128", "wgan-gp-mlp", "wgan-gp-dcgan32", "r1-dcgan32"),
    *("sampling-mlp", "sampling-dcgan32", "start-up", "saving", "folder"),
)
HERE = ["hardware.threads=null", "hardware.precision=auto"]
"""What recipes that were measured on a CPU pin, left to the machine again."""

GAMES = {
    "mlp": ["model=mlp", "dataset=mnist"],
    "dcgan": ["model=dcgan", "dataset=mnist"],
    "dcgan-eager": ["model=dcgan", "dataset=mnist", "hardware.cuda_graphs=false"],
    "dcgan-float32": ["model=dcgan", "dataset=mnist", "hardware.precision=float32"],
    "dcgan-compiled": ["model=dcgan", "dataset=mnist", "hardware.compile=true"],
    "stylegan2": ["experiment=stylegan2_mnist", *HERE],
}
BATCHES = "64,256,1024,4096"


def bench(place: Place) -> Iterator[Job]:
    """gan against plain PyTorch; then the parts of a step, and batch sizes."""
    here, few = f"hardware.device={place.device}", ["--quick"] if place.quick else []
    scratch = ["--scratch", str(place.scratch / "speed")]
    for case in SPEED[:1] if place.quick else SPEED:
        table = ["--json", str(place.results / "cuda_speed.json")]
        script = [sys.executable, "benchmarks/speed.py", case, "--device", place.device]
        yield Job(f"speed/{case}", [*script, *scratch, *table, *few])
    games = {"mlp": ["dataset=digits"]} if place.quick else GAMES
    more = ["--seconds", "1"] if place.quick else ["--seconds", "20", "--batches", BATCHES]
    for name, words in games.items():
        report = f"cuda_bench_{name}.json"
        command = gan("bench", *words, here, *more, "--json", str(place.results / report))
        yield Job(f"bench/{name}", command, report)


RECIPES = {
    "train-label": ["experiment=dcgan_mnist"],
    "train": ["experiment=stylegan2_mnist"],
}
"""Recipes that were found on a CPU, by the stage; the machine chooses precision and threads."""


def trained(stage: str) -> Callable[[Place], Iterator[Job]]:
    """A run by a recipe; its samples, and its figures."""

    def jobs(place: Place) -> Iterator[Job]:
        run = place.scratch / stage
        first, picture, figures = f"{stage}/run", f"cuda_{stage}.png", f"cuda_{stage}.json"
        words = [*RECIPES[stage], *HERE, f"run_dir={run}", f"hardware.device={place.device}"]
        few = ["dataset=digits", "model.width=4", "steps=4", "metric=none"]
        yield Job(first, gan("train", *words, *(few if place.quick else [])))
        ckpt = ["--ckpt", str(run), "--device", place.device]
        out = ["--out", str(place.results / picture)]
        yield Job(f"{stage}/sample", gan("sample", *ckpt, "-n", "100", *out), picture, first)
        n = ["-n", "200", "--metrics", "frechet", "--extractor", "raw"] if place.quick else []
        out = ["--out", str(place.results / figures)]
        yield Job(f"{stage}/evaluate", gan("evaluate", *ckpt, *n, *out), figures, first)

    return jobs


STAGES: dict[str, Callable[[Place], Iterator[Job]]] = {
    "tests": tests,
    "bench": bench,
    **{stage: trained(stage) for stage in RECIPES},
}


def unpacked(wheels: Path | None, scratch: Path) -> list[str]:
    """The directory with what is in the wheels, for the path of modules."""
    if wheels is None:
        return []
    site = scratch / "site"
    for wheel in sorted(wheels.glob("*.whl")):
        if not (site / f".{wheel.stem}").exists():
            with zipfile.ZipFile(wheel) as packed:
                packed.extractall(site)
            (site / f".{wheel.stem}").touch()
    return [str(site)]


def lacking(path: list[str]) -> list[str]:
    """What this Python can't import with that path, by the names it is installed by."""
    sys.path[:0] = path
    return [name for module, name in NEEDED.items() if importlib.util.find_spec(module) is None]


NO_CARD = "there is no CUDA device here; --device cpu --quick tries the script"


def there(device: str) -> bool:
    """Whether this machine has it."""
    import torch

    return not device.startswith("cuda") or torch.cuda.is_available()


def machine(device: str) -> dict[str, Any]:
    """What the figures depend on."""
    import torch

    found = {"python": sys.version.split()[0], "torch": str(torch.__version__), "device": device}
    if device.startswith("cuda"):
        card = torch.cuda.get_device_properties(device)
        found |= {"card": card.name, "memory_gb": round(card.total_memory / 1e9)}
        found |= {"cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version()}
    return found


def done(job: Job, place: Place) -> dict[str, Any]:
    """Run a job within the time that is left, and tell how it went; a late one is asked to stop."""
    began = time.monotonic()
    log = place.scratch / f"{job.name.replace('/', '-')}.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            job.command, cwd=ROOT, env=place.env, stdout=out, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            code = process.wait(max(LEAST, place.left - SPARE))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGTERM)
            code = None
            try:
                process.wait(SPARE)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    told = log.read_text(errors="replace").strip()
    made = not job.leaves or (place.results / job.leaves).is_file()
    return {
        "done": code == 0 and made,
        "code": code,
        "seconds": round(time.monotonic() - began, 1),
        "said": told[-2000:],
    }


def stage(names: list[str], place: Place, again: bool) -> bool:
    """The jobs of these stages that are not done; True where all of them are."""
    path = place.results / "cuda.json"
    kept = json.loads(path.read_text()) if path.is_file() else {}
    here = machine(place.device)
    jobs = kept.get("jobs", {}) if kept.get("machine") == here else {}
    whole = True
    for job in (job for name in names for job in STAGES[name](place)):
        if jobs.get(job.name, {}).get("done") and not again:
            sys.stdout.write(f"{job.name}: done before\n")
            continue
        if job.after and not jobs[job.after]["done"]:
            whole = False
            continue
        if place.left < LEAST + SPARE:
            sys.stdout.write(f"{job.name}: no time is left; the same call goes on\n")
            return False
        found = done(job, place)
        seconds = found["seconds"] + jobs.get(job.name, {}).get("seconds", 0) * (not again)
        jobs[job.name] = found | {"seconds": round(seconds, 1), "date": str(date.today())}
        path.write_text(json.dumps({"machine": here, "jobs": jobs}, indent=1) + "\n")
        last = found["said"].splitlines()[-1:] or [""]
        end = {None: "stopped; the same call goes on", 0: "done"}.get(found["code"], "failed")
        sys.stdout.write(f"{job.name}: {end} ({found['seconds']} s): {last[0]}\n")
        sys.stdout.flush()
        whole = whole and bool(found["done"])
    return whole


def parse(argv: list[str]) -> argparse.Namespace:
    """What is typed."""
    parser = argparse.ArgumentParser(description="everything that needs a GPU")
    parser.add_argument("--stage", nargs="+", choices=list(STAGES), required=True)
    parser.add_argument("--device", default="cuda", help="cuda, cuda:N, or cpu to try the script")
    parser.add_argument("--wheels", type=Path, help="of what this Python lacks")
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results")
    parser.add_argument("--scratch", type=Path, help="for runs and caches")
    parser.add_argument("--minutes", type=float, default=9.0, help="this call may take (9)")
    parser.add_argument("--again", action="store_true", help="what is done, too")
    parser.add_argument("--quick", action="store_true", help="a moment of each")
    return parser.parse_args(argv)


def main(argv: list[str]) -> int:
    """Do what is asked for; 0 where all of it is done."""
    said = parse(argv)
    scratch = (said.scratch or Path(tempfile.gettempdir()) / "gan-cuda").resolve()
    results = said.results.resolve()
    for directory in (scratch, results):
        directory.mkdir(parents=True, exist_ok=True)
    path = [str(ROOT), *unpacked(said.wheels, scratch)]
    missing = lacking(path)
    if missing or not there(said.device):
        why = f"this Python lacks {', '.join(missing)}: --wheels DIR" if missing else NO_CARD
        sys.stderr.write(f"{why}\n")
        return 2
    place = Place(said.device, scratch, results, said.quick, time.monotonic() + 60 * said.minutes)
    before = os.environ.get("PYTHONPATH", "")
    place.env = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, [*path, before])),
        "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME", str(scratch / "cache")),
    }
    return 0 if stage(said.stage, place, said.again) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
