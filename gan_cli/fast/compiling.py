"""torch.compile: the forward passes of players as one piece of machine code each, on CUDA."""

from __future__ import annotations

import torch
from torch import nn

from gan_cli.player import Forward


def no_compiler(device: torch.device) -> str | None:
    """Why nothing can be compiled here; None where it can."""
    if device.type == "cuda":
        from torch.utils._triton import has_triton  # imports much

        return None if has_triton() else "it needs triton, which is not installed"
    from torch._inductor.cpp_builder import get_cpp_compiler  # imports much
    from torch._inductor.exc import InvalidCxxCompiler

    try:
        get_cpp_compiler()
    except InvalidCxxCompiler:
        return "it needs a C++ compiler: install g++, or name one in CXX"
    return None


def compiled(net: nn.Module) -> Forward:
    """The forward pass of a network, compiled when it is first called.

    The network itself stays as it is, with its names, for those who differentiate it twice, which
    a compiled one can't be.
    """
    forward: Forward = torch.compile(net)
    return forward
