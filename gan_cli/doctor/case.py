"""The settings of a run, as far as advice depends on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from gan_cli.study.folder import Folder

IMAGES = frozenset(
    """digits mnist fashion_mnist kmnist cifar10 folder frames stacked_mnist pairs""".split()
)
"""Data sets of images among those of gan; all others of gan are points."""

SMALL = frozenset({"digits"})
"""Data sets of images of few pixels."""

SLOPES = ("r1", "r2", "gp", "lp", "dragan", "max_gp", "wgan_div")
"""Penalties on the slope of D; variants are named after them."""


LINEAR = frozenset({"wgan"})
"""Losses that are D's output itself."""


@dataclass(frozen=True)
class Case:
    """The flat settings of a run, and the names chosen in its groups."""

    config: dict[str, Any]
    choices: dict[str, str]

    @classmethod
    def of(cls, folder: Folder) -> Case:
        """The case of a run directory; its precision is the one that was picked."""
        told = [one.get("circumstances") for one in folder.record.sessions]
        picked = [one["precision"] for one in told if isinstance(one, dict) and "precision" in one]
        found = {"hardware.precision": picked[-1]} if picked else {}
        return cls(folder.config | found, folder.choices)

    def number(self, key: str, default: float) -> float:
        """A number of the settings."""
        found = self.config.get(key)
        if isinstance(found, bool) or not isinstance(found, int | float):
            return default
        return float(found)

    def entry(self, group: str) -> str:
        """The module of what a group has chosen, such as `wgan`; '' where it is none of gan's."""
        words = str(self.config.get(f"{group}._target_", "")).split(".")
        return words[2] if words[:2] == ["gan_cli", group] and len(words) == 4 else ""

    @property
    def penalties(self) -> tuple[str, ...]:
        """The names under `penalty`."""
        keys = (key.split(".") for key in self.config if key.startswith("penalty."))
        return tuple(dict.fromkeys(words[1] for words in keys if len(words) > 2))

    @property
    def slopes(self) -> tuple[str, ...]:
        """Those of them that charge for D's slope."""
        return tuple(name for name in self.penalties if name.startswith(SLOPES))

    @property
    def points(self) -> bool:
        """Whether the samples are points of few numbers."""
        name = self.entry("dataset")
        return bool(name) and name not in IMAGES

    @property
    def lr(self) -> float:
        """The learning rate of G."""
        return self.number("optimizer.lr", 0.0)

    @property
    def d_lr(self) -> float:
        """The learning rate of D."""
        return self.number("optimizer.d_lr", self.lr)

    @property
    def images(self) -> float:
        """How many images D learns from in the whole run, as far as the settings say."""
        told = self.number("images", 0.0)
        each = self.number("batch_size", 0.0) * self.number("n_critic", 1.0)
        return told or each * self.number("steps", 0.0)

    @property
    def judged(self) -> bool:
        """Whether it is a game of G against D."""
        return self.entry("method") in ("adversarial", "")

    @property
    def linear(self) -> bool:
        """Whether D's outputs have no bound by themselves, as in Wasserstein's distance."""
        return self.entry("loss") in LINEAR

    @property
    def r1(self) -> str:
        """The penalty on D's slope at real samples whose γ suits these data."""
        if self.points:
            return "r1_toy"
        return "r1_small" if self.entry("dataset") in SMALL else "r1"


def mended(case: Case, changes: Sequence[str]) -> Case:
    """The case with other numbers, as they are typed; `null` for none."""
    pairs = (change.partition("=") for change in changes)
    numbers = {key: None if value == NULL else float(value) for key, _, value in pairs}
    return replace(case, config=case.config | numbers)


NULL = "null"
