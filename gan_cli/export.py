"""`gan export`: a generator for others. Help is given without importing anything heavy."""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gan_cli import options
from gan_cli.errors import BadFile, UserMistake
from gan_cli.nearby import check_named
from gan_cli.strict import clean

if TYPE_CHECKING:
    from gan_cli.exporting import Format, Verified
    from gan_cli.sampler import Sampler
    from gan_cli.scores import Scores

FORMATS = {
    "safetensors": "the weights, which gan reads back; always there",
    "onnx": "for onnxruntime; needs pip install 'gan-cli[export]'",
    "torch-export": "for torch.export.load: PyTorch without gan",
}
"""The kinds of files, and what they are for."""

EVALUATIONS = 10
"""Evaluations that a card tells of, at most."""

_OUT = "a directory that is new or empty (export/ in the run)"

_FROM = "whole pictures, of which samples.png shows some answered: for images from images"


def main(args: list[str]) -> int:
    """Run `gan export` with these arguments. Raises GanError."""
    asked = _parser().parse_args(args)
    check_named(asked.ckpt, "gan export")
    from gan_cli.exporting import check_still
    from gan_cli.exporting.folder import check, staged
    from gan_cli.sampler import Sampler

    kinds = _kinds([name for names in asked.format for name in names])
    options.import_from_here(*asked.trust)
    sampler = Sampler.load(asked.ckpt, raw=asked.raw, trust=tuple(asked.trust))
    for reason in sampler.origin.rejected:
        sys.stderr.write(f"passed over: {reason}\n")
    out = asked.out or _place(asked.ckpt)
    check(out, asked.force)
    if getattr(asked, "from") and not sampler.space.given:
        raise UserMistake("--from is for generators that make images from images")
    check_still(sampler)
    with staged(out, asked.force) as staging:
        files = _fill(staging, sampler, kinds, asked)
        sizes = {name: (staging / name).stat().st_size for name in files}
    for name, found in files.items():
        sys.stdout.write(f"{clean(out / name, 4096)}: {_bytes(sizes[name])}, {found}\n")
    bare = sampler.space.given and not getattr(asked, "from")
    without = " (without samples: --from PICTURES, --force)" if bare else ""
    sys.stdout.write(f"card  {clean(out / 'README.md', 4096)}{without}\n")
    sys.stdout.write(f"next  hf upload USER/NAME {shlex.quote(clean(out, 4096))}\n")
    return 0


def _bytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{max(1, count // 1000)} kB"


def _kinds(names: Sequence[str]) -> list[Format]:
    """The formats of these names besides safetensors; UserMistake for what isn't installed."""
    from gan_cli.exporting.onnx import ONNX
    from gan_cli.exporting.torch_export import TorchExport

    known: dict[str, Format] = {"onnx": ONNX(), "torch-export": TorchExport()}
    chosen = [known[name] for name in dict.fromkeys(names) if name in known]
    for kind in chosen:
        if lacking := kind.lacks():
            raise UserMistake(f"{kind.file} needs what is not installed: {lacking}")
    return chosen


def _fill(
    staging: Path, sampler: Sampler, kinds: list[Format], asked: argparse.Namespace
) -> dict[str, Verified]:
    """Write the files of an export, and hold each against the checkpoint; by file, how near."""
    from gan_cli import container, disk
    from gan_cli.exporting import verified
    from gan_cli.exporting.about import about, config_json
    from gan_cli.exporting.card import Card
    from gan_cli.exporting.safetensors import Safetensors

    assert sampler.origin.path is not None
    found = container.read(sampler.origin.path)
    if found.sha256 != sampler.sha256:
        raise BadFile(f"{clean(sampler.origin.path)}: changed while it was being read")
    meta = about(found.meta, sampler)
    files: dict[str, Verified] = {}
    every: list[Format] = [Safetensors(meta, tuple(asked.trust)), *kinds]
    for kind in every:
        path = staging / kind.file
        kind.write(sampler, path)
        files[kind.file] = verified(kind, path, sampler)
    pictured = _picture(staging / "samples.png", sampler, getattr(asked, "from"))
    differences = {name: one.difference for name, one in files.items()}
    config = config_json(meta, sampler, differences)
    disk.replace(staging / "config.json", config.encode())
    scores = _scores(_run(asked.ckpt) / "evaluations", sampler)
    card = Card(meta, sampler, files, scores, asked.license, pictured)
    disk.replace(staging / "README.md", card.text().encode())
    return files


def _picture(path: Path, sampler: Sampler, whole: Path | None) -> bool:
    """Write samples, if they can be drawn of what there is; whether they were."""
    from gan_cli.exporting.picture import picture
    from gan_cli.reply import reply
    from gan_cli.wish import Wish, put

    if whole is not None:
        reply(Wish(ckpt=path, out=path, whole=whole), sampler, {})
    elif drawn := picture(sampler):
        put(path, drawn)
    return path.exists()


def _scores(directory: Path, sampler: Sampler) -> list[Scores]:
    """The newest evaluations of these very weights, in the order of their names, no figure twice.

    What can't be read is passed over, and told.
    """
    from gan_cli.exporting.figures import once
    from gan_cli.scores import Scores

    found: dict[str, Scores] = {}
    for path in sorted(directory.glob("*.json"), key=_changed, reverse=True):
        if len(found) == EVALUATIONS:
            break
        try:
            one = Scores.read(path)
        except BadFile as error:
            sys.stderr.write(f"passed over: {error}\n")
            continue
        of = one.checkpoint if isinstance(one.checkpoint, dict) else {}
        said = of.get("sha256"), one.protocol.weights
        if said == (sampler.sha256, sampler.origin.weights):
            found[path.name] = one
    kept = once(found)
    return [kept[name] for name in sorted(kept)]


def _changed(path: Path) -> tuple[float, str]:
    """When a file was changed, and its name."""
    return path.lstat().st_mtime, path.name


def _run(ckpt: Path) -> Path:
    """The run that a path is of, or else the directory that it is in."""
    run = ckpt if ckpt.is_dir() else ckpt.parent
    return run.parent if run == run.parent / "checkpoints" else run


def _place(ckpt: Path) -> Path:
    """Where an export goes when nothing is said: into the run, or beside the file."""
    run = _run(ckpt)
    name = "export" if ckpt.is_dir() or (run / "checkpoints").is_dir() else f"{ckpt.stem}-export"
    if (run / name).is_symlink():
        raise UserMistake(f"{clean(run / name)} leads elsewhere: say where to write with --out")
    return run / name


def _parser() -> argparse.ArgumentParser:
    parser = options.Parser(
        "gan export",
        "Write a generator for others, with a card, as model hubs want it.",
        "; ".join(f"{name}: {text}" for name, text in FORMATS.items()),
    )
    add = parser.add_argument
    add("--ckpt", type=Path, metavar="PATH", help="run directory, checkpoint or generator file")
    add(
        "--format",
        type=_formats,
        action="append",
        default=[],
        metavar="NAMES",
        help=f"of {', '.join(FORMATS)}: one, or several with commas (safetensors)",
    )
    add("--out", type=Path, metavar="DIR", help=_OUT)
    add("--force", action="store_true", help="replace the files of an earlier export there")
    add("--raw", action="store_true", help="the weights themselves, not their average")
    add("--license", type=_license, metavar="ID", help="for the card, such as mit or cc-by-4.0")
    add("--from", type=Path, metavar="PATH", help=_FROM)
    options.add_trust(parser)
    return parser


def _formats(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in FORMATS:
            raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(FORMATS)}")
    return names


def _license(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9.+-]{0,63}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is no identifier such as mit or apache-2.0")
    return text
