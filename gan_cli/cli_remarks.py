"""What there is to know about a leaderboard, a line each."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from gan_cli.cli_board import called
from gan_cli.report.words import many
from gan_cli.status import STATES
from gan_cli.study.leaderboard import Board, Group
from gan_cli.study.reasons import reasons
from gan_cli.study.result import UNREADABLE, UNWELL
from gan_cli.study.sweeps import sweeps

NAMED = 6
"""Figures that are named in a line, at most."""

TOLD = 3
"""Reasons, and other ways to measure, that are told, at most."""


def about(made: Board, reference: Group | None, alone: bool) -> list[str]:
    """What there is to know about the table, a line each."""
    results = [*made.results, *made.unreadable]
    states = Counter(result.state for result in results)
    counted = [f"{states[state]} {state}" for state in (*STATES, UNREADABLE) if states[state]]
    counts = [many(len(results), "run"), many(len(made.groups), "group")]
    notes = [f"{' in '.join(counts)}: {', '.join(counted)}"]
    ways = {"more": 1, "less": -1}
    known = {way: [f.name for f in made.figures if f.better == ways[way]] for way in ways}
    told = [f"{way} of {_listed(names)}" for way, names in known.items() if names]
    spread = [] if alone else ["± is the deviation over n seeds"]
    notes.append("; ".join([f"better is {' and '.join(told)}", *spread] if told else spread))
    if reference is not None and len(made.groups) > 1 and not alone:
        notes.append(
            f"differences are from {reference.called(made.columns)}, over the seeds that both "
            "have, with their 95 % interval"
        )
    notes += _otherwise(made)
    if made.twice:
        notes.append(
            f"{many(made.twice, 'run')} of a seed that another has trained as long, or longer"
        )
    short = [result for result in made.results if result.figures and result.step < result.steps]
    if short:
        notes.append(f"{many(len(short), 'run')} short of the end: --at STEP takes all at one step")
    unwell = [r for r in results if r.reason and r.state in UNWELL]
    lines, left = reasons(((r.state, called(made, r), r.reason) for r in unwell), TOLD)
    notes += [*lines, *([f"and {left} more: --runs has the reasons"] if left else [])]
    return [note for note in notes if note]


def _otherwise(made: Board) -> list[str]:
    """A line for each way in which some runs measured figures, and most didn't."""
    ways: dict[tuple[str, int], list[str]] = {}
    for figure in made.figures:
        for flag in figure.flags:
            ways.setdefault(flag, []).append(figure.name)
    order = sorted(ways, key=lambda flag: (-flag[1], flag))
    lines = [
        f"not compared, as {many(runs, 'run')} measured otherwise ({said}): "
        f"{_listed(ways[said, runs])}"
        for said, runs in order[:TOLD]
    ]
    return lines + ([f"and measured in {len(order) - TOLD} more ways"] if order[TOLD:] else [])


def _listed(names: list[str]) -> str:
    """The first of them, and how many more there are."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def runless(paths: list[Path]) -> list[str]:
    """Jobs of sweeps that have not begun, or were refused before they had a directory."""
    jobs = [job for sweep in sweeps(paths) for job in sweep.runless]
    states = Counter(job.state for job in jobs)
    counted = [f"{states[state]} {state}" for state in STATES if states[state]]
    notes = [f"jobs without a run: {', '.join(counted)}"] if jobs else []
    return (
        notes + reasons(((job.state, job.name, job.reason) for job in jobs if job.reason), TOLD)[0]
    )
