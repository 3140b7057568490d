"""What a generator answers to images: side by side with what it was given, and measured."""

from __future__ import annotations

import torch
from torch import Tensor

from gan_cli.batch import Batch
from gan_cli.plot.grid import Pixels
from gan_cli.plot.panel import panel
from gan_cli.sampler import Sampler

ROWS = 8
"""Examples in a picture."""


def answers(sampler: Sampler, c: Tensor, seed: int, draws: int = 1) -> list[Tensor]:
    """Answers to conditions `(n, …)` on the CPU, with different codes each time they are drawn."""
    n = len(c)
    codes = sampler.codes(range(draws * n), seed).split(n)
    return [torch.cat(_in_blocks(sampler, z, c)) for z in codes]


def _in_blocks(sampler: Sampler, z: Tensor, c: Tensor) -> list[Tensor]:
    return [sampler.generate(*pair) for pair in zip(z.split(64), c.split(64), strict=True)]


def picture(
    sampler: Sampler,
    c: Tensor,
    seed: int,
    truth: Tensor | None = None,
    against: dict[str, Sampler] | None = None,
    draws: int = 1,
) -> Pixels:
    """What was given, an answer without learning, those of others, G's, and the truth if known."""
    task = sampler.task
    assert task is not None
    columns = {"given": task.seen(c)}
    if (reference := task.reference(c)) is not None:
        columns["by rule"] = reference
    for name, other in (against or {}).items():
        columns[name] = answers(other, c, seed)[0]
    drawn = answers(sampler, c, seed, draws)
    columns |= {"G" if draws == 1 else f"G, z{i + 1}": x for i, x in enumerate(drawn)}
    if truth is not None:
        columns["truth"] = truth
    return panel(columns)


def figures(sampler: Sampler, pairs: Batch, seed: int) -> dict[str, dict[str, float]]:
    """How near answers come to the truth, and how sharp they are, by who gave them."""
    from gan_cli.metric.picture import compare  # 1 s, only for those who need it

    task, c = sampler.task, pairs.c
    assert task is not None
    assert c is not None
    told = {}
    if (reference := task.reference(c)) is not None:
        told["by rule"] = compare(reference, pairs.x)
    told["G"] = compare(answers(sampler, c, seed)[0], pairs.x)
    return told


def table(told: dict[str, dict[str, float]]) -> str:
    """The figures as lines of text, a row for each who answered."""
    names = list(next(iter(told.values())))
    wide = max(len(row) for row in told)
    head = " " * wide + "".join(f"{name:>12}" for name in names)
    rows = [f"{row:{wide}}" + "".join(f"{v[n]:12.3f}" for n in names) for row, v in told.items()]
    return "\n".join([head, *rows])
