"""Remedies that change how fast the players go, and who goes first."""

from __future__ import annotations

from collections.abc import Callable

from gan_cli.diagnosis import signs
from gan_cli.doctor import Remedy
from gan_cli.doctor.case import Case


def spelled(number: float) -> str:
    """A number as it is typed."""
    return f"{number:.4g}"


def no_head_start(case: Case) -> Remedy | None:
    """Both players from the first step on."""
    if not case.number("head_start.d", 0):
        return None
    return Remedy(
        ("head_start.d=0",),
        "a D that learns first is sure of every fake before G has made one step",
        "Arjovsky and Bottou 2017, arXiv 1701.04862, section 2",
    )


def critic_once(case: Case) -> Remedy | None:
    """As many steps of D as of G, but where theory asks for a D near its best."""
    if case.number("n_critic", 1) <= 1 or case.linear:
        return None
    return Remedy(
        ("n_critic=1",),
        f"D makes {spelled(case.number('n_critic', 1))} steps for each of G's, and wins",
        "Goodfellow et al. 2014, arXiv 1406.2661, algorithm 1 with k = 1",
    )


def critic_oftener(case: Case) -> Remedy | None:
    """More steps of D, so that it keeps up with where G has gone."""
    if case.number("n_critic", 1) > 1 or not case.judged:
        return None
    return Remedy(
        ("n_critic=5",),
        "a D that lags behind lets G put all of its samples where D looked last",
        "Metz et al. 2016, arXiv 1611.02163, section 2.4",
    )


def critic_slower(case: Case) -> Remedy | None:
    """A smaller learning rate of D: that of G, where it is greater, else a quarter."""
    if not case.judged or case.d_lr < case.lr or not case.lr:
        return None
    rate = case.lr if case.d_lr > case.lr else case.lr / 4
    return Remedy(
        (f"optimizer.d_lr={spelled(rate)}",),
        "a rate of its own holds D back while G catches up",
        "Heusel et al. 2017, arXiv 1706.08500, section 2",
    )


def critic_up(case: Case) -> Remedy | None:
    """One learning rate for both, where D's is far smaller."""
    if not case.judged or case.d_lr >= case.lr:
        return None
    times = spelled(case.lr / case.d_lr) if case.d_lr else "many"
    change = f"optimizer.lr={spelled(case.d_lr)}"
    if case.lr < 2e-3:
        change = f"optimizer.d_lr={spelled(case.lr)}"
    return Remedy(
        (change,),
        f"G learns {times} times as fast as D, and runs to the one place that D likes just now",
        "Heusel et al. 2017, arXiv 1706.08500: D is to be the faster one",
    )


USUAL = {
    "adam": 2e-4,
    "adamw": 2e-4,
    "optimistic_adam": 2e-4,
    "rmsprop": 5e-5,
    "sgd": 1e-2,
    "optimistic_sgd": 1e-2,
}
"""The learning rates of papers and of conf/, by what they are for."""

MUCH, ABSURD = 30.0, 100.0
"""How many times the usual rate is more than anybody uses, and so much that nothing else helps."""


def usual_rate(case: Case) -> Remedy | None:
    """The learning rate of the papers, where it is far from it."""
    usual, fastest = _usual(case), max(case.lr, case.d_lr)
    if not usual or fastest <= MUCH * usual:
        return None
    changes = [f"optimizer.lr={spelled(usual)}"]
    if case.d_lr != case.lr:
        changes.append("optimizer.d_lr=null")
    return Remedy(
        tuple(changes),
        f"a learning rate of {spelled(fastest)} is {signs.spelled(fastest / usual)} times what is "
        "usual",
        "Radford et al. 2015, arXiv 1511.06434, section 4",
    )


def absurd(case: Case) -> bool:
    """Whether a learning rate is such that nothing else can help while it stays."""
    usual = _usual(case)
    return usual > 0 and max(case.lr, case.d_lr) >= ABSURD * usual


def _usual(case: Case) -> float:
    """The usual learning rate of its optimiser and data; 0 where it is not known."""
    return USUAL.get(case.entry("optimizer"), 0.0) * (5 if case.points else 1)


def rate_divided(by: float, least: float = 0.0) -> Callable[[Case], Remedy | None]:
    """Smaller learning rates, where they are `least` or more."""

    def divided(case: Case) -> Remedy | None:
        if not case.lr or max(case.lr, case.d_lr) < max(least, 1e-6) or usual_rate(case):
            return None
        changes = [f"optimizer.lr={spelled(case.lr / by)}"]
        if case.d_lr != case.lr:
            changes.append(f"optimizer.d_lr={spelled(case.d_lr / by)}")
        return Remedy(
            tuple(changes),
            f"steps that are too long leave the place where a slope tells the way: {by:g} times "
            "shorter ones",
            "Mescheder et al. 2018, arXiv 1801.04406, section 3: a game needs smaller rates than "
            "a loss",
        )

    return divided


def clip_gradients(case: Case) -> Remedy | None:
    """A bound on the length of a gradient."""
    if case.config.get("clip_grad") is not None:
        return None
    return Remedy(
        ("clip_grad=1",),
        "one steep place can't throw a player far away",
        "Pascanu et al. 2013, arXiv 1211.5063, algorithm 1",
    )


def float32(case: Case) -> Remedy | None:
    """Full precision."""
    if case.config.get("hardware.precision") != "bfloat16":
        return None
    return Remedy(
        ("hardware.precision=float32",),
        "bfloat16 keeps 8 bits of a number: differences that a game is about are lost",
        "Micikevicius et al. 2018, arXiv 1710.03740, section 3",
    )
