"""`gan bench`: how fast a command would train here, and where the time goes."""

from __future__ import annotations

import argparse
import json
import math
import re
import shlex
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from gan_cli import cli_keys, disk
from gan_cli.cli_compose import Composer, Sources, plain
from gan_cli.cli_diagnose import Diagnosis, diagnose
from gan_cli.cli_resume import rewrite
from gan_cli.errors import UserMistake
from gan_cli.options import Parser, classes, import_from_here
from gan_cli.run import CONTROL, key_of
from gan_cli.signals import leaving
from gan_cli.strict import clean

EXAMPLES = """examples:
  gan bench                                   the default game
  gan bench model=mlp dataset=mnist           what gan train would train with the same words
  gan bench --batches 16,32,64,128            which batch size is worth it
  gan bench hardware.precision=float32        another setting of the machine
  gan bench resume=outputs/default            the settings of a run

Nothing is kept but FILE of --json. What each number is: docs/bench.md.
"""

SECONDS = 20.0
"""Seconds of measuring; building and warming up come on top."""

AUTO = "auto"
SIZES, TIMES = 4, (0.25, 0.5, 1, 2, 4, 8)
"""What `--batches auto` tries: the command's own times these, SIZES samples at least."""

STOPPED = 130


def main(argv: list[str]) -> int:
    """Run `gan bench` with these arguments; 130 where it was stopped. Raises GanError."""
    if (asked := parser().asked(argv)) is None:
        return 0
    for text in asked.overrides:
        if "=" not in text and not text.startswith("~"):
            raise UserMistake(
                f"{clean(text)} is no KEY=VALUE; gan bench --help lists what there is"
            )
    sources = Sources(asked.config_dir, asked.config_name)
    words = [
        text for text in rewrite(asked.overrides, sources, False) if key_of(text) not in CONTROL_OFF
    ]
    composer = Composer(sources, words)
    import_from_here(asked.config_dir, *classes(words))
    diagnose(composer, words, multirun=False).complain()
    return _measured(asked, partial(compose, composer, words), words, argv)


CONTROL_OFF = CONTROL - {"data_root", "resume"}
"""Keys that say where a run is and how it is shown, which none is here."""


def _measured(asked: argparse.Namespace, composed: Any, words: list[str], argv: list[str]) -> int:
    from gan_cli.bench.measure import Bench  # imports torch
    from gan_cli.bench.report import Report
    from gan_cli.cli_bench_show import page

    report, say = Report(command=["gan", "bench", *argv]), _Told()
    sizes = _sizes(asked.batches, composed([])[0]["batch_size"])
    aside = tempfile.TemporaryDirectory(prefix="gan-bench-", ignore_cleanup_errors=True)
    with leaving(), aside as place:
        bench = Bench(composed, words, asked.seconds, Path(place), report, say)
        try:
            bench(sizes)
        except KeyboardInterrupt:
            report.stopped = True
        finally:
            say.done()
    if report.stopped and report.rate is None:
        raise KeyboardInterrupt
    page(report, shlex.join(words)).show()
    if asked.json:
        text = json.dumps(report.plain(), indent=1, ensure_ascii=False, allow_nan=False)
        disk.replace(asked.json, f"{text}\n".encode())
    return STOPPED if report.stopped else 0


def parser() -> Parser:
    """What can be typed."""
    words = (
        "How fast a command trains on this machine: images a second, the time of each part of a "
        "step, the share of what the hardware can do, memory, and what the fast paths gain."
    )
    made = Parser("gan bench", words, EXAMPLES, as_is=True)
    add = made.add_argument
    words = "as for gan train"
    add("overrides", nargs="*", default=[], metavar="KEY=VALUE", help=words)
    words = f"how long to measure; a batch size takes a fifth of it ({SECONDS:g})"
    add("--seconds", type=_seconds, default=SECONDS, metavar="N", help=words)
    words = "batch sizes to try as well: 16,32,64 or auto"
    add("--batches", type=_batches, metavar="LIST", help=words)
    add("--json", type=Path, metavar="FILE", help="write all that was measured into a file")
    add("--config-dir", "-cd", metavar="CONF", help="a directory with entries of your own")
    add("--config-name", "-cn", metavar="NAME", help="a root configuration of your own")
    return made


def compose(
    composer: Composer, words: list[str], more: Sequence[str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """The configuration of these words and some more, and the choice of each group."""
    composed = composer.compose([*words, *more])
    config = plain(composed)
    Diagnosis(cli_keys.check(config, composer.groups)).complain()
    choices = composed.hydra.runtime.choices.items()
    return config, {str(g): str(c) for g, c in choices if str(g).partition("/")[0] != "hydra"}


def _seconds(text: str) -> float:
    with suppress(ValueError):
        if math.isfinite(value := float(text)) and 0 < value <= 3600:
            return value
    raise argparse.ArgumentTypeError(f"{clean(text)!r} is no number of seconds up to 3600")


def _batches(text: str) -> list[int]:
    """The sizes in increasing order; none for `auto`."""
    if text == AUTO:
        return []
    if not re.fullmatch(r"[1-9]\d{0,6}(,[1-9]\d{0,6})*", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{clean(text)!r} is no list of sizes like 16,32,64")
    return sorted({int(word) for word in text.split(",")})


def _sizes(asked: list[int] | None, own: int) -> list[int]:
    """The batch sizes to try."""
    if asked is None or asked:
        return asked or []
    return sorted({max(SIZES, round(own * times)) for times in TIMES})


class _Told:
    """What is being done, on one line of a terminal that goes away; nothing elsewhere."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()

    def __call__(self, text: str) -> None:
        if self._shown:
            sys.stderr.write(f"\r\033[K{clean(text)} …")
            sys.stderr.flush()

    def done(self) -> None:
        """Clear the line."""
        if self._shown:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
