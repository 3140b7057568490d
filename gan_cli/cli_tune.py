"""`gan tune`: a search for better settings with Optuna, each trial a run like any other."""

from __future__ import annotations

import argparse
import re
import shlex
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_cli.errors import Stopped, UserMistake
from gan_cli.options import Parser, add_config_dir, classes, import_from_here, whole
from gan_cli.tune import PRUNERS, SAMPLERS, Aim

if TYPE_CHECKING:
    from gan_cli.cli_tune_space import Asked
    from gan_cli.cli_tune_trial import Bench

EXAMPLES = """
values, and intervals with both ends, in quotes because of the parentheses:
  gan tune dataset=ring 'optimizer.lr=tag(log,interval(1e-4,1e-2))' loss=nonsaturating,hinge
  gan tune dataset=grid25 'batch_size=range(32,257,32)' 'model.depth=interval(1,4)' --trials 50
a search kept in a file, and its winner against the default over five fresh seeds:
  gan tune experiment=grid25_search --confirm 5

Each trial is a run of its own, as `gan train` makes it, and the first is the default. The same
command goes on where it stopped, and several of them at once share the work. Exit code 1 where no
trial came to a figure."""

TOYS = "model=mlp_toy"
"""What data sets of points bring along."""

MEASURES = {True: "metric=[divergence,modes]", False: "metric=[frechet]"}
"""What is measured where nobody says: of points whose law is known, and of images."""


def main(args: list[str]) -> int:
    """Run `gan tune` with these arguments. Raises GanError; 1 where no trial came to a figure."""
    if (asked := parser().asked(args, of_nothing=True)) is None:
        return 0
    if find_spec("optuna") is None:
        raise UserMistake("gan tune needs Optuna: pip install 'gan-cli[tune]'")

    from gan_cli import cli_tune_work as work
    from gan_cli.cli_compose import plain

    bench, note = _bench(asked, ["gan", "tune", *args])
    import_from_here(asked.config_dir, *classes(args))
    base = plain(bench.composer.compose(bench.wish.fixed))
    if asked.worker:
        work.trials(bench, asked)
        return 0
    work.say(f"searching {', '.join(bench.wish.space)} by {bench.aim.words}")
    work.say(f"its trials are runs of {base['outputs']}; {bench.directory} has the account")
    for text in (*note, *_blind(base, asked.pruner), *bench.wish.notes):
        work.say(text)
    return _search(bench, asked, args)


def _search(bench: Bench, asked: argparse.Namespace, args: list[str]) -> int:
    """The trials, what they came to, and the winner against the default where it is asked for."""
    from gan_cli import cli_tune_work as work
    from gan_cli.cli_tune_told import Result

    result = Result(bench)
    try:
        if asked.workers > 1:
            work.processes(bench, asked.workers, args)
        else:
            work.trials(bench, asked)
    except (Stopped, KeyboardInterrupt):
        result.tell()
        raise
    result.tell()
    if asked.confirm and result.is_better:
        result.confirm(asked.confirm)
    elif result.is_better:
        work.say(f"to see, over fresh seeds: {shlex.join(bench.command)} --confirm 5")
    return 0 if result.best else 1


def _bench(asked: argparse.Namespace, command: list[str]) -> tuple[Bench, list[str]]:
    """What trials are run on, and what there is to say of it."""
    from gan_cli import cli_tune_space
    from gan_cli.cli_compose import Composer, Sources, plain
    from gan_cli.cli_tune_trial import Bench
    from gan_cli.tune.study import Search

    composer = Composer(Sources(asked.config_dir), asked.overrides)
    wish = cli_tune_space.read(composer, asked.overrides)
    composed, note = composer.compose(wish.fixed), []
    if not plain(composed)["metric"]:
        measure = MEASURES[_is_toy(str(composed.hydra.runtime.choices.dataset), asked.config_dir)]
        wish = replace(wish, fixed=[*wish.fixed, measure])
        note = [f"no metric is named: {measure}"]
    base = plain(composer.compose(wish.fixed))
    aim = _aim(base, asked)
    directory = Path(base["outputs"]).expanduser() / "sweeps" / _name(asked, wish)
    search = Search.open(directory, aim, wish.space, wish.default, wish.fixed, asked.seed)
    search.guide(asked.sampler, asked.pruner, asked.warm_up)
    flags = [] if asked.config_dir is None else ["--config-dir", asked.config_dir]
    return Bench(composer, flags, wish, aim, search, directory, command), note


