"""torch's optimisers without its compiler, which takes as long to import as all the rest of torch.

They import it at their first step to tell it what it can't compile. An optimiser here is called as
it is, and never compiled.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from inspect import unwrap
from typing import Any

import torch
from torch.optim import Optimizer

WRAPPED = ("add_param_group", "state_dict", "load_state_dict", "zero_grad")
"""Methods of an optimiser whose decorators import the compiler, besides `step`."""


@cache
def light(kind: type[Optimizer]) -> Callable[..., Optimizer]:
    """The same optimiser, of the functions that torch's decorators are around."""
    methods: dict[str, Any] = {name: unwrap(getattr(kind, name)) for name in WRAPPED}
    methods["step"] = torch.no_grad()(unwrap(kind.step))
    return type(kind.__name__, (kind,), methods)
