"""What to try next: for each sign, remedies in order, each a function of the settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import zip_longest

from gan_cli.doctor import Remedy
from gan_cli.doctor.case import Case, mended
from gan_cli.doctor.game import (
    annealed_noise,
    augmented,
    consistent,
    diverse,
    lecam,
    less_steep,
    not_exponential,
    not_saturating,
    packed,
    penalty_instead_of_clipping,
    relativistic,
    spectral,
    wasserstein,
)
from gan_cli.doctor.pace import (
    absurd,
    clip_gradients,
    critic_oftener,
    critic_once,
    critic_slower,
    critic_up,
    float32,
    no_head_start,
    rate_divided,
    usual_rate,
)
from gan_cli.run import key_of

Rule = Callable[[Case], Remedy | None]

_RATES: tuple[Rule, ...] = (critic_up, usual_rate)
"""What is looked at before anything else."""

_COLLAPSE: tuple[Rule, ...] = (
    *_RATES,
    diverse,
    rate_divided(10.0, least=2e-3),
    penalty_instead_of_clipping,
    less_steep,
    packed,
    critic_oftener,
    relativistic,
    wasserstein,
)

ADVICE: dict[str, tuple[Rule, ...]] = {
    "finite": (
        float32,
        not_exponential,
        usual_rate,
        rate_divided(10.0),
        clip_gradients,
        less_steep,
        spectral,
    ),
    "vanishing": (
        not_saturating,
        penalty_instead_of_clipping,
        *_RATES,
        no_head_start,
        less_steep,
        annealed_noise,
        critic_once,
        wasserstein,
    ),
    "overpowering": (
        *_RATES,
        penalty_instead_of_clipping,
        critic_once,
        less_steep,
        critic_slower,
        spectral,
        augmented,
        wasserstein,
    ),
    "overfitting": (augmented, less_steep, lecam, consistent, critic_slower),
    "diversity": _COLLAPSE,
    "classes": _COLLAPSE,
    "duplicates": _COLLAPSE,
    "gradients": (
        usual_rate,
        clip_gradients,
        rate_divided(2.0),
        less_steep,
        penalty_instead_of_clipping,
        spectral,
    ),
    "weights": (usual_rate, rate_divided(2.0), spectral, less_steep, clip_gradients),
}
"""What helps against each sign, the likeliest first; None of those that are no matter here."""


def remedies(case: Case, signs: Iterable[str]) -> tuple[Remedy, ...]:
    """Everything to try against these signs, the worst of them first.

    First the likeliest remedy of each sign in turn, then the next of each. None is there that the
    run has had already. Where a learning rate is absurd, that of D if it is not, or else the usual
    one comes first, and every other remedy on top of it.
    """
    signs = tuple(signs)
    rate = _sane(case) if signs and absurd(case) else None
    if rate is None:
        return _ranked(case, signs)
    keys = {key_of(change) for change in rate.changes}
    others = (
        replace(one, changes=(*rate.changes, *one.changes))
        for one in _ranked(mended(case, rate.changes), signs)
        if keys.isdisjoint(map(key_of, one.changes))
    )
    return (rate, *others)


def _sane(case: Case) -> Remedy | None:
    """The first remedy after which no learning rate is absurd any more."""
    found = (rule(case) for rule in _RATES)
    mends = (one for one in found if one and not absurd(mended(case, one.changes)))
    return next(mends, None)


def rates(case: Case, signs: Iterable[str]) -> tuple[Remedy, ...]:
    """The remedies of these signs that a learning rate far from the usual one speaks for itself."""
    asked = {rule for name in signs for rule in ADVICE.get(name, ())}
    found = [rule(case) for rule in _RATES if rule in asked]
    return tuple(one for one in found if one is not None and not _had(case, one))


def _ranked(case: Case, signs: Sequence[str]) -> tuple[Remedy, ...]:
    """The remedies of each sign in turn."""
    columns = [[rule(case) for rule in ADVICE.get(name, ())] for name in signs]
    ranked = (found for row in zip_longest(*map(_known, columns)) for found in row)
    told: dict[tuple[str, ...], Remedy] = {}
    for remedy in ranked:
        if remedy is not None and not _had(case, remedy):
            told.setdefault(remedy.changes, remedy)
    return tuple(told.values())


def _known(column: Sequence[Remedy | None]) -> list[Remedy]:
    return [remedy for remedy in column if remedy is not None]


def _had(case: Case, remedy: Remedy) -> bool:
    """Whether all of it is how the run was made."""
    words = (change.partition("=") for change in remedy.changes)
    return all(str(case.config.get(key, case.choices.get(key))) == value for key, _, value in words)