def _is_toy(dataset: str, config_dir: str | None) -> bool:
    from gan_cli.cli_entry import Shelf

    return TOYS in Shelf.of(config_dir).read("dataset", dataset).brings


def _aim(base: dict[str, Any], asked: argparse.Namespace) -> Aim:
    """The figure, which way it is better, and what of a run counts."""
    from gan_cli import build  # imports torch
    from gan_cli.best import chosen, directions, preferred

    metrics = build.parts(base).metric
    figure = asked.figure or chosen(metrics, base["best"])
    if figure not in preferred(metrics):
        there = ", ".join(preferred(metrics)) or "none"
        raise UserMistake(
            f"--figure {figure}: there is none; of metric= those with a better and a worse: {there}"
        )
    return Aim(figure, directions(metrics)[figure], asked.best)


def _name(asked: argparse.Namespace, wish: Asked) -> str:
    """The name of the search: what it is asked for, as that of a sweep is."""
    if asked.name is not None:
        return str(asked.name)
    from gan_cli.cli_sweep_plan import study_name

    besides = {"tune.figure": asked.figure, "tune.seed": asked.seed, "tune.best": asked.best}
    typed = [f"{key}={value}" for key, value in besides.items() if value]
    varied = [text for text in asked.overrides if text not in wish.fixed]
    fixed = [text for text in asked.overrides if text in wish.fixed]
    return f"tune+{study_name(varied, [*fixed, *typed])}"


def _blind(base: dict[str, Any], pruner: str) -> list[str]:
    """That nobody can give up a run that is measured at its end alone."""
    counted = base["images"] is None and base["epochs"] is None
    if pruner != PRUNERS[0] and counted and base["evaluate_every"] >= base["steps"]:
        often = max(1, base["steps"] // 5)
        return [f"measured once, no run is ended early: evaluate_every={often} shows the hopeless"]
    return []


def _seconds(text: str) -> float:
    """What `90`, `90s`, `15m` and `2h` say."""
    known = re.fullmatch(r"(\d{1,9})([smh]?)", text, re.ASCII)
    if not known or not int(known[1]):
        raise argparse.ArgumentTypeError(f"{text!r} is no time: 90s, 15m or 2h")
    return float(int(known[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[known[2]])


def _plain_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,99}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no name: letters, digits and _.+-")
    return text


def parser() -> Parser:
    """What can be typed."""
    made = Parser(
        "gan tune",
        "Search for better settings, with Optuna: values and intervals are tried, other overrides"
        " stay as they are.",
        EXAMPLES,
        as_is=True,
    )
    add = made.add_argument
    add("overrides", nargs="*", metavar="KEY=VALUE", help="as of gan train -m, intervals too")
    add("--trials", type=whole(1), default=20, metavar="N", help="in all, the default's too (20)")
    add("--figure", metavar="NAME", help="what is sought (the first distance of metric=)")
    add("--best", action="store_true", help="a run counts by its best measurement, not its last")
    add("--sampler", choices=SAMPLERS, default=SAMPLERS[0], help="who says what to try (tpe)")
    add("--pruner", choices=PRUNERS, default=PRUNERS[0], help="who ends hopeless runs (none)")
    add("--warm-up", type=whole(0), default=0, metavar="STEP", help="no run is ended before (0)")
    add("--seed", type=whole(0, 2**32), default=0, metavar="N", help="of the search (0)")
    add("--workers", type=whole(1, 256), default=1, metavar="N", help="processes at once (1)")
    add("--timeout", type=_seconds, metavar="TIME", help="no new trial after: 90s, 15m, 2h")
    add("--confirm", type=whole(2, 1000), metavar="K", help="then best and default over K seeds")
    add("--name", type=_plain_name, metavar="NAME", help="of its directory in OUTPUTS/sweeps")
    add("--worker", type=whole(1), default=0, help=argparse.SUPPRESS)
    add_config_dir(made)
    return made
