"""What D has learnt from few labels: how many held-out samples it names right."""

from __future__ import annotations

import torch
from torch import nn

from gan_cli.condition.headed import Headed
from gan_cli.dataset.source import Source
from gan_cli.sampler import evaluating

AT_ONCE = 500
"""Samples that are judged together."""


@torch.no_grad()
def accuracies(D: nn.Module, held: Source, device: torch.device) -> dict[str, float]:
    """The share of labelled samples that D names right, for each head that names their classes.

    Every sample counts once. Raises ValueError for samples that never end, or have no labels.
    """
    if held.length is None or not held.classes:
        raise ValueError("it takes samples that end and have labels")
    if not isinstance(D, Headed):
        return {}
    classes, left = len(held.classes), held.length
    heads = [name for name, head in D.heads.items() if head.out_features == classes]
    right = dict.fromkeys(heads, 0)
    feed = held.open(min(AT_ONCE, left), 0, device)
    with evaluating(D):
        for number in range(-(-held.length // AT_ONCE)):
            batch = feed(number)
            x, c = batch.x[:left], batch.c
            assert c is not None
            guesses = D.both(x, None)[1]
            for name in heads:
                right[name] += int((guesses[name].argmax(1) == c[: len(x)]).sum())
            left -= len(x)
    return {name: count / held.length for name, count in right.items()}
