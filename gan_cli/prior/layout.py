"""Latent codes in parts: categories as one-hot vectors, continuous codes, and noise."""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor


class Code(NamedTuple):
    """What a latent code says, part by part."""

    categories: Tensor
    """The category of each categorical code, int64 `(N, codes)`."""

    continuous: Tensor
    """The continuous codes, `(N, numbers)`."""

    noise: Tensor
    """What is left, `(N, rest)`."""


class Layout(NamedTuple):
    """Where in z the codes stand: first the one-hot vectors, then the continuous codes."""

    categories: tuple[int, ...]
    continuous: int

    @property
    def width(self) -> int:
        """Numbers that are not noise."""
        return sum(self.categories) + self.continuous

    def split(self, z: Tensor) -> Code:
        """The parts of latent codes, `(N, dim)`."""
        hot, continuous, noise = z.split(
            [sum(self.categories), self.continuous, z.shape[1] - self.width], 1
        )
        chosen = [part.argmax(1, keepdim=True) for part in hot.split(self.categories, 1)]
        none = torch.empty(len(z), 0, dtype=torch.int64, device=z.device)
        return Code(torch.cat([none, *chosen], 1), continuous, noise)

    def refuses(self, dim: int) -> str | None:
        """Why codes of this dimension can't be drawn: no room is left for noise."""
        if dim > self.width:
            return None
        return (
            f"{self.width} numbers of z are codes and at least one must be noise, "
            f"where z has {dim}: model.z_dim={self.width + 1} or more"
        )


@runtime_checkable
class Coded(Protocol):
    """A prior whose latent codes have parts."""

    @property
    def layout(self) -> Layout:
        """Where the parts stand."""
        ...


def checked(categories: object) -> tuple[int, ...]:
    """Numbers of categories, 2 or more each; ValueError if they are something else."""
    sizes = tuple(categories) if isinstance(categories, (list, tuple)) else ()
    if sizes != categories and list(sizes) != categories:
        raise ValueError(f"categories is a list of numbers, such as [10], not {categories}")
    if any(type(size) is not int or size < 2 for size in sizes):
        raise ValueError(f"categories are numbers of choices, 2 or more, not {list(sizes)}")
    return sizes


def one_hot(
    n: int, size: int, device: torch.device | None, generator: torch.Generator | None
) -> Tensor:
    """Random categories, each as likely, as vectors: `(n, size)`, float32."""
    chosen = torch.randint(size, (n, 1), device=device, generator=generator)
    return torch.zeros(n, size, device=device).scatter_(1, chosen, 1.0)
