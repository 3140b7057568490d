"""A run that is watched while it trains: lights, what is said of them, and what is done."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Mapping
from contextlib import suppress

from gan_cli import state
from gan_cli.build import Config, Parts
from gan_cli.console import Console
from gan_cli.diagnosis import COLLAPSE, Light, Look, Sign, light
from gan_cli.diagnosis.record import NAME, Told, parse, row
from gan_cli.diagnosis.signs import AT_ONCE, signs
from gan_cli.errors import DiskFailure, Lost, UserMistake
from gan_cli.glance import Glance
from gan_cli.guard import overdone
from gan_cli.homes import Seen, homes, kept
from gan_cli.lately import Lately, Row, failed, norms
from gan_cli.log import Log
from gan_cli.player import Player
from gan_cli.policy import Policy, Ruling, red
from gan_cli.rewinds import Rewinds
from gan_cli.rows import Appended, rows
from gan_cli.run import Run
from gan_cli.session import Session

ONCE = ("first/", "begun/")
"""What is measured at the first look that can, and then known."""

CALM = 2
"""Green looks in a row after which a sign is told to be green again."""


class Watch:
    """Looks at a run every so many steps, keeps what it sees, tells it, and asks the policy.

    A row of `diagnosis.jsonl` holds the signs of a look. All that a later look depends on is in
    these rows and in those of `metrics.jsonl`, so a run that is continued sees what one that never
    stopped would have seen. Nothing that training draws or computes depends on a look, but for
    what the policy does. Without `every` there are no looks. `facts` is the light of the last look
    as a number (0 green, 1 yellow, 2 red), for the metrics.
    """

    def __init__(
        self,
        run: Run,
        players: Mapping[str, Player],
        glance: Glance | None,
        policy: Policy,
        every: int | None,
        keeps: int,
    ):
        self.run, self.players, self.glance = run, players, glance
        self.policy, self.every, self.keeps = policy, every, keeps
        self.rewinds = Rewinds(run.dir)
        self.looks: list[Look] = []
        self.told: list[Told] = []
        self.lights: list[dict[str, Light]] = []
        self.known: set[str] = set()  # what was ever measured
        self.said: dict[str, Light] = {}  # how bad each sign was told to be
        self.facts: dict[str, float] = {}
        self._rows: Appended | None = None
        self._waiting = ""  # rows that could not be written yet
        self._lately: Lately | None = None

    @classmethod
    def make(cls, run: Run, session: Session, parts: Parts, config: Config) -> Watch:
        """What the configuration asks for. UserMistake for a policy that would never see a look."""
        every = config["diagnose"]["every"]
        if every is None and parts.policy.acts:
            raise UserMistake("policy: it goes by lights, and nobody looks: diagnose.every=500")
        glance = Glance(session, parts, config) if every else None
        players, keeps = session.method.players, config["checkpoint_every"]
        return cls(run, players, glance, parts.policy, every, keeps)

    def resume(self, step: int) -> None:
        """Read what was seen up to this step; what comes after it is cut.

        Raises DiskFailure, Lost where the policy has ended the run here, and UserMistake where it
        knows nothing of the rates that an earlier one has come to.
        """
        if self.rewinds.before(step) and not self.policy.returns:
            raise UserMistake(
                f"{self.run.dir} went back, and has smaller rates since: it goes on with "
                "policy=rewind and its policy.lr alone"
            )
        if worn := overdone(self.players, self.policy):
            raise self._ended("failed", step, worn)
        path = self.run.dir / NAME
        if self.glance is None and not path.exists():
            return
        try:
            self._rows = rows(path, step)
            lines = path.read_text().splitlines()
        except OSError as error:
            raise DiskFailure(f"{path}: {error.strerror}") from error
        for line in lines:
            with suppress(ValueError):
                self._note(*parse(json.loads(line)))
        if self.looks and self.looks[-1].step == step and self._rule() is Ruling.STOP:
            raise self._ended(self.state, step, self.reason)

    def _ended(self, state: str, step: int, reason: str) -> Lost:
        """The end of a run that the policy has ended before."""
        place = shlex.quote(str(self.run.dir))
        return Lost(
            state,
            f"{self.run.dir} was stopped at step {step}: {reason}; to go on all the same: "
            f"gan train resume={place} policy=warn; to start over: fresh=true",
        )

    def close(self) -> None:
        """Close the file of rows."""
        if self._rows is not None:
            self._rows.close()

    def due(self, step: int, last: int) -> bool:
        """Whether this is a step to look at; the last of a run is."""
        return self.every is not None and (step % self.every == 0 or step == last)

    def slow(self, step: int) -> dict[str, float]:
        """Slow the players down for what led back to this step or before it; their rates then."""
        if not (times := self.rewinds.before(step)):
            return {}
        players = self.players.items()
        slower = {name: p.slow(self.policy.factor(name) ** times) for name, p in players}
        return {f"learning_rate/{name.lower()}": rate for name, rate in slower.items()}

    def __call__(self, step: int, log: Log, console: Console) -> Ruling:
        """Look at the run at this step, whose numbers are in `metrics.jsonl`, tell, and rule."""
        assert self.glance is not None
        told = norms(self._new()) | self.glance.begun | self.glance()
        new = {n: v for n, v in told.items() if not (n.startswith(ONCE) and n in self.known)}
        measured = {name: value for name, value in new.items() if math.isfinite(value)}
        self._add(Look(step, measured), console)
        values = {f"diagnosis/{name}": sign.value for name, sign in self.told[-1].items()}
        log.scalars(step, values)  # its light is among the numbers of the steps after it
        return self._rule()

    def failed(self, step: int, console: Console) -> Ruling:
        """What to do about a number that is not finite since this step."""
        last = self.looks[-1].step if self.looks else 0
        _, count = failed(self._new()) or (step, 1)
        self._add(Look(max(step, last + 1), {"failed": float(count)}), console)
        return self.policy.failed(len(self.rewinds))

    def _new(self) -> list[Row]:
        """The rows since the last look; none where they can't be read."""
        try:
            if self._lately is None:
                self._lately = Lately(self.run.metrics, self.looks[-1].step if self.looks else 0)
            return self._lately.read()
        except OSError:
            return []

    def _rule(self) -> Ruling:
        return self.policy(self.lights, len(self.rewinds))

    def go_back(self, at: int, reason: str, console: Console) -> int:
        """Return to the newest good checkpoint, and to one not used yet, if there is any.

        Raises Lost where there is none.
        """
        console.stop()
        ways = homes(*self._known())
        to = next((step for step in ways if state.loads(self.run.checkpoints, step)), None)
        if to is None:
            raise Lost(self.state, f"step {at}: {reason}; no good checkpoint to go back to is left")
        self.rewinds.add(at, to, reason)
        console.warn(f"step {at}: {reason}; back to step {to}, learning rates {self._factors(to)}")
        return to

    @property
    def spare(self) -> frozenset[int]:
        """The steps of the checkpoints that must stay, where the policy may go back to them."""
        return kept(*self._known()) if self.policy.returns else frozenset()

    def _known(self) -> tuple[list[int], list[Seen], set[int]]:
        """The checkpoints that are there at any rate, how the run looked, and what was used.

        A number that is not finite says nothing about the checkpoint before it.
        """
        there = state.steps(self.run.checkpoints)
        looks = zip(self.looks, self.told, strict=True)
        seen = [Seen(look.step, not set(self._red(told)) <= AT_ONCE) for look, told in looks]
        used = {one.to for one in self.rewinds.returns}
        return [step for step in there if step % self.keeps == 0], seen, used

    def _factors(self, step: int) -> str:
        """What the learning rates are multiplied by at a step, in words."""
        times = self.rewinds.before(step)
        found = {name: self.policy.factor(name) ** times for name in self.players}
        if len(set(found.values())) == 1:
            return f"× {next(iter(found.values())):g}"
        return ", ".join(f"of {name} × {factor:g}" for name, factor in found.items())

    @property
    def reason(self) -> str:
        """The signs that are red now, in words; '' where none is."""
        told = self.told[-1] if self.told else {}
        return _words(told, self._red(told))

    @property
    def collapsed(self) -> str:
        """That samples were few of all there are at the last look, in words; or ''."""
        told = self.told[-1] if self.told else {}
        return _words(told, [n for n in COLLAPSE if n in told and told[n].light is Light.RED])

    @property
    def state(self) -> str:
        """What a run is that ends now, and had to."""
        return "collapsed" if self.collapsed else "failed"

    def lost(self, step: int) -> Lost:
        """The end of the run by its policy, at this step."""
        return Lost(self.state, f"stopped and saved at step {step}: {self.reason}")

    def _red(self, told: Told) -> list[str]:
        return red({name: sign.light for name, sign in told.items()}, self.policy.signs)

    def _add(self, look: Look, console: Console) -> None:
        """Keep a look, and tell what is new in it."""
        told = signs(self.looks, look)
        self._waiting += f"{json.dumps(row(look, told), allow_nan=False)}\n"
        if self._rows is not None:
            try:
                self._rows.append(self._waiting.encode())
                self._waiting = ""
            except OSError as error:
                console.warn(f"{self.run.dir / NAME}: {error.strerror}; training goes on")
        worse, better = self._note(look, told)
        for name in worse:
            sign = told[name]
            said = f"{name} {sign.light.word}: {sign.words} (limit {sign.limit:g})"
            console.warn(f"step {look.step}: {said}")
        if better:
            console.say(f"step {look.step}: {', '.join(better)} green again")
        self.show(console)

    def show(self, console: Console) -> None:
        """Show the light of the last look, and the signs that make it so where it is not green."""
        if self.told:
            told, worst = self.told[-1], light(self.told[-1])
            names = [name for name, sign in told.items() if worst and sign.light is worst]
            console.light(worst.word, names)

    def _note(self, look: Look, told: Told) -> tuple[list[str], list[str]]:
        """Remember a look: the signs that are worse than was said, and those well again."""
        self.looks.append(look)
        self.told[-1:] = map(_bare, self.told[-1:])  # of a long run there are many looks
        self.told.append(told)
        self.lights.append({name: sign.light for name, sign in told.items()})
        self.known |= look.measured.keys()
        self.facts = {"diagnosis/light": float(light(told))}
        worse = [n for n, sign in told.items() if sign.light > self.said.get(n, Light.GREEN)]
        self.said |= {name: told[name].light for name in worse}
        lately = self.told[-CALM:]
        better = [n for n in self.said if all(_green(before, n) for before in lately)]
        for name in better:
            del self.said[name]
        return worse, better


_BARE = {light: Sign(light, 0.0, 0.0, "") for light in Light}


def _bare(told: Told) -> Told:
    """The lights alone of signs that were told."""
    return {name: _BARE[sign.light] for name, sign in told.items()}


def _words(told: Told, names: list[str]) -> str:
    """The first of these signs in words, and the names of the others; '' where there is none."""
    if not names:
        return ""
    first, *others = names
    said = f"{first}: {told[first].words}"
    return f"{said} (and {', '.join(others)})" if others else said


def _green(told: Mapping[str, object], name: str) -> bool:
    return getattr(told.get(name), "light", Light.GREEN) is Light.GREEN
