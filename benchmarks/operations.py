"""The operations of products and convolutions, counted as they are made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


class Operations(TorchDispatchMode):
    """Within it, `counted` grows by what torch's own counter says of each call.

    The counter itself keeps track of modules, too, which fails where a penalty differentiates in
    the samples.
    """

    counted = 0

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Make the call, and count it."""
        out = func(*args, **(kwargs or {}))
        formula: Callable[..., int] | None = flop_registry.get(func._overloadpacket)
        if formula is not None:
            self.counted += formula(*args, **(kwargs or {}), out_val=out)
        return out
