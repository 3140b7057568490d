"""Components that are wrong in one way each, and the laws that must say so."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import nn

from gan_cli.constraint.clip import Clip
from gan_cli.constraint.free import Free
from gan_cli.dataset.ring import Ring
from gan_cli.laws import Verdict, constraint, density, loss, model, optimizer, penalty
from gan_cli.loss.hinge import Hinge
from gan_cli.loss.nonsaturating import NonSaturating
from gan_cli.loss.wgan import WGAN
from gan_cli.model.mlp import MLP
from gan_cli.optimizer.sgd import SGD
from gan_cli.penalty import slope
from gan_cli.penalty.gp import GradientPenalty
from gan_cli.penalty.r1 import R1


class Reduced(WGAN):
    def d(self, real, fake):
        return (fake - real).mean()


class Averaged(WGAN):
    def d(self, real, fake):
        return (fake - real).mean().expand_as(real)


class Divided(WGAN):
    def g(self, real, fake):
        return -fake / len(fake)


class Favourite(Hinge):
    """It says that it crosses the batch, and treats its first sample otherwise."""

    crosses: ClassVar[bool] = True

    def g(self, real, fake):
        return -fake - fake[0]


class Swapped(WGAN):
    def d(self, fake, real):
        return fake - real


class Upward(WGAN):
    def g(self, real, fake):
        return fake


class Overflowing(NonSaturating):
    def d(self, real, fake):
        return -(real.sigmoid() + 1e-12).log() - (1 - fake.sigmoid()).log()


class Detached(WGAN):
    def g(self, real, fake):
        return -fake.detach() + 0 * fake


class Random(WGAN):
    def g(self, real, fake):
        return -fake + 1e-3 * torch.rand_like(fake)


class InPlace(WGAN):
    def d(self, real, fake):
        return fake.mul_(1).sub_(real)


class Untrue(WGAN):
    relative: ClassVar[bool] = True


class Reading(WGAN):
    def g(self, real, fake):
        return real - fake


class Suboptimal(NonSaturating):
    def optimal(self, log_ratio):
        return 2 * log_ratio


class Broken(WGAN):
    def d(self, real, fake):
        raise RuntimeError("no such thing")


def slopes(seen):
    x = seen.real.x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(seen.D(x, None).sum(), x, create_graph=True)
    return gradient


@dataclass(frozen=True)
class WholeBatch(R1):
    """γ/2 ‖∇D(x)‖² with one norm over the whole batch."""

    def __call__(self, seen):
        return (self.gamma / 2 * slopes(seen).norm() ** 2).expand(len(seen.real))


class OfMean(R1):
    def __call__(self, seen):
        x = seen.real.x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(seen.D(x, None).mean(), x, create_graph=True)
        return self.gamma / 2 * gradient.flatten(1).norm(dim=1) ** 2


class OneDimension(R1):
    def __call__(self, seen):
        return self.gamma / 2 * slopes(seen).norm(dim=1).flatten(1).mean(1) ** 2


class MeanReduced(R1):
    def __call__(self, seen):
        return super().__call__(seen).mean()


class MeanExpanded(R1):
    def __call__(self, seen):
        return super().__call__(seen).mean().expand(len(seen.real))


class SharedEpsilon(GradientPenalty):
    def __call__(self, seen):
        x = seen.real.x + torch.rand(1) * (seen.fake.x - seen.real.x)
        return self.weight * (slope(seen.D, x, None) - 1).square()


class PixelEpsilon(GradientPenalty):
    def __call__(self, seen):
        x = seen.real.x + torch.rand_like(seen.real.x) * (seen.fake.x - seen.real.x)
        return self.weight * (slope(seen.D, x, None) - 1).square()


class NoisyMean(GradientPenalty):
    """At places of its own, and averaged over the batch."""

    def __call__(self, seen):
        x = seen.real.x + 0.1 * torch.randn_like(seen.real.x)
        paid = self.weight * (slope(seen.D, x, None) - 1).square()
        return paid.mean().expand(len(x))


class NoSquare(GradientPenalty):
    def __call__(self, seen):
        return self.weight * (slope(seen.D, seen.real.x, None) - 1).abs()


class OnceOnly(R1):
    def __call__(self, seen):
        return super().__call__(seen).detach()


class NoGraph(R1):
    def __call__(self, seen):
        x = seen.real.x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(seen.D(x, None).sum(), x)
        return gradient.flatten(1).norm(dim=1) ** 2


class Rewarding(GradientPenalty):
    def __call__(self, seen):
        return self.weight * (slope(seen.D, seen.real.x, None).square() - 1)


class Careless(R1):
    def refuses(self, D):
        return None


class Fussy(R1):
    def refuses(self, D):
        return "never"


class Unwilling(Clip):
    def refuses(self, D):
        return "not this one"


class Headless(Clip):
    def wrap(self, D):
        return nn.Flatten()


class Nothing(Clip):
    def wrap(self, D):
        return None


class LateClip(Clip):
    def wrap(self, D):
        return D


class Shrinking(Free):
    def project(self, D):
        with torch.no_grad():
            for p in D.parameters():
                p.mul_(0.9)


class Boasting(Free):
    holds: ClassVar[bool] = True


class Zeroing(Free):
    def wrap(self, D):
        self.project(D)
        return D

    def project(self, D):
        with torch.no_grad():
            for p in D.parameters():
                p.zero_()


class Scaled(nn.Module):
    def __init__(self, D):
        super().__init__()
        self.D = D
        self.scale = 1 + float(torch.rand(()))  # kept where no checkpoint finds it

    def forward(self, x, c=None):
        return self.D(x, c) * self.scale


class Forgetful(Free):
    def wrap(self, D):
        return Scaled(D)


class Uphill(SGD):
    def make(self, weights, lr):
        return torch.optim.SGD(weights, lr=lr, maximize=True)


class OwnRate(SGD):
    def make(self, weights, lr):
        return torch.optim.SGD(weights, lr=0.01)


class Restless(torch.optim.SGD):
    def step(self, closure=None):
        for group in self.param_groups:
            for weight in group["params"]:
                weight.data.sub_(0.01 * weight.grad)


class Unpaced(SGD):
    def make(self, weights, lr):
        return Restless(weights, lr=lr)


class Tiring(torch.optim.SGD):
    taken = 0

    def step(self, closure=None):
        self.taken += 1
        for group in self.param_groups:
            for weight in group["params"]:
                weight.data.sub_(group["lr"] * weight.grad / self.taken**0.1)


class Unsaved(SGD):
    def make(self, weights, lr):
        return Tiring(weights, lr=lr)


class Permissive(SGD):
    def __post_init__(self):
        pass


class Flat(MLP):
    def generator(self, shape):
        return super().generator((math.prod(shape),))


class Choosy(MLP):
    def generator(self, shape):
        raise ValueError("no")


class Idle(MLP):
    def discriminator(self, shape):
        D = super().discriminator(shape)
        D.unused = nn.Linear(2, 2)
        return D


class Crowd(MLP):
    def generator(self, shape):
        G = super().generator(shape)
        G.register_forward_hook(lambda module, given, x: x - x.mean(0))
        return G


class Unseeded(MLP):
    def generator(self, shape):
        G = super().generator(shape)
        other = torch.Generator()
        other.seed()
        for p in G.parameters():
            p.data = torch.randn(p.shape, generator=other)
        return G


class Misshapen(Ring):
    def sample(self, n, generator):
        return super().sample(n, generator)[:, :1]


class Global(Ring):
    def sample(self, n, generator):
        return super().sample(n, generator) + 0.01 * torch.randn(n, 2)


class Constant(Ring):
    def sample(self, n, generator):
        return super().sample(n, torch.Generator().manual_seed(0))


class Unnormalised(Ring):
    def log_prob(self, x):
        return super().log_prob(x) + 0.1


class Wider(Ring):
    def log_prob(self, x):
        return Ring(self.modes, self.radius, 2 * self.std).log_prob(x)


OFFENDERS: list[tuple[Callable[[Any], Verdict], Callable[[], Any]]] = [
    (loss.per_sample, Reduced),
    (loss.alone, Averaged),
    (loss.alone, Divided),
    (loss.alone, Favourite),
    (loss.ordered, Swapped),
    (loss.ordered, Upward),
    (loss.finite, Overflowing),
    (loss.derivative, Detached),
    (loss.pure, Random),
    (loss.pure, InPlace),
    (loss.honest, Untrue),
    (loss.honest, Reading),
    (loss.optimum, Suboptimal),
    (penalty.per_sample, MeanReduced),
    (penalty.linear, WholeBatch),
    (penalty.linear, OfMean),
    (penalty.linear, OneDimension),
    (penalty.alone, MeanExpanded),
    (penalty.alone, NoisyMean),
    (penalty.places, SharedEpsilon),
    (penalty.places, PixelEpsilon),
    (penalty.flat, NoSquare),
    (penalty.again, OnceOnly),
    (penalty.again, NoGraph),
    (penalty.positive, Rewarding),
    (penalty.refused, Careless),
    (penalty.refused, Fussy),
    (constraint.accepts, Unwilling),
    (constraint.outputs, Headless),
    (constraint.outputs, Nothing),
    (constraint.starts, LateClip),
    (constraint.once, Shrinking),
    (constraint.bounded, Boasting),
    (constraint.learns, Zeroing),
    (constraint.restored, Forgetful),
    (optimizer.downhill, Uphill),
    (optimizer.rate, OwnRate),
    (optimizer.rate, Unpaced),
    (optimizer.continued, Unsaved),
    (optimizer.refused, Permissive),
    (model.shapes, Flat),
    (model.shapes, Choosy),
    (model.gradients, Idle),
    (model.by_itself, Crowd),
    (model.seeded, Unseeded),
    (density.shape, Misshapen),
    (density.deterministic, Global),
    (density.deterministic, Constant),
    (density.integrates, Unnormalised),
    (density.agrees, Wider),
]
