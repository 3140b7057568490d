"""Every problem with a command, and what was probably meant, before anything is trained."""

from __future__ import annotations

import copy
import shlex
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig

from gan_cli import cli_keys as keys
from gan_cli.cli_compose import Composer, plain
from gan_cli.errors import UserMistake
from gan_cli.record import flat
from gan_cli.run import BUDGET

MOST = 50
"""Values of one sweep that are looked at before it starts."""


@dataclass
class Diagnosis:
    """What is wrong with a command; `sweep`: whether it is one."""

    problems: list[str] = field(default_factory=list)
    sweep: bool = False

    def complain(self) -> None:
        """Raise UserMistake with all problems, if there are any."""
        several = len(self.problems) > 1
        if several:
            raise UserMistake("\n  ".join([f"{len(self.problems)} problems:", *self.problems]))
        if self.problems:
            raise UserMistake(self.problems[0])


def diagnose(composer: Composer, overrides: list[str], multirun: bool) -> Diagnosis:
    """Check each override by itself against what the others compose.

    A sweep is checked one value at a time, the other overrides at their first.
    """
    found = Diagnosis(sweep=multirun)
    parsed = []
    for text in overrides:
        try:
            parsed.append(composer.parse(text))
        except HydraException:
            found.problems.append(_unreadable(composer, text))
    found.problems += _two_budgets(parsed) + _chosen_twice(composer, parsed)
    sweeps = [override for override in parsed if override.is_sweep_override()]
    jobs = [_Job(composer, [o for o in parsed if o not in sweeps])]
    if sweeps:
        jobs = [_Job(composer, job) for job in _one_by_one(composer, parsed)]
    for job in jobs:
        found.problems += [text for text in job.problems() if text not in found.problems]
        found.sweep = found.sweep or job.sweeps
    if not found.sweep:
        found.problems += [_several(override) for override in sweeps]
    if found.problems:
        found.problems += jobs[0].components()
    return found


def _one_by_one(composer: Composer, parsed: list[Override]) -> list[list[Override]]:
    """Jobs that together try every value of every sweep once."""
    values = [each for override in parsed if (each := _values(composer, override))]
    first = [each[0] for each in values]
    jobs = [first]
    for index, each in enumerate(values):
        jobs += [[*first[:index], value, *first[index + 1 :]] for value in each[1:]]
    return jobs


def _values(composer: Composer, override: Override) -> list[Override]:
    if not override.is_sweep_override():
        return [override]
    if not override.is_discrete_sweep():  # an interval: its sweeper draws from it
        return []
    key = override.get_key_element()
    values = islice(override.sweep_string_iterator(), MOST)
    return [composer.parse(f"{key}={value}") for value in values]


