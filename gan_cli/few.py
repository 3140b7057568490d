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
def accuracy(D: nn.Module, head: str, held: Source, device: torch.device) -> float:
    """The share of labelled samples whose class is the largest logit of a head of D's.

    Every sample counts once; the classes are the first numbers of the head's guess. Raises
    ValueError for a source that never ends, or that has no labels.
    """
    if not isinstance(D, Headed) or held.length is None or not held.classes:
        raise ValueError("it takes a D with a head, and samples that end and have labels")
    feed = held.open(min(AT_ONCE, held.length), 0, device)
    right, left = 0.0, held.length
    with evaluating(D):
        for number in range(-(-held.length // AT_ONCE)):
            batch = feed(number)
            x, c = batch.x[:left], batch.c
            assert c is not None
            guess = D.both(x, None)[1][head][:, : len(held.classes)]
            right += float((guess.argmax(1) == c[:left]).sum())
            left -= len(x)
    return right / held.length
