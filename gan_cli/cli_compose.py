"""Composition as Hydra does it, piece by piece, for those who want to ask before they run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import CachingConfigRepository
from hydra._internal.utils import create_config_search_path
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.utils import setup_globals
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gan_cli import cli_mine
from gan_cli.configs import directory
from gan_cli.errors import UserMistake

FAILURES = (HydraException, OmegaConfBaseException, yaml.YAMLError)
"""What Hydra raises when a command or a configuration is wrong."""


@dataclass(frozen=True)
class Sources:
    """Where configurations come from: gan's own conf/, and a user's directory beside it."""

    config_dir: str | None = None
    config_name: str | None = None
    config_path: str | None = None

    @property
    def name(self) -> str:
        """The root configuration."""
        return self.config_name or "train"

    def shadowed(self) -> list[str]:
        """Files of the user's that Hydra passes over, because gan has one of that name."""
        if self.config_dir is None:
            return []
        theirs = Path(self.config_dir)
        found = sorted(path.relative_to(theirs) for path in theirs.glob("**/*.yaml"))
        return [str(theirs / path) for path in found if (directory() / path).is_file()]


class Composer:
    """Composes overrides, and knows what there is to choose from.

    What can't be composed raises UserMistake with Hydra's reason.
    """

    def __init__(self, sources: Sources, overrides: Iterable[str] = ()):
        setup_globals()
        path = create_config_search_path(sources.config_path or str(directory()))
        if sources.config_dir is not None:
            user = Path(sources.config_dir).absolute()
            if not user.is_dir():
                raise UserMistake(f"--config-dir {sources.config_dir}: there is no such directory")
            cli_mine.look(user)
            path.prepend("command-line", f"file://{user}", SearchPathQuery(provider="schema"))
        if sources.config_path and Path(sources.config_path).is_dir():
            cli_mine.look(Path(sources.config_path))
        self.loader = ConfigLoaderImpl(path)
        self.name = sources.name
        self._search = [text for text in overrides if text.startswith("hydra.searchpath=")]
        self._foreign = bool(self._search) or sources != Sources()
        self._parser = OverridesParser.create(self.loader)
        self._composed: dict[tuple[str, ...], DictConfig] = {}

    def parse(self, text: str) -> Override:
        """One override; raises HydraException where it breaks the grammar."""
        if text.startswith("="):
            raise HydraException("no key")
        override = self._parser.parse_override(text)
        override.config_loader = self.loader
        return override

    def compose(self, overrides: list[str]) -> DictConfig:
        """The configuration, `hydra` included; not to be changed."""
        key = tuple(overrides)
        if key not in self._composed:
            with in_words():
                self._composed[key] = self.loader.load_configuration(
                    self.name, overrides, RunMode.RUN, validate_sweep_overrides=False
                )
        return self._composed[key]

    def refuse_code(self, config: DictConfig, typed: Iterable[str]) -> None:
        """Raise UserMistake where files of the user's set what Hydra itself would run."""
        if self._foreign:
            own = Composer(Sources()).compose([])
            cli_mine.refuse_code(config.hydra, own.hydra, typed)

    def apply(self, override: Override, config: DictConfig) -> None:
        """Set one key of a configuration."""
        with in_words():
            self.loader._apply_overrides_to_config([override], config)

    def choices(self, group: str) -> list[str]:
        """The names that `group=` takes."""
        return self._files.get_group_options(group, ObjectType.CONFIG)

    @cached_property
    def _files(self) -> CachingConfigRepository:
        with in_words():
            return self.loader._parse_overrides_and_create_caching_repo(self.name, self._search)[1]

    @cached_property
    def groups(self) -> list[str]:
        """Every group with something to choose, Hydra's own left out."""
        return [group for group in self._groups("") if group.partition("/")[0] != "hydra"]

    @cached_property
    def defaults(self) -> list[str]:
        """The groups of which gan has a choice of its own."""
        return [str(group) for group in self.compose([]).hydra.runtime.choices]

    @cached_property
    def lists(self) -> frozenset[str]:
        """The groups of which several choices compose."""
        return frozenset(self.groups) - frozenset(self.defaults)

    def _groups(self, parent: str) -> Iterator[str]:
        for name in self._files.get_group_options(parent, ObjectType.GROUP):
            group = f"{parent}/{name}" if parent else name
            if self.choices(group):
                yield group
            yield from self._groups(group)


def plain(config: DictConfig) -> dict[str, Any]:
    """The job's part of a configuration as a plain dict, resolved."""
    job = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    with in_words():
        found = OmegaConf.to_container(job, resolve=True, throw_on_missing=True)
    assert isinstance(found, dict)
    return {str(key): value for key, value in found.items()}


@contextmanager
def in_words() -> Iterator[None]:
    """Turns what Hydra and OmegaConf raise into a UserMistake in their words."""
    try:
        yield
    except (*FAILURES, ValueError) as error:
        raise UserMistake(words(error)) from error


def words(error: BaseException) -> str:
    """What Hydra or OmegaConf says, without what is about Hydra itself."""
    told = [str(error)]
    if isinstance(error.__cause__, FAILURES):
        told.append(str(error.__cause__))
    lines = [line.strip() for text in told for line in text.splitlines()]
    where = getattr(error, "full_key", None)
    first = [f"{where}:"] if where else []
    return " ".join(first + [line for line in lines if line and not _ADVICE.match(line)])


_ADVICE = re.compile(
    r"(See https://|full_key:|object_type=|reference_type=|Set the env|To append to your config"
    r"|Config search path:|provider=)"
)


def quote(text: str) -> str:
    """A text as one value in Hydra's grammar for overrides."""
    reserved = {"null", "true", "false", "nan", "inf"}
    if re.fullmatch(r"[A-Za-z_/][A-Za-z0-9_./+-]*", text) and text.lower() not in reserved:
        return text
    escaped = re.sub(r"(\\*)'", r"\1\1\\'", text)
    escaped = re.sub(r"(\\+)$", r"\1\1", escaped)
    return f"'{escaped}'"