class _Job:
    """The overrides of one job, each checked against the rest."""

    def __init__(self, composer: Composer, overrides: list[Override]):
        self.composer = composer
        groups = composer.groups
        self.chosen = [o for o in overrides if o.key_or_group in groups and not _is_dict(o)]
        self.keys = [o for o in overrides if o not in self.chosen and not o.is_hydra_override()]
        self.hydra = [o for o in overrides if o.is_hydra_override()]
        self.sweeps = False
        self.applied: list[str] = []
        self.asked: DictConfig | None = None

    def problems(self) -> list[str]:
        """What is wrong with the choices, the keys, their values, and all of it together."""
        choices = [(o, self._choice(o)) for o in self.chosen]
        told = [problem for _, problem in choices if problem]
        meant = [self._meant(o) if problem else str(o.input_line) for o, problem in choices]
        settings = [str(o.input_line) for o in self.hydra]
        try:
            rest = self.composer.compose([*filter(None, meant), *settings])
            self.composer.refuse_code(rest, settings)
            self.sweeps = rest.hydra.mode == RunMode.MULTIRUN
            default = plain(rest)
        except UserMistake as mistake:
            return [*told, str(mistake)]
        self.asked = copy.deepcopy(rest)
        for override in self.keys:
            problem = self._key(override, default)
            if problem is None:
                problem = self._apply(override, self.asked)
            if problem is None:
                self.applied.append(override.key_or_group)
            else:
                told.append(problem)
        return told + self._together()

    def _apply(self, override: Override, config: DictConfig) -> str | None:
        try:
            self.composer.apply(override, config)
        except UserMistake as mistake:
            return f"{override.input_line}: {mistake}"
        return None

    def _together(self) -> list[str]:
        assert self.asked is not None
        try:
            return keys.check(plain(self.asked), self.composer.groups)
        except UserMistake as mistake:
            return [str(mistake)]

    def components(self) -> list[str]:
        """What the components themselves say about their values, where any was given by hand."""
        own = [key for key in self.applied if key.partition(".")[0] in self.composer.groups]
        if self.asked is None or not own:
            return []
        try:
            from gan_cli.build import check  # imports torch

            told = check(plain(self.asked))
        except UserMistake:
            return []
        return [text for text in told if text.partition(".")[0] in self.composer.groups]

    def _choice(self, override: Override) -> str | None:
        """What is wrong with `group=choice`."""
        group, value, text = override.key_or_group, override.value(), override.input_line
        choices = self.composer.choices(group)
        if override.type == OverrideType.DEL:
            instead = f"; did you mean {group}=none?" if "none" in choices else ""
            return f"{text}: a run needs a {group}{instead}"
        if override.type != OverrideType.CHANGE and group in self.composer.defaults:
            return f"{text}: {group} is there already: {group}={keys.shown(value)}"
        for name in value if isinstance(value, list) else [value]:
            if keys.shown(name) not in choices:
                near = keys.nearest("none" if name is None else str(name), choices)
                hint = f"did you mean {group}={near}?" if near else f"one of {', '.join(choices)}"
                if "." in keys.shown(name):
                    hint = f"gan explain {group}={name} says how a class becomes one"
                return f"{text}: there is no such {group}; {hint}"
        return None

    def _meant(self, override: Override) -> str | None:
        """The choice that a wrong one is near to: the other overrides are judged beside it."""
        group = override.key_or_group
        near = keys.nearest(keys.shown(override.value()), self.composer.choices(group))
        return f"{group}={near}" if near and override.type == OverrideType.CHANGE else None

    def _key(self, override: Override, default: dict[str, Any]) -> str | None:
        """What is wrong with `key=value` by itself."""
        key, text = override.key_or_group, override.input_line
        there, value = keys.look_up(default, key)
        if not there:
            return self._unknown(override, default)
        if override.type == OverrideType.DEL:
            root = key.partition(".")[0] not in self.composer.groups
            return f"{text}: a run needs it; give it a value instead" if root else None
        if override.type == OverrideType.ADD and not _is_dict(override):
            return f"{text}: {key} is there already: {str(text).removeprefix('+')}"
        asked = override.value()
        if isinstance(asked, str) and "${" in asked:
            return None
        return keys.misfit(key, asked, value)

    def _unknown(self, override: Override, default: dict[str, Any]) -> str | None:
        """What is wrong with a key that isn't there; a `+` may add one to a component."""
        key, text = override.key_or_group, override.input_line
        groups = self.composer.groups
        group, parent = key.partition(".")[0], key.rpartition(".")[0]
        adds = override.type in (OverrideType.ADD, OverrideType.FORCE_ADD)
        grows = group in groups and _open(default, parent)
        if adds and (grows or (group in groups and keys.look_up(default, parent)[0])):
            return None
        if grows:
            return f"{text}: {key} is new: +{text}"
        near = keys.nearest(key, [*groups, *keys.KEYS, *flat(default)])
        value = keys.shown(override.value())
        same = near is not None and near.rpartition(".")[2] == key.rpartition(".")[2]
        if same and near in flat(default) and str(near).partition(".")[0] == group:
            return f"{text}: there is no {key}" + _meant([f"{near}={value}"])
        if homes := self._homes(key):
            return f"{text}: there is no {key} here; see {', '.join(homes)}"
        meant = [f"{near}={value}"] if near else []
        if near in groups:
            choices = self.composer.choices(near)
            meant = [f"{near}={keys.nearest(value, choices) or '|'.join(choices)}"]
        elif not near:
            meant = [f"{g}={value}" for g in groups if value in self.composer.choices(g)]
        return f"{text}: there is no {key}" + _meant(meant)

    def _homes(self, key: str) -> list[str]:
        """The choices of the key's group that do have it."""
        group, _, rest = key.partition(".")
        if group not in self.composer.groups:
            return []
        homes = []
        for choice in self.composer.choices(group):
            try:
                config = plain(self.composer.compose([f"{group}={choice}"]))
            except UserMistake:
                continue
            if keys.look_up(config, key)[0]:
                homes.append(f"{group}={choice}")
            elif keys.look_up(config, f"{group}.{choice}.{rest}")[0]:
                homes.append(f"{group}={choice} ({group}.{choice}.{rest})")
        return homes


