"""The laws of constraints."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from gan_cli.constraint import Constraint
from gan_cli.laws import Law, Verdict, law, nothing_asked, number
from gan_cli.model.dcgan import DCGAN
from gan_cli.model.mlp import MLP

Net = tuple[str, nn.Module, tuple[int, ...]]


def networks(constraint: Constraint) -> Iterator[Net]:
    """A new perceptron and convolutional D, where not refused, and the shapes they judge."""
    made: list[Net] = [
        ("an MLP", MLP(width=16, depth=2).discriminator((2,)), (2,)),
        ("a DCGAN", DCGAN(width=4, d_norm="none").discriminator((1, 8, 8)), (1, 8, 8)),
    ]
    for name, D, shape in made:
        if not constraint.refuses(D):
            yield name, D, shape


def two_batches(shape: tuple[int, ...], n: int = 32) -> tuple[Tensor, Tensor]:
    """Noise around 1, and around -1."""
    return torch.randn(n, *shape) + 1, torch.randn(n, *shape) - 1


def wrapped(constraint: Constraint) -> Iterator[Net]:
    """The same, under the constraint."""
    for name, D, shape in networks(constraint):
        yield name, constraint.wrap(D), shape


def push(
    constraint: Constraint, D: nn.Module, shape: tuple[int, ...], steps: int, size: float = 0.05
) -> None:
    """Let D tell two batches apart as far as it can, in steps of one size in every weight."""
    real, fake = two_batches(shape)
    weights = [p for p in D.parameters() if p.requires_grad]
    for _ in range(steps):
        gap = D(fake, None).mean() - D(real, None).mean()
        gradient = torch.autograd.grad(gap, weights, allow_unused=True, materialize_grads=True)
        with torch.no_grad():
            for weight, slope in zip(weights, gradient, strict=True):
                weight.sub_(size * slope.sign())
        constraint.project(D)


def steepest(D: nn.Module, shape: tuple[int, ...]) -> float:
    """The largest slope of D at 400 points."""
    D.eval()
    x = torch.cat(two_batches(shape, 200)).requires_grad_()
    (gradient,) = torch.autograd.grad(D(x, None).sum(), x)
    D.train()
    return float(gradient.flatten(1).norm(dim=1).max())


def moved(constraint: Constraint, D: nn.Module) -> float:
    """How far a projection moves D's weights."""
    before = {key: value.clone() for key, value in D.state_dict().items()}
    constraint.project(D)
    gaps = [(value - before[key]).abs().max() for key, value in D.state_dict().items()]
    return float(torch.stack([gap.float() for gap in gaps]).max())


@law("a network is accepted")
def accepts(constraint: Constraint) -> Verdict:
    """A plain perceptron or a convolutional D without a norm is not refused."""
    names = [name for name, _, _ in networks(constraint)]
    if not names:
        reason = constraint.refuses(MLP(width=16, depth=2).discriminator((2,)))
        return Verdict(
            False,
            expected="a D without any norm can be under the constraint",
            seen=f"'{reason}'",
            fix="refuses(D) gives None where the constraint can hold",
        )
    return Verdict(True, seen=" and ".join(names))


@law("D stays a D")
def outputs(constraint: Constraint) -> Verdict:
    """What wrap gives judges samples as before: one finite number for each."""
    for name, D, shape in networks(constraint):
        told: object = constraint.wrap(D)
        if not isinstance(told, nn.Module):
            return Verdict(
                False, expected="wrap(D) gives a network", seen=repr(told), fix="return D"
            )
        out = told(two_batches(shape)[0], None)
        if out.shape != (32,) or not out.isfinite().all():
            return Verdict(
                False,
                expected=f"(32,) finite outputs of {name} on 32 samples",
                seen=f"{tuple(out.shape)}, {number(out.detach().abs().max())} at most",
                fix="the D that wrap gives is called as D(x, c), and gives `(N,)`",
            )
    return Verdict(True, seen="one finite output a sample")


