"""Steps whose facts wait on the device, and what they say when they are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import torch
from torch import Tensor

from gan_cli import dist
from gan_cli.errors import NumericalFailure
from gan_cli.facts import Bad, hidden

REMEDY = (
    "the runs that survive usually have a smaller learning rate, clip_grad=1, or "
    "hardware.precision=float32; policy=skip leaves single updates out"
)
"""What helps against numbers that run away."""


@dataclass(frozen=True)
class Noted:
    """What a step told: its facts by name, and those of which some number is not finite."""

    step: int
    counts: dict[str, float]
    facts: dict[str, float]
    bad: Bad


@dataclass(frozen=True)
class _Step:
    """A step's facts, still on the device: `values` has `lengths[name]` numbers of each."""

    step: int
    counts: dict[str, float]
    lengths: dict[str, int]
    values: Tensor

    def read(self, values: np.ndarray) -> Noted:
        """The facts, of their numbers on the host."""
        ends = dict(zip(self.lengths, accumulate(self.lengths.values()), strict=True))
        # str() of a NumPy float is the shortest text that reads back as the same number
        facts = {n: float(str(values[end - 1])) for n, end in ends.items() if not hidden(n)}
        bad: Bad = {}
        if not np.isfinite(values).all():
            parts = {n: values[end - self.lengths[n] : end] for n, end in ends.items()}
            bad = {n: tuple(v.tolist()) for n, v in parts.items() if not np.isfinite(v).all()}
        return Noted(self.step, self.counts, facts, bad)


class Notes:
    """Steps whose facts wait on the device to be read."""

    def __init__(self) -> None:
        self._steps: list[_Step] = []
        self.newest = 0

    def add(self, step: int, facts: Mapping[str, Tensor], counts: Mapping[str, float]) -> None:
        """Note a step without waiting for the device."""
        with torch.no_grad():
            values = torch.hstack(list(facts.values())) if facts else torch.empty(0)
        lengths = {name: value.numel() for name, value in facts.items()}
        self._steps.append(_Step(step, dict(counts), lengths, values))
        self.newest = step

    def read(self) -> list[Noted]:
        """Each step and its facts, their means over all ranks, in one transfer; then none wait."""
        steps, self._steps = self._steps, []
        told = [step.values for step in steps if step.lengths]
        values = host(dist.mean([torch.cat(told)])[0]) if told else np.empty(0)
        ends = list(accumulate(step.values.numel() for step in steps))
        starts = [0, *ends]
        return [one.read(values[a:b]) for one, a, b in zip(steps, starts, ends, strict=False)]


def refuse_not_finite(read: Sequence[Noted]) -> None:
    """Raise NumericalFailure for the first step of which a number is NaN or infinite."""
    for noted in read:
        if noted.bad:
            told = {name: v for name, v in noted.facts.items() if name in noted.bad}
            said = [f"{name} is {v}" for name, v in told.items()] or ["a number is not finite"]
            text = f"step {noted.step}: {', '.join(said)}; {REMEDY}"
            raise NumericalFailure(text, noted.step, noted.bad)


def host(values: Tensor) -> np.ndarray:
    """The numbers where they can be read, in float32 at least."""
    values = values.cpu()
    return values.to(torch.promote_types(values.dtype, torch.float32)).numpy()
