"""The laws of penalties."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from gan_cli.laws import Law, Verdict, law, nothing_asked, number
from gan_cli.laws.critics import (
    Curved,
    Linear,
    Watched,
    drawn,
    draws,
    measures_slopes,
    of_slope,
    seen,
)
from gan_cli.penalty import Penalty

SIZES = (1, 2, 64)
SHAPES = ((2,), (1, 8, 8), (3, 5, 7))

NO_SLOPES = nothing_asked("it measures no slopes")


@law("one value for each sample")
def per_sample(penalty: Penalty) -> Verdict:
    """It gives `(N,)` for a batch of N samples of any shape: it reduces nothing."""
    for shape in SHAPES:
        for n in SIZES:
            told = tuple(penalty(drawn(Curved(shape), n, shape)).shape)
            if told != (n,):
                return Verdict(
                    False,
                    expected=f"({n},) for a batch of {n} samples of shape {shape}",
                    seen=f"{told}",
                    fix="no .mean() and no .sum() over samples; norms over flatten(1), dim=1",
                )
    return Verdict(True, seen="1, 2 or 64 points or images")


@law("a linear critic pays for its slope alone")
def linear(penalty: Penalty) -> Verdict:
    """Where D is equally steep everywhere, every sample pays the same, whatever its batch."""
    if not measures_slopes(penalty):
        return NO_SLOPES
    for slope in (1.0, 0.5, 2.0):
        for shape in SHAPES:
            paid = {n: of_slope(penalty, slope, n, shape) for n in SIZES}
            every = torch.cat([each.reshape(-1) for each in paid.values()])
            if not (every - every[0]).abs().max() <= 1e-9 * (1 + every[0].abs()):
                told = [f"{number(each.mean())} at n = {n}" for n, each in paid.items()]
                return Verdict(
                    False,
                    expected=f"a critic of slope {slope:g} pays the same at any batch size, on "
                    f"samples of shape {shape}",
                    seen=", ".join(told),
                    fix=_mistake(penalty),
                )
        alike = torch.stack([of_slope(penalty, slope, 1, shape)[0] for shape in SHAPES])
        if not (alike - alike[0]).abs().max() <= 1e-9 * (1 + alike[0].abs()):
            return Verdict(
                False,
                expected=f"a critic of slope {slope:g} pays the same over samples of any shape",
                seen=", ".join(f"{number(v)} at {s}" for v, s in zip(alike, SHAPES, strict=True)),
                fix="the norm is over everything in a sample: gradient.flatten(1).norm(dim=1)",
            )
    told = [f"{number(of_slope(penalty, s, 1))} at {s:g}" for s in (0.0, 1.0, 2.0)]
    return Verdict(True, seen=", ".join(told))


def _mistake(penalty: Penalty) -> str:
    """What was probably done: each mistake makes n samples pay as one of another slope would."""
    four = float(of_slope(penalty, 1.0, 4).mean())
    for slope, what in _MISTAKES.items():
        alone = float(of_slope(penalty, slope, 1).mean())
        other = float(of_slope(penalty, 1.0, 1).mean())
        if abs(four - alone) <= 1e-9 * (1 + abs(alone)) and abs(alone - other) > 1e-9:
            return what
    return "each sample's gradient by itself: autograd.grad(D(x, c).sum(), x, create_graph=True)"


_MISTAKES = {
    2.0: "the norm is taken over the whole batch, which √n times the slope of one sample comes "
    "to: gradient.flatten(1).norm(dim=1) is one norm a sample",
    0.25: "the gradient is that of a mean over the batch, n times too small: differentiate "
    "D(x, c).sum()",
    0.5: "the gradient is that of a mean, and its norm is over the whole batch: differentiate "
    "D(x, c).sum(), and take gradient.flatten(1).norm(dim=1)",
}
"""What a linear critic of slope 1 pays at four samples, by the slope that pays so at one."""


@law("a sample pays for itself")
def alone(penalty: Penalty) -> Verdict:
    """A sample pays the same alone and in company, where nothing is drawn.

    A penalty that says it crosses the batch need only treat all samples alike.
    """
    if draws(penalty):
        return _spread(penalty)
    D, x = Curved((2,)), torch.randn(6, 2, dtype=torch.float64)
    together = penalty(seen(D, x, x))
    if getattr(penalty, "crosses", False):
        order = torch.randperm(6)
        apart = penalty(seen(D, x[order], x[order]))[order.argsort()]
    else:
        apart = torch.cat([penalty(seen(D, x[i : i + 1], x[i : i + 1])) for i in range(6)])
    gap = (together - apart).abs()
    if not gap.max() <= 1e-9:
        row = int(gap.argmax())
        return Verdict(
            False,
            expected="a sample pays the same alone and among six",
            seen=f"{number(apart[row])} alone, {number(together[row])} among six",
            fix="nothing is averaged over the batch; a penalty that looks across it on purpose "
            "says so: `crosses: ClassVar[bool] = True`",
        )
    return Verdict(True, seen=f"{number(together.min())} to {number(together.max())}")


def _spread(penalty: Penalty) -> Verdict:
    """For a penalty at places it draws: where slopes differ, payments do."""
    if not measures_slopes(penalty):
        return nothing_asked("it draws numbers of its own")
    paid = penalty(drawn(Curved((2,)), 64, (2,)))
    if not (paid - paid[0]).abs().max() > 1e-9:
        return Verdict(
            False,
            expected="samples at which D is differently steep pay differently",
            seen=f"all 64 pay {number(paid[0])}",
            fix="nothing is averaged over the batch, here or on the way",
        )
    return Verdict(True, seen=f"64 samples pay {number(paid.min())} to {number(paid.max())}")


@law("each pair at a place of its own")
def places(penalty: Penalty) -> Verdict:
    """Between real and fake, each sample has one epsilon for all of it, and no other has it."""
    D = Watched(Linear(1.0, (3, 4, 4)))
    real = torch.zeros(64, 3, 4, 4, dtype=torch.float64)
    penalty(seen(D, real, real + 1))
    between = [x.flatten(1) for x in D.places if _between(x)]
    if not between:
        return nothing_asked("it does not look between real and fake")
    epsilon = torch.cat([x[:, :1] for x in between])
    within = max(float((x - x[:, :1]).abs().max()) for x in between)
    if within > 1e-6:
        return Verdict(
            False,
            expected="a place on the line between a real and a fake sample: one epsilon for all "
            "of its pixels",
            seen=f"epsilons that differ by {number(within)} within a sample",
            fix="torch.rand(len(real), *[1] * (real.dim() - 1))",
        )
    if (count := len(epsilon.unique())) < len(epsilon) // 2:
        return Verdict(
            False,
            expected="64 places for 64 pairs",
            seen=f"{count} epsilon{'s' * (count > 1)} for the whole batch",
            fix="one epsilon a sample: torch.rand(len(real), *[1] * (real.dim() - 1))",
        )
    return Verdict(True, seen=f"epsilon from {number(epsilon.min())} to {number(epsilon.max())}")


def _between(x: Tensor) -> bool:
    return (
        bool(x.std() > 0 or 0.01 < x.mean() < 0.99) and 0 <= float(x.min()) <= float(x.max()) <= 1
    )


@law("flat where it is least")
def flat(penalty: Penalty) -> Verdict:
    """Near the slope that pays least, twice as far is four times as dear: a square, not a norm."""
    if not measures_slopes(penalty):
        return NO_SLOPES

    def pays(slope: float) -> float:
        return float(of_slope(penalty, slope, 1).mean())

    at, least = _least(pays)
    near, far = pays(at + 1e-3) - least, pays(at + 1e-2) - least
    if near > 1e-12 and far < 30 * near:
        return Verdict(
            False,
            expected=f"no kink at slope {at:.3g}, where it is least: ten times as far, a hundred "
            "times as dear",
            seen=f"{number(far / near)} times as dear",
            fix=".square() of the norm (or of its distance from the target)",
        )
    return Verdict(True, seen=f"least at slope {at:.3g}: {number(least)}")


def _least(pays: Callable[[float], float]) -> tuple[float, float]:
    """The slope that pays least, the last where several do, and what it pays."""
    grid = [i / 4 for i in range(17)]
    least = min(map(pays, grid))
    at = max(slope for slope in grid if pays(slope) <= least + 1e-12)
    low, high = max(0.0, at - 0.25), at + 0.25
    for _ in range(60):
        third = (high - low) / 3
        if pays(low + third) <= pays(high - third):
            high -= third
        else:
            low += third
    return (low, pays(low)) if pays(low) < least - 1e-12 else (at, least)


@law("it can be differentiated again")
def again(penalty: Penalty) -> Verdict:
    """D's weights get the gradient of what D pays, as finite differences say."""
    D = Curved((2,))
    real, fake = torch.randn(2, 5, 2, dtype=torch.float64)
    weight = next(p for p in D.parameters())

    def pays() -> Tensor:
        torch.manual_seed(3)
        return penalty(seen(D, real, fake)).mean()

    paid = pays()
    told = torch.zeros_like(weight)
    if paid.requires_grad:
        (told,) = torch.autograd.grad(paid, weight, materialize_grads=True)
    found = torch.zeros_like(told)
    for index in range(weight.numel()):
        ends = []
        for step in (1e-6, -2e-6):
            weight.data.view(-1)[index] += step
            ends.append(float(pays().detach()))
        weight.data.view(-1)[index] += 1e-6
        found.view(-1)[index] = (ends[0] - ends[1]) / 2e-6
    row = int((told - found).abs().argmax())
    if not (told - found).abs().max() <= 1e-4 * (1 + found.abs().max()):
        return Verdict(
            False,
            expected=f"a gradient of {number(found.view(-1)[row])} in one of D's weights",
            seen=number(told.view(-1)[row]),
            fix="autograd.grad(…, create_graph=True), and nothing detached behind it",
        )
    return Verdict(True, seen="to 1e-4, in float64")


