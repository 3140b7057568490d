"""Feature maps doubled and halved in size with a smoothing filter."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import conv2d, conv_transpose2d, pad

Size = tuple[int, int]

TAPS = (1.0, 3.0, 3.0, 1.0)
"""The filter of bilinear interpolation between a grid and one twice as fine."""


def ladder(size: Size, least: int) -> list[Size]:
    """Sizes from an image down, halved (rounding up) until the shorter side is `least` or less."""
    sizes = [size]
    while min(sizes[-1]) > least:
        sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
    return sizes


def smooth_up(x: Tensor, size: Size) -> Tensor:
    """Maps of twice the size, `(N, C, H, W) -> (N, C, *size)`, cropped where that is odd.

    Bilinear with zeros outside: a new value is 9, 3, 3 and 1 sixteenths of its four neighbours.
    """
    height, width = size
    out = conv_transpose2d(x, 4 * _kernel(x), stride=2, padding=1, groups=x.shape[1])
    return out[..., :height, :width]


def smooth_down(x: Tensor) -> Tensor:
    """Maps of half the size, rounding up, `(N, C, H, W) -> (N, C, H/2, W/2)`.

    A quarter of the transpose of `smooth_up`: a blur, then every other value.
    """
    height, width = x.shape[2:]
    if height % 2 or width % 2:
        x = pad(x, (0, width % 2, 0, height % 2))
    return conv2d(x, _kernel(x), stride=2, padding=1, groups=x.shape[1])


def _kernel(x: Tensor) -> Tensor:
    """One filter for each channel, `(C, 1, 4, 4)`, that sums to 1."""
    taps = x.new_tensor(TAPS) / sum(TAPS)
    return (taps[:, None] * taps).expand(x.shape[1], 1, 4, 4)
