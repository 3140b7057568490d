"""`gan list`: the runs there are, or the entries of a group of conf/, a line each."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gan_cli import written
from gan_cli.errors import UserMistake
from gan_cli.options import Parser, add_config_dir, whole
from gan_cli.run import CONTROL, key_of
from gan_cli.status import STATES
from gan_cli.strict import clean
from gan_cli.study.folder import Folder, find
from gan_cli.study.leaderboard import usual
from gan_cli.study.reasons import reasons
from gan_cli.study.result import UNWELL, read
from gan_cli.study.sweeps import Sweep, sweeps
from gan_cli.study.where import unknown

EXAMPLES = """examples:
  gan list                    the runs below outputs, the newest first
  gan list --state failed     those that failed, and why
  gan list losses             what loss= can be, a line each
  gan list penalties models   the same of other groups
"""

OUTPUTS = "outputs"
MOST = 50
"""Runs that are shown on a terminal, where no number is asked for."""

FIGURES = 2
"""Figures of a run that are shown."""

SWEEPS = 10
"""Sweeps that are shown, at most."""

REASONS = 5
"""Reasons that are told below the table, at most."""

SHARED = "runs by what all of these don't share; --format csv has their directories"

GUIDE = "gan train makes a run; gan list losses (or models, datasets, …) lists what there is to try"


def main(argv: list[str]) -> int:
    """Run `gan list` with these arguments. Raises GanError."""
    if (given := parser().asked(argv)) is None:
        return 0
    given.form = written.KINDS[given.format]
    groups = [group for word in given.words if (group := _group(word, given.config_dir))]
    if groups and len(groups) == len(given.words):
        _entries(groups, given)
    elif groups:
        raise UserMistake("gan list takes groups, as losses, or directories of runs, but not both")
    else:
        _runs(given)
    return 0


def parser() -> Parser:
    """What can be typed."""
    words = "The runs there are, newest first, or the entries of a group."
    made = Parser("gan list", words, EXAMPLES, as_is=True)
    add = made.add_argument
    add("words", nargs="*", metavar="WHAT", help="groups, or directories of runs (outputs)")
    add("--state", type=_states, default=(), help=f"only runs that are {', '.join(STATES)}")
    add("--sort", choices=SORTS, default="age", help="the order of the runs (age)")
    add("--reverse", action="store_true", help="the other way round")
    add("--most", type=whole(1), metavar="N", help=f"runs that are shown ({MOST} on a terminal)")
    add("--format", choices=written.KINDS, default="table", help="how it is written (table)")
    add_config_dir(made)
    return made


def _states(text: str) -> tuple[str, ...]:
    states = tuple(word.strip() for word in text.split(","))
    for state in states:
        if state not in STATES:
            known = ", ".join(STATES)
            raise argparse.ArgumentTypeError(f"{clean(state, 40)!r} is no state: {known}")
    return states


def plural(group: str) -> str:
    """What several entries of a group are called: losses, penalties, models."""
    if group.endswith(("ics", "ware")):
        return group
    if group.endswith("y"):
        return f"{group[:-1]}ies"
    return f"{group}es" if group.endswith("s") else f"{group}s"


def _group(word: str, config_dir: str | None) -> str | None:
    """The group that a word names, None where it names a directory; UserMistake with the nearest
    where it names neither."""
    from gan_cli.cli_entry import Shelf

    known = Shelf.of(config_dir).groups()
    names = {name: group for group in known for name in (group, plural(group))}
    if word.lower() in names:
        return names[word.lower()]
    if Path(word).exists():
        return None
    raise unknown(word, names, "group of conf/ and no directory of runs")


def _entries(groups: list[str], given: argparse.Namespace) -> None:
    """The entries of groups: what is typed, and what that is."""
    from gan_cli.cli_entry import Shelf
    from gan_cli.cli_explain import listing, summary
    from gan_cli.cli_explained import write_page

    shelf = Shelf.of(given.config_dir)
    if given.form == written.FORMS[0]:
        write_page([listing(shelf, group) for group in groups])
        return
    found = [(group, name) for group in groups for name in shelf.names(group)]
    rows = [[f"{group}={name}", summary(shelf, group, name)] for group, name in found]
    written.show(written.write(["entry", "what it is"], rows, given.form))


@dataclass(frozen=True)
class Seen:
    """A run in a list: how it is called, what has become of it, and its first figures."""

    name: str
    state: str
    step: int
    steps: int
    figures: str
    age: float
    reason: str
    typed: tuple[str, ...] = ()


SORTS: dict[str, Callable[[Seen], tuple[float | str, ...]]] = {
    "age": lambda one: (one.age, one.name),
    "name": lambda one: (one.name,),
    "state": lambda one: (_rank(one.state), one.age),
    "step": lambda one: (-one.step, one.age),
}


def _rank(state: str) -> float:
    return float([*STATES, state].index(state))


def _runs(given: argparse.Namespace) -> None:
    places = [Path(word) for word in given.words] or [Path(OUTPUTS)]
    try:
        folders = find(places)
    except UserMistake:
        if given.words:
            raise
        written.show(f"there are no runs below {OUTPUTS}: {GUIDE}\n")
        return
    every = [_seen(folder, places) for folder in folders]
    shown = [one for one in every if not given.state or one.state in given.state]
    shown.sort(key=SORTS[given.sort], reverse=given.reverse)
    width = written.terminal() if given.form == written.FORMS[0] else None
    most = given.most or (len(shown) if width is None else MOST)
    names = [one.name for one in shown[:most]]
    notes = [*_told(sweeps(places)), _counted(every, shown, most)]
    headers = ["run", "state", "step", "figures", "age", "reason"]
    if width is not None:  # there is no room for reasons beside the rest
        if max(map(len, names), default=0) > width // 2:
            names = unlike(shown[:most])
            notes.append(SHARED)
        about = ((one.state, name, one.reason) for one, name in zip(shown, names, strict=False))
        notes += reasons((one for one in about if one[-1]), REASONS)[0]
    rows = [_row(one, name) for one, name in zip(shown, names, strict=False)]
    if width is not None or not any(row[-1] for row in rows):
        headers, rows = headers[:-1], [row[:-1] for row in rows]
    written.show(written.write(headers, rows, given.form, width, notes))


def _seen(folder: Folder, places: list[Path]) -> Seen:
    """What there is to tell of a run in a line."""
    result = read(folder)
    names = usual([result])
    told = [name for name in names if result.figures[name].better] or names
    figures = ", ".join(
        f"{name} {written.number(result.figures[name].value)}" for name in told[:FIGURES]
    )
    name = _below(folder.path, places)
    reason = result.reason if result.state in UNWELL else ""
    return Seen(
        *(name, result.state, result.step, result.steps, figures, folder.age, reason),
        typed=_typed(folder) if result.settings else (),
    )


def _typed(folder: Folder) -> tuple[str, ...]:
    """What was typed for a run, but for where it is."""
    return tuple(text for text in folder.record.overrides if key_of(text) not in CONTROL)


def _below(path: Path, places: list[Path]) -> str:
    """A run's path from the one directory that is listed; as it is typed, where there are more."""
    if len(places) == 1 and path != places[0] and path.is_relative_to(places[0]):
        return str(path.relative_to(places[0]))
    return str(path)


