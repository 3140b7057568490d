"""How a run computes: what is picked where nothing is said, and why.

Never from a clock: the same machine and the same networks have the same picks, or a run would have
other bits each time. The numbers were measured on two cores with AVX-512.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from gan_cli.fast.compiling import no_compiler
from gan_cli.fast.processor import Processor
from gan_cli.fast.work import Work

CONVOLVES = 4e6
"""Operations of convolutions a sample, all networks forward, from which half the bits and the other
layout are worth what it takes to get there: a DCGAN of width 32 on 28×28 has 7e6, of 16 2e6."""

MULTIPLIES = 24e6
"""Operations of products a batch, from which oneDNN makes up for the longer way to it."""

SHARE = 40e6
"""Operations a batch that are worth a thread of their own: fully connected networks have twice as
many on MNIST, hardly as many on 8×8 digits, and few on points; a DCGAN on 28×28 has ten times."""


@dataclass(frozen=True)
class Speed:
    """How a run computes, as all its steps do; `why` says a short reason for each pick by its key.

    dtype: of the networks; losses, penalties and weights are float32. channels_last: whether images
    and the weights of convolutions have their channels last in memory. compile: whether torch
    compiles steps on a CPU, elsewhere the forward passes of the players. cuda_graphs: whether whole
    steps are recorded and replayed, where that is found to be the same. onednn: whether products of
    float32 matrices on the CPU are oneDNN's. threads: of the CPU.
    """

    dtype: torch.dtype = torch.float32
    channels_last: bool = False
    compile: bool = False
    cuda_graphs: bool = False
    onednn: bool = False
    threads: int = 1
    why: Mapping[str, str] = field(default_factory=dict)

    @property
    def picks(self) -> dict[str, Any]:
        """All of them by their keys in conf/hardware, as plain values."""
        return {
            "precision": str(self.dtype).removeprefix("torch."),
            "channels_last": self.channels_last,
            "compile": self.compile,
            "cuda_graphs": self.cuda_graphs,
            "products": PRODUCTS[self.onednn],
            "threads": self.threads,
        }

    @property
    def told(self) -> str:
        """The picks and their reasons, in one line; not those by rule that are torch's own way."""
        groups: dict[str, list[str]] = {}
        for key, value in self.picks.items():
            reason = self.why.get(key)
            if reason and (reason in GIVEN or value != PLAIN.get(key)):
                groups.setdefault(reason, []).append(f"{key}={str(value).lower()}")
        return "; ".join(f"{', '.join(words)} ({reason})" for reason, words in groups.items())


PRODUCTS = ("torch", "onednn")
"""Who computes products of float32 matrices on the CPU."""

SAID, BEGAN = GIVEN = ("as you say", "as this run began")
"""Reasons of what no rule picked."""

PLAIN = {"precision": "float32", "channels_last": False, "compile": False, "products": PRODUCTS[0]}
"""What is not worth telling where a rule picked it."""

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
"""The precisions there are, by name."""


@dataclass(frozen=True)
class Case:
    """What picks depend on: the kind of device, whether it multiplies bfloat16 itself, the
    processor beside it, the work of a sample, where it is known, and the samples of a batch."""

    device: str
    bfloat16: bool
    processor: Processor
    work: Work | None = None
    batch: int = 0
    ranks: int = 1

    @property
    def on_cpu(self) -> bool:
        """Whether the processor itself computes."""
        return self.device == "cpu"

    @property
    def on_cuda(self) -> bool:
        """Whether a CUDA device does."""
        return self.device == "cuda"


Pick = tuple[Any, str | None]
"""A value, and why; None where there was nothing to choose."""


def picked(said: Mapping[str, Any], began: Mapping[str, Any], case: Case) -> Speed:
    """How to compute: as is said, else as a run began that goes on, else by rule."""
    values: dict[str, Any] = {}
    why: dict[str, str] = {}
    for key, rule in RULES.items():
        value, reason = rule(case)
        if key in began and began[key] != value:
            value, reason = began[key], BEGAN
        if key in said:
            value, reason = said[key], SAID
        values[key] = value
        if reason is not None:
            why[key] = reason
    return Speed(
        dtype=DTYPES[values["precision"]],
        channels_last=values["channels_last"],
        compile=values["compile"],
        cuda_graphs=values["cuda_graphs"],
        onednn=values["products"] == PRODUCTS[1],
        threads=values["threads"],
        why=why,
    )


