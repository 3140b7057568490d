"""The layers of StyleGAN2: equal learning rates, a filter against aliasing, styled convolutions.

Karras et al. 2019, arXiv 1912.04958, in plain PyTorch.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, leaky_relu, linear, pad

from gan_cli import dist


def lifted(x: Tensor) -> Tensor:
    """Leaky ReLU times √2, which keeps the size of its input, `(…) -> (…)`."""
    return leaky_relu(x, 0.2) * math.sqrt(2)


def unit(x: Tensor) -> Tensor:
    """Vectors divided by their root mean square, `(N, d) -> (N, d)`."""
    return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()


def smooth(x: Tensor, gain: float = 1.0) -> Tensor:
    """The filter 1-3-3-1 along both axes, its weights of sum `gain`: each side three shorter.

    By sums of shifted images, which is as fast as a convolution on a CPU, and faster twice
    differentiated.
    """
    x = x[..., :-3] + x[..., 3:] + 3 * (x[..., 1:-2] + x[..., 2:-1])
    x = x[..., :-3, :] + x[..., 3:, :] + 3 * (x[..., 1:-2, :] + x[..., 2:-1, :])
    return x * (gain / 64)


class Equal(nn.Module):
    """Weights from N(0, 1) that are scaled at run time, so that Adam moves all alike.

    Karras et al. 2017, arXiv 1710.10196, section 4.1: the scale is that of He's initialisation,
    without its √2, which is in the activation. With a `pace` they learn at so many times the rate.
    """

    scales_weights = True

    def __init__(self, *shape: int, fan_in: int, pace: float = 1.0):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(shape) / pace)
        self.scale, self.pace = pace / math.sqrt(fan_in), pace

    def scaled(self) -> Tensor:
        """The weights as they are used."""
        return self.weight * self.scale


class EqualLinear(Equal):
    """A linear layer with an equal learning rate, `(N, inputs) -> (N, outputs)`."""

    def __init__(self, inputs: int, outputs: int, bias: float = 0.0, pace: float = 1.0):
        super().__init__(outputs, inputs, fan_in=inputs, pace=pace)
        self.bias = nn.Parameter(torch.full((outputs,), bias / pace))

    def forward(self, x: Tensor) -> Tensor:
        """A x + b."""
        return linear(x, self.scaled(), self.bias * self.pace)


class EqualConv(Equal):
    """A convolution with an equal learning rate, `(N, C, H, W) -> (N, C', H, W)`."""

    def __init__(self, inputs: int, outputs: int, size: int, bias: bool = True):
        super().__init__(outputs, inputs, size, size, fan_in=inputs * size**2)
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        """Padded, so that the size stays."""
        return conv2d(x, self.scaled(), self.bias, padding=self.size // 2)


class Halve(EqualConv):
    """A convolution after the filter, at every second place: half the size, rounded down."""

    def forward(self, x: Tensor) -> Tensor:
        """Smoothed, then convolved with stride 2, `(N, C, H, W) -> (N, C', H/2, W/2)`."""
        wide = 1 + self.size // 2
        return conv2d(smooth(pad(x, [wide] * 4)), self.scaled(), self.bias, stride=2)


class Modulated(Equal):
    """A 3×3 convolution whose input channels a style scales, its output scaled to unit size again.

    Equations 1 and 3. The channels of each sample are scaled before one ordinary convolution of
    the batch, and scaled back after it. The authors scale the weights instead, a kernel for each
    sample in a grouped convolution: the same numbers to rounding, but by kernels that depend on
    the batch, and slow ones on a CPU. With `double` the image is doubled in size by a transposed
    convolution, then filtered.
    """

    def __init__(self, inputs: int, outputs: int, w_dim: int, double: bool = False):
        super().__init__(outputs, inputs, 3, 3, fan_in=inputs * 9)
        self.style = EqualLinear(w_dim, inputs, bias=1.0)
        self.doubles = double

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """`(N, C, H, W), (N, w_dim) -> (N, C', H, W)`, or twice the size."""
        weight, s = self.scaled(), self.style(w)
        x = x * s[:, :, None, None]
        if self.doubles:
            x = conv_transpose2d(x, weight.transpose(0, 1), stride=2)
            x = smooth(pad(x, (1, 1, 1, 1)), gain=4.0)
        else:
            x = conv2d(x, weight, padding=1)
        squared = linear(s.square(), weight.square().sum((2, 3)))
        return x * (squared + 1e-8).rsqrt()[:, :, None, None]


class ToImage(Equal):
    """A 1×1 convolution to the channels of the image, its input scaled by a style, its output not.

    That is a matrix for each sample.
    """

    def __init__(self, inputs: int, channels: int, w_dim: int):
        super().__init__(channels, inputs, fan_in=inputs)
        self.style = EqualLinear(w_dim, inputs, bias=1.0)
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """`(N, C, H, W), (N, w_dim) -> (N, channels, H, W)`."""
        kernel = self.scaled() * self.style(w)[:, None]
        return (kernel @ x.flatten(2)).unflatten(2, x.shape[2:]) + self.bias[:, None, None]


class StyledConv(nn.Module):
    """A modulated convolution, noise of a learned strength, a bias and the activation.

    The noise is new each time in training mode, and a fixed image of it otherwise.
    """

    noise: Tensor

    def __init__(
        self, inputs: int, outputs: int, w_dim: int, size: tuple[int, int], double: bool = False
    ):
        super().__init__()
        self.conv = Modulated(inputs, outputs, w_dim, double=double)
        self.strength = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.size = size
        self.register_buffer("noise", torch.randn(1, 1, *size))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """`(N, C, h, w), (N, w_dim) -> (N, C', *size)`, cropped where it was doubled to more."""
        height, width = self.size
        x = self.conv(x, w)[..., :height, :width]
        noise = dist.own_like(torch.randn_like, x[:, :1]) if self.training else self.noise
        return lifted(x + noise * self.strength + self.bias[:, None, None])
