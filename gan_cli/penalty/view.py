"""Another view of the same sample: moved by a few pixels, mirrored, or jittered."""

from __future__ import annotations

import torch
from torch import Tensor

from gan_cli import dist


def check_view(shift: float, jitter: float) -> None:
    """Raise ValueError for a shift that is no share of a side, or a negative jitter."""
    if not 0 <= shift < 1:
        raise ValueError(f"shift is a share of an image's side, 0 or more and below 1, not {shift}")
    if jitter < 0:
        raise ValueError(f"jitter can't be negative: {jitter}")


def another_view(x: Tensor, shift: float, mirror: bool, jitter: float) -> Tensor:
    """Another view of each sample, without a gradient to where it came from: `(N, …) -> (N, …)`.

    Images `(N, C, H, W)` move by whole pixels, up to a share `shift` of each side, and repeat
    their border; half of them are mirrored left to right if `mirror`. Anything else gets Gaussian
    noise of standard deviation `jitter`.
    """
    x = x.detach()
    if x.dim() != 4:
        return x + jitter * dist.own_like(torch.randn_like, x)
    rows, columns = (_places(len(x), side, shift, x.device) for side in x.shape[2:])
    if mirror:
        turned = dist.own(lambda n: torch.rand(n, 1, device=x.device), len(x)) < 0.5
        columns = torch.where(turned, x.shape[3] - 1 - columns, columns)
    number = torch.arange(len(x), device=x.device)
    moved = x[number[:, None, None], :, rows[:, :, None], columns[:, None, :]]
    return moved.permute(0, 3, 1, 2)


def _places(n: int, side: int, shift: float, device: torch.device) -> Tensor:
    """Where each pixel along a side is taken from, `(n, side)`."""
    reach = round(shift * side)
    by = dist.own(lambda k: torch.randint(-reach, reach + 1, (k, 1), device=device), n)
    return (torch.arange(side, device=device) + by).clamp(0, side - 1)
