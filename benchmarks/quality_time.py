"""How good samples are after so many seconds: `gan train dataset=mnist` against the plain loop.

    python benchmarks/quality_time.py            # four minutes of two cores, and a judge, once
    python benchmarks/quality_time.py --quick --json FILE
    python benchmarks/quality_time.py --write    # only the picture and the page

Both train the same DCGAN on the same batches, at their defaults, in turn. After every turn the
distance of 2,000 samples from MNIST is measured as a judge sees them, by the same code; of gan's
generator its average is asked, as `gan sample` does. Seconds are those since the command was typed,
without those in which the other one worked. MNIST is looked for where GAN_DATA says.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch
from torch import Tensor, nn

from benchmarks.chart import Chart, Line, chart
from benchmarks.race import Contender, environment, kept, rounded
from benchmarks.reference import GAMES, NETS
from benchmarks.speed_page import write
from gan_cli import build
from gan_cli.dataset.halves import held_out
from gan_cli.evaluation import Data, Examiner, Question, looked_at
from gan_cli.model import Generator
from gan_cli.sampler import Sampler
from gan_cli.space import Space

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "quality_time.json"
PICTURE = ROOT / "docs" / "images" / "quality-time.png"
GAME, WORDS = "dcgan28", "dataset=mnist model=dcgan"
LEVELS = (50.0, 20.0, 10.0, 5.0)
"""Distances of which it is told when they were first reached."""


class Plain(Generator):
    """The G of the plain loop, as gan's own are asked."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net, self.z_dim = net, GAMES[GAME].nz

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """Samples, `(N, z_dim) -> (N, 1, 28, 28)`."""
        made: Tensor = self.net(z)
        return made


def examiner(data: str, n: int) -> Examiner:
    """Who measures: the judge of MNIST, of n samples of each kind."""
    config = build.compose(
        "dataset=mnist", "metric=[frechet]", "extractor=judge", f"data_root={data}"
    )
    parts = build.parts(config)
    held = Data(parts.dataset.load(), held_out(parts.dataset), parts.task, "mnist", "train")
    extractor = parts.extractor.of(looked_at(held), torch.device("cpu"))
    return Examiner(held, Question(parts.metric, build.settings(config["metric"]), extractor, n))


def plain(path: Path) -> Sampler:
    """The plain loop's generator, from a file of its weights."""
    net, _ = NETS[GAMES[GAME].family](GAMES[GAME])
    net.load_state_dict(torch.load(path, weights_only=True, map_location="cpu"))
    return Sampler(Plain(net), Space(GAMES[GAME].shape))


def trained(
    place: Path, data: str, device: str, turns: int, steps: int
) -> dict[str, list[tuple[float, Sampler]]]:
    """Both after each of so many turns: seconds, and the generator at that time."""
    run, env = place / "run", environment(place, None) | {"GAN_DATA": data}
    own = [*WORDS.split(), f"run_dir={run}", f"checkpoint_every={steps}", f"keep={turns + 2}"]
    asked = {
        "gan train": ["ours", *own, f"hardware.device={device}"],
        "plain loop": ["reference", GAME, data, "0", device, "default"],
    }
    seconds: dict[str, list[float]] = {name: [] for name in asked}
    runs: dict[str, Contender] = {}
    try:
        for name, words in asked.items():  # one after the other: the start counts
            runs[name] = Contender(words, env, place / f"{name}.log")
            seconds[name].append(runs[name].first())
        for turn in range(1, turns + 1):
            for name, one in runs.items():
                told = one.ask(warm=0, steps=steps if turn > 1 else steps - 1)
                seconds[name].append(seconds[name][-1] + told["seconds"])
            runs["plain loop"].ask(keep=str(place / f"{turn}.pt"))
    finally:
        for one in runs.values():
            one.end()
    made = {
        "gan train": [
            run / "checkpoints" / f"step-{t * steps:08d}.safetensors" for t in kept_of(turns)
        ],
        "plain loop": [place / f"{turn}.pt" for turn in kept_of(turns)],
    }
    return {
        "gan train": [
            *zip(seconds["gan train"][1:], map(Sampler.load, made["gan train"]), strict=True)
        ],
        "plain loop": [
            *zip(seconds["plain loop"][1:], map(plain, made["plain loop"]), strict=True)
        ],
    }


def kept_of(turns: int) -> Iterable[int]:
    """The numbers of the turns."""
    return range(1, turns + 1)


def reached(at: list[float], values: list[float]) -> dict[str, float | None]:
    """The first seconds at which each level was reached; None where it never was."""
    pairs = [*zip(at, values, strict=True)]
    return {f"{level:g}": next((s for s, v in pairs if v <= level), None) for level in LEVELS}


def measure(data: str, device: str, quick: bool) -> dict[str, Any]:
    """Train both, and measure what they make."""
    turns, steps, n = (2, 5, 100) if quick else (12, 150, 2000)
    judge = examiner(data, n)
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "cache").mkdir()
        for who, course in trained(Path(name), data, device, turns, steps).items():
            scores = [judge.examine(sampler, 0).figures["frechet"] for _, sampler in course]
            at = [rounded(seconds) for seconds, _ in course]
            values = [rounded(score.value) for score in scores]
            errors = [rounded(score.error or 0.0, 2) for score in scores]
            found[who] = {
                "seconds": at, "frechet": values, "error": errors, "reached": reached(at, values)
            }  # fmt: skip
    floor = judge.floors["frechet"]
    told = {"steps": [steps * t for t in kept_of(turns)], "n": n, "floor": rounded(floor)}
    return {"what": f"gan train {WORDS}"} | told | {"curves": found}


def picture(case: dict[str, Any], path: Path = PICTURE) -> None:
    """Draw the curves."""
    lines = [Line(who, one["seconds"], one["frechet"]) for who, one in case["curves"].items()]
    lines.append(Line("real images", [0, lines[1].at[-1]], [case["floor"]] * 2))
    text = f"distance of {case['n']:,} samples from MNIST as a judge sees them; less is better"
    title = "The same DCGAN, by the clock"
    chart(
        Chart(title, text, "seconds since the command", "distance", lines, ("linear", "log")), path
    )


def main() -> None:
    """Measure, keep, draw."""
    parser = argparse.ArgumentParser(description="quality against the clock")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", type=Path, default=RESULTS)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--write", action="store_true", help="only the picture and the page")
    said = parser.parse_args()
    if not said.write:
        data = str(Path(os.environ.get("GAN_DATA", "~/.cache/gan")).expanduser())
        kept(said.json, "mnist", measure(data, said.device, said.quick), said.device)
    case = json.loads(said.json.read_text())["cases"]["mnist"]
    if said.json == RESULTS:
        picture(case)
        write()
    for who, one in case["curves"].items():
        sys.stdout.write(f"{who}: {one['seconds']} s, {one['frechet']}; {one['reached']}\n")


if __name__ == "__main__":
    main()
