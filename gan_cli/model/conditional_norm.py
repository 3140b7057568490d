"""Class-conditional batch normalisation."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm

from gan_cli.model import IMAGE_NORMS, Norm, one_hot


class ConditionalBatchNorm2d(nn.BatchNorm2d):
    """Batch norm with a scale and a shift for each class; the statistics are those of all classes.

    De Vries et al. 2017, arXiv 1707.00683, equation 4, without their network that predicts the
    two: each class has its own (Dumoulin et al. 2016, arXiv 1610.07629; the G of Miyato and Koyama
    2018, arXiv 1802.05637). A label of -1 gets the mean of all classes.
    """

    def __init__(self, channels: int, classes: int):
        super().__init__(channels)
        self.weight = nn.Parameter(torch.ones(classes, channels))
        self.bias = nn.Parameter(torch.zeros(classes, channels))

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """Normalised maps, `(N, C, H, W), (N,) -> (N, C, H, W)`."""
        assert c is not None
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        flat = self.normalised(x)
        share = one_hot(c, len(self.weight), self.weight)
        share = torch.where(c[:, None] < 0, 1 / len(self.weight), share)
        scale, shift = share @ self.weight, share @ self.bias
        return flat * scale[:, :, None, None] + shift[:, :, None, None]

    def normalised(self, x: Tensor) -> Tensor:
        """The maps by their statistics, before any class has its say."""
        return batch_norm(
            x, self.running_mean, self.running_var, None, None, self.training, 0.1, self.eps
        )


class Hidden(nn.Sequential):
    """A normalisation and an activation, the former told the label where it can hear it."""

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """Activations, `(N, C, H, W), (N,) -> (N, C, H, W)`."""
        norm, activation = self
        told: Tensor = norm(x, c) if isinstance(norm, ConditionalBatchNorm2d) else norm(x)
        out: Tensor = activation(told)
        return out


def hidden(norm: nn.Module) -> Hidden:
    """That norm, then ReLU."""
    return Hidden(norm, nn.ReLU())


def conditional(norm: str, classes: int) -> Norm:
    """That norm with a scale and a shift for each class; ValueError unless it is batch norm."""
    if IMAGE_NORMS[norm] is not nn.BatchNorm2d:
        raise ValueError(
            f"labels go into batch norms, and its g_norm is {norm}: model.g_norm=batch, or "
            "condition.g=concat"
        )
    return lambda channels: ConditionalBatchNorm2d(channels, classes)