def unlike(runs: Sequence[Seen]) -> list[str]:
    """Runs by what was typed for them and not for all, where that tells them apart."""
    shared = set.intersection(*({*one.typed} for one in runs))
    told = [" ".join(text for text in one.typed if text not in shared) for one in runs]
    alike = Counter(told)
    return [
        text if text and alike[text] == 1 else one.name
        for text, one in zip(told, runs, strict=True)
    ]


def _row(one: Seen, name: str) -> list[written.Cell]:
    steps = f"{one.step} of {one.steps}" if one.steps > one.step else str(one.step)
    return [name, one.state, steps, one.figures, age(one.age), one.reason]


def age(seconds: float) -> str:
    """How long ago, in one unit."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def _counted(every: list[Seen], shown: list[Seen], most: int) -> str:
    """How many runs there are in each state, and how many of them are not in the table."""
    states = Counter(one.state for one in every)
    order = sorted(states, key=lambda state: (_rank(state), state))
    told = ", ".join(f"{states[state]} {state}" for state in order)
    said = f"{len(every):,} {'run' if len(every) == 1 else 'runs'}: {told}"
    left = len(shown) - most
    return f"{said}; {left} more with --most {len(shown)}" if left > 0 else said


def _told(found: list[Sweep]) -> list[str]:
    """A line for each sweep: its name, and how many jobs are in each state."""
    lines = []
    for one in found[:SWEEPS]:
        counts = [f"{one.counts[state]} {state}" for state in STATES if one.counts[state]]
        lines.append(f"sweep {one.directory}: {one.trouble or ', '.join(counts)}")
    return lines + ([f"and {len(found) - SWEEPS} more sweeps"] if found[SWEEPS:] else [])
