"""A user's own components, which give a number that is none at a certain moment.

Each stands in a configuration in place of a sound component, whose entry of conf/ it names.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
import yaml
from torch import Tensor, nn

from gan_cli import build
from gan_cli.batch import Batch
from gan_cli.dataset.source import Feed, Source
from gan_cli.model import Generator
from tests.conftest import CONF

SMALL = {"width": 8}
NAMES = {"nan": float("nan"), "inf": float("inf"), "-inf": float("-inf")}


def sound(entry: str, settings: dict[str, Any] | None = None) -> Any:
    """The component of an entry, `loss/hinge`, with some settings of its own."""
    group = entry.partition("/")[0]
    found = yaml.safe_load((CONF / f"{entry}.yaml").read_text())
    call = {key: value for key, value in found.get(group, found).items() if "$" not in str(value)}
    return build._make(call | (settings or {}))


class Counted:
    """Calls of something, of which those from number `at` on (from 1) are to go wrong."""

    def __init__(self, at: int, times: int = 1):
        self.at, self.times, self.calls = at, times, 0

    def now(self) -> bool:
        """Whether this call is one of them."""
        self.calls += 1
        return self.at <= self.calls < self.at + self.times


class Loss:
    """A loss of which D's or G's side is not finite at a call; all else is the inner one's."""

    def __init__(
        self, inner: str, side: str = "d", at: int = 3, value: str = "nan", times: int = 1
    ):
        self.inner, self.side, self.value = sound(inner), side, NAMES[value]
        self.count = Counted(at, times)

    def d(self, real: Tensor, fake: Tensor) -> Tensor:
        """The inner one, spoilt at its moment."""
        return self.spoilt("d", self.inner.d(real, fake))

    def g(self, real: Tensor | None, fake: Tensor) -> Tensor:
        """The inner one, spoilt at its moment."""
        return self.spoilt("g", self.inner.g(real, fake))

    def spoilt(self, side: str, paid: Tensor) -> Tensor:
        """What is paid, times the value where it is time."""
        return paid * self.value if side == self.side and self.count.now() else paid

    def __getattr__(self, name: str) -> Any:
        if name == "inner":
            raise AttributeError(name)
        return getattr(self.inner, name)


class Penalty:
    """A penalty that is infinite at a call."""

    every = 1

    def __init__(self, at: int = 3, value: str = "inf", times: int = 1):
        self.count, self.value = Counted(at, times), NAMES[value]

    def __call__(self, seen: Any) -> Tensor:
        """The square of D's outputs, `(N,)`."""
        paid = 0.01 * seen.d_real.square()
        return paid * self.value if self.count.now() else paid

    def refuses(self, D: nn.Module) -> None:
        """Nothing is refused."""


class Model:
    """A model of which the gradient of one weight of D or G is not finite at a moment."""

    def __init__(self, inner: str, weight: str, at: int = 3, value: str = "inf", of: str = "D"):
        self.inner, self.weight, self.of = sound(inner, SMALL), weight, of
        self.count, self.value = Counted(at), NAMES[value]

    def generator(self, *args: Any) -> Any:
        """The inner one's."""
        return self.hooked(self.inner.generator(*args), "G")

    def discriminator(self, *args: Any) -> Any:
        """The inner one's."""
        return self.hooked(self.inner.discriminator(*args), "D")

    def hooked(self, net: nn.Module, name: str) -> nn.Module:
        """The network; what goes wrong does so where its weight learns what it did."""
        if name == self.of:
            weight = net.get_parameter(self.weight)
            weight.register_hook(lambda slope: slope * self.value if self.count.now() else slope)
        return net


@dataclass(frozen=True, eq=False)
class Data:
    """A data set of which a pixel of one sample of certain batches is none."""

    inner: str
    split: str = "all"
    batch: int = 3
    row: int = 1
    value: str = "inf"
    times: int = 1
    every: int = 0

    def load(self) -> Source:
        """The samples."""
        return Spoilt(sound(self.inner).load(), self)


@dataclass(frozen=True, eq=False)
class Spoilt:
    """The samples of such a data set."""

    inner: Source
    how: Data

    def open(self, batch_size: int, seed: int, device: torch.device) -> Feed:
        """Its batches."""
        return SpoiltFeed(self.inner.open(batch_size, seed, device), self.how)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["inner"], name)


class SpoiltFeed:
    """The batches of such a data set."""

    def __init__(self, inner: Feed, how: Data):
        self.inner, self.how, self.where = inner, how, inner.where

    def __call__(self, i: int) -> Batch:
        """Batch i."""
        batch, how = self.inner(i), self.how
        late = i - how.batch
        if not (0 <= late < how.times or (how.every and late >= 0 and late % how.every == 0)):
            return batch
        x = batch.x.clone()
        x[how.row].flatten()[0] = NAMES.get(how.value) or float(how.value)
        return replace(batch, x=x)


@dataclass(frozen=True)
class Constant:
    """A model whose G gives the same sample for every code, and whose D is the inner one's."""

    inner: str
    z_dim: int = 8

    def generator(self, shape: tuple[int, ...]) -> Generator:
        """One sample that is learnt."""
        return One(shape, self.z_dim)

    def discriminator(self, shape: tuple[int, ...]) -> Any:
        """The inner one's."""
        return sound(self.inner, SMALL).discriminator(shape)


class One(Generator):
    """G, whose sample is all it has."""

    def __init__(self, shape: tuple[int, ...], z_dim: int):
        super().__init__()
        self.z_dim, self.shape = z_dim, shape
        self.sample = nn.Parameter(torch.zeros(shape))

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """The sample for each code, `(N, z_dim) -> (N, *shape)`."""
        return self.sample.tanh().expand(len(z), *self.shape)
