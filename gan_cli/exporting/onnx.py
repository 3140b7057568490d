"""The traced generator as ONNX, for onnxruntime and whatever else reads it."""

from __future__ import annotations

import importlib.util
import warnings
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from gan_cli import disk
from gan_cli.errors import UserMistake
from gan_cli.exporting import Function
from gan_cli.exporting.torch_export import traced
from gan_cli.sampler import Sampler
from gan_cli.strict import quote

LARGEST = (2 << 30) - (16 << 20)
"""Bytes of weights in one ONNX file, at most: a protobuf ends at 2 GiB."""

QUIET = 3
"""onnxruntime's level of what is worth saying: errors."""


@dataclass(frozen=True)
class ONNX:
    """An ONNX model with a dynamic batch: inputs z and c (where it hears of one), output x."""

    file: str = "model.onnx"
    tolerance: float = 1e-3

    def lacks(self) -> str | None:
        """The extra that brings onnx, onnxscript and onnxruntime."""
        there = all(map(_installed, ("onnx", "onnxscript", "onnxruntime")))
        return None if there else "pip install 'gan-cli[export]'"

    def write(self, sampler: Sampler, path: Path) -> None:
        """The model; UserMistake for a generator that ONNX has no words for."""
        size = sum(w.numel() * w.element_size() for w in sampler.generator.state_dict().values())
        if size > LARGEST:
            raise UserMistake("an ONNX file ends at 2 GiB, and the weights alone are larger: "
                              "--format torch-export")  # fmt: skip
        program = traced(sampler)
        names = ["z", "c"][: len(program.graph_signature.user_inputs)]
        try:
            with warnings.catch_warnings():
                # told where two inputs have the same N, which is what is meant
                warnings.filterwarnings("ignore", "# The axis name: N will not be used")
                # what torch 2.10 says of itself
                warnings.filterwarnings("ignore", ".*LeafSpec", FutureWarning)
                made = torch.onnx.export(
                    program,
                    (),
                    input_names=names,
                    output_names=["x"],
                    dynamic_shapes=({0: "N"},) * len(names),
                    dynamo=True,
                    verbose=False,
                )
        except (torch.onnx.errors.OnnxExporterError, RuntimeError) as error:
            reason = quote(" ".join(str(error).split()), 160)
            raise UserMistake(
                f"ONNX has no words for this generator: {reason}; --format torch-export"
            ) from error
        assert made is not None
        model = made.model_proto
        told = {"checkpoint": sampler.sha256, "step": sampler.step}
        for key, value in told.items():
            model.metadata_props.add(key=key, value=str(value))
        disk.replace(path, model.SerializeToString())

    def read(self, path: Path) -> Function:
        """What onnxruntime makes of it, on the CPU."""
        import onnxruntime
        from onnxruntime.capi import onnxruntime_pybind11_state as pybind

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = QUIET
        cpu = ["CPUExecutionProvider"]
        try:
            session = onnxruntime.InferenceSession(path, options, providers=cpu)
        except (pybind.Fail, pybind.InvalidGraph, pybind.NotImplemented) as error:
            reason = quote(" ".join(str(error).split()), 160)
            raise UserMistake(
                f"onnxruntime can't run this generator: {reason}; --format torch-export"
            ) from error

        def made(z: Tensor, c: Tensor | None) -> Tensor:
            given = {"z": z.numpy()} | ({} if c is None else {"c": c.numpy()})
            return torch.from_numpy(session.run(["x"], given)[0])

        return made


def _installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ValueError:  # a module that is there in name only
        return False
