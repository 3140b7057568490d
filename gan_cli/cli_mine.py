"""A directory of configurations beside gan's own: looked at before it is read, and what it may not
ask for.

Whoever names such a directory lets its files name classes, which is what it is for. That a file
makes something else happen, or keeps the reader busy for ever, is refused.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml  # type: ignore[import-untyped]

from gan_cli import disk
from gan_cli.errors import BadFile, UserMistake
from gan_cli.record import flat
from gan_cli.strict import clean, quote

if TYPE_CHECKING:
    from omegaconf import DictConfig

MOST = 2000
"""Files and directories that are looked through, at most."""

LARGEST = 1 << 16
"""Bytes of one file, at most."""

DEPTH = 50
"""Lists and mappings within one another, at most."""

PARTS = 20_000
"""Values of one file, at most, with those that it only points to."""

_TOO_DEEP = f"nested more than {DEPTH} deep"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_RUN = ("callbacks", "job_logging", "hydra_logging", "run", "sweep", "output_subdir")
_ENVIRONMENT = ("job.env_set", "job.env_copy", "job.chdir")


def look(directory: Path) -> None:
    """Raise BadFile for a directory with a YAML that can't be read in a moment."""
    for path in _files(directory):
        try:
            _check(_text(path))
        except (OSError, ValueError, RecursionError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise BadFile(f"{clean(path)}: {clean(reason)}") from error


def refuse_code(found: DictConfig, own: DictConfig, typed: Iterable[str]) -> None:
    """Raise UserMistake for what files say under `hydra` that would run or write something.

    `found` and `own` are that part with and without those files; what is typed, its owner may.
    """
    there, here = (_flat(one) for one in (found, own))
    roots = {word.lstrip("+~").partition("=")[0].replace("/", ".") for word in typed}
    for key in [key for key in {**there, **here} if there.get(key) != here.get(key)]:
        runs = key.partition(".")[0] in _RUN or key.endswith("_target_")
        if not runs and not key.startswith(_ENVIRONMENT):
            continue
        if not any(f"hydra.{key}.".startswith(f"{root}.") for root in roots):
            raise UserMistake(
                f"a file sets hydra.{quote(key)}, which could run or write anything: it has to be "
                "typed, and not to stand in a file"
            )


def _flat(found: DictConfig) -> dict[str, Any]:
    from omegaconf import OmegaConf  # here, because `gan explain` does without

    return flat(OmegaConf.to_container(found, resolve=False))


def _files(directory: Path) -> Iterator[Path]:
    """The YAML files below a directory. BadFile where there is far more than configurations."""
    seen = 0
    for place, inner, names in os.walk(directory):
        seen += len(inner) + len(names)
        if seen > MOST:
            raise BadFile(
                f"{clean(directory)} holds more than {MOST:,} files: name a directory of "
                "configurations alone"
            )
        yield from (Path(place, name) for name in names if name.endswith((".yaml", ".yml")))


def _text(path: Path) -> bytes:
    """The contents of a small file."""
    with disk.opened(path) as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise ValueError(f"larger than {LARGEST:,} bytes: a configuration is a few lines")
    return data


def _check(data: bytes) -> None:
    """Raise ValueError for YAML that is deep, or becomes far more than it is: a short file can
    point to its own parts over and over (billion laughs)."""
    try:
        _count(data)
    except yaml.YAMLError:  # whoever reads it says what is wrong, and where
        depths = accumulate((sign in b"[{") - (sign in b"]}") for sign in data)
        if max(depths, default=0) > DEPTH:
            raise ValueError(_TOO_DEEP) from None


def _count(data: bytes) -> None:
    sizes: dict[str, int] = {}
    open_: list[tuple[str | None, int]] = [(None, 0)]
    for event in yaml.parse(data, Loader=_LOADER):
        size = 0
        if isinstance(event, yaml.CollectionStartEvent):
            open_.append((event.anchor, 1))
            if len(open_) > DEPTH:
                raise ValueError(_TOO_DEEP)
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, size = open_.pop()
            sizes |= {anchor: size} if anchor else {}
        elif isinstance(event, yaml.AliasEvent):
            if any(anchor == event.anchor for anchor, _ in open_):
                raise ValueError("a value that holds itself")
            size = sizes.get(event.anchor, 1)
        elif isinstance(event, yaml.ScalarEvent):
            size = 1
            sizes |= {event.anchor: 1} if event.anchor else {}
        open_[-1] = open_[-1][0], open_[-1][1] + size
        if open_[-1][1] > PARTS:
            raise ValueError(f"it becomes more than {PARTS:,} values")
