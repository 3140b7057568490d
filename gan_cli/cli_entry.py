"""The entries of conf/ as their files say them: read, not composed, and nothing is made of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import yaml  # type: ignore[import-untyped]

from gan_cli import cli_mine
from gan_cli.configs import directory
from gan_cli.errors import UserMistake

HIDDEN = ("hydra",)
"""Folders of conf/ that hold no group of gan's."""


@dataclass(frozen=True)
class Setting:
    """A key as it is typed, its value as it is spelled, and the comment behind it."""

    key: str
    value: str
    comment: str = ""


@dataclass(frozen=True)
class Entry:
    """What `group=name` means: the classes it makes, their settings, and what it brings along.

    `header` is the comment it begins with, `commands` the lines of it that are commands.
    """

    group: str
    name: str
    targets: tuple[str, ...] = ()
    header: str = ""
    commands: tuple[str, ...] = ()
    settings: tuple[Setting, ...] = ()
    brings: tuple[str, ...] = ()
    sets: tuple[Setting, ...] = ()

    @property
    def typed(self) -> str:
        """`group=name`."""
        return f"{self.group}={self.name}"


@dataclass(frozen=True)
class Shelf:
    """The folders that entries are read from: gan's own first, whose names win, then a user's."""

    folders: tuple[Path, ...]

    @classmethod
    def of(cls, config_dir: str | None) -> Shelf:
        """gan's conf/, and a directory of the user's beside it."""
        if config_dir is None:
            return cls((directory(),))
        if not Path(config_dir).is_dir():
            raise UserMistake(f"--config-dir {config_dir}: there is no such directory")
        cli_mine.look(Path(config_dir))
        return cls((directory(), Path(config_dir)))

    def groups(self) -> list[str]:
        """Every group, sorted."""
        paths = (path for folder in self.folders for path in folder.glob("*/*.yaml"))
        return sorted({path.parent.name for path in paths} - {*HIDDEN})

    def names(self, group: str) -> list[str]:
        """The names that `group=` takes, sorted."""
        return sorted({p.stem for folder in self.folders for p in (folder / group).glob("*.yaml")})

    def read(self, group: str, name: str) -> Entry:
        """What the file of `group=name` says; UserMistake where it can't be read."""
        paths = [folder / group / f"{name}.yaml" for folder in self.folders]
        path = next(path for path in paths if path.is_file())
        try:
            found = parse(group, name, path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise UserMistake(f"{path}: {' '.join(str(error).split())}") from error
        bases = [word for word in found.brings if "=" not in word]
        for base in bases:
            if base in self.names(group) and base != name:
                found = _on_top(self.read(group, base), found)
            elif lent := re.fullmatch(r"/(\w+)/(\w+)@_here_", base):  # of another group
                found = _on_top(_moved(self.read(lent[1], lent[2]), group), found)
        return replace(found, brings=tuple(word for word in found.brings if "=" in word))

    def keys(self, group: str) -> list[tuple[Entry, Setting]]:
        """Every setting of every entry of a group."""
        entries = (self.read(group, name) for name in self.names(group))
        return [(entry, setting) for entry in entries for setting in entry.settings]

    def root(self) -> dict[str, Setting]:
        """The keys of conf/train.yaml, with their comments."""
        text = (directory() / "train.yaml").read_text("utf-8")
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        found = (
            s for s in _settings(tree, "", text) if not s.key.startswith(("defaults", "hydra"))
        )
        return {setting.key: setting for setting in found}

    def brought_by(self, group: str, name: str) -> Iterator[str]:
        """The entries whose files bring this one along."""
        brings = re.compile(
            rf"^ *- *override +/{group}: *\[?(?:[\w, ]*, *)?{name}(?: *,[\w, ]*)?\]? *(?:#.*)?$",
            re.MULTILINE,
        )
        for folder in self.folders:
            for path in sorted(folder.glob("*/*.yaml")):
                if brings.search(path.read_text("utf-8", "replace")):
                    yield f"{path.parent.name}={path.stem}"


def parse(group: str, name: str, text: str) -> Entry:
    """What the text of an entry says; yaml.YAMLError where it is none."""
    tree = yaml.compose(text, Loader=yaml.SafeLoader)
    comments = re.match(r"(?:#.*\n|\s*\n)*", text)
    header = [line.lstrip("#").strip() for line in (comments[0] if comments else "").splitlines()]
    whole = any(line.startswith("@package _global_") for line in header)
    header = [line for line in header if line and not line.startswith("@package")]
    entry = Entry(
        group,
        name,
        header=" ".join(line for line in header if not line.startswith("gan ")),
        commands=tuple(line for line in header if line.startswith("gan ")),
    )
    if not isinstance(tree, yaml.MappingNode):
        return entry
    own: list[Setting] = []
    sets: list[Setting] = []
    brings: list[str] = []
    for key, value in tree.value:
        if key.value == "defaults":
            brings = [word for node in value.value for word in _brought(node, text)]
        elif whole and key.value != group:
            sets += _settings(value, key.value, text)
        else:
            own += _settings(value, key.value if whole else f"{group}.{key.value}", text)
    return replace(
        entry,
        targets=tuple(s.value for s in own if s.key.endswith("._target_")),
        settings=tuple(s for s in own if not s.key.endswith("._target_")),
        brings=tuple(brings),
        sets=tuple(sets),
    )


def _brought(node: yaml.Node, text: str) -> list[str]:
    """`constraint=clip` for `- override /constraint: clip`; a bare name is an entry built upon."""
    if isinstance(node, yaml.ScalarNode):
        return [node.value] if node.value != "_self_" else []
    words = []
    for key, value in node.value:
        group = key.value.removeprefix("override").strip().lstrip("/").partition("@")[0]
        spelled = text[value.start_mark.index : value.end_mark.index].strip()
        words.append(f"{group}={spelled}".replace(" ", ""))
    return words


def _settings(node: yaml.Node, key: str, text: str) -> Iterator[Setting]:
    """The values of a tree by dotted key."""
    if isinstance(node, yaml.MappingNode) and node.value:
        for inner, value in node.value:
            yield from _settings(value, f"{key}.{inner.value}" if key else inner.value, text)
        return
    spelled = text[node.start_mark.index : node.end_mark.index].strip()
    behind = text[node.end_mark.index :].partition("\n")[0]
    value, otherwise = plain(" ".join(spelled.split()))
    comment = behind.partition("#")[2].strip()
    yield Setting(key, value, "; ".join(filter(None, (comment, otherwise))))


def plain(spelled: str) -> tuple[str, str]:
    """A value that is taken from elsewhere as what it is taken from, and what it is if not there.

    `${critic_norm}` is `critic_norm`, `${oc.select:dataset.past,2}` is `dataset.past` or else 2,
    and `${oc.env:HOME,a}/b` is `$HOME/b` or else a/b.
    """
    taken = _TAKEN.search(spelled)
    if taken is None:
        return spelled, ""
    head, tail = spelled[: taken.start()], spelled[taken.end() :]
    mark = "$" if taken["how"] == "oc.env:" else ""
    other = taken["other"]
    otherwise = f"else {head}{other.strip().strip(QUOTES)}{tail}" if other is not None else ""
    return f"{head}{mark}{taken['what']}{tail}", otherwise


_TAKEN = re.compile(r"\$\{(?P<how>oc\.env:|oc\.select:)?(?P<what>[\w.]+)(?:,(?P<other>[^{}]*))?\}")
QUOTES = "\"'"


def _moved(entry: Entry, group: str) -> Entry:
    """An entry as one of another group."""
    own = f"{entry.group}."
    settings = (replace(s, key=f"{group}.{s.key.removeprefix(own)}") for s in entry.settings)
    return replace(entry, group=group, settings=tuple(settings))


def _on_top(base: Entry, entry: Entry) -> Entry:
    """An entry that says only what differs from another."""
    settings = {s.key: s for s in (*base.settings, *entry.settings)}
    sets = {s.key: s for s in (*base.sets, *entry.sets)}
    return replace(
        entry,
        targets=entry.targets or base.targets,
        settings=tuple(settings.values()),
        brings=(*base.brings, *entry.brings),
        sets=tuple(sets.values()),
    )
