"""Ways from one latent code to another, along which every code is one that G knows."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from gan_cli.prior import Prior
from gan_cli.prior.layout import Coded
from gan_cli.prior.normal import Normal
from gan_cli.prior.truncated import Truncated
from gan_cli.prior.uniform import Uniform
from gan_cli.truncation import Squeezed


def spherical_by_default(prior: Prior) -> bool:
    """Whether a prior's codes lie near a sphere, so that the straight way leaves them.

    Those of a normal prior do, at √dim std from 0; bounded ones fill a box, which is convex.
    """
    return isinstance(prior, Normal | Coded)


def between(prior: Prior, a: Tensor, b: Tensor, steps: int, spherical: bool) -> Tensor:
    """Codes from a to b, both ends exactly, `(dim,), (dim,) -> (steps, dim)`.

    White 2016, arXiv 1609.04468, section 2: the straight way between codes of a normal prior goes
    nearer to 0 than any code is ever drawn, the great circle does not. One-hot parts and
    continuous codes, which know no sphere, go straight, as the categories of Mukherjee et al. 2018
    (arXiv 1809.03627) do.
    """
    t = torch.linspace(0, 1, steps, dtype=torch.float64)[:, None]
    codes = (1 - t) * a.double() + t * b.double()
    if spherical:
        first = prior.layout.width if isinstance(prior, Coded) else 0
        codes[:, first:] = slerp(a[first:].double(), b[first:].double(), t)
    codes = codes.to(a.dtype)
    codes[0], codes[-1] = a, b
    return codes


def slerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Along the great circle, `(dim,), (dim,), (steps, 1) -> (steps, dim)`.

    sin((1-t)θ)/sin θ a + sin(tθ)/sin θ b, θ the angle between a and b (Shoemake 1985; White 2016,
    arXiv 1609.04468); the straight way where there is no circle, or more than one.
    """
    cosine = torch.nn.functional.cosine_similarity(a, b, dim=0).clamp(-1, 1)
    angle = torch.arccos(cosine)
    if float(torch.sin(angle)) < 1e-6:
        return (1 - t) * a + t * b
    return (torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / torch.sin(angle)


def loop(prior: Prior, knots: Tensor, frames: int, spherical: bool) -> Tensor:
    """A closed way through codes, `(K, dim) -> (frames, dim)`: after the last comes the first.

    Spherical: a sum of the codes whose weights are smooth in time and have squares that add up to
    1, so that every frame is a draw from the normal prior as good as the codes themselves, the
    speed is the same everywhere on average, and there is no corner at a code. Codes of a bounded
    prior are taken to normal ones by their distribution function first, and back. One-hot parts
    stay those of the first code. Linear: straight from code to code, at rest in each.
    """
    t = torch.arange(frames, dtype=torch.float64) * len(knots) / frames
    z = knots.double()
    parts = _parts(prior, z.shape[1]) if spherical else None
    if parts is None:
        return (_straight(t, len(knots)) @ z).to(knots.dtype)
    weights = _smooth(t, len(knots))
    found = z[:1].repeat(frames, 1)
    for part in parts:
        found[:, part.where] = part.back(weights @ part.normal(z[:, part.where]))
    return found.to(knots.dtype)


class _Part(NamedTuple):
    """Numbers of z that go together, and how they become normal ones and themselves again."""

    where: slice
    normal: Callable[[Tensor], Tensor]
    back: Callable[[Tensor], Tensor]


def _parts(prior: Prior, dim: int) -> list[_Part] | None:
    """What can be walked, of a prior whose distribution function is known; else None."""
    if isinstance(prior, Normal):
        return [_Part(slice(0, dim), _same, _same)]
    if isinstance(prior, Uniform):
        return [_bounded(slice(0, dim), prior.bound)]
    if isinstance(prior, Truncated):
        return [_cut(slice(0, dim), prior.bound, 1.0)]
    if isinstance(prior, Squeezed) and prior.bound:
        return [_cut(slice(0, dim), prior.bound, prior.std)]
    if isinstance(prior, Coded):
        layout = prior.layout
        first = sum(layout.categories)
        codes = _bounded(slice(first, layout.width), 1.0)
        return [codes, _Part(slice(layout.width, dim), _same, _same)]
    return None


def _same(z: Tensor) -> Tensor:
    return z


def _bounded(where: slice, bound: float) -> _Part:
    """U(-bound, bound) and N(0, 1), each number by itself: z = bound erf(g/√2)."""
    root, edge = math.sqrt(2), 1 - 1e-12

    def normal(z: Tensor) -> Tensor:
        return root * (z / bound).clamp(-edge, edge).erfinv()

    def back(g: Tensor) -> Tensor:
        return bound * (g / root).erf()

    return _Part(where, normal, back)


def _cut(where: slice, bound: float, std: float) -> _Part:
    """N(0, std²) within ±bound std and N(0, 1): by way of U(-1, 1)."""
    inside, whole = _bounded(where, math.erf(bound / math.sqrt(2))), _bounded(where, 1.0)

    def normal(z: Tensor) -> Tensor:
        return inside.normal((z / (std * math.sqrt(2))).erf())

    def back(g: Tensor) -> Tensor:
        return std * whole.normal(inside.back(g))

    return _Part(where, normal, back)


def _smooth(t: Tensor, count: int) -> Tensor:
    """Weights of K codes at times in [0, K), `(frames,) -> (frames, K)`: 1 at a code's own time.

    Dirichlet's kernel, which interpolates by waves of whole periods; over its own length, which is
    1 already where K is odd.
    """
    x = 2 * math.pi * (t[:, None] - torch.arange(count, dtype=t.dtype)) / count
    waves = torch.ones_like(x)
    for k in range(1, (count + 1) // 2):
        waves = waves + 2 * torch.cos(k * x)
    if count % 2 == 0:
        waves = waves + torch.cos(count / 2 * x)
    return waves / waves.norm(dim=1, keepdim=True)


def _straight(t: Tensor, count: int) -> Tensor:
    """Weights of two neighbours at a time, that begin and end without speed."""
    share = t - t.floor()
    eased = share.square() * (3 - 2 * share)
    here = torch.nn.functional.one_hot(t.long(), count).double()
    return here * (1 - eased)[:, None] + here.roll(1, 1) * eased[:, None]