@law("nobody is paid")
def positive(penalty: Penalty) -> Verdict:
    """It is never negative."""
    least = torch.stack([penalty(drawn(Curved((2,)), 64, (2,))).min() for _ in range(8)]).min()
    slopes = torch.cat([of_slope(penalty, slope, 8) for slope in (0.0, 0.5, 1.0, 3.0)])
    least = torch.minimum(least, slopes.min())
    if not least >= 0:
        return Verdict(False, expected="0 or more", seen=number(least), fix="a square, or its sign")
    return Verdict(True, seen=f"{number(least)} or more")


@law("batch norm is refused")
def refused(penalty: Penalty) -> Verdict:
    """Where it measures slopes, it refuses a D whose samples see each other, and no other D."""
    plain = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1))
    if (reason := penalty.refuses(plain)) and measures_slopes(penalty):
        return Verdict(
            False,
            expected="a plain network is not refused",
            seen=f"'{reason}'",
            fix="refuses(D) gives None where the penalty can be right",
        )
    if not measures_slopes(penalty):
        return NO_SLOPES
    if not penalty.refuses(nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))):
        return Verdict(
            False,
            expected="a D with batch norm is refused: a sample's slope has no meaning there",
            seen="it is not",
            fix="return gan_cli.penalty.sees_other_samples(D) in refuses",
        )
    return Verdict(True, seen="and a plain network is not")


LAWS: tuple[Law, ...] = (
    per_sample, linear, alone, places, flat, again, positive, refused
)  # fmt: skip
