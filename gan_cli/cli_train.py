"""`gan train`: Hydra composes the configuration, and one job (or a sweep of them) trains."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hydra
from hydra import version
from hydra._internal.hydra import Hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig

from gan_cli import cli_failure, cli_keys
from gan_cli.cli_compose import FAILURES, Composer, Sources, in_words, plain, words
from gan_cli.cli_diagnose import Diagnosis, diagnose
from gan_cli.cli_resume import rewrite
from gan_cli.configs import directory
from gan_cli.errors import UserMistake
from gan_cli.launcher import several
from gan_cli.options import classes, import_from_here
from gan_cli.strict import clean

Job = Callable[[DictConfig], float | None]

DRY_RUN = "--dry-run"
"""The flag that shows what a sweep would do."""

VERSION = "1.3"
"""Whose ways of Hydra's are kept to."""

INFO = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")


def main(argv: list[str]) -> int:
    """`gan train ARGV`; raises GanError, and whatever a bug raises."""
    args = parse(argv)
    sources = Sources(args.config_dir, args.config_name, args.config_path)
    args.overrides = rewrite(args.overrides, sources, args.multirun)
    for path in sources.shadowed():
        cli_failure.warn(f"{path} is not used: gan has a configuration of that name; rename yours")
    if any(text.startswith("hydra/launcher=") for text in args.overrides):
        from gan_cli.cli_sweep_queue import installed

        installed(args.overrides)
    composer = Composer(sources, args.overrides)  # first: it finds Hydra's plug-ins
    import_from_here(sources.config_dir, sources.config_path, *classes(args.overrides))
    found = diagnose(composer, args.overrides, args.multirun)
    found.complain()
    if args.dry_run and not found.sweep:
        raise UserMistake(f"{DRY_RUN} shows the plan of a sweep: add -m; a run's: --cfg job")
    if args.help or args.hydra_help or args.info or args.cfg:
        _show(args)
    elif found.sweep and several():
        raise UserMistake(
            "every rank would run every job of the sweep: gan train -m … without torchrun, or one "
            "torchrun for each run"
        )
    elif found.sweep:
        from gan_cli.cli_sweep import run

        run(composer, args.overrides, argv, args.dry_run)
    else:
        _single(composer, args.overrides, argv)
    return 0


def parse(argv: list[str]) -> Namespace:
    """Hydra's flags and the overrides, in any order."""
    words = [*argv]
    for index, word in enumerate(argv):  # its value is optional: don't take an override for it
        if word in ("--info", "-i") and argv[index + 1 : index + 2] not in [[i] for i in INFO]:
            words[index] = "--info=all"
    parser = get_args_parser()
    parser.add_argument(DRY_RUN, action="store_true", help="The plan of a sweep; nothing is run")
    parser.prog, parser.allow_abbrev = "gan train", False
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            args = parser.parse_intermixed_args(words)
    except SystemExit as end:
        if not end.code:
            raise
        reason = complaint.getvalue().rpartition("error: ")[2].strip()
        raise UserMistake(
            f"{reason}\nsettings are KEY=VALUE, without dashes; `gan train --help` lists them"
        ) from None
    _refuse_flags(args)
    if args.config_path and "://" not in args.config_path:
        args.config_path = str(Path(args.config_path).absolute())
    return args


def _refuse_flags(args: Namespace) -> None:
    if args.experimental_rerun is not None:
        raise UserMistake(
            "--experimental-rerun would run whatever code is in that pickle file; "
            "to continue a run: gan train resume=RUN_DIR"
        )
    if args.shell_completion:
        raise UserMistake("`gan completion` sets up the TAB key")
    given = [flag for flag in ("run", "multirun", "cfg", "info") if getattr(args, flag)]
    if len(given) > 1:
        raise UserMistake(f"--{given[0]} and --{given[1]} ask for two things: give one of them")
    if args.resolve and not (args.cfg or args.help):
        raise UserMistake("--resolve says how to show a configuration: it needs --cfg job")
    if args.package and not args.cfg:
        raise UserMistake("--package says which part to show: it needs --cfg job")