def _open(config: dict[str, Any], key: str) -> bool:
    """Whether the nearest thing there is above a key is a tree that anything can be added to."""
    while key and not keys.look_up(config, key)[0]:
        key = key.rpartition(".")[0]
    return keys.look_up(config, key) == (True, {}) and "." in key


def _is_dict(override: Override) -> bool:
    return isinstance(override.value(), dict)


def _meant(guesses: list[str]) -> str:
    return f"; did you mean {' or '.join(guesses)}?" if guesses else ""


def _two_budgets(parsed: list[Override]) -> list[str]:
    """A typed `steps` beside another typed budget; the two others are refused everywhere."""
    typed = {o.key_or_group: o for o in parsed if o.key_or_group in BUDGET}
    others = [o for key, o in typed.items() if key != "steps" and o.value() is not None]
    if "steps" not in typed or not others:
        return []
    names = " and ".join(str(o.input_line) for o in [typed["steps"], *others])
    return [f"{names} each name a budget: give one of them"]


def _chosen_twice(composer: Composer, parsed: list[Override]) -> list[str]:
    """Two choices of a group whose choices compose: the first would be dropped without a word."""
    told = []
    for group in composer.groups:
        chosen = [o for o in parsed if o.key_or_group == group and not _is_dict(o)]
        texts = list(dict.fromkeys(str(o.input_line) for o in chosen))
        if len(texts) > 1 and group in composer.lists:
            values = ",".join(keys.shown(o.value()) for o in chosen if not o.is_sweep_override())
            told.append(f"{' and '.join(texts)}: a list pays them all: {group}=[{values}]")
    return told


def _several(override: Override) -> str:
    return f"{override.input_line}: several values make a sweep: add -m"


def _unreadable(composer: Composer, text: str) -> str:
    """What is wrong with an override that breaks the grammar."""
    key, equals, value = text.partition("=")
    if not key:
        return f"{text}: a setting is KEY=VALUE or GROUP=CHOICE"
    if not equals:
        homes = [f"{group}={text}" for group in composer.groups if text in composer.choices(group)]
        near = keys.nearest(text, [*composer.groups, *keys.KEYS])
        meant = homes or ([f"{near}=…"] if near else [])
        return f"{text}: a setting is KEY=VALUE or GROUP=CHOICE" + _meant(meant)
    for opening, closing in ("[]", "{}", "()"):
        if value.count(opening) != value.count(closing):
            return f"{text}: a {opening} or {closing} is missing"
    if value.count("'") % 2 or value.count('"') % 2:
        return f"{text}: a quote is missing"
    quoted = f"""{key}='{value.replace("'", "")}'"""
    try:
        composer.parse(quoted)
    except HydraException:
        return f"{text}: this can't be read as KEY=VALUE"
    return f"{text}: the value needs quotes of its own: {shlex.quote(quoted)}"
