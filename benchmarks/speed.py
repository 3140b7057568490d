"""gan against plain PyTorch: the same networks, batches and machine, in turn.

    python benchmarks/speed.py                          # every case: twelve minutes of two cores
    python benchmarks/speed.py mlp dcgan64 --pairs 9    # some of them
    python benchmarks/speed.py mlp --quick --json FILE  # whether it runs at all
    python benchmarks/speed.py --write                  # the tables of docs/performance.md

Each case goes into benchmarks/results/speed.json as it is done, and the rest of the file stays.
MNIST is looked for where GAN_DATA says; a folder of 20,000 JPEGs is made once under --scratch.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.race import kept
from benchmarks.speed_cases import CASES
from benchmarks.speed_page import RESULTS, told, write
from benchmarks.speed_training import Asked

QUICK = {"pairs": 2, "seconds": 0.1, "photos": 256, "samples": 128, "quick": True}
"""What changes where it only has to run."""


def parse(argv: list[str]) -> argparse.Namespace:
    """What is typed."""
    parser = argparse.ArgumentParser(description="gan against plain PyTorch")
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}")
    parser.add_argument("--pairs", type=int, default=5, help="turns of each contender (5)")
    parser.add_argument("--seconds", type=float, default=1.5, help="of a turn, about (1.5)")
    parser.add_argument("--device", default="cpu", help="cpu, or cuda")
    parser.add_argument("--threads", type=int, help="of the processor, for all (what torch takes)")
    parser.add_argument("--scratch", type=Path, help="for images, caches and runs")
    parser.add_argument("--json", type=Path, default=RESULTS, help="where the results go")
    parser.add_argument("--quick", action="store_true", help="few files, steps and turns")
    parser.add_argument("--write", action="store_true", help="only the tables of the page")
    said = parser.parse_args(argv)
    if unknown := [name for name in said.cases if name not in CASES]:
        parser.error(f"{unknown[0]}: there is no such case; there are {', '.join(CASES)}")
    return said


def main(argv: list[str]) -> None:
    """Measure what is asked for, and tell it."""
    said = parse(argv)
    if said.write:
        write()
        return
    scratch = said.scratch or Path(tempfile.gettempdir()) / "gan-benchmarks"
    (scratch / "cache").mkdir(parents=True, exist_ok=True)
    asked = {
        "pairs": said.pairs,
        "seconds": said.seconds,
        "device": said.device,
        "threads": said.threads,
    } | (QUICK if said.quick else {})
    data = os.environ.get("GAN_DATA", "~/.cache/gan")
    for name in said.cases or CASES:
        began = time.perf_counter()
        case = CASES[name](name, Asked(scratch.resolve(), str(Path(data).expanduser()), **asked))
        case["took_s"] = round(time.perf_counter() - began)
        kept(said.json, name, case, said.device)
        sys.stdout.write(f"{name} ({case['took_s']} s): {told(case)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
