"""What a judge says of samples, in numbers."""

from __future__ import annotations

import torch
from torch import Tensor

from gan_cli.metric.judge import Judge


def accuracy(judge: Judge, x: Tensor, c: Tensor) -> float:
    """The share of samples x `(N, …)` that the judge takes for the class they were asked to be.

    c `(N,)` int64; samples of label -1 are left out. ValueError when none is left. A perfect
    generator reaches the judge's own accuracy, not 1.
    """
    asked = c >= 0
    if len(x) != len(c) or not bool(asked.any()):
        raise ValueError(f"{len(x)} samples and {int(asked.sum())} labels to hold them against")
    said = judge.labels(x[asked])
    return float((said == c[asked].to(said.device)).float().mean())


def class_shares(labels: Tensor, classes: int) -> Tensor:
    """The share of each class among labels `(N,)`, `(classes,)` float64."""
    return torch.bincount(labels.flatten(), minlength=classes).double() / labels.numel()


def entropy(shares: Tensor) -> float:
    """-Σ p log p of shares `(…, K)` in nats, the mean of it over rows.

    Of `class_shares` log K is the best where the classes of the data are equally frequent, and 0
    one class alone; of the judge's probabilities it says how unsure it is of each sample.
    """
    return float(torch.special.entr(shares.double()).sum(-1).mean())
