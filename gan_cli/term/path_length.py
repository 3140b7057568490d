"""Path-length regularisation."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from gan_cli import dist
from gan_cli.memory import scalar
from gan_cli.space import Space
from gan_cli.term import Played, check_weight


class Styled(Protocol):
    """A generator in two halves: from codes to styles, and from styles to images."""

    def mapping(self, z: Tensor, c: Tensor | None) -> Tensor:
        """Styles, `(N, z_dim), (N, …) -> (N, layers, w_dim)`."""
        ...

    def synthesis(self, w: Tensor) -> Tensor:
        """Images, `(N, layers, w_dim) -> (N, C, H, W)`."""
        ...


def _start() -> dict[str, Tensor]:
    return {"a": scalar(0)}


@dataclass(frozen=True)
class PathLength:
    """λ (‖Jᵀy‖ - a)²: a small step in a style changes the image by as much, wherever it is.

    Karras et al. 2019, arXiv 1912.04958, equation 4. J is the Jacobian of the synthesis network in
    the styles w, y an image of N(0, 1) over the root of its number of pixels, and a the running
    mean of the length, which moves by `decay` at a time. The length is the root mean square of
    those of the layers. Weight, decay and `every` as in the authors' code, which takes half the
    batch, where here it is the whole: it makes the images again, differentiated twice.

    Needs: a G with styles, model=stylegan2.
    Trouble: samples that are all alike: a tenth of the weight. Slow steps: every=8.
    """

    weight: float = 2.0
    decay: float = 0.01
    every: int = 4
    memory: dict[str, Tensor] = field(init=False, repr=False, compare=False, default_factory=_start)

    def __post_init__(self) -> None:
        check_weight(self.every, weight=self.weight)
        if not 0 < self.decay <= 1:
            raise ValueError(f"decay is above 0 and at most 1, not {self.decay}")

    def __call__(self, played: Played) -> Tensor:
        """The penalty of each sample, `(N,)`; the mean length moves first."""
        length = path_length(cast(Styled, played.G), played.fake.z, played.fake.c)
        a = self.memory["a"].to(length)
        (average,) = dist.mean([length.detach().mean()])
        a = a + self.decay * (average - a)
        self.memory["a"] = a.float()
        return self.weight * (length - a).square()

    def refuses(self, G: nn.Module, D: nn.Module | None, space: Space) -> str | None:
        """A G without styles is refused."""
        if all(callable(getattr(G, part, None)) for part in ("mapping", "synthesis")):
            return None  # since Python 3.12 isinstance doesn't see the modules of a module
        return "it measures how an image follows its style, and this G has none: model=stylegan2"


def path_length(G: Styled, z: Tensor | None, c: Tensor | None) -> Tensor:
    """‖Jᵀy‖ of each sample, for a random y, `(N, z_dim), (N, …) -> (N,)`; differentiable again."""
    assert z is not None
    w = G.mapping(z, c)
    x = G.synthesis(w)
    y = dist.own_like(torch.randn_like, x) / math.sqrt(math.prod(x.shape[2:]))
    (slope,) = torch.autograd.grad((x * y).sum(), w, create_graph=True)
    squared = slope.square().sum(2).mean(1)
    return squared.clamp(min=torch.finfo(squared.dtype).tiny).sqrt()
