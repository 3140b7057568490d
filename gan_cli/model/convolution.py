"""Convolutions with kernels of 4 and strides of 2, whose gradients are quick on a CPU."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, pad, pixel_shuffle

KERNEL, STRIDE, PADDING = 4, 2, 1
"""Of all of them: a map is halved, or doubled."""

FEW = 4
"""Channels of an image, up to which a map of the smaller size with 4 times as many is quicker."""

SMALL, WIDE = 8, 32
"""Pixels a side of the smaller map, up to which oneDNN's bfloat16 gradient of the weights is
slower than one product of matrices; and channels of both maps, from which."""


class ConvDown(nn.Conv2d):
    """A convolution that halves a map, `(N, in, H, W) -> (N, out, H / 2, W / 2)`."""

    def __init__(self, channels: int, out: int, bias: bool = True):
        super().__init__(channels, out, KERNEL, STRIDE, PADDING, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """The smaller map."""
        return _convolved(x, self.weight, self.bias, False) if _own(x) else super().forward(x)


class ConvUp(nn.ConvTranspose2d):
    """A transposed convolution that doubles a map, `(N, in, H, W) -> (N, out, 2H, 2W)`."""

    def __init__(self, channels: int, out: int, bias: bool = True):
        super().__init__(channels, out, KERNEL, STRIDE, PADDING, bias=bias)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """The larger map."""
        return _convolved(x, self.weight, self.bias, True) if _own(x) else super().forward(x)


class ToImage(ConvUp):
    """One to few channels.

    On a CPU it is computed as what it comes to: of each 2×2 pixels each has a kernel of 2 of its
    own, so that a transposed convolution of stride 1 gives them as 4 channels. With so few channels
    that takes a third to a half of the time.
    """

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """An image of twice the size."""
        if x.device.type != "cpu":
            return super().forward(x)
        return _by_pixel(x, self.weight, self.bias)[..., 1:-1, 1:-1]


def flat(x: Tensor) -> Tensor:
    """A map as a vector, `(N, C, H, W) -> (N, C * H * W)`.

    Its gradient comes back in the layout of the map: what is behind an activation in two layouts
    is worked on number by number.
    """
    if x.requires_grad and not torch.compiler.is_compiling():
        layout = layout_of(x)
        x.register_hook(lambda slope: slope.contiguous(memory_format=layout))
    return x.flatten(1)


def layout_of(x: Tensor) -> torch.memory_format:
    """Whether the channels of a map or a kernel come last in memory."""
    last = x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
    return torch.channels_last if last else torch.contiguous_format


def _own(x: Tensor) -> bool:
    """Whether a gradient may be asked for that is quicker than torch's."""
    learns = torch.is_grad_enabled() and not torch.compiler.is_compiling()
    plain = not torch._C._are_functorch_transforms_active()  # torch.func asks in ways of its own
    return learns and plain and x.device.type == "cpu"


def _convolved(x: Tensor, weight: Tensor, bias: Tensor | None, up: bool) -> Tensor:
    if torch.is_autocast_enabled("cpu"):
        dtype = torch.get_autocast_dtype("cpu")
        x, weight = x.to(dtype), weight.to(dtype)
        bias = None if bias is None else bias.to(dtype)
    inner = (t.view_as(t) if t.is_leaf else t for t in (x, weight))
    out: Tensor = _Convolution.apply(*inner, bias, up)
    return out


class _Convolution(torch.autograd.Function):
    """torch's convolution, up or down. Its gradients are what torch's are, but for rounding, and
    can be differentiated again. Neither x nor the weight is a leaf."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, up: bool) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.up = up
        return (conv_transpose2d if up else conv2d)(x, weight, bias, STRIDE, PADDING)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        needed = [_asked(node) for node, _ in ctx.next_functions[:2]]
        x, weight = ctx.saved_tensors
        in_x, in_weight = gradients(slopes[0], x, weight, ctx.up, *needed)
        in_bias = slopes[0].sum((0, 2, 3)) if ctx.needs_input_grad[2] else None
        return in_x, in_weight, in_bias, None


def _asked(node: torch.autograd.graph.Node | None) -> bool:
    """Whether its gradient is asked for now: that in D's weights is not, where G learns."""
    return node is not None and torch._C._will_engine_execute_node(node)


def gradients(
    slope: Tensor, x: Tensor, weight: Tensor, up: bool, in_x: bool = True, in_weight: bool = True
) -> tuple[Tensor | None, Tensor | None]:
    """Those in x and in the weight, as far as needed, from that in the output."""
    image = in_x and not up and x.shape[1] <= FEW
    small, large = (x, slope) if up else (slope, x)
    product = in_weight and _as_product(small, large)
    mask = [in_x and not image, in_weight and not product, False]
    one, other = None, None
    if any(mask):
        ways = [STRIDE] * 2, [PADDING] * 2, [1, 1]
        one, other, _ = torch.ops.aten.convolution_backward(
            slope, x, weight, None, *ways, up, [0, 0], 1, mask
        )
    if image:
        height, width = x.shape[2:]
        one = _by_pixel(slope, weight)[..., 1 : height + 1, 1 : width + 1]
    return one, by_product(small, large) if product else other


def _as_product(small: Tensor, large: Tensor) -> bool:
    few = max(small.shape[2:]) <= SMALL and min(small.shape[1], large.shape[1]) >= WIDE
    return few and small.dtype is torch.bfloat16


def by_product(small: Tensor, large: Tensor) -> Tensor:
    """The gradient in the weights as one product of matrices: of the smaller map, and of the
    patches of the larger one that its pixels see.

    `(N, S, H, W), (N, L, 2H, 2W) -> (S, L, 4, 4)`, with the channels L last in memory.
    """
    channels = large.shape[1]
    held = pad(large.contiguous(memory_format=torch.channels_last), [PADDING] * 4)
    patches = held.unfold(2, KERNEL, STRIDE).unfold(3, KERNEL, STRIDE).permute(0, 2, 3, 4, 5, 1)
    seen = patches.reshape(-1, KERNEL**2 * channels)
    pixels = small.permute(0, 2, 3, 1).reshape(len(seen), -1)
    return (pixels.t() @ seen).unflatten(1, (KERNEL, KERNEL, channels)).permute(0, 3, 1, 2)


def _by_pixel(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """What a transposed convolution gives before it is cropped by the padding, as four of stride 1:
    one for each of 2×2 pixels, `(N, in, H, W) -> (N, out, 2H + 2, 2W + 2)`."""
    kernels = weight.unflatten(2, (2, 2)).unflatten(4, (2, 2))  # in out y0 y1 x0 x1
    kernels = kernels.permute(0, 1, 3, 5, 2, 4).flatten(1, 3)
    biases = None if bias is None else bias.repeat_interleave(4)
    return pixel_shuffle(conv_transpose2d(x, kernels, biases), 2)
