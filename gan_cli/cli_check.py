"""`gan check`: the laws, asked of one component, conf's or a user's own, with a verdict on each."""

from __future__ import annotations

import argparse
import importlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml  # type: ignore[import-untyped]

from gan_cli import options
from gan_cli.cli_compose import Composer, Sources, plain
from gan_cli.cli_diagnose import diagnose
from gan_cli.cli_keys import nearest
from gan_cli.cli_page import CYAN, DIM, GREEN, RED, Page
from gan_cli.errors import UserMistake

if TYPE_CHECKING:
    from gan_cli.laws import Verdict

LAWS = {
    "loss": "gan_cli.laws.loss",
    "penalty": "gan_cli.laws.penalty",
    "constraint": "gan_cli.laws.constraint",
    "optimizer": "gan_cli.laws.optimizer",
    "model": "gan_cli.laws.model",
    "dataset": "gan_cli.laws.density",
}
"""The groups that have laws, and where they are."""

_LISTS = {"penalty": ", or penalty=[…,…]"}

NEEDS = {"dataset": "sample"}
"""What the laws of a group are about, where not every component has it."""


@dataclass
class Asked:
    """What a command asks about: overrides of conf, and classes of the user's, with arguments."""

    overrides: list[str] = field(default_factory=list)
    own: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    groups: list[str] = field(default_factory=list)


def main(argv: list[str]) -> int:
    """Run `gan check` with these arguments; 1 if a law does not hold. Raises GanError."""
    given = _parser().parse_args(argv)
    composer = Composer(Sources(given.config_dir))
    own = [word for word in given.words if re.search(r"=[A-Za-z_]\w*\.", word)]
    options.import_from_here(given.config_dir, *own)
    asked = read(composer, given.words)
    if not asked.groups:
        raise UserMistake(f"what is to be checked? gan check GROUP=NAME, of {', '.join(LAWS)}")
    page, failed = Page.make(), 0
    for title, group, component in components(composer, asked):
        verdicts = [law(component) for law in importlib.import_module(LAWS[group]).LAWS]
        write(page, title, verdicts)
        failed += sum(verdict.holds is False for verdict in verdicts)
    page.show()
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = options.Parser(
        "gan check",
        "Whether a component keeps the laws of its kind: of conf, or your own class.",
        "gan check loss=wgan   gan check penalty=mine.MyPenalty weight=5. "
        "Exit code 0: all laws hold, 1: one does not.",
    )
    words = "components and their settings"
    parser.add_argument("words", nargs="*", metavar="GROUP=NAME | KEY=VALUE", help=words)
    options.add_config_dir(parser)
    return parser


def read(composer: Composer, words: list[str]) -> Asked:
    """The components that words name, and their settings: a bare KEY=VALUE is the last one's."""
    asked = Asked()
    group, name = "", ""
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise UserMistake(f"{word}: a component is GROUP=NAME, a setting KEY=VALUE")
        if key in composer.groups:
            group, name = key, value
            if group not in LAWS:
                raise UserMistake(f"{word}: there are laws of {', '.join(LAWS)}")
            if group in asked.groups:
                raise UserMistake(f"{word}: one {group} at a time" + _LISTS.get(group, ""))
            asked.groups.append(group)
            if "." in value and value not in composer.choices(group):
                asked.own[group, value] = {}
            else:
                asked.overrides.append(word)
        elif (group, name) in asked.own:
            asked.own[group, name][key.removeprefix(f"{group}.")] = yaml.safe_load(value)
        elif group and "." not in key:
            inner = f"{group}.{name}" if group == "penalty" else group  # each under its own name
            asked.overrides.append(f"{inner}.{word}")
        elif near := (None if "." in key else nearest(key, composer.groups)):
            raise UserMistake(f"{word}: there is no group {key}; did you mean {near}={value}?")
        else:
            asked.overrides.append(word)
    diagnose(composer, asked.overrides, multirun=False).complain()
    return asked


def components(composer: Composer, asked: Asked) -> list[tuple[str, str, Any]]:
    """Each component as (title, group, object); UserMistake where one can't be made."""
    config = plain(composer.compose(asked.overrides))
    for (group, target), arguments in asked.own.items():
        _import(group, target)
        spec = {"_target_": target, **arguments}
        config[group] = {target.rpartition(".")[2]: spec} if group == "penalty" else spec
    from gan_cli import build  # imports torch

    made = build.parts(config)
    titles = {group: f"{group}={target}" for group, target in asked.own}
    chosen = {word.partition("=")[0]: word for word in asked.overrides}
    found: list[tuple[str, str, Any]] = []
    for group in asked.groups:
        title = titles.get(group) or chosen[group]
        part = getattr(made, group)
        if isinstance(part, dict):
            several = len(part) > 1
            found += [(f"{group}={n}" if several else title, group, p) for n, p in part.items()]
        else:
            found.append((title, group, part))
    if not found:
        raise UserMistake(f"{' '.join(asked.overrides)}: there is nothing to check in it")
    for title, group, part in found:
        if group in NEEDS and not hasattr(part, NEEDS[group]):
            raise UserMistake(f"{title}: its laws are about {NEEDS[group]}, which it has not")
    return found


def _import(group: str, target: str) -> None:
    """Import the user's class; UserMistake with what went wrong."""
    module, _, name = target.rpartition(".")
    try:
        found = importlib.import_module(module)
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        raise UserMistake(f"{group}={target}: importing {module} raised {text}") from error
    if not hasattr(found, name):
        near = nearest(name, [key for key in vars(found) if not key.startswith("_")])
        hint = f"; did you mean {module}.{near}?" if near else ""
        raise UserMistake(f"{group}={target}: {module} has no {name}{hint}")


MARKS = {True: ("✓", GREEN), False: ("✗", RED), None: ("·", DIM)}
"""How a verdict begins: the law holds, it does not, it has nothing to ask."""


def write(page: Page, title: str, verdicts: list[Verdict]) -> None:
    """A line for each law; where one does not hold, what was expected and seen, and the fix."""
    page.title(title, _count(verdicts))
    page.lines.append("")
    wide = max(len(verdict.name) for verdict in verdicts)
    for verdict in verdicts:
        mark, colour = MARKS[verdict.holds]
        head = f"  {page.paint(mark, colour)} "
        if verdict.holds is False:
            page.lines.append(head + page.paint(verdict.name, "1", colour))
            for label in ("expected", "seen", "fix"):
                lines = [page.inline(line) for line in page.wrap(getattr(verdict, label), 17)]
                gaps = [page.paint(f"{label:8}", CYAN), *[" " * 8] * len(lines)]
                page.lines += [f"      {g}   {t}" for g, t in zip(gaps, lines, strict=False)]
            continue
        told = page.wrap(verdict.seen, wide + 7) or [""]
        page.lines.append(f"{head}{verdict.name:{wide}}   {page.paint(told[0], DIM)}".rstrip())
        page.lines += [" " * (wide + 7) + page.paint(line, DIM) for line in told[1:]]


def _count(verdicts: list[Verdict]) -> str:
    asked = [verdict for verdict in verdicts if verdict.holds is not None]
    failed = sum(not verdict.holds for verdict in asked)
    if not failed:
        return f"{len(asked)} laws hold"
    return f"{failed} of {len(asked)} laws {'does' if failed == 1 else 'do'} not hold"
