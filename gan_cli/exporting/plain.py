"""How to draw from an export, with gan and without: code for its card."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gan_cli.prior import Prior
from gan_cli.prior.normal import Normal
from gan_cli.prior.truncated import Truncated
from gan_cli.prior.uniform import Uniform
from gan_cli.sampler import Sampler

COUNT = 16
"""Samples that the code draws."""

WEIGHTS = """from safetensors import safe_open

with safe_open("model.safetensors", "np") as file:
    weights = {name: file.get_tensor(name) for name in file.keys()}"""
"""How anyone reads the weights."""


def codes(sampler: Sampler) -> str:
    """Codes z as NumPy draws them from the prior, and what else is given."""
    space, z_dim = sampler.space, sampler.generator.z_dim
    lines = ["import numpy as np", "", f"n, rng = {COUNT}, np.random.default_rng(0)"]
    draw = _DRAWS.get(type(sampler.prior), _drawn_by_gan)
    lines.append(draw(sampler.prior, z_dim))
    if space.classes:
        lines.append(f"c = np.arange(n, dtype=np.int64) % {len(space.classes)}  # the classes")
    if space.given:
        shape = ", ".join(map(str, space.given))
        lines.append(f"c = np.zeros((n, {shape}), np.float32)  # {_given(sampler)}")
    return "\n".join(lines)


def images(sampler: Sampler) -> str:
    """Samples x as pixels."""
    if len(sampler.space.shape) != 3:
        return ""
    return "\nimages = ((x + 1) * 127.5).round().clip(0, 255).astype(np.uint8)"


def onnx(sampler: Sampler) -> str:
    """How onnxruntime makes samples."""
    given = '{"z": z, "c": c}' if _hears(sampler) else '{"z": z}'
    return (
        "import onnxruntime\n\n"
        'session = onnxruntime.InferenceSession("model.onnx")\n'
        f'x = session.run(["x"], {given})[0]  # {_made(sampler)}'
    )


def torch_export(sampler: Sampler) -> str:
    """How PyTorch makes samples without gan."""
    given = "torch.from_numpy(z)" + (", torch.from_numpy(c)" if _hears(sampler) else "")
    return (
        "import torch\n\n"
        'program = torch.export.load("model.pt2")  # opening such a file can run code: trust it\n'
        f"x = program.module()({given}).detach().numpy()"
    )


def library(sampler: Sampler) -> str:
    """How gan makes samples in Python."""
    if not sampler.space.given:
        made = f'x = Sampler.load("model.safetensors").sample({COUNT}, seed=0)'
    else:
        shape = ", ".join(map(str, sampler.space.given))
        made = (
            'sampler = Sampler.load("model.safetensors")\n'
            f"c = torch.zeros({COUNT}, {shape})  # {_given(sampler)}\n"
            f"x = sampler.generate(sampler.codes(range({COUNT}), seed=0), c)"
        )
    head = "import torch\n\n" if sampler.space.given else ""
    return f"{head}from gan_cli.sampler import Sampler\n\n{made}  # {_made(sampler)}"


def _hears(sampler: Sampler) -> bool:
    return bool(sampler.space.classes or sampler.space.given)


def _given(sampler: Sampler) -> str:
    return f"what task={type(sampler.task).__name__.lower()} makes of images, in [-1, 1]"


def _made(sampler: Sampler) -> str:
    shape = sampler.space.shape
    inside = ", in [-1, 1]" if len(shape) == 3 else ""
    return f"({', '.join(map(str, (COUNT, *shape)))}){inside}"


def _normal(prior: Normal, z_dim: int) -> str:
    scale = "" if prior.std == 1 else f"{prior.std} * "
    return f"z = {scale}rng.standard_normal((n, {z_dim}), np.float32)"


def _uniform(prior: Uniform, z_dim: int) -> str:
    return f"z = rng.uniform(-{prior.bound}, {prior.bound}, (n, {z_dim})).astype(np.float32)"


def _truncated(prior: Truncated, z_dim: int) -> str:
    return (
        f"z = rng.standard_normal((n, {z_dim}), np.float32)\n"
        f"while (far := abs(z) > {prior.bound}).any():\n"
        "    z[far] = rng.standard_normal(far.sum(), np.float32)"
    )


def _drawn_by_gan(prior: Prior, z_dim: int) -> str:
    kind = type(prior)
    made = repr(prior).replace("`", "'")
    return (
        f"from {kind.__module__} import {kind.__name__}  # no law of NumPy's\n\n"
        f"z = {made}(n, {z_dim}).numpy()"
    )


_DRAWS: dict[type, Callable[[Any, int], str]] = {
    Normal: _normal,
    Uniform: _uniform,
    Truncated: _truncated,
}
"""How NumPy draws from a prior."""
