"""What a run keeps: its checkpoints, the best of them, its generator; and the way back."""

from __future__ import annotations

import platform
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor

import gan_cli
from gan_cli import build, circumstances, container, dist, generators, state, warm
from gan_cli.build import Config
from gan_cli.console import Console
from gan_cli.dataset.known import differs, known, renamed
from gan_cli.errors import BadFile, UserMistake
from gan_cli.method.gan import GAN
from gan_cli.record import flat
from gan_cli.rewinds import Rewinds
from gan_cli.run import CONTROL, WHERE, Run
from gan_cli.session import Session


class Keeper:
    """Keeps a run: its checkpoints, its generator, and the way back from them."""

    def __init__(self, run: Run, session: Session, config: Config, choices: dict[str, str]):
        self.run, self.session, self.config = run, session, config
        self.rewinds: Rewinds | None = None  # those of the policy
        self.named = _named(config, choices)
        self.game = _game(session, config, choices)
        self.data = {"fingerprint": session.source.fingerprint} | known(session.data)
        self.about: dict[str, Any] = {
            group: build.described(group, choices.get(group, ""), config[group])
            for group in ("model", "condition", "prior", "task")
        } | {
            "space": _space(session),
            "versions": {
                "gan": gan_cli.__version__,
                "torch": torch.__version__,
                "python": platform.python_version(),
            },
        }

    def save(self, step: int, spare: Collection[int] = ()) -> None:
        """Write the checkpoint of a step, then the generator as a file of its own.

        The checkpoints of the steps in `spare` stay, however old they are.
        """
        tensors, keep = self.session.method.state(), self.config["keep"]
        dist.check_alike(tensors, step)
        meta = self._about(step) | self._trained
        self.run.synced()
        state.save(self.run.checkpoints, step, tensors, meta, keep, spare)
        self._show(step, tensors)

    def _show(self, step: int, tensors: dict[str, Tensor]) -> None:
        """Write the generator of a checkpoint as a file of its own."""
        shown = {key: value for key, value in tensors.items() if key.startswith(("G/", "G_ema/"))}
        container.write(self.run.generator, shown, self._about(step) | {"kind": "generator"})

    def best(self, step: int) -> Callable[[str, float], None]:
        """What keeps the checkpoint of a step as the best, with the figure that says so."""

        def keep(figure: str, value: float) -> None:
            meta = self._about(step) | self._trained | {"best": {"figure": figure, "value": value}}
            container.write(self.run.best, self.session.method.state(), meta)

        return keep

    def last(self) -> str:
        """The newest checkpoint that loads; '' where there is none."""
        with suppress(BadFile):
            if found := state.newest(self.run.checkpoints):
                return str(found.path)
        return ""

    def _about(self, step: int) -> dict[str, Any]:
        return self.about | {"step": step, "images": self.session.method.images}

    @property
    def _trained(self) -> dict[str, Any]:
        """What a training checkpoint says besides."""
        told: dict[str, Any] = {
            "kind": "train",
            "data": self.data,
            "config": self.named,
            "circumstances": self.session.circumstances,
        }
        returns = self.rewinds.told if self.rewinds else []
        return told | self.game | ({"returns": returns} if returns else {})

    def begin(self, console: Console) -> int:
        """Step 0, with the weights of a trained generator where the command names one.

        What it was is kept as the SHA-256 of its file, which a resumed run needs no more.
        """
        if self.config["init_from"] is not None:
            found, path, _ = generators.find(warm.place(self.config["init_from"]))
            players, classes = self.session.method.players, len(self.session.space.classes)
            for note in warm.start(players, found, path, classes, self.about):
                console.say(note)
            self.about["init_from"] = found.sha256
        return 0

    def restore(self, console: Console) -> int:
        """Go back to the newest good checkpoint, and say which bad ones were passed over.

        The generator's file is written anew where it is of an earlier one: a sudden end between
        the two leaves it so. Raises BadFile, and UserMistake where it is of other settings or data.
        """
        try:
            found = state.newest(self.run.checkpoints)
        except BadFile as error:
            raise BadFile(f"{error}; to start over: fresh=true") from error
        if found is None:
            if self.run.unread:
                raise BadFile(f"{self.run.unread}; to start over: fresh=true")
            if self.run.generator.exists():
                raise BadFile(
                    f"{self.run.checkpoints} holds no checkpoint any more, though the run was "
                    "trained: put one back, or start over with fresh=true (what is left is moved "
                    "aside)"
                )
            return 0
        for reason in found.rejected:
            console.warn(f"passed over a checkpoint: {reason}")
        meta, tensors = found.checkpoint.meta, found.checkpoint.tensors
        try:
            self._recognise(meta, console)
            self.session.method.restore(tensors)
            known = self.session.method.state().keys()
            if odd := sorted(tensors.keys() ^ known):  # torch makes up what some layers miss
                kind = "it lacks" if odd[0] in known else "nothing here is called"
                raise ValueError(f"{kind} {odd[0]}")
            self.about |= {key: meta[key] for key in ("init_from",) if key in meta}
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise BadFile(f"{found.path}: does not hold this run's players: {error}") from error
        self._compare(meta.get("circumstances"), console)
        step = int(meta["step"])
        if state.step_of(self.run.generator) < step:
            self._show(step, tensors)
        state.point(found)
        return step

    def _compare(self, before: Any, console: Console) -> None:
        """Say what has changed of that on which bits depend, since a checkpoint was written."""
        written = circumstances.plain(before) if isinstance(before, dict) else {}
        if differs := circumstances.changed(written, self.session.circumstances):
            told = circumstances.told(differs)
            console.say(f"from here on not the same bits as without the stop: {told}")

    def _recognise(self, meta: dict[str, Any], console: Console) -> None:
        """Raise UserMistake unless a checkpoint is of these data, and of these settings.

        The settings are run.json's matter, where it can be read.
        """
        if meta["data"]["fingerprint"] != self.data["fingerprint"]:
            what = differs(meta["data"], self.data)
            raise UserMistake(
                f"the data set is not the one this run began with{f' ({what})' if what else ''}: "
                "put it back as it was, or start over with fresh=true"
            )
        if names := renamed(meta["space"]["classes"], list(self.session.space.classes)):
            console.warn(f"the same data under other names, which are kept from here on: {names}")
        if self.run.unread:
            self.run.compare(flat(meta["config"]), flat(self.named))
            console.warn(f"{self.run.unread}: it is made anew, by what the checkpoint says")
            self.run.begin()


