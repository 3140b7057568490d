"""Differentiable augmentation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gan_cli import dist
from gan_cli.augment import check_words, only_images


@dataclass(frozen=True)
class DiffAugment:
    """Every sample that D sees is recoloured, moved a little and half hidden, real and fake alike.

    Zhao et al. 2020, arXiv 2006.10738, section 3.3; G learns through it (equations 3 and 4), so
    nothing of it has to show in samples. `policy` says what is done, in that order: `color` (a
    brightness of ±0.5, a saturation of 0 to 2 times and a contrast of 0.5 to 1.5 times its own),
    `translation` (by whole pixels, up to a share `shift` of each side) and `cutout` (a box of a
    share `cutout` of each side, its middle anywhere in the image). What comes in at a side and
    what is cut out is `fill`: 0, mid-grey, in the authors' code.

    Needs: images, and convolutions: with model=mlp G loses sight of what is moved. Drawings on
    black may be moved without a grey edge by augment.fill=-1.0. Nothing is mirrored: where mirrored
    samples are real, dataset.mirror=true.

    Trouble: on many data it costs a little; G that paints boxes or grey edges has lost to D for
    another reason: augment.policy=[color,translation]. D/real and D/fake part all the same on few
    data: penalty=lecam besides, or augment=ada.
    """

    policy: tuple[str, ...] = ("color", "translation", "cutout")
    shift: float = 0.125
    cutout: float = 0.5
    fill: float = 0.0

    def __post_init__(self) -> None:
        check_words("policy", self.policy, _WAYS)
        for name, share in (("shift", self.shift), ("cutout", self.cutout)):
            if not 0 <= share < 1:
                raise ValueError(f"{name} is a share of a side, 0 or more and below 1, not {share}")

    @property
    def moves(self) -> bool:
        """Whether anything but colours changes."""
        return set(self.policy) != {"color"}

    def __call__(self, x: Tensor) -> Tensor:
        """Other views of images, each by draws of its own, `(N, C, H, W) -> (N, C, H, W)`."""
        for word in self.policy:
            x = _WAYS[word](self, x)
        return x

    def refuses(self, shape: tuple[int, ...]) -> str | None:
        """Anything but an image is refused."""
        return only_images(shape, "diffaugment changes the colours and places of")


def _colored(rules: DiffAugment, x: Tensor) -> Tensor:
    brightness, saturation, contrast = _rand(x, 3).view(3, -1, 1, 1, 1)
    x = x + (brightness - 0.5)
    grey = x.mean(1, keepdim=True)
    x = grey + 2 * saturation * (x - grey)
    mean = x.mean((1, 2, 3), keepdim=True)
    return mean + (contrast + 0.5) * (x - mean)


def _translated(rules: DiffAugment, x: Tensor) -> Tensor:
    n, channels, height, width = x.shape
    rows, inside = _moved(n, height, rules.shift, x.device)
    columns, beside = _moved(n, width, rules.shift, x.device)
    x = x.gather(2, rows[:, None, :, None].expand(n, channels, height, width))
    x = x.gather(3, columns[:, None, None, :].expand(n, channels, height, width))
    return _shown(x, inside[:, :, None] & beside[:, None, :], rules.fill)


def _moved(n: int, side: int, share: float, device: torch.device) -> tuple[Tensor, Tensor]:
    """Where each pixel of a side comes from, `(n, side)`, and whether that is in the image."""
    reach = int(share * side + 0.5)
    by = dist.own(lambda k: torch.randint(-reach, reach + 1, (k, 1), device=device), n)
    origin = torch.arange(side, device=device) + by
    return origin.clamp(0, side - 1), (origin >= 0) & (origin < side)


def _cut(rules: DiffAugment, x: Tensor) -> Tensor:
    height, width = x.shape[2:]
    rows = _hidden(len(x), height, rules.cutout, x.device)
    columns = _hidden(len(x), width, rules.cutout, x.device)
    return _shown(x, ~(rows[:, :, None] & columns[:, None, :]), rules.fill)


def _hidden(n: int, side: int, share: float, device: torch.device) -> Tensor:
    """Which places of a side the box covers, `(n, side)`."""
    box = int(share * side + 0.5)
    top = side + 1 - box % 2
    first = dist.own(lambda k: torch.randint(0, top, (k, 1), device=device), n) - box // 2
    places = torch.arange(side, device=device)
    return (places >= first) & (places < first + box)


def _shown(x: Tensor, visible: Tensor, fill: float) -> Tensor:
    """The image where it is visible, `(N, C, H, W), (N, H, W) -> (N, C, H, W)`."""
    return torch.where(visible[:, None], x, torch.full((), fill, dtype=x.dtype, device=x.device))


def _rand(x: Tensor, draws: int) -> Tensor:
    """Uniform numbers in [0, 1) of the samples' type, `(draws, N)`."""
    return dist.own(lambda n: torch.rand(draws, n, device=x.device), len(x), dim=1).to(x.dtype)


_WAYS: dict[str, Callable[[DiffAugment, Tensor], Tensor]] = {
    "color": _colored,
    "translation": _translated,
    "cutout": _cut,
}
"""What can be done to images, by the paper's names."""
