"""`gan explain`: what an entry of conf/ is, from its YAML and docstring. No torch is imported."""

from __future__ import annotations

import argparse
import re

from gan_cli import cli_docs as docs
from gan_cli import options
from gan_cli.cli_entry import Entry, Setting, Shelf
from gan_cli.cli_explained import (
    Explained,
    Rows,
    capital,
    cite,
    describe,
    labels,
    markdown,
    write_page,
)
from gan_cli.errors import UserMistake
from gan_cli.strict import clean

GROUPS = {
    "experiment": "Results we stand by: a whole command under one name.",
    "hardware": "Device, precision, layout, threads: how to compute.",
    "discriminator": "Another family for D than the model's own.",
    "anneal": "What changes over a run, and to what.",
}
"""Groups whose entries have no package of their own to say what they are."""


def main(argv: list[str]) -> int:
    """Run `gan explain` with these arguments. Raises GanError."""
    asked = _parser().parse_args(argv)
    shelf = Shelf.of(asked.config_dir)
    found = [one for word in asked.words for one in explain(shelf, word)]
    write = markdown if asked.format == "markdown" else write_page  # argparse knows the choices
    write(found or [groups(shelf)])
    return 0


EXAMPLES = """examples:
  gan explain loss=wgan_gp      an entry
  gan explain loss              the entries of a group
  gan explain optimizer.lr      a key, and what each entry sets it to
  gan explain loss=mine.MyLoss  a class of your own
"""


def _parser() -> argparse.ArgumentParser:
    parser = options.Parser(
        "gan explain",
        "What an entry is: formula, paper, settings, curves, needs and trouble.",
        EXAMPLES,
        as_is=True,
    )
    add = parser.add_argument
    add("words", nargs="*", metavar="GROUP=NAME", help="entries, groups, keys, or your own classes")
    options.add_config_dir(parser)
    add("--format", choices=("text", "markdown"), default="text", help="how it is written (text)")
    return parser


def explain(shelf: Shelf, word: str) -> list[Explained]:
    """What a word of the command line stands for; UserMistake with the nearest if for nothing."""
    group, equals, value = word.partition("=")
    known = shelf.groups()
    if equals and group in known:
        names = [name.strip() for name in value.strip("[]").split(",") if name.strip()]
        return [_one(shelf, group, name) for name in names or [value]]
    if word in known:
        return [listing(shelf, word)]
    if homes := [home for home in known if word in shelf.names(home)]:
        return [entry(shelf, shelf.read(home, word)) for home in homes]
    root = shelf.root()
    if keys := [setting for key, setting in root.items() if f"{key}.".startswith(f"{group}.")]:
        return [_keys(group, keys)]
    if had := [(e, s) for e, s in _settings(shelf, group) if f"{s.key}.".startswith(f"{group}.")]:
        return [_who(group, had)]
    raise _unknown(shelf, word)


def _unknown(shelf: Shelf, word: str) -> UserMistake:
    """That a word stands for nothing, and the nearest that stands for something."""
    group, equals, _ = word.partition("=")
    known = shelf.groups()
    typed = [f"{home}={name}" for home in known for name in shelf.names(home)]
    among = [*known, *(typed if equals else []), *shelf.root()]
    near = _nearest(word if equals else group, among)
    if not equals and not near:
        near = _nearest(word, [name.partition("=")[2] for name in typed])
    if leaves := {_leaf(s.key): s.key for _, s in _settings(shelf, group)}:
        near = leaves.get(_nearest(_leaf(group), [*leaves]) or "")
    hint = f"did you mean {near}?" if near else "gan explain lists what there is"
    return UserMistake(f"{clean(word, 40)}: there is no such thing to explain; {hint}")


def _settings(shelf: Shelf, key: str) -> list[tuple[Entry, Setting]]:
    """The settings of the group that a dotted key begins with, or nearly begins with."""
    group, dot, _ = key.partition(".")
    home = group if group in shelf.groups() else _nearest(group, shelf.groups())
    return shelf.keys(home) if dot and home else []


def _who(key: str, had: list[tuple[Entry, Setting]]) -> Explained:
    """The entries that have a key, each with its value."""
    group = had[0][0].group
    found = Explained(key, f"gan explain {group}=NAME", [_about(group)])
    inner = f"{key.rpartition('.')[0]}."
    rows = [(e.typed, f"{s.key.removeprefix(inner)}={s.value}", s.comment) for e, s in had]
    wide = max(len(typed) for typed, _, _ in rows)
    found.rows[""] = [(f"{typed:{wide}}  {value}", said) for typed, value, said in rows]
    return found


def _one(shelf: Shelf, group: str, name: str) -> Explained:
    names = shelf.names(group)
    if name in names:
        return entry(shelf, shelf.read(group, name))
    if "." in name:
        return own(group, name)
    near = _nearest(name, names)
    hint = f"did you mean {group}={near}?" if near else f"gan explain {group} lists them"
    raise UserMistake(f"{group}={clean(name, 40)}: there is no such {group}; {hint}")


def _nearest(word: str, candidates: list[str]) -> str | None:
    from gan_cli.cli_keys import nearest

    return nearest(word, candidates)


def groups(shelf: Shelf) -> Explained:
    """Every group, with the number of its entries."""
    rows = [(f"{group:13} {len(shelf.names(group)):2}", _about(group)) for group in shelf.groups()]
    found = Explained("What there is to choose from", "gan explain GROUP or GROUP=NAME")
    found.rows[""] = rows
    return found


def _about(group: str) -> str:
    said = docs.package(f"gan_cli.{group}").partition(": ")
    return GROUPS.get(group) or capital(said[2] or said[0])


