"""The laws of losses."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from gan_cli.laws import Law, Verdict, law, nothing_asked, number
from gan_cli.loss import Loss

Play = Callable[[Tensor, Tensor], Tensor]


def sides(loss: Loss) -> Iterator[tuple[str, Play]]:
    """d and g, both as functions of (real, fake); g is given None where it must not read real."""
    yield "d", loss.d
    yield "g", lambda real, fake: loss.g(real if loss.relative else None, fake)


def crosses(loss: Loss) -> bool:
    """Whether it says that it looks across the batch."""
    return bool(getattr(loss, "crosses", False))


def of_energies(loss: Loss) -> bool:
    """Whether it wants a D whose outputs are never above 0."""
    refuses = getattr(loss, "refuses_d", None)
    return refuses is not None and refuses(nn.Linear(1, 1)) is not None


def _outputs(n: int, *, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    real, fake = torch.randn(2, n, dtype=dtype)
    return real, fake


@law("one value for each sample")
def per_sample(loss: Loss) -> Verdict:
    """d and g give `(N,)` for a batch of N: they reduce nothing."""
    for name, play in sides(loss):
        for n in (1, 2, 64):
            shape = tuple(play(*_outputs(n)).shape)
            if shape != (n,):
                return Verdict(
                    False,
                    expected=f"{name} gives ({n},) for a batch of {n}",
                    seen=f"{shape}",
                    fix="no .mean() and no .sum(): the mean over the batch is taken later",
                )
    return Verdict(True, seen="(1,), (2,) and (64,)")


@law("a sample pays for itself")
def alone(loss: Loss) -> Verdict:
    """A sample's loss is the same alone and in company.

    A loss that says it crosses the batch need only treat all samples alike: shuffled samples pay
    the same, shuffled.
    """
    real, fake = _outputs(6)
    order = torch.randperm(6)
    for name, play in sides(loss):
        together = play(real, fake)
        if crosses(loss):
            apart, together = play(real[order], fake[order]), together[order]
        else:
            apart = torch.cat([play(real[i : i + 1], fake[i : i + 1]) for i in range(6)])
        gap = (apart - together).abs()
        if not gap.max() <= 1e-9:
            row = int(gap.argmax())
            return Verdict(
                False,
                expected=f"{name} is the same for a sample {_else(loss)}",
                seen=f"{number(apart[row])} where it was {number(together[row])}",
                fix="use each sample's outputs alone; a loss that looks across the batch on "
                "purpose says so: `crosses: ClassVar[bool] = True`",
            )
    return Verdict(True, seen="shuffled alike" if crosses(loss) else "alone as among six")


def _else(loss: Loss) -> str:
    return "wherever it stands in its batch" if crosses(loss) else "alone and among six"


@law("larger is more real")
def ordered(loss: Loss) -> Verdict:
    """D gains by a larger output on real and a smaller one on fake; G by a larger on its own."""
    low, high = torch.tensor([-0.5]), torch.tensor([0.5])
    (_, d), (_, g) = sides(loss)
    right, wrong = d(high, low), d(low, high)
    if not right < wrong:
        return Verdict(
            False,
            expected="d is smaller where D(x) = 0.5 and D(G(z)) = -0.5 than the other way round",
            seen=f"{number(right)} against {number(wrong)}",
            fix="the arguments are (real, fake), and D's outputs are larger where it thinks real",
        )
    better, worse = g(low, high), g(low, low)
    if not better < worse:
        return Verdict(
            False,
            expected="g is smaller where D(G(z)) = 0.5 than where it is -0.5",
            seen=f"{number(better)} against {number(worse)}",
            fix="G wants D's output on its fakes larger: check the sign of g",
        )
    return Verdict(
        True, seen=f"d {number(right)} < {number(wrong)}, g {number(better)} < {number(worse)}"
    )


SURE = ((1e4, -1e4), (-1e4, 1e4), (0.0, 1e4), (0.0, -1e4), (1e4, 1e4), (-1e4, -1e4))


@law("finite where D is sure")
def finite(loss: Loss) -> Verdict:
    """Values and gradients are finite at outputs of ±10⁴, in float32 and bfloat16."""
    for dtype in (torch.float32, torch.bfloat16):
        for real, fake in SURE:
            for name, play in sides(loss):
                outputs = torch.tensor([[real], [fake]], dtype=dtype, requires_grad=True)
                value = play(outputs[0], outputs[1])
                (slope,) = torch.autograd.grad(value.sum(), outputs, materialize_grads=True)
                if not (value.isfinite().all() and slope.isfinite().all()):
                    what = "gradient" if value.isfinite().all() else "value"
                    return Verdict(
                        False,
                        expected=f"a finite {what} of {name}",
                        seen=f"{value.tolist()[0]} with the gradient {slope.flatten().tolist()} "
                        f"at D(x) = {real:g}, D(G(z)) = {fake:g} in {str(dtype)[6:]}",
                        fix="softplus(-x) is -log sigmoid(x), and logsumexp is log of a sum of "
                        "exp, without their overflow; no log(… + eps)",
                    )
    return Verdict(True, seen="at ±10⁴ in float32 and bfloat16")


@law("gradients are the derivatives")
def derivative(loss: Loss) -> Verdict:
    """What autograd says is what finite differences in float64 say."""
    at = torch.tensor([[0.3, -1.7, 2.2], [0.4, 1.9, -0.6]], dtype=torch.float64)
    weight = torch.tensor([1.0, -0.6, 0.7], dtype=torch.float64)
    for name, play in sides(loss):

        def total(outputs: Tensor, play: Play = play) -> Tensor:
            return (weight * play(outputs[0], outputs[1])).sum()

        outputs = at.clone().requires_grad_()
        value = total(outputs)
        told = torch.zeros_like(at)
        if value.requires_grad:
            (told,) = torch.autograd.grad(value, outputs, materialize_grads=True)
        found = _differences(total, at)
        gap = (told - found).abs()
        if not gap.max() <= 1e-5:
            row, column = divmod(int(gap.argmax()), 3)
            return Verdict(
                False,
                expected=f"{name}'s derivative, {number(found[row, column])}, in D's output on a "
                f"{('real', 'fake')[row]} sample",
                seen=number(told[row, column]),
                fix="nothing on the way may be detached, rounded or made from .tolist()",
            )
    return Verdict(True, seen="to 1e-5, in float64")


def _differences(function: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    found = torch.zeros_like(at)
    for index in range(at.numel()):
        step = torch.zeros_like(at)
        step.view(-1)[index] = 1e-6
        found.view(-1)[index] = (function(at + step) - function(at - step)).detach() / 2e-6
    return found


@law("the same answer twice")
def pure(loss: Loss) -> Verdict:
    """d and g draw no numbers, keep nothing, and leave their arguments as they are."""
    real, fake = _outputs(8)
    kept = real.clone(), fake.clone()
    for name, play in sides(loss):
        torch.manual_seed(1)
        first = play(real, fake).clone()
        torch.manual_seed(2)
        again = play(real, fake)
        if not (torch.equal(real, kept[0]) and torch.equal(fake, kept[1])):
            return Verdict(
                False,
                expected=f"{name} leaves D's outputs as they are",
                seen="it changes its arguments in place",
                fix="no operations that end in _, no +=",
            )
        if not torch.equal(first, again):
            row = int((first - again).abs().argmax())
            return Verdict(
                False,
                expected=f"{name} of the same outputs is the same",
                seen=f"{number(first[row])}, then {number(again[row])}",
                fix="a loss is a function of D's outputs: no random numbers, no counters; what "
                "it must remember it takes in `remember`",
            )
    return Verdict(True, seen="and its arguments as they were")


@law("relative says what g reads")
def honest(loss: Loss) -> Verdict:
    """g depends on D's outputs on real samples where `relative` is true, and only there."""
    real, fake = _outputs(8)
    if not loss.relative:
        loss.g(None, fake)
        return Verdict(True, seen="g(None, fake) has an answer")
    if torch.equal(loss.g(real, fake), loss.g(real + 1, fake)):
        return Verdict(
            False,
            expected="g depends on real, as `relative` is true",
            seen="g does not",
            fix="`relative: ClassVar[bool] = False` spares G's step the real batch",
        )
    return Verdict(True, seen="g depends on real")


