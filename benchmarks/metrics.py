"""Every metric of real digits, of a good generator, of one that has collapsed, and of noise.

    python benchmarks/metrics.py good=outputs/experiment-sngan_mnist collapsed=outputs/collapsed

writes benchmarks/results/metrics.json and prints the table of docs/metrics.md. MNIST is looked for
where GAN_DATA says.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

from gan_cli import build
from gan_cli.batch import Batch
from gan_cli.dataset.halves import held_out
from gan_cli.evaluation import Data, Examiner, Question, gathered, looked_at
from gan_cli.randomness import generator
from gan_cli.sampler import Sampler
from gan_cli.scores import Scores
from gan_cli.task.label import Label
from gan_cli.task.unconditional import Unconditional

METRICS = (
    *("frechet", "kid", "prdc", "score", "classes", "labels"),
    *("sliced_wasserstein", "ms_ssim", "path_length", "copies"),
)
N = 10_000
RESULTS = Path(__file__).parent / "results" / "metrics.json"
CPU = torch.device("cpu")


def main(words: list[str]) -> None:
    """Measure the runs NAME=PATH, between real images and noise."""
    runs = dict(word.split("=", 1) for word in words)
    config = build.compose("dataset=mnist", f"metric=[{','.join(METRICS)}]")
    parts = build.parts(config)
    source, held = parts.dataset.load(), held_out(parts.dataset)

    def examiner(task: Label | Unconditional) -> Examiner:
        data = Data(source, held, task, "mnist", "train")
        extractor = parts.extractor.of(looked_at(data), CPU)
        question = Question(parts.metric, build.settings(config["metric"]), extractor, N)
        return Examiner(data, question)

    plain = examiner(Unconditional())
    told: dict[str, Scores] = {}
    test = gathered(held, N)
    told["real"] = examiner(Label()).examine_set(test, held.fingerprint, 0)
    for name, path in runs.items():
        sampler = Sampler.load(path)
        one = examiner(Label()) if sampler.space.classes else plain
        told[name] = one.examine(sampler, 0)
    noise = torch.rand(N, *source.shape, generator=generator("noise")) * 2 - 1
    labels = gathered(source, N).c
    told["noise"] = examiner(Label()).examine_set(Batch(noise, labels), "0" * 64, 0)
    kept = {name: json.loads(one.to_json()) for name, one in told.items()}
    RESULTS.write_text(json.dumps(kept, indent=1) + "\n")
    sys.stdout.write(table(told))


def table(told: dict[str, Scores]) -> str:
    """The figures in Markdown, a row each."""
    names = list(dict.fromkeys(name for one in told.values() for name in one.figures))
    lines = [f"| figure | {' | '.join(told)} | better |", f"|---{'|---' * (len(told) + 1)}|"]
    for name in names:
        cells = [
            f"{one.figures[name].value:.4g} ± {one.figures[name].error or 0:.2g}"
            if name in one.figures
            else ""
            for one in told.values()
        ]
        better = next(one.figures[name].better for one in told.values() if name in one.figures)
        way = {1: "more", -1: "less", 0: ""}[better]
        lines.append(f"| `{name}` | {' | '.join(cells)} | {way} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main(sys.argv[1:])
