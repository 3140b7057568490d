"""The laws of models."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from gan_cli.laws import Law, Verdict, law, nothing_asked, number
from gan_cli.model import Generator, Model, Shape, Translates

SHAPES: tuple[Shape, ...] = ((2,), (1, 8, 8), (1, 28, 28), (3, 32, 32), (2, 13, 20))
"""A point; small, odd and large images of one to three channels, one of them not square."""


def pairs(model: Model) -> Iterator[tuple[Shape, Generator, nn.Module]]:
    """G and D for every shape that the model does not refuse."""
    for shape in SHAPES:
        try:
            yield shape, model.generator(shape), model.discriminator(shape)
        except ValueError:
            continue


@law("G makes what D judges")
def shapes(model: Model) -> Verdict:
    """G's samples have the shape asked for; D gives one number for each."""
    met = []
    for shape, G, D in pairs(model):
        x = G(torch.randn(3, G.z_dim), None)
        out = D(x, None)
        met.append("×".join(map(str, shape)))
        if x.shape != (3, *shape) or out.shape != (3,):
            return Verdict(
                False,
                expected=f"G gives (3, {', '.join(map(str, shape))}) and D (3,)",
                seen=f"{tuple(x.shape)} and {tuple(out.shape)}",
                fix="G ends with the shape it is made for; D with squeeze(1)",
            )
    if not met and isinstance(model, Translates):
        return nothing_asked("its G makes images from images, which these laws have not")
    if not met and _alone(model):
        return nothing_asked("its G plays against no D")
    if not met:
        return Verdict(
            False,
            expected=f"one of {', '.join(map(str, SHAPES))} is not refused",
            seen="ValueError for each of them",
            fix="ValueError is for shapes that the family can't make",
        )
    refused = len(SHAPES) - len(met)
    return Verdict(True, seen=", ".join(met) + (f"; {refused} refused" if refused else ""))


def _alone(model: Model) -> bool:
    """Whether there is a G for some shape: what is refused is any D."""
    for shape in SHAPES:
        try:
            return model.generator(shape).z_dim > 0
        except ValueError:
            continue
    return False


@torch.no_grad()
def _shaken(net: nn.Module) -> None:
    """Move every weight a little: one that begins at 0 may keep others still at first."""
    for weight in net.parameters():
        weight.add_(0.01 * torch.randn_like(weight))


@law("every weight gets a gradient")
def gradients(model: Model) -> Verdict:
    """No parameter of G or D stands outside of the game."""
    for shape, G, D in pairs(model):
        for net in (G, D):
            _shaken(net)
        out = D(G(torch.randn(8, G.z_dim), None), None)
        named = [(f"G.{k}", p) for k, p in G.named_parameters()]
        named += [(f"D.{k}", p) for k, p in D.named_parameters()]
        slopes = torch.autograd.grad(
            out.square().sum(), [p for _, p in named], allow_unused=True, materialize_grads=True
        )
        still = [k for (k, _), g in zip(named, slopes, strict=True) if not g.abs().sum() > 0]
        if still:
            return Verdict(
                False,
                expected=f"a gradient in every weight, for samples of shape {shape}",
                seen=f"none in {', '.join(still[:4])}",
                fix="a weight that forward does not use is not to be made",
            )
    return Verdict(True, seen="in G and D, through both")


@law("a sample is a function of its code")
def by_itself(model: Model) -> Verdict:
    """A frozen G gives the same sample for the same z, alone or in company, and draws nothing."""
    for shape, G, _ in pairs(model):
        G.eval()
        z = torch.randn(4, G.z_dim)
        with torch.no_grad():
            together, alone = G(z, None), G(z[:1], None)
        if (gap := (together[:1] - alone).abs().max()) > 1e-4:
            return Verdict(
                False,
                expected="G(z) of one code is what it is among four",
                seen=f"samples of shape {shape} that differ by {number(gap)}",
                fix="in eval mode G uses no statistics of its batch, and no random numbers",
            )
    return Verdict(True, seen="alone as among four")


@law("the seed decides")
def seeded(model: Model) -> Verdict:
    """The first weights are a function of torch's seed."""
    for shape, _, _ in pairs(model):
        made = []
        for _ in range(2):
            torch.manual_seed(7)
            nets = model.generator(shape), model.discriminator(shape)
            made.append([p for net in nets for p in net.parameters()])
        same = len(made[0]) == len(made[1]) and all(map(torch.equal, *made))
        if not same:
            return Verdict(
                False,
                expected="the same weights under the same torch.manual_seed",
                seen=f"others, for samples of shape {shape}",
                fix="draw first weights from torch's own generator alone",
            )
        return Verdict(True, seen="the same weights twice")
    return nothing_asked("it refuses every shape here")


LAWS: tuple[Law, ...] = (shapes, gradients, by_itself, seeded)
