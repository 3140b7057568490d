"""The rules of a game and its D, put together from the components."""

from __future__ import annotations

import torch
from torch import nn

from gan_cli.augment import Listens
from gan_cli.auxiliary.infogan import InfoGAN
from gan_cli.condition import featured
from gan_cli.condition.headed import Headed
from gan_cli.condition.unseen import Unseen
from gan_cli.errors import UserMistake
from gan_cli.loss import Crossing, Selective, Solved, Unbounded
from gan_cli.method.critic import judges_patches
from gan_cli.method.game import Game
from gan_cli.method.kit import Kit, made
from gan_cli.space import Space


def rules(kit: Kit) -> Game:
    """The rules of the game."""
    space, matching = kit.space, kit.condition.matching
    conditional = bool(space.classes) or space.given is not None
    refuse("condition", _lonely(kit))
    refuse("condition", _untied(kit))
    return Game(
        loss=kit.loss,
        penalties=kit.penalties,
        constraint=kit.constraint,
        augment=kit.augment,
        turns=kit.turns,
        prior=kit.prior,
        terms=kit.terms,
        auxiliaries=kit.auxiliaries,
        wrong_among=len(space.classes) if matching and conditional else None,
        accumulate=kit.accumulate,
    )


def d_net(kit: Kit, space: Space | None = None) -> nn.Module:
    """D for the task, unless something of the game can't be right with it: then UserMistake."""
    space = space or kit.space
    group = "model" if kit.judge is kit.model else "discriminator"
    D = made(group, lambda: kit.condition.discriminator(kit.judge, space, kit.pack))
    if kit.auxiliaries:
        D = made("auxiliary", lambda: _headed(kit, D))
    held = any(getattr(part, "holds", True) for part in (*kit.penalties.values(), kit.constraint))
    loss = kit.loss
    reasons = [
        ("loss", loss.refuses(held) if isinstance(loss, Unbounded) else None),
        ("loss", loss.refuses_d(_bare(D)) if isinstance(loss, Selective) else None),
        ("loss", _compares_patches(kit, D)),
        *((f"penalty.{name}", part.refuses(D)) for name, part in kit.penalties.items()),
        ("constraint", kit.constraint.refuses(D)),
        ("augment", kit.augment.refuses(space.shape)),
    ]
    for name, reason in reasons:
        refuse(name, reason)
    return D


def _headed(kit: Kit, D: nn.Module) -> Headed:
    for name, auxiliary in kit.auxiliaries.items():
        if reason := auxiliary.refuses(kit.space, kit.prior):
            raise UserMistake(f"auxiliary.{name}: {reason}")
    guesses = {n: one.guesses(kit.space, kit.prior) for n, one in kit.auxiliaries.items()}
    return Headed(featured(D, "an auxiliary task"), kit.auxiliaries, guesses)


def _bare(D: nn.Module) -> nn.Module:
    """The network inside what conditions and packing have wrapped around it."""
    inner = getattr(D, "D", None)
    return _bare(inner) if isinstance(inner, nn.Module) else D


def _compares_patches(kit: Kit, D: nn.Module) -> str | None:
    if not isinstance(kit.loss, Crossing) or not judges_patches(D):
        return None
    return "it compares each answer with the whole batch, and this D gives one a patch: loss=lsgan"


def _lonely(kit: Kit) -> str | None:
    """The refusal of wrong images where a part of a batch has no other sample's."""
    matched = kit.condition.matching and kit.space.given is not None
    if not matched or kit.batch_size // kit.accumulate > 1:
        return None
    return (
        "a wrong image is that of another sample, and here each is alone: a larger batch_size "
        "(or fewer parts, accumulate=1), or condition.matching=false"
    )


def mixed_up(kit: Kit, G: nn.Module) -> str | None:
    """The refusal of guessing codes where a sample is made of two of them."""
    if not getattr(G, "mixing", 0) or not any(
        isinstance(auxiliary, InfoGAN) for auxiliary in kit.auxiliaries.values()
    ):
        return None
    return "it guesses a sample's code, and G mixes the styles of two: model.mixing=0.0"


def _untied(kit: Kit) -> str | None:
    """The refusal of labels that only G is told, and nobody holds it to."""
    tied = kit.auxiliaries or kit.terms or not isinstance(kit.condition, Unseen)
    if tied or not kit.space.classes:
        return None
    return (
        "D is not told the label, so nothing ties a sample to it: auxiliary=acgan beside it, or "
        "condition=concat"
    )


def torn_apart(kit: Kit) -> str | None:
    """The refusal of what moves a sample's pixels and not those of the image it answers."""
    if kit.space.given is None or not getattr(kit.augment, "moves", False):
        return None
    return (
        "it moves pixels of the sample alone, and the image it is conditioned on would no longer "
        "fit: augment=none"
    )


def misheard(kit: Kit) -> str | None:
    """The refusal of what listens to D's outputs as if they were another loss's."""
    if not isinstance(kit.augment, Listens):
        return None
    loss = kit.loss
    border = None
    if isinstance(loss, Solved) and not loss.relative and not isinstance(loss, Unbounded):
        border = float(loss.optimal(torch.zeros(1)))
    return kit.augment.refuses_border(border)


def refuse(name: str, reason: str | None) -> None:
    """Raise UserMistake where there is a reason."""
    if reason:
        raise UserMistake(f"{name}: {reason}")
