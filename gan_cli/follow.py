"""A rank that writes nothing: it learns with the others, and helps where samples are measured.

Each class stands for what rank 0 has in its place, is called at the same steps, and takes part in
the same messages between the ranks.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager

from torch import Tensor

from gan_cli import dist
from gan_cli.best import Best
from gan_cli.build import Config, Parts
from gan_cli.console import Console
from gan_cli.diagnosis import Look
from gan_cli.errors import Lost, NumericalFailure, UserMistake
from gan_cli.keeper import Keeper
from gan_cli.log import Log
from gan_cli.model.stddev import MinibatchStd
from gan_cli.model.synchronised import KINDS
from gan_cli.notes import Notes, refuse_not_finite
from gan_cli.policy import Ruling
from gan_cli.record import differences, flat
from gan_cli.rewinds import Return, Rewinds
from gan_cli.run import CONTROL, WHERE
from gan_cli.sampler import BLOCK, Sampler, check_counts
from gan_cli.session import Session
from gan_cli.show import Show
from gan_cli.watch import Watch


class Follower(Keeper):
    """Keeps nothing, but takes part in the check that all ranks have the same weights."""

    def __init__(self, session: Session, config: Config):
        self.session, self.config = session, config

    def save(self, step: int, spare: Collection[int] = ()) -> None:
        """Compare this rank's weights with the others'."""
        dist.check_alike(self.session.method.state(), step)

    def best(self, step: int) -> Callable[[str, float], None]:
        """Nothing is kept."""
        return lambda figure, value: None

    def last(self) -> str:
        """Nothing is kept."""
        return ""


class Silent(Log):
    """Notes the facts of this rank, and gives them to the mean over all."""

    def __init__(self, every: int):
        self._notes, self._every = Notes(), every

    def step(self, step: int, facts: Mapping[str, Tensor], counts: Mapping[str, float]) -> None:
        """Notes a step; every so many, takes part in the mean."""
        self._notes.add(step, facts, counts)
        if self.due(step):
            self.flush()

    def flush(self) -> None:
        """Takes part in the mean; raises NumericalFailure where rank 0 does."""
        refuse_not_finite(self._notes.read())

    def close(self) -> None:
        """There is nothing to close."""


class Unseen(Show):
    """Shows nothing."""

    def __init__(self) -> None:
        self.summary = ""

    def __call__(self, step: int, last: bool) -> None:
        """Nothing to do."""


class Told(Rewinds):
    """The returns of a run, as rank 0 has read them."""

    def __init__(self, returns: list[Return]):
        self.returns = returns


class Obeying(Watch):
    """Looks at nothing; what is to be done is told by rank 0."""

    def __init__(self, session: Session, parts: Parts, config: Config, returns: list[Return]):
        self.players = session.method.players
        self.glance, self.policy, self.every = None, parts.policy, config["diagnose"]["every"]
        self.rewinds = Told(returns)
        self.looks, self.told, self.said, self.facts = [Look(0, {})], [], {}, {}

    def __call__(self, step: int, log: Log, console: Console) -> Ruling:
        """What nobody hears."""
        return Ruling.GO_ON

    def failed(self, step: int, console: Console) -> Ruling:
        """What nobody hears."""
        return Ruling.GO_ON

    def go_back(self, at: int, reason: str, console: Console) -> int:
        """What nobody hears."""
        return 0

    @property
    def spare(self) -> frozenset[int]:
        """Nothing is kept."""
        return frozenset()

    def lost(self, step: int) -> Lost:
        """The end of the run, which rank 0 tells."""
        return Lost("failed", f"stopped at step {step}")


class Leading(Sampler):
    """A sampler of which each rank makes its share: the samples are those of one rank."""

    @classmethod
    def of(cls, sampler: Sampler) -> Leading:
        """The same generator and the same codes."""
        one = sampler
        return cls(one.generator, one.space, one.prior, one.task, one.data, one.origin)

    def batches(
        self, n: int, seed: int, batch: int = BLOCK, c: Tensor | None = None
    ) -> Iterator[Tensor]:
        """What `sample` gives, piece by piece; the others are told to do their part."""
        check_counts(n, batch, c)
        dist.told((n, seed, batch, c))
        return iter(self.share(n, seed, batch, c))

    def share(self, n: int, seed: int, batch: int, c: Tensor | None) -> list[Tensor]:
        """Make every W-th piece; on rank 0 all of them come back, in order."""
        batch = -(-batch // self.size) * self.size
        starts = range(0, n, batch)[dist.rank() :: dist.size()]
        mine, failure = [], ""
        try:
            for start in starts:
                numbers = range(start, min(start + batch, n))
                asked = self.labels(numbers) if c is None else c[numbers.start : numbers.stop]
                mine.append(self.generate(self.codes(numbers, seed), asked))
        except NumericalFailure as error:
            failure = str(error)
        parts = dist.collected((mine, failure))
        if failed := next((text for _, text in parts if text), ""):
            raise NumericalFailure(failed)
        columns = [column for column, _ in parts]
        longest = max(map(len, columns), default=0)
        return [column[i] for i in range(longest) for column in columns if i < len(column)]

    def release(self) -> None:
        """Tell the others that nothing more will be asked for."""
        dist.told(None)


class Helping(Best):
    """Measures nothing, but makes its share of the samples that rank 0 measures."""

    def __init__(self, session: Session):
        space, method = session.space, session.method
        args = (space, session.prior, session.task, session.data.shape)
        self.leading = Leading(method.generator, *args)
        self.sampler = Sampler(method.generator, *args)
        self.ended, self.patience = "", None

    def __call__(
        self,
        step: int,
        log: Log,
        console: Console,
        keep: Callable[[str, float], None],
        meanwhile: AbstractContextManager[object],
    ) -> None:
        """Make samples until rank 0 has all it wants."""
        nothing: tuple[int, int, int, Tensor | None] | None = None
        while (asked := dist.told(nothing)) is not None:
            self.leading.share(*asked)


def check_one_command(config: Config) -> None:
    """Raise UserMistake where ranks were asked for different runs; where they are may differ."""
    elsewhere = CONTROL | WHERE
    settings = flat(config).items()
    asked = {k: v for k, v in settings if k not in elsewhere and not k.startswith("hardware.")}
    first, *others = dist.gathered(asked)
    for number, other in enumerate(others, 1):
        for told in differences(first, other).values():
            raise UserMistake(f"rank {number} was given another command than rank 0: {told}")


def spread(session: Session) -> None:
    """Give every rank the players as rank 0 has them."""
    if dist.size() > 1:
        state = {name: tensor.cpu() for name, tensor in session.method.state().items()}
        session.method.restore(dist.told(state))


def local_matters(session: Session) -> str:
    """What each rank does with its own share of a batch alone, in a line; or ''."""
    found: dict[str, None] = {}
    for player in session.method.players.values():
        for module in player.net.modules():
            if type(module) in KINDS:
                found["batch norm (hardware.batch_norm=synchronised)"] = None
            if isinstance(module, MinibatchStd):
                found["groups of model.minibatch_std"] = None
            if getattr(module, "crosses_samples", False):
                found["packs"] = None
    return ", ".join(found)
