"""Minibatch standard deviation."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def statistic(size: int) -> list[nn.Module]:
    """The layer for groups of that size, or none for 0; ValueError where there can be no groups."""
    if size < 0 or size == 1:
        raise ValueError(f"minibatch_std is a group of 2 samples or more, or 0, not {size}")
    return [MinibatchStd(size)] if size else []


class MinibatchStd(nn.Module):
    """One more feature: how much a sample's group varies, the same for all of the group.

    Karras et al. 2017, arXiv 1710.10196, section 3: the standard deviation of each feature over a
    group, averaged over the features. A G that always makes the same thing gives itself away. The
    group has `size` samples, or as many as the largest number up to it that divides the batch.

    Samples see each other through it. A penalty on D's gradient is customary all the same
    (R1 in Karras et al. 2019, arXiv 1912.04958): a sample's slope then holds a small part of its
    group's.
    """

    def __init__(self, size: int):
        super().__init__()
        self.size = size

    def forward(self, features: Tensor) -> Tensor:
        """The features and one more, `(N, d) -> (N, d + 1)`."""
        n = len(features)
        size = next(k for k in range(min(self.size, n), 0, -1) if n % k == 0)
        groups = features.reshape(size, n // size, -1).float()
        variance = (groups - groups.mean(0)).square().mean(0)
        spread = (variance + 1e-8).sqrt().mean(1)
        more = spread.repeat(size).unsqueeze(1).to(features.dtype)
        return torch.cat([features, more], 1)
