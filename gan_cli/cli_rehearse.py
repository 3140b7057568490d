"""Whether a run would begin under some overrides: it composes, and no part refuses another."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from gan_cli.cli_compose import Composer, Sources, plain
from gan_cli.cli_diagnose import diagnose
from gan_cli.doctor.command import PLACES
from gan_cli.errors import GanError
from gan_cli.record import Record
from gan_cli.run import key_of

SHAPES = {
    **dict.fromkeys(("mnist", "fashion_mnist", "kmnist"), (1, 28, 28)),
    "stacked_mnist": (3, 28, 28),
    "cifar10": (3, 32, 32),
}
"""Shapes of the samples of data sets whose files are not opened."""


GROUPS = (
    *("dataset", "task", "model", "discriminator", "prior", "condition", "auxiliary", "term"),
    *("method", "augment", "batch_size", "pack"),
)
"""What says how large a run is: its record may be of somebody else."""

SEED = "seed"
LARGEST, PARTS, WEIGHTS = 1 << 16, 4096, 1 << 24
"""The largest number of those, and parts and weights of networks, that are put together."""


def _small(value: Any) -> bool:
    """Whether it holds no number that could fill the memory."""
    if isinstance(value, dict):
        return all(_small(inner) for key, inner in value.items() if key != SEED)
    if isinstance(value, list):
        return all(map(_small, value))
    return not isinstance(value, int | float) or abs(value) <= LARGEST


@dataclass(frozen=True)
class StandIn:
    """Data of a shape, of which nothing is read."""

    shape: tuple[int, ...]
    classes: tuple[str, ...] = tuple("0123456789")
    length: None = None


class Rehearsal:
    """Commands like that of a run, put together as for training, and not trained.

    No file of data is opened, and nothing downloaded. Where the run's own command can't be
    rehearsed, such as one with code of the user's, of another it is only asked whether it composes.
    """

    def __init__(self, record: Record):
        self._record = record

    def refusal(self, overrides: list[str]) -> str | None:
        """Why a run would not begin, in one line; None where it would."""
        try:
            diagnose(self.composer, overrides, multirun=False).complain()
        except GanError as error:
            return str(error).splitlines()[0]
        return self._refused(overrides) if self._able else None

    @cached_property
    def composer(self) -> Composer:
        """What composes as for the run. Raises GanError."""
        return Composer(Sources(self._record.config_dir, self._record.config_name))

    @cached_property
    def _able(self) -> bool:
        """Whether the run's own settings can be put together here."""
        if self._record.config_dir is not None:
            return False
        own = [text for text in self._record.overrides if key_of(text) not in PLACES]
        return self._refused(own) is None

    def _refused(self, overrides: list[str]) -> str | None:
        from gan_cli import build, generators  # imports torch
        from gan_cli.fast import pick_device
        from gan_cli.session import kit

        try:
            config = plain(self.composer.compose(overrides))
            if not all(map(_small, (config.get(group) for group in GROUPS))):
                return "too large to be tried"
            parts = build.parts(config)
            space = parts.task.space(_stand_in(config, parts.dataset))
            with generators.bounded(PARTS, WEIGHTS, "too large to be tried"):
                parts.method.make(kit(config, parts, space, None, pick_device("cpu")))
        except (GanError, *generators.FAILURES) as error:
            return (str(error) or type(error).__name__).splitlines()[0]
        return None


def _stand_in(config: dict[str, Any], dataset: Any) -> Any:
    """Data as those of a configuration: themselves, where there is nothing to be read for them."""
    own = config["dataset"]
    name = str(own["_target_"]).split(".")[-2]
    if name in SHAPES:
        return StandIn(SHAPES[name])
    if "path" in own:
        size, channels = own.get("size") or 32, own.get("channels") or 3
        height, width = size if isinstance(size, list) else (size, size)
        return StandIn((channels, height, width), ("a", "b"))
    return dataset.load()