# Two distributions on three points, in eighths: batches of all 64 pairs represent them exactly.
P = torch.tensor([1, 2, 5])
Q = torch.tensor([4, 3, 1])


@law("no D does better than the best")
def optimum(loss: Loss) -> Verdict:
    """Of all D on a table of three points, the one that `optimal` names has the least loss."""
    optimal = getattr(loss, "optimal", None)
    if optimal is None:
        return nothing_asked("it names no `optimal`")
    best = optimal((P.double() / Q.double()).log())
    least = _value(loss, best)
    highest = 0.0 if of_energies(loss) else float("inf")
    for size in (1e-3, 0.1, 1.0, 10.0):
        for _ in range(30):
            other = (best + size * torch.randn(3, dtype=torch.float64)).clamp(max=highest)
            value = _value(loss, other)
            if not value >= least - 1e-9:
                return Verdict(
                    False,
                    expected=f"no D has less than {number(least)}, the loss of `optimal`",
                    seen=f"{number(value)} with outputs {_list(other)} in place of {_list(best)}",
                    fix="optimal(log p/q) is where the derivative of p d_real + q d_fake is 0",
                )
    return Verdict(True, seen=f"{number(least)} at the best, no less in 120 others")


def _value(loss: Loss, table: Tensor) -> Tensor:
    """E d(D(x), D(y)) for independent x ~ P, y ~ Q, where D's outputs are a table."""
    real, fake = table.repeat_interleave(P), table.repeat_interleave(Q)
    return loss.d(real.repeat_interleave(8), fake.repeat(8)).mean()


def _list(values: Tensor) -> str:
    return f"({', '.join(map(number, values.tolist()))})"


LAWS: tuple[Law, ...] = (per_sample, alone, ordered, finite, derivative, pure, honest, optimum)
