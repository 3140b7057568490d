"""The D in a training checkpoint: built again from what the file says, and what it can tell."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from gan_cli import generators, strict
from gan_cli.auxiliary import Auxiliary
from gan_cli.condition import Condition, featured
from gan_cli.condition.headed import Headed
from gan_cli.constraint import Constraint
from gan_cli.errors import BadFile, NumericalFailure, UserMistake
from gan_cli.loss import Loss, Solved
from gan_cli.method.critic import judges_patches
from gan_cli.model import Model
from gan_cli.model.stddev import MinibatchStd
from gan_cli.prior import Prior
from gan_cli.sampler import evaluating
from gan_cli.space import Space

KIND = "checkpoints/step-*.safetensors"
"""The files of a run that hold D."""

BY_RATIO = "a loss whose D gives log p/q, such as loss=nonsaturating"
"""What to train with for a D that tells a density ratio."""

MOST = 64
"""The largest number among a constraint's arguments: each is work for every answer of D's."""

FAMILIES = ("model", "discriminator")
"""The groups that a D can be an entry of."""


class Critic(NamedTuple):
    """A frozen D and the loss it played for; `loss_name` is that of the file."""

    D: nn.Module
    loss: Loss
    loss_name: str


class Plan(NamedTuple):
    """The components that D is put together from."""

    model: Model
    condition: Condition
    constraint: Constraint
    auxiliaries: dict[str, Auxiliary]

    def bare(self, space: Space, prior: Prior) -> nn.Module:
        """A new D before its constraint; ValueError when it can't be."""
        D = self.condition.discriminator(self.model, space, 1)
        if self.auxiliaries:
            for auxiliary in self.auxiliaries.values():
                if reason := auxiliary.refuses(space, prior):
                    raise ValueError(reason)
            guesses = {name: one.guesses(space, prior) for name, one in self.auxiliaries.items()}
            D = Headed(featured(D, "an auxiliary task"), self.auxiliaries, guesses)
        return D


def load(
    path: str | Path, space: Space, prior: Prior, sha256: str = "", trust: tuple[str, ...] = ()
) -> Critic:
    """The D that the generator of this file played against, on the CPU.

    `space` and `prior` are the generator's, `sha256` the digest of its file where that matters.
    Raises UserMistake where no D is kept, or one that has no answer to a single sample, and
    BadFile for a file that can't be right.
    """
    checkpoint, where, _ = generators.find(path)
    said = strict.clean(where)
    if sha256 and checkpoint.sha256 != sha256:
        raise UserMistake(f"{said}: newer than the generator that was read; once more, please")
    prefix = "D/"
    tensors = {
        name.removeprefix(prefix): tensor
        for name, tensor in checkpoint.tensors.items()
        if name.startswith(prefix)
    }
    if not tensors:
        raise UserMistake(
            f"{said}: there is no D in it, and refining takes one: name the run's directory, or "
            f"one of its {KIND}"
        )
    if "game" not in checkpoint.meta:
        raise UserMistake(
            f"{said}: it does not say what its D is, as files of an older gan do not: train a few "
            "steps more with this one"
        )
    try:
        critic = _read(checkpoint.meta, space, prior, tensors, trust)
    except generators.FAILURES as error:
        reason = strict.quote(" ".join(str(error).split()) or type(error).__name__, 200)
        raise BadFile(f"{said}: {reason}") from error
    if crowd := _crowded(critic.D):
        raise UserMistake(f"{said}: {crowd}")
    return critic


def tells_ratio(loss: Loss) -> bool:
    """Whether the best D's output is log p/q up to a constant, as that of a classifier is."""
    if not isinstance(loss, Solved):
        return False
    ratio = torch.linspace(-8, 8, 33)
    gap = loss.optimal(ratio) - ratio
    return bool((gap - gap[0]).abs().max() < 1e-4)


def ask(D: nn.Module, x: Tensor, c: Tensor | None) -> Tensor:
    """D's outputs on samples and their conditions, `(N, …), (N,) -> (N,)`, where D is."""
    c = None if c is None else c.to(x.device)
    with evaluating(D):
        out: Tensor = D(x, c)
    return out


def finite(values: Tensor) -> Tensor:
    """The values, if they are numbers; NumericalFailure."""
    if not values.isfinite().all():
        raise NumericalFailure("refining by D came upon a number that is NaN or infinite")
    return values


def _read(
    meta: dict[str, Any],
    space: Space,
    prior: Prior,
    tensors: dict[str, Tensor],
    trust: tuple[str, ...],
) -> Critic:
    """The D that a file's metadata describes, with its weights, if all of it is sane."""
    game = meta["game"]
    if not isinstance(game, dict) or game.get("family") not in FAMILIES:
        raise ValueError("its metadata does not say of which family its D is")
    if type(pack := game.get("pack")) is not int or pack != 1:
        raise UserMistake(
            f"its D judges pack={strict.quote(pack)} samples together, and has no answer to a "
            "single one: train with pack=1"
        )
    auxiliaries = game.get("auxiliary")
    if not isinstance(auxiliaries, dict) or len(auxiliaries) > generators.MAX_LENGTH:
        raise ValueError("its metadata does not say what else its D is asked")
    for value in generators.described(game, "constraint")[1].values():
        if isinstance(value, int | float) and abs(value) > MOST:
            raise ValueError(f"its constraint has a number beyond {MOST}: {strict.quote(value)}")
    family, loss_name = game["family"], generators.described(game, "loss")[0]
    plan = Plan(
        _component({family: game.get("D")}, family, trust),
        _component(meta, "condition", trust),
        _component(game, "constraint", trust),
        {n: _component({"auxiliary": one}, "auxiliary", trust) for n, one in auxiliaries.items()},
    )
    loss = _component(game, "loss", trust)
    space = space._replace(kinds=generators.class_names(game.get("kinds", [])))
    return Critic(_built(plan, space, prior, tensors), loss, loss_name)


def _component(meta: dict[str, Any], group: str, trust: tuple[str, ...]) -> Any:
    from gan_cli import build  # here, because a critic that is at hand does without Hydra

    name, arguments = generators.described(meta, group)
    return build.component(group, name, arguments, trust)


def _built(plan: Plan, space: Space, prior: Prior, tensors: dict[str, Tensor]) -> nn.Module:
    """D with these weights, once a weightless one has shown that it is no larger than they are."""
    with generators.no_larger_than(tensors), torch.device("meta"):
        needed = sum(weight.numel() for weight in plan.bare(space, prior).state_dict().values())
    if needed > (held := sum(tensor.numel() for tensor in tensors.values())):
        raise ValueError(f"its metadata asks for a D of {needed:,} numbers, and it holds {held:,}")
    with torch.random.fork_rng(devices=[]):
        D = plan.constraint.wrap(plan.bare(space, prior))
    generators.compare(D.state_dict(), tensors, "D/")
    D.load_state_dict(tensors, strict=True)
    return D.eval().requires_grad_(False)


def _crowded(D: nn.Module) -> str | None:
    """Why D has no one answer to a single sample; None if it has."""
    if any(isinstance(module, MinibatchStd) for module in D.modules()):
        return (
            "its D judges a sample by the group it is in, and has no answer to a single one: "
            "train with model.minibatch_std=0"
        )
    if judges_patches(D):
        return "its D judges patches, and no sample as a whole: train with discriminator=same"
    return None