@law("D starts in the set")
def starts(constraint: Constraint) -> Verdict:
    """A projection right after wrap moves nothing."""
    for name, D, _ in wrapped(constraint):
        if (far := moved(constraint, D)) > 1e-6:
            return Verdict(
                False,
                expected=f"the first weights of {name} are in the set",
                seen=f"a projection moves them by {number(far)}",
                fix="project once in wrap",
            )
    return Verdict(True, seen="a projection moves nothing")


@law("projecting twice is projecting once")
def once(constraint: Constraint) -> Verdict:
    """After steps that try to leave the set, and a projection, another moves nothing."""
    for name, D, shape in wrapped(constraint):
        push(constraint, D, shape, 20)
        if (far := moved(constraint, D)) > 1e-6:
            return Verdict(
                False,
                expected=f"{name} is in the set after a projection",
                seen=f"another one moves it by {number(far)}",
                fix="project(D) gives the nearest D in the set, which is its own nearest",
            )
    return Verdict(True, seen="after 20 steps that push outwards")


@law("its bound holds")
def bounded(constraint: Constraint) -> Verdict:
    """Where it says that it bounds D's slope, a D that is pushed for twice as long is no steeper.

    Without a bound the slope grows with a power of the steps.
    """
    told = []
    for name, D, shape in wrapped(constraint):
        push(constraint, D, shape, 60)
        first = steepest(D, shape)
        push(constraint, D, shape, 60)
        last = steepest(D, shape)
        told.append(f"{number(last)} in {name}")
        if getattr(constraint, "holds", False) and last > 1.5 * first + 1e-6:
            return Verdict(
                False,
                expected=f"{name} is as steep after 120 steps outwards as after 60, as `holds` "
                "says that its slope is bounded",
                seen=f"a slope of {number(last)} after {number(first)}",
                fix="project in `project`, or reparametrise every weight in `wrap`; or "
                "`holds: ClassVar[bool] = False`",
            )
    if not getattr(constraint, "holds", False):
        return nothing_asked(f"it claims none; pushed: {', '.join(told)}")
    return Verdict(True, seen=", ".join(told))


@law("every weight can learn")
def learns(constraint: Constraint) -> Verdict:
    """Under the constraint every weight has a gradient, and D still tells batches apart."""
    for name, D, shape in wrapped(constraint):
        push(constraint, D, shape, 20, size=0.002)
        real, fake = two_batches(shape)
        gap = D(real, None).mean() - D(fake, None).mean()
        weights = dict(D.named_parameters())
        gradient = torch.autograd.grad(
            D(real, None).square().sum(), list(weights.values()), allow_unused=True
        )
        still = [
            key for key, slope in zip(weights, gradient, strict=True)
            if slope is None or not slope.abs().sum() > 0
        ]  # fmt: skip
        if still or not gap > 0:
            return Verdict(
                False,
                expected=f"{name} can be trained under the constraint",
                seen=f"no gradient in {', '.join(still)}" if still else "it tells nothing apart",
                fix="keep every weight of D in its graph, and away from 0",
            )
    return Verdict(True, seen="and D tells two batches apart")


@law("it comes back from a checkpoint")
def restored(constraint: Constraint) -> Verdict:
    """The weights of a D under the constraint, put into another, make the same D."""
    pairs = zip(wrapped(constraint), wrapped(constraint), strict=True)
    for (name, D, shape), (_, other, _) in pairs:
        push(constraint, D, shape, 5)
        other.load_state_dict(D.state_dict(), strict=True)
        x, _ = two_batches(shape)
        gap = (D.eval()(x, None) - other.eval()(x, None)).abs().max()
        if not gap <= 1e-5:
            return Verdict(
                False,
                expected=f"{name} with the same state_dict has the same outputs",
                seen=f"outputs that differ by {number(gap.detach())}",
                fix="what the constraint keeps in D is a parameter or a buffer",
            )
    return Verdict(True, seen="all of it is in D's state_dict")


LAWS: tuple[Law, ...] = (
    accepts, outputs, starts, once, bounded, learns, restored
)  # fmt: skip
