"""What a search of `gan tune` came to, as numbers.

    gan tune experiment=grid25_search --trials 20 --confirm 5
    python benchmarks/tune.py outputs/sweeps/tune+experiment-grid25_search

writes benchmarks/results/tune.json from the ledger of the search and the runs it tells of.
"""

from __future__ import annotations

import json
import platform
import sys
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from gan_cli.study.folder import Folder
from gan_cli.study.ledger import Job, Ledger
from gan_cli.study.paired import Spread, difference

RESULTS = Path(__file__).parent / "results" / "tune.json"
FIGURE, BETTER = "js", -1
SHOWN = ("js", "modes", "quality_gap", "modes_kl", "w1")
MACHINE = "a part of one CPU core of a busy server, one thread, no GPU"


def main(words: list[str]) -> None:
    """Write down the search in this directory."""
    ledger = Ledger.read(Path(words[0]))
    trials = [job for job in ledger.jobs if "seed" not in job.config]
    fresh = [job for job in ledger.jobs if "seed" in job.config]
    mine = _by_seed(job for job in fresh if len(job.config) > 1)
    other = _by_seed(job for job in fresh if len(job.config) == 1)
    told = difference(mine, other, BETTER)
    found: dict[str, Any] = {
        "what": "a search for better settings than the default on 25 Gaussians in the plane",
        "command": ledger.command,
        "measured": date.today().isoformat(),
        "machine": MACHINE,
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in ("torch", "optuna")},
        "figure": "js at the last step, of 2,000 samples; less is better",
        "trials": [_row(job) for job in trials],
        "fresh seeds": [_row(job) for job in fresh],
        "best": _spread(mine),
        "default": _spread(other),
        "difference": {"n": told.n, "mean": told.mean, "low": told.low, "high": told.high},
    }
    RESULTS.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    print(json.dumps({key: found[key] for key in ("best", "default", "difference")}))  # noqa: T201


def _by_seed(jobs: Any) -> dict[int, float]:
    return {int(job.config["seed"]): job.figures[FIGURE] for job in jobs if job.figures}


def _spread(values: dict[int, float]) -> dict[str, Any]:
    one = Spread.of(values.values())
    return {} if one is None else {"n": one.n, "mean": one.mean, "deviation": one.deviation}


def _row(job: Job) -> dict[str, Any]:
    scores = Folder(Path(job.run)).scores
    figures = {} if scores is None else scores.figures
    shown = {name: round(figures[name].value, 5) for name in SHOWN if name in figures}
    return {**job.config, **shown, "state": job.state, "reason": job.reason, "s": job.seconds}


if __name__ == "__main__":
    main(sys.argv[1:])
