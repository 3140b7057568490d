"""CUDA graphs, mimicked on the CPU: operations are noted with their very tensors, and done again.

What a graph freezes is frozen here, too: each number of Python's, each address, each decision. What
waits for the device in a recording is refused, as CUDA does; and nothing of it has any effect on
what was there before, as a recorded kernel does not run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

T = TypeVar("T")

WAITS = {"_local_scalar_dense", "_linalg_check_errors", "nonzero", "masked_select", "_unique2"}
"""Operations whose outcome the host reads, or has to know the size of."""


def tensors(tree: Any) -> Iterator[Tensor]:
    """The tensors among arguments."""
    return (leaf for leaf in tree_flatten(tree)[0] if isinstance(leaf, Tensor))


class Tape(TorchDispatchMode):
    """A recorder of what is computed on the CPU."""

    def __init__(self) -> None:
        super().__init__()
        self._calls: list[tuple[Any, Any, Any, list[Tensor]]] = []
        self._own: set[int] = set()
        self._before: dict[int, tuple[Tensor, Tensor]] = {}
        self._alive: list[Any] = []  # or an address would be given away again

    def __torch_dispatch__(self, call: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = call._schema.name.removeprefix("aten::")
        if name in WAITS:
            raise RuntimeError(f"{name}: operation not permitted when stream is capturing")
        given = list(tensors((args, kwargs)))
        for one in given:  # whether it is written to or not: not all operations say so
            key = one.untyped_storage().data_ptr()
            if key not in self._own and key not in self._before:
                whole = torch.empty(0, dtype=torch.uint8).set_(one.untyped_storage())
                self._before[key] = whole, whole.clone()
        out = call(*args, **kwargs)
        old = {one.untyped_storage().data_ptr() for one in given}
        new = [one for one in tensors(out) if one.untyped_storage().data_ptr() not in old]
        self._own |= {one.untyped_storage().data_ptr() for one in new}
        if not _is_view(call):
            self._calls.append((call, args, kwargs, new))
        self._alive.append(out)
        return out

    def record(self, play: Callable[[], T]) -> T:
        """What `play` gives; all else is as before."""
        with torch.random.fork_rng([]), self:
            out = play()
        for whole, was in self._before.values():
            whole.copy_(was)
        for new in (one for *_, news in self._calls for one in news):
            if new.is_floating_point():
                new.detach().fill_(torch.nan)  # nothing was computed
        return out

    @torch.no_grad()
    def replay(self) -> None:
        """All operations again, into the same tensors."""
        for call, args, kwargs, outs in self._calls:
            found = call(*args, **kwargs)
            if outs:
                given = {one.untyped_storage().data_ptr() for one in tensors((args, kwargs))}
                fresh = [t for t in tensors(found) if t.untyped_storage().data_ptr() not in given]
                for mine, now in zip(outs, fresh, strict=True):
                    mine.detach().copy_(now)


def _is_view(call: Any) -> bool:
    returns = [one.alias_info for one in call._schema.returns]
    return bool(returns) and all(one is not None and not one.is_write for one in returns)


class Tapes:
    """Where steps are recorded on the CPU."""

    key = "cuda_graphs"
    settles = True

    def __init__(self) -> None:
        self.made = 0

    def recorder(self) -> Tape:
        """A new tape."""
        self.made += 1
        return Tape()

    def aside(self, play: Callable[[], T]) -> T:
        """What `play` gives."""
        return play()

    def tidy(self) -> None:
        """There is nothing to be given back."""
