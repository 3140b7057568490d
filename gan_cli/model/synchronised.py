"""Batch norm whose statistics are those of the whole batch, on however many ranks its rows are."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gan_cli import dist
from gan_cli.model.conditional_norm import ConditionalBatchNorm2d


def normalised(norm: nn.modules.batchnorm._BatchNorm, x: Tensor) -> Tensor:
    """By the mean and the variance of the whole batch, `(N, C, …) -> (N, C, …)`, in float32.

    Each rank's means and squared deviations are put together as in Chan, Golub and LeVeque 1979
    (no sum of squares is subtracted from another). It can be differentiated twice, and on any
    device, which torch.nn.SyncBatchNorm can't.
    """
    wide = x if x.dtype == torch.float64 else x.float()
    others = [0, *range(2, x.dim())]
    mean = wide.mean(others)
    variance = (wide - _across(mean, x)).square().mean(others)
    (center,) = dist.mean([mean])
    (spread,) = dist.mean([variance + (mean - center).square()])
    _note(norm, center.detach(), spread.detach(), x.numel() // x.shape[1] * dist.size())
    out = (wide - _across(center, x)) / _across(spread + norm.eps, x).sqrt()
    return out.to(x.dtype)


@torch.no_grad()
def _note(norm: nn.modules.batchnorm._BatchNorm, mean: Tensor, variance: Tensor, n: int) -> None:
    """Move the running statistics, the variance without bias, as torch does."""
    if norm.running_mean is None or norm.running_var is None:
        return
    share = 0.1 if norm.momentum is None else norm.momentum
    norm.running_mean.lerp_(mean.to(norm.running_mean), share)
    norm.running_var.lerp_((variance * n / (n - 1)).to(norm.running_var), share)


def _across(values: Tensor, x: Tensor) -> Tensor:
    """A number for each channel, beside maps: `(C,) -> (1, C, 1, …)`."""
    return values.view(1, -1, *[1] * (x.dim() - 2))


def _affine(norm: nn.modules.batchnorm._BatchNorm, x: Tensor) -> Tensor:
    if norm.num_batches_tracked is not None:
        norm.num_batches_tracked.add_(1)
    out = normalised(norm, x)
    if not norm.affine:
        return out
    return out * _across(norm.weight, x).to(out) + _across(norm.bias, x).to(out)


class Synchronised1d(nn.BatchNorm1d):
    """Batch norm of features, with the statistics of the whole batch."""

    def forward(self, x: Tensor) -> Tensor:
        """`(N, C) -> (N, C)`."""
        return _affine(self, x) if self.training else super().forward(x)


class Synchronised2d(nn.BatchNorm2d):
    """Batch norm of maps, with the statistics of the whole batch."""

    def forward(self, x: Tensor) -> Tensor:
        """`(N, C, H, W) -> (N, C, H, W)`."""
        return _affine(self, x) if self.training else super().forward(x)


class SynchronisedConditional(ConditionalBatchNorm2d):
    """Batch norm that hears of labels, with the statistics of the whole batch."""

    def normalised(self, x: Tensor) -> Tensor:
        """The maps by their statistics, before any class has its say."""
        return normalised(self, x) if self.training else super().normalised(x)


KINDS: dict[type[nn.Module], type[nn.Module]] = {
    nn.BatchNorm1d: Synchronised1d,
    nn.BatchNorm2d: Synchronised2d,
    ConditionalBatchNorm2d: SynchronisedConditional,
}


def synchronise(net: nn.Module) -> None:
    """Let every batch norm of a network see the whole batch; its state and its names stay."""
    for module in net.modules():
        if kind := KINDS.get(type(module)):
            module.__class__ = kind
