"""Whether a game that is played in bfloat16 comes out as well as in float32, over seeds.

    python benchmarks/precision.py [--outputs DIRECTORY] [--seeds 4] [--steps 1500]

sweeps over both precisions and several seeds, two runs at a time, and holds runs of the same seed
against each other by the judge's metrics; writes benchmarks/results/precision.json, from which
benchmarks/speed.py --write puts the table into docs/performance.md. Seven minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from gan_cli.study.folder import Folder
from gan_cli.study.ledger import Job, Ledger
from gan_cli.study.paired import Spread, difference

RESULTS = Path(__file__).parent / "results" / "precision.json"
PRECISIONS = ("float32", "bfloat16")
GAMES = {
    "DCGAN of labels, R1 every fourth step": "experiment=dcgan_mnist",
    "DCGAN as it comes": "dataset=mnist model=dcgan model.width=32",
}
FIGURES = {"frechet": -1, "precision": 1, "recall": 1, "coverage": 1}
"""The judge's figures, and whether more or less of each is better."""


def swept(game: str, place: Path, seeds: int, steps: int) -> Ledger:
    """Both precisions, with each of so many seeds."""
    words = [
        *game.split(),
        "metric=[frechet,prdc]",
        "hardware.precision=" + ",".join(PRECISIONS),
        "seed=" + ",".join(map(str, range(seeds))),
        f"steps={steps}",
        *(f"{key}={steps}" for key in ("evaluate_every", "sample_every", "checkpoint_every")),
        *("evaluate_n=5000", "hardware.threads=1", "diagnose.every=null", f"outputs={place}"),
        *("hydra/launcher=joblib", "hydra.launcher.n_jobs=2"),
    ]
    before = set(place.glob("sweeps/*"))
    subprocess.run([sys.executable, "-m", "gan_cli", "train", "-m", *words], check=True)
    (made,) = set(place.glob("sweeps/*")) - before
    return Ledger.read(made)


def compared(ledger: Ledger) -> dict[str, Any]:
    """Each figure in both precisions, and bfloat16's less float32's, seed by seed."""
    by_seed: dict[str, dict[int, dict[str, float]]] = {name: {} for name in PRECISIONS}
    for job in ledger.jobs:
        by_seed[str(job.config["hardware.precision"])][int(job.config["seed"])] = _figures(job)
    told: dict[str, Any] = {}
    for figure, better in FIGURES.items():
        values = {
            name: {seed: found[figure] for seed, found in by_seed[name].items()}
            for name in PRECISIONS
        }
        apart = difference(values["bfloat16"], values["float32"], better)
        told[figure] = {
            **{name: _spread(values[name]) for name in PRECISIONS},
            "difference": {"mean": apart.mean, "low": apart.low, "high": apart.high},
        }
    return told


def _figures(job: Job) -> dict[str, float]:
    scores = Folder(Path(job.run)).scores
    if scores is None:
        raise SystemExit(f"{job.run} was not measured: {job.reason}")
    return {name: scores.figures[name].value for name in FIGURES}


def _spread(values: dict[int, float]) -> dict[str, float]:
    one = Spread.of(values.values())
    assert one is not None
    return {"mean": one.mean, "deviation": one.deviation}


def main(words: list[str]) -> None:
    """Sweep both games, and write down what came of it."""
    parser = argparse.ArgumentParser(description="float32 and bfloat16, by the judge's metrics")
    parser.add_argument("--outputs", type=Path)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--steps", type=int, default=1500)
    asked = parser.parse_args(words)
    place = asked.outputs or Path(tempfile.mkdtemp())
    found = {
        "what": f"the judge's metrics of 5,000 samples after {asked.steps} steps; "
        "difference: bfloat16 less float32, the same seeds, with its 95 % interval",
        "measured": date.today().isoformat(),
        "machine": {"cores": os.cpu_count(), "threads a run": 1, "system": platform.machine()},
        "versions": {"python": platform.python_version(), "torch": version("torch")},
        "seeds": asked.seeds,
        "games": {
            name: {"game": game, "figures": compared(swept(game, place, asked.seeds, asked.steps))}
            for name, game in GAMES.items()
        },
    }
    RESULTS.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