def _single(composer: Composer, overrides: list[str], argv: list[str]) -> None:
    """One job, in what Hydra makes for it; what it raises is raised here, out of Hydra's reach."""
    raised: list[Exception] = []

    def job(config: DictConfig) -> None:
        try:
            train(config, argv, composer.groups)
        except Exception as error:  # noqa: BLE001, raised again below
            raised.append(error)

    version.setbase(VERSION)
    with in_words():
        Hydra(Path(__file__).stem, composer.loader).run(composer.name, job, overrides)
    if raised:
        raise raised[0]


def train(
    config: DictConfig,
    argv: list[str],
    groups: list[str],
    adjusted: Callable[[dict[str, Any]], dict[str, Any]] = lambda values: values,
) -> None:
    """One job: check the values once more, as they are now all composed, and train.

    `adjusted`: the values as they suit the process, in what training does not depend on.
    """
    settings = HydraConfig.get()
    values = adjusted(plain(config))
    Diagnosis(cli_keys.check(values, groups)).complain()
    choices = {
        str(group): str(choice)
        for group, choice in settings.runtime.choices.items()
        if group.partition("/")[0] != "hydra"
    }
    from gan_cli.train import launch  # imports torch

    launch(values, choices, canonical(settings.overrides.task), ["gan", "train", *argv])


def canonical(overrides: list[str]) -> list[str]:
    """Each override once, the last of a key, and each number in one spelling.

    So that `-m optimizer.lr=1e-4,1e-3` makes the runs that `optimizer.lr=1e-4` makes.
    """
    parser = OverridesParser.create()
    last: dict[str, str] = {}
    for text in overrides:
        override = parser.parse_override(text)
        key, value = override.get_key_element(), override.value()
        number = isinstance(value, bool | int | float)
        slot = text if isinstance(value, dict) else key  # dicts are merged, not replaced
        last.pop(slot, None)
        last[slot] = f"{key}={_spelled(value)}" if number else text
    return list(last.values())


def _spelled(value: Any) -> str:
    """A number as short as it can be typed: 0.001, 1e-05, 3000.0, 1e7."""
    text = cli_keys.shown(value).replace("e+", "e")
    digits = text.removesuffix(".0")
    few = digits.rstrip("0")
    zeros = len(digits) - len(few)
    return f"{few}e{zeros}" if digits != text and zeros >= _MANY else text


_MANY = 6  # noughts that nobody counts


def _show(args: Namespace) -> None:
    """What Hydra's flags ask for, instead of a job; all at once, as its reader may have gone."""
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        _run_hydra(lambda _: None, args)
    lines = shown.getvalue().expandtabs().split("\n")  # of files that may be a stranger's
    sys.stdout.write("\n".join(clean(line, len(line)) for line in lines))


def _run_hydra(job: Job, args: Namespace) -> None:
    """Hydra's own main, raising what it would print; flags first, as it wants them."""
    main = hydra.main(config_path=str(directory()), config_name="train", version_base=VERSION)
    with _as_command(["gan train", *_flags(args), *args.overrides]):
        try:
            main(job)()
        except FAILURES as error:
            raise UserMistake(words(error)) from error
        except SystemExit as end:  # after printing what is wrong
            if end.code:
                raise SystemExit(UserMistake.exit_code) from None


def _flags(args: Namespace) -> list[str]:
    given = {
        name: value
        for name, value in vars(args).items()
        if name not in ("overrides", "dry_run") and value
    }
    words = {f"--{name.replace('_', '-')}": value for name, value in given.items()}
    return [flag if value is True else f"{flag}={value}" for flag, value in words.items()]


@contextlib.contextmanager
def _as_command(argv: list[str]) -> Iterator[None]:
    """Lets Hydra read this command, and raise its errors where it would print them and exit."""
    before, variable = sys.argv, os.environ.get("HYDRA_FULL_ERROR")
    sys.argv, os.environ["HYDRA_FULL_ERROR"] = argv, "1"
    try:
        yield
    finally:
        sys.argv = before
        os.environ.pop("HYDRA_FULL_ERROR")
        if variable is not None:
            os.environ["HYDRA_FULL_ERROR"] = variable