def _space(session: Session) -> dict[str, Any]:
    """What is made of what, as a file says it."""
    space = session.space
    told: dict[str, Any] = {"shape": list(space.shape), "classes": list(space.classes)}
    if space.given is not None:
        told |= {"given": list(space.given), "data": list(session.data.shape)}
    return told


_RULES = ("loss", "constraint")
"""What a file says of a game beside its players."""


def _game(session: Session, config: Config, choices: dict[str, str]) -> dict[str, Any]:
    """What D is and what it plays for, from which it can be built again; nothing without a game."""
    if not isinstance(session.method, GAN):
        return {}
    own = "discriminator" if config["discriminator"] else "model"
    known = {f: build.described(f, choices.get(own, ""), config[own]) for f in (own, "model")}
    family = next((f for f, said in known.items() if "." not in said["name"]), own)
    told: dict[str, Any] = {
        name: build.described(name, choices.get(name, ""), config[name]) for name in _RULES
    }
    auxiliaries = config["auxiliary"].items()
    heads = {name: build.described("auxiliary", name, spec) for name, spec in auxiliaries}
    told |= {"D": known[family], "family": family, "auxiliary": heads, "pack": config["pack"]}
    return {"game": told | {"kinds": list(session.space.kinds)}}


def _named(config: Config, choices: dict[str, str]) -> Config:
    """The configuration as names and numbers: no classes, and no places of this machine."""
    named: Config = {}
    for key, value in config.items():
        if key in CONTROL:
            continue
        named[key] = _classless(value)
        for place in _PLACES.get(key, ()):
            named[key].pop(place, None)
        if isinstance(value, dict) and "_target_" in value:
            named[key] = {"name": choices.get(key, ""), **named[key]}
    return named


_PLACES = {"dataset": {key.partition(".")[2] for key in WHERE}}
"""What of a group says where things are on this machine."""


def _classless(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: _classless(inner) for key, inner in value.items() if not key.startswith("_")}
