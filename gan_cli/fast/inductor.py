"""Whole steps compiled for the CPU: forward, backward, Adam and the average as one piece of code.

Where networks are small, a step is hundreds of small operations, each of which Python, autograd and
torch's dispatcher take longer over than the processor. A step is noted operation by operation,
below autograd, so that gradients of gradients are operations like others; torch's inductor fuses
what lies between the products of matrices. Products, random numbers and optimisers stay the kernels
that they are, and numbers are those of an eager step up to rounding.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeVar

import torch
from torch import Tensor, fx
from torch.utils._pytree import tree_leaves, tree_map_only

from gan_cli.fast.calls import Calls
from gan_cli.fast.recorder import Recorder

T = TypeVar("T")

WAITS = ("_local_scalar_dense", "nonzero", "masked_select", "_unique2", "_linalg_check_errors")
"""Operations whose outcome Python reads, or has to know the size of."""

WHOLE = ("_fused_adam_", "_fused_adamw_", "_fused_sgd_")
"""Those of which inductor knows nothing: they are called as they are."""

ASIDE = ("profiler",)
"""What computes nothing."""


class Inductor:
    """Where steps are compiled: from the first of each kind on, or a run that goes on would have
    other bits than one that was never stopped."""

    key = "compile"
    settles = False

    def recorder(self) -> Recorder:
        """A new one."""
        return _Compiled()

    def aside(self, play: Callable[[], T]) -> T:
        """What `play` gives."""
        return play()

    def tidy(self) -> None:
        """There is nothing to be given back."""


class _Compiled:
    """What is computed once is compiled, with the places of all tensors that it found there."""

    def record(self, play: Callable[[], T]) -> T:
        """What `play` gives; it trains, and draws random numbers: who asks puts all back.

        RuntimeError where Python reads what is computed, or inductor fails.
        """
        with torch.random.fork_rng([]):
            noted = _Noted()
            with noted:
                out = play()
            self._told = [leaf.detach() for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]
            module, self._places = noted.module(self._told)
            with torch.no_grad():
                self._compute = _compiled(module, self._places)
                self._compute(*self._places)  # the code is made at the first call
        return out

    @torch.no_grad()
    def replay(self) -> None:
        """Compute it all, at the same places."""
        torch._foreach_copy_(self._told, list(self._compute(*self._places)))


def _compiled(module: fx.GraphModule, places: list[Tensor]) -> Callable[..., tuple[Tensor, ...]]:
    from torch import _inductor  # imports much

    # with the numbers of torch's own generator, which are those of an eager step
    made: Any = _inductor.compile(module, [*places], {"fallback_random": True})
    function: Callable[..., tuple[Tensor, ...]] = made
    return function


class _Noted(Calls):
    """Notes operations as a graph of torch.fx; what they find and did not make is an input.

    A tensor is known by its place: autograd hands out others that lie there.
    """

    def __init__(self) -> None:
        super().__init__()
        self._graph = fx.Graph()
        self._inputs: dict[fx.Node, Tensor] = {}
        self._nodes: dict[tuple[object, ...], fx.Node] = {}
        self._alive: list[Any] = []  # or a place would be given away again

    def call(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """What it gives. RuntimeError where that can't be noted."""
        name = func._schema.name.rpartition("::")[2]
        if func.namespace in ASIDE:
            return func(*args, **kwargs)
        if name in WAITS:
            raise RuntimeError(f"{name}: Python waits for what is computed")
        if any(isinstance(arg, torch.Generator) for arg in kwargs.values()):
            raise RuntimeError(f"{name}: random numbers of a generator of its own")
        noted = tree_map_only(Tensor, self._node, (args, kwargs))
        out = func(*args, **kwargs)
        call = _as_it_is(func) if name in WHOLE else func
        self._put(out, self._graph.call_function(call, *noted))
        return out

    def _node(self, tensor: Tensor) -> fx.Node:
        if (found := self._nodes.get(_place(tensor))) is None:
            with self._graph.inserting_before(next(iter(self._graph.nodes), None)):
                found = self._graph.placeholder(f"place_{len(self._inputs)}")
            self._inputs[found] = tensor.detach()
            self._nodes[_place(tensor)] = found
        return found

    def _put(self, out: Any, node: fx.Node) -> None:
        if isinstance(out, Tensor):
            self._nodes[_place(out)] = node
            self._alive.append(out)
        elif isinstance(out, (list, tuple)):
            for index, one in enumerate(out):
                self._put(one, self._graph.call_function(operator.getitem, (node, index)))

    def module(self, told: list[Tensor]) -> tuple[fx.GraphModule, list[Tensor]]:
        """The operations as a function that gives these tensors, and what it is called with."""
        self._graph.output(tuple(self._node(one) for one in told))
        placeholders = [node for node in self._graph.nodes if node in self._inputs]
        module = fx.GraphModule(torch.nn.Module(), self._graph)
        return module, [self._inputs[node] for node in placeholders]


def _place(tensor: Tensor) -> tuple[object, ...]:
    return tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype


@cache
def _as_it_is(func: Any) -> Any:
    """An operation of gan's own that calls this one, which inductor doesn't look into."""
    name = f"{func._schema.name.rpartition('::')[2]}{func._overloadname}"
    torch.library.define(f"gan::{name}", f"({str(func._schema).partition('(')[2]}")
    torch.library.impl(f"gan::{name}", "CPU", func)
    torch.library.register_fake(f"gan::{name}", lambda *args, **kwargs: None)
    return getattr(torch.ops.gan, name).default
