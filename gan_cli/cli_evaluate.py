"""`gan evaluate`: figures of a generator, or of a directory of images, with what they are worth."""

from __future__ import annotations

import argparse
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

from gan_cli.cli_data import is_directory, quoted
from gan_cli.errors import UserMistake
from gan_cli.nearby import check_there, suggestion
from gan_cli.options import Parser, add_config_dir, add_device, add_trust, whole
from gan_cli.strict import clean

USUAL = (
    *("frechet", "kid", "prdc", "score", "classes", "labels", "ms_ssim", "copies"),
    *("answer", "modes", "divergence", "stacked"),
)
"""The metrics that are asked when none is named, those of them that can be."""


@dataclass
class Asked:
    """What is typed: a generator or a directory, what it is held against, and how."""

    ckpt: str | None
    fake: str | None
    overrides: list[str]
    metrics: list[str]
    named: bool
    n: int | None
    repeats: int
    seed: int
    batch: int
    raw: bool
    device: str
    out: Path | None
    against: Path | None
    command: str
    config_dir: str | None
    trust: tuple[str, ...] = field(default_factory=tuple)

    @property
    def typed_data(self) -> bool:
        """Whether the data are named, and not to be those of the run."""
        return any(re.match(r"dataset(\.path)?=", word) for word in self.overrides)


def main(args: list[str]) -> int:
    """Run `gan evaluate` with these arguments. Raises GanError."""
    if (given := _parser().asked(args, of_nothing=True)) is None:
        return 0
    asked = read(given, shlex.join(["gan", "evaluate", *args]))

    from gan_cli.cli_measure import evaluate

    if asked.out is not None and asked.out.suffix.lower() != ".json":
        raise UserMistake(f"--out {clean(asked.out)}: a name that ends in .json")
    return evaluate(asked)


def read(given: argparse.Namespace, command: str) -> Asked:
    """What the words mean. UserMistake where they name nothing to measure, or too much."""
    directories = [word for word in given.words if "=" not in word or is_directory(word)]
    overrides = [word for word in given.words if word not in directories]
    for word in directories:
        if not is_directory(word) and not _is_archive(word):
            raise UserMistake(
                f"{clean(word)}: there is no such directory, or .npz file; a setting is KEY=VALUE"
            )
    named = given.metrics is not None
    metrics = _names(given.metrics) if named else [*USUAL]
    overrides += [f"extractor={given.extractor}"] if given.extractor else []
    overrides += [f"extractor.weights={quoted(given.weights)}"] if given.weights else []
    asked = Asked(
        ckpt=given.ckpt,
        fake=None,
        overrides=overrides,
        metrics=metrics,
        named=named,
        n=given.n,
        repeats=given.repeats,
        seed=given.seed,
        batch=given.batch,
        raw=given.raw,
        device=given.device,
        out=given.out,
        against=given.against,
        command=command,
        config_dir=given.config_dir,
        trust=tuple(given.trust),
    )
    if asked.ckpt is not None:
        check_there(asked.ckpt)
    wanted = 0 if asked.typed_data else 1
    if asked.ckpt is None:
        if len(directories) != wanted + 1:
            raise UserMistake(
                f"what is to be measured? gan evaluate --ckpt {suggestion()}, or two directories "
                "of images: gan evaluate REAL MADE"
            )
        asked.fake = directories.pop()
        if asked.raw or asked.trust:
            raise UserMistake("--raw and --trust are of a generator: --ckpt")
    elif len(directories) > wanted:
        raise UserMistake("--ckpt is measured against one directory of images, or one dataset=NAME")
    if directories:
        path = f"dataset.path={quoted(directories[0])}"
        sizes = [] if any(w.startswith(("dataset.size=", "size=")) for w in overrides) else _AS_ARE
        asked.overrides[:0] = ["dataset=folder", path, *sizes]
    return asked


def _is_archive(word: str) -> bool:
    return word.lower().endswith(".npz") and Path(word).is_file()


_AS_ARE = ["dataset.size=null"]


def _names(text: str) -> list[str]:
    from gan_cli.cli_entry import Shelf

    names = [name.strip() for name in text.split(",") if name.strip()]
    if names == ["all"]:
        return [name for name in Shelf.of(None).names("metric") if name != "none"]
    if not names:
        raise UserMistake("--metrics takes names with commas between, such as frechet,kid, or all")
    return names


def _parser() -> Parser:
    parser = Parser(
        "gan evaluate",
        "Measure a generator, or a directory of images, against real ones.",
        _EXAMPLES,
        as_is=True,
    )
    add = parser.add_argument
    words = "images: REAL MADE, or REAL beside --ckpt (MADE can be an .npz); dataset=NAME; settings"
    add("words", nargs="*", metavar="DIR | KEY=VALUE", help=words)
    add("--ckpt", metavar="PATH", help="run directory, training checkpoint or generator file")
    add("--metrics", metavar="NAMES", help="such as frechet,kid; or all (those that fit)")
    add("-n", "--n", type=whole(20), metavar="N", help="samples of each kind (10000)")
    add("--extractor", metavar="NAME", help="auto, judge, inception, random or raw (auto)")
    add("--weights", metavar="FILE", help="of the inception network, where it can't be fetched")
    add("--repeats", type=whole(1), default=1, metavar="K", help="intervals from K sets (1)")
    add("--against", type=Path, metavar="PATH", help="another evaluation, or run, to compare with")
    add("--seed", type=whole(0), default=0, metavar="S", help="of the samples (0)")
    add("--raw", action="store_true", help="the weights themselves, not their average")
    add("--out", type=Path, metavar="FILE.json", help="where to (evaluations/ of the run)")
    add_device(parser)
    add("--batch", type=whole(1), default=64, metavar="B", help="samples at a time (64)")
    add_config_dir(parser)
    add_trust(parser)
    return parser


_EXAMPLES = """gan evaluate --ckpt outputs/default
gan evaluate --ckpt outputs/default --metrics frechet,kid --n 50000
gan evaluate --ckpt outputs/a --against outputs/b
gan evaluate photos made
gan evaluate --ckpt model.safetensors dataset=mnist extractor=inception --weights FILE"""