def as_begun(before: Mapping[str, Any], case: Case) -> dict[str, Any]:
    """The picks of a run that has been trained in these circumstances, as far as they are here.

    A gan that wrote nothing down computed in float32 on the CPU, in torch's own way.
    """
    plain: dict[str, Any] = dict.fromkeys(("channels_last", "compile", "cuda_graphs"), False)
    plain |= {"products": PRODUCTS[0]} | ({"precision": "float32"} if case.on_cpu else {})
    had = plain | {key: before[key] for key in RULES if key in before}
    return {key: value for key, value in had.items() if _HERE[key](value, case)}


def _precision(case: Case) -> Pick:
    if case.on_cuda:
        told = "the card has it" if case.bfloat16 else "the card has no bfloat16"
        return ("bfloat16" if case.bfloat16 else "float32"), told
    if not case.on_cpu:
        return "float32", f"on {case.device}"
    if not case.bfloat16:
        return "float32", "the processor has no bfloat16"
    if case.work and case.work.grouped:
        return "float32", "grouped convolutions are slower in bfloat16"
    return ("bfloat16" if _convolves(case) else "float32"), _convolutions(case)


def _channels_last(case: Case) -> Pick:
    if not (case.on_cpu or case.on_cuda):
        return False, f"on {case.device}"
    if case.on_cpu and case.work and case.work.planes:
        return False, "group norm and joined maps are slower so"
    return _convolves(case), _convolutions(case)


def _compile(case: Case) -> Pick:
    return False, "takes longer to begin"


def _cuda_graphs(case: Case) -> Pick:
    if not case.on_cuda:
        return False, None
    return case.ranks == 1, "no launches between" if case.ranks == 1 else "several ranks"


def _products(case: Case) -> Pick:
    if not case.on_cpu or not case.processor.onednn:
        return PRODUCTS[0], None
    if case.work is None:
        return PRODUCTS[0], "its work isn't known"
    if (products := case.work.others * case.batch) >= MULTIPLIES:
        return PRODUCTS[1], "MKL is slower on AMD"
    return PRODUCTS[0], f"products take {products / 1e6:.3g} MFLOP a batch"


def _threads(case: Case) -> Pick:
    every = case.processor.threads
    if case.work is None or not case.on_cpu:
        return every, None
    operations = case.work.all * case.batch
    if (worth := max(1, int(operations / SHARE))) >= every:
        return every, None
    return worth, f"a batch takes {operations / 1e6:.3g} MFLOP forward: too little for more"


def _convolves(case: Case) -> bool:
    return case.work is not None and case.work.convolutions >= CONVOLVES


def _convolutions(case: Case) -> str:
    if case.work is None:
        return "its work isn't known"
    if not case.work.convolutions:
        return "no convolutions"
    return f"convolutions take {case.work.convolutions / 1e6:.3g} MFLOP a sample"


RULES: dict[str, Callable[[Case], Pick]] = {
    "precision": _precision,
    "channels_last": _channels_last,
    "compile": _compile,
    "cuda_graphs": _cuda_graphs,
    "products": _products,
    "threads": _threads,
}
"""What is picked where nothing is said, by key."""

_HERE: dict[str, Callable[[Any, Case], bool]] = {
    "precision": lambda v, c: (
        isinstance(v, str) and v in DTYPES and (DTYPES[v] is torch.float32 or c.bfloat16)
    ),
    "channels_last": lambda v, c: type(v) is bool and (not v or c.on_cpu or c.on_cuda),
    "compile": lambda v, c: type(v) is bool and not (v and no_compiler(torch.device(c.device))),
    "cuda_graphs": lambda v, c: type(v) is bool and (not v or (c.on_cuda and c.ranks == 1)),
    "products": lambda v, c: (
        v in PRODUCTS and (v == PRODUCTS[0] or (c.on_cpu and c.processor.onednn))
    ),
    "threads": lambda v, c: type(v) is int and 0 < v <= c.processor.threads,
}
"""Whether a pick that is written down can be taken again here."""
