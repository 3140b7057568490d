"""The weights, with names and numbers that say what they are of: gan's own generator file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gan_cli import container
from gan_cli.exporting import Function
from gan_cli.sampler import Sampler


@dataclass(frozen=True)
class Safetensors:
    """A file that any reader of safetensors opens, and `gan sample` builds the generator from.

    Its samples are those of the checkpoint bit for bit. meta: what the file says of itself;
    trust: packages of the user that its names may stand for.
    """

    meta: dict[str, Any]
    trust: tuple[str, ...] = ()
    file: str = "model.safetensors"
    tolerance: float = 0.0

    def lacks(self) -> str | None:
        """Nothing: safetensors is always there."""
        return None

    def write(self, sampler: Sampler, path: Path) -> None:
        """The weights under `G_ema/` if they are averaged, else under `G/`."""
        prefix = "G_ema/" if sampler.origin.averaged else "G/"
        state = sampler.generator.state_dict()
        tensors = {f"{prefix}{name}": value for name, value in state.items()}
        container.write(path, tensors, self.meta)

    def read(self, path: Path) -> Function:
        """What gan makes of the file."""
        return Sampler.load(path, trust=self.trust).generate
