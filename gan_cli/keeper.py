"""What a run keeps: its checkpoints, the best of them, its generator; and the way back."""

from __future__ import annotations

import platform
from collections.abc import Callable, Collection
from typing import Any

import torch

import gan_cli
from gan_cli import build, container, dist, generators, state, warm
from gan_cli.build import Config
from gan_cli.console import Console
from gan_cli.errors import BadFile, UserMistake
from gan_cli.method.gan import GAN
from gan_cli.run import CONTROL, WHERE, Run
from gan_cli.session import Session


class Keeper:
    """Keeps a run: its checkpoints, its generator, and the way back from them."""

    def __init__(self, run: Run, session: Session, config: Config, choices: dict[str, str]):
        self.run, self.session, self.config = run, session, config
        self.named = _named(config, choices)
        self.game = _game(session, config, choices)
        run.checkpoints.mkdir(exist_ok=True)
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
        tensors, about = self.session.method.state(), self._about(step)
        dist.check_alike(tensors, step)
        meta, keep = about | self._trained, self.config["keep"]
        state.save(self.run.checkpoints, step, tensors, meta, keep, spare)
        shown = {key: value for key, value in tensors.items() if key.startswith(("G/", "G_ema/"))}
        container.write(self.run.generator, shown, about | {"kind": "generator"})

    def best(self, step: int) -> Callable[[str, float], None]:
        """What keeps the checkpoint of a step as the best, with the figure that says so."""

        def keep(figure: str, value: float) -> None:
            meta = self._about(step) | self._trained | {"best": {"figure": figure, "value": value}}
            container.write(self.run.best, self.session.method.state(), meta)

        return keep

    def _about(self, step: int) -> dict[str, Any]:
        return self.about | {"step": step, "images": self.session.method.images}

    @property
    def _trained(self) -> dict[str, Any]:
        """What a training checkpoint says besides."""
        data = {"fingerprint": self.session.source.fingerprint}
        told: dict[str, Any] = {"kind": "train", "data": data, "config": self.named}
        return told | self.game

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
        """Go back to the newest good checkpoint, and say which bad ones were passed over."""
        try:
            found = state.newest(self.run.checkpoints)
        except BadFile as error:
            raise BadFile(f"{error}; to start over: fresh=true") from error
        if found is None:
            if self.run.generator.exists():
                console.warn(f"{self.run.checkpoints} holds no checkpoint: starting from step 0")
            return 0
        for reason in found.rejected:
            console.warn(f"passed over a checkpoint: {reason}")
        meta, tensors = found.checkpoint.meta, found.checkpoint.tensors
        try:
            if meta["data"]["fingerprint"] != self.session.source.fingerprint:
                raise UserMistake(
                    "the data set is not the one this run began with: put it back as it was, "
                    "or start over with fresh=true"
                )
            self.session.method.restore(tensors)
            self.about |= {key: meta[key] for key in ("init_from",) if key in meta}
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise BadFile(f"{found.path}: does not hold this run's players: {error}") from error
        return int(meta["step"])


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