def listing(shelf: Shelf, group: str) -> Explained:
    """The entries of a group, in one line each."""
    found = Explained(group, f"gan explain {group}=NAME", [_about(group)], lines=1)
    found.rows[""] = [(name, summary(shelf, group, name)) for name in shelf.names(group)]
    return found


def summary(shelf: Shelf, group: str, name: str) -> str:
    """What an entry is, in one line.

    The first line of its class; of a variant, its own comment or what it sets differently.
    """
    said = shelf.read(group, name)
    doc = docs.read(said.targets[0]) if said.targets else None
    original = _original(said)
    if doc is None or (original != name and said.header):
        return said.header
    if not (differs := _differs(shelf, said, original)):
        return doc.summary
    known = original in shelf.names(group)
    return f"{group}={original} with {differs}" if known else f"{differs}: {doc.summary}"


def _original(said: Entry) -> str:
    """The entry of which this one is a variant: that of its class's module; maybe itself."""
    return said.targets[0].split(".")[-2] if said.targets and "." in said.targets[0] else said.name


def _differs(shelf: Shelf, said: Entry, original: str) -> str:
    """What a variant sets differently: from its original, or where there is none, its siblings."""
    if original == said.name:
        return ""
    names = shelf.names(said.group)
    others = [original] if original in names else [n for n in names if n.startswith(f"{original}_")]
    settings = [shelf.read(said.group, name).settings for name in others]
    usual = [{_leaf(s.key): s.value for s in each} for each in settings]
    mine = {_leaf(s.key): s.value for s in said.settings}
    changed = [key for key in mine if any(each.get(key) != mine[key] for each in usual)]
    return ", ".join(f"{key}={mine[key]}" for key in changed)


def _leaf(key: str) -> str:
    return key.rpartition(".")[2]


def entry(shelf: Shelf, said: Entry) -> Explained:
    """All that is known of an entry."""
    found = Explained(said.typed, ", ".join(said.targets))
    described = [doc for target in said.targets if (doc := docs.read(target))]
    for doc in described:
        found.text += [text for text in (doc.summary, *doc.text) if text]
    if not found.text and said.header:
        found.text = [said.header]
    elif said.header:
        found.rows["Note"] = capital(said.header)
    if not said.targets and said.commands:
        found.rows["Run"] = [(command, "") for command in said.commands]
    original = _original(said)
    differs = _differs(shelf, said, original)
    if differs and original in shelf.names(said.group):
        found.rows["Variant"] = f"{said.group}={original} with {differs}"
    describe(found, described)
    cite(found, said.header)
    found.rows["Settings"] = [(f"{s.key}={s.value}", s.comment) for s in said.settings]
    found.rows["Brings"] = _brings(shelf, said)
    for doc in described:
        found.rows |= labels(doc)
    found.rows["Brought by"] = ", ".join(shelf.brought_by(said.group, said.name))
    found.rows["See also"] = ", ".join(_relatives(shelf, said))
    return found


def own(group: str, target: str) -> Explained:
    """A class of the user's, by its dotted name."""
    doc = docs.read(target)
    if doc is None:
        module, _, name = target.rpartition(".")
        path = docs.find(module)
        lacks = f"{path} has no class {name}" if path else f"there is no module {module} here"
        raise UserMistake(f"{group}={target}: {lacks}")
    found = Explained(f"{group}={target}", str(docs.find(target.rpartition(".")[0])))
    found.text = [text for text in (doc.summary, *doc.text) if text]
    describe(found, [doc])
    cite(found)
    found.rows["Settings"] = [
        (f"{key}={value}" if value else key, "" if value else "to be given")
        for key, value in doc.arguments.items()
    ]
    found.rows |= labels(doc)
    found.rows["To check"] = f"`gan check {group}={target}`"
    found.rows["To train"] = (
        f"a file `{group}/NAME.yaml` in a directory of yours, {_begins(group, target)} and every "
        f"setting, and then `gan train {group}=NAME --config-dir DIRECTORY`"
    )
    return found


def _begins(group: str, target: str) -> str:
    """How the YAML of a component begins; that of one of which lists compose, otherwise."""
    if group in LISTS:
        return (
            f"with `# @package _global_` in its first line, then "
            f"`{group}: {{NAME: {{_target_: {target}, …}}}}`"
        )
    return f"with `_target_: {target}`"


LISTS = ("penalty", "term", "auxiliary", "metric")
"""The groups of which a run can have several."""


def _brings(shelf: Shelf, said: Entry) -> Rows:
    """Its companions and the keys of the root it sets, each with what it is."""
    rows = []
    for typed in said.brings:
        group, _, names = typed.partition("=")
        each = [name for name in re.split(r"[\[\],\s]+", names) if name in shelf.names(group)]
        rows.append((typed, "; ".join(summary(shelf, group, name) for name in each)))
    root = shelf.root()
    for setting in said.sets:
        known = root.get(setting.key, Setting("", ""))
        rows.append((f"{setting.key}={setting.value}", setting.comment or known.comment))
    return rows


def _relatives(shelf: Shelf, said: Entry) -> list[str]:
    """The entries of the group that make the same classes."""
    others = [name for name in shelf.names(said.group) if name != said.name and said.targets]
    return [
        f"{said.group}={name}"
        for name in others
        if shelf.read(said.group, name).targets == said.targets
    ]


def _keys(group: str, keys: list[Setting]) -> Explained:
    from gan_cli.cli_keys import KEYS

    wants = {key: kind.wants for key, kind in KEYS.items()}
    about = {s.key: "; ".join(filter(None, (s.comment, wants.get(s.key)))) for s in keys}
    found = Explained(group, "a key of conf/train.yaml")
    found.rows[""] = [(f"{setting.key}={setting.value}", about[setting.key]) for setting in keys]
    return found
