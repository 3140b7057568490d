"""Digits as metrics see them: good fakes, slightly noisy ones, noise, and a single one again and
again; with an extractor that takes no time."""

from __future__ import annotations

import functools
import importlib
from dataclasses import dataclass, replace

import torch
from omegaconf import OmegaConf
from torch import Tensor

from gan_cli.dataset.digits import Digits
from gan_cli.dataset.source import Resident
from gan_cli.metric import Exam, Metric, Sight
from gan_cli.metric.neighbours import take
from tests.conftest import CONF, entries

METRICS = [name for name in entries("metric") if name != "none"]


def metric(name: str, **settings: object) -> Metric:
    """The metric of an entry of conf/, with some settings changed."""
    spec = OmegaConf.to_container(OmegaConf.load(CONF / "metric" / f"{name}.yaml"))
    arguments = spec["metric"][name]
    module, _, made = arguments.pop("_target_").rpartition(".")
    return getattr(importlib.import_module(module), made)(**(arguments | settings))


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@dataclass(frozen=True, eq=False)
class Ridge:
    """A classifier by ridge regression on random features of digits, and these features."""

    weights: Tensor
    answer: Tensor
    classes: tuple[str, ...]
    name: str = "ridge"
    sha256: str = "0" * 64
    resize: str = "none"
    about: str = ""

    @classmethod
    def of(cls, source: Resident) -> Ridge:
        x = take(source, torch.arange(source.length)).flatten(1)
        assert source.labels is not None
        weights = randn(x.shape[1], 48) / x.shape[1] ** 0.5
        h = (x @ weights).relu()
        seen = torch.cat([h, torch.ones(len(h), 1)], 1).double()
        right = torch.eye(len(source.classes)).double()[source.labels]
        answer = torch.linalg.solve(seen.T @ seen + torch.eye(seen.shape[1]), seen.T @ right)
        return cls(weights, answer.float(), source.classes)

    def features(self, x: Tensor) -> Tensor:
        return (x.flatten(1) @ self.weights).relu()

    def probabilities(self, x: Tensor) -> Tensor:
        h = self.features(x)
        return (10 * torch.cat([h, torch.ones(len(h), 1)], 1) @ self.answer).softmax(1)


class Line:
    """A generator that is linear: its path length is known."""

    def __init__(self, slope: float = 1.0):
        self.slope = slope

    def codes(self, numbers: range, seed: int) -> Tensor:
        return torch.cat([randn(1, 64, seed=1000 * seed + number) for number in numbers])

    def labels(self, numbers: range) -> None:
        return None

    def generate(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        return self.slope * z.view(-1, 1, 8, 8)


@functools.cache
def digits() -> dict[str, Exam]:
    """Exams of sets of fakes against the same digits, by what the fakes are."""
    train, test = Digits("train").load(), Digits("test").load()
    assert train.labels is not None
    assert test.labels is not None
    extractor, half = Ridge.of(train), test.length // 2
    held, good = torch.arange(test.length).split([test.length - half, half])
    x, c = take(test, good), test.labels[good]
    fakes = {
        "good": x,
        "slightly noisy": x + 0.3 * randn(*x.shape),
        "noise": torch.rand(x.shape, generator=torch.Generator().manual_seed(0)) * 2 - 1,
        "collapsed": x[:1] + 0.01 * randn(*x.shape),
    }
    numbers = torch.randperm(train.length, generator=torch.Generator().manual_seed(1))
    numbers = numbers[: len(x)]
    whole = Exam(
        real=Sight(take(train, numbers), train.labels[numbers], extractor),
        fake=Sight(x, c, extractor),
        held=Sight(take(test, held), test.labels[held], extractor),
        source=train,
        truth=x,
        seed=3,
    )
    return {name: replace(whole, fake=Sight(fake, c, extractor)) for name, fake in fakes.items()}


def moving(exam: Exam, slope: float = 1.0) -> Exam:
    """The same exam with a generator at hand, and no right answers."""
    return replace(exam, truth=None, maker=Line(slope))


def suited(name: str, exam: Exam) -> Exam:
    """The exam as that metric wants it."""
    return moving(exam) if metric(name).refuses(exam) else exam
