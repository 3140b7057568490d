"""The traced generator, with its weights: for torch.export.load, in Python, C++ or on a device."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.export import Dim, ExportedProgram

from gan_cli import disk
from gan_cli.errors import UserMistake
from gan_cli.exporting import TRACED, Function, asked
from gan_cli.sampler import Sampler, evaluating
from gan_cli.strict import quote


@dataclass(frozen=True)
class TorchExport:
    """A program of torch.export, for batches of any size."""

    file: str = "model.pt2"
    tolerance: float = 1e-4

    def lacks(self) -> str | None:
        """Nothing: it is part of torch."""
        return None

    def write(self, sampler: Sampler, path: Path) -> None:
        """The program; UserMistake for a generator that can't be traced."""
        file = io.BytesIO()
        torch.export.save(traced(sampler), file)
        disk.replace(path, file.getvalue())

    def read(self, path: Path) -> Function:
        """The program that was saved there. Never that of a stranger: it is not safe to open."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The given buffer is not writable")  # torch 2.10
            program = torch.export.load(path).module()

        def made(z: Tensor, c: Tensor | None) -> Tensor:
            with torch.no_grad():
                x: Tensor = program(z) if c is None else program(z, c)
            return x

        return made


def traced(sampler: Sampler) -> ExportedProgram:
    """The generator as one graph from z, and c where it hears of one, to x.

    UserMistake when it does something that depends on the numbers it gets, or on how many samples
    there are.
    """
    z, c = asked(sampler, TRACED, 0)
    arguments = (z,) if c is None else (z, c)
    batch = Dim("N", min=1)
    try:
        with evaluating(sampler.generator), torch.no_grad():
            program = torch.export.export(
                sampler.generator, arguments, dynamic_shapes=({0: batch},) * len(arguments)
            )
    except _FAILURES as error:
        reason = quote(" ".join(str(error).split()), 160)
        raise UserMistake(
            f"this generator can't be traced, so it can't leave Python: {reason}; "
            "--format safetensors"
        ) from error
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # the paths of this machine
    return program


_FAILURES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What tracing raises; its own errors are RuntimeErrors."""
