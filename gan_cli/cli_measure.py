"""What `gan evaluate` does: reads what is to be measured, measures it, tells and keeps it."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from gan_cli import build, generators
from gan_cli.build import Config, Parts
from gan_cli.cli_compose import Composer, Sources, plain, quote
from gan_cli.cli_diagnose import diagnose
from gan_cli.cli_evaluate import Asked
from gan_cli.cli_keys import KEYS, nearest
from gan_cli.cli_scores import earlier, keep, tell
from gan_cli.dataset import archive
from gan_cli.dataset.folder import Folder
from gan_cli.dataset.halves import BESIDE, held_out
from gan_cli.dataset.source import Source
from gan_cli.errors import BadFile, UserMistake
from gan_cli.evaluation import FEWEST, Data, Examiner, Question, gathered, looked_at
from gan_cli.extractor import teaching
from gan_cli.fast import pick_device
from gan_cli.options import classes, import_from_here
from gan_cli.record import Record
from gan_cli.run import WHERE
from gan_cli.sampler import Sampler
from gan_cli.strict import clean
from gan_cli.task import Task
from gan_cli.task.label import Label
from gan_cli.task.unconditional import Unconditional

N = 10_000
"""Samples of each kind, unless another number is asked for."""

MEANT = frozenset({"dataset", "metric", "extractor", "data_root"})
"""What settings can be of."""

_LISTED = {"metric"}

MOST = 4096
"""The largest number in a record of data, or eight times the usual one."""


def evaluate(asked: Asked) -> int:
    """Measure what is asked for, tell the figures, and keep them. Raises GanError."""
    import_from_here(asked.config_dir, *asked.trust, *classes(asked.overrides))
    device = pick_device(asked.device)
    sampler = Sampler.load(asked.ckpt, device, asked.raw, asked.trust) if asked.ckpt else None
    learnt = None if asked.typed_data or asked.ckpt is None else _learnt(Path(asked.ckpt))
    config, parts = _composed(asked, learnt)
    for reason in sampler.origin.rejected if sampler else ():
        sys.stderr.write(f"passed over: {reason}\n")
    dataset, name = _dataset(asked, learnt, config, parts)
    source: Source = dataset.load()
    split = str(getattr(dataset, "split", "all"))
    data = Data(source, held_out(dataset), _task(sampler), name, split)
    made = None if asked.fake is None else _made(asked.fake, parts, source)
    for note in (*source.notes, *(made.notes if made else ())):
        sys.stderr.write(f"{note}\n")
    whole = data if split not in BESIDE.values() else replace(data, source=teaching(dataset))
    _say("preparing what extracts features; a judge is trained the first time")
    extractor = parts.extractor.of(looked_at(whole), device)
    n = asked.n or (N if made is not None else min(N, max(source.length or N, FEWEST)))
    if made is not None and made.fingerprint == source.fingerprint:
        sys.stderr.write("these are the same images twice: distances are 0\n")
    question = Question(parts.metric, build.settings(config["metric"]), extractor, n, asked.repeats)
    examiner = Examiner(data, question)
    if sampler is not None:
        _check_fit(sampler, examiner)
        examiner = _asking_what_fits(asked, examiner, examiner.refusals(sampler))
        other = earlier(asked, examiner, sampler.origin.weights)
        _say(f"measuring {n:,} samples")
        scores = examiner.examine(sampler, asked.seed, asked.batch, asked.command)
    else:
        assert made is not None
        batch = gathered(made, min(n, made.length or n))
        examiner = _asking_what_fits(asked, examiner, examiner.refusals_of(batch))
        other = earlier(asked, examiner, "none")
        scores = examiner.examine_set(batch, made.fingerprint, asked.seed, asked.command)
    tell(asked, scores, other)
    if kept := keep(asked, scores):
        sys.stdout.write(f"\n  {clean(kept, 4096)}\n")
    return 0


def _say(stage: str) -> None:
    """What is being done, for somebody who waits."""
    if sys.stderr.isatty():
        sys.stderr.write(f"{stage} …\n")


def _composed(asked: Asked, learnt: dict[str, Any] | None) -> tuple[Config, Parts]:
    """The configuration and the components; a bare KEY=VALUE is one of the data set."""
    composer = Composer(Sources(asked.config_dir))
    known = {*composer.groups, *KEYS}
    words = [
        f"dataset.{word}"
        if (key := word.partition("=")[0]).isidentifier() and key not in known
        else word
        for word in asked.overrides
    ]
    if learnt is not None:
        words.insert(0, f"dataset={quote(learnt['name'])}")
    choices = sorted({*composer.choices("metric")} - {"none"})
    unknown = [name for name in asked.metrics if name not in choices]
    if unknown and asked.named:
        near = nearest(unknown[0], choices)
        meant = f"did you mean {near}?" if near else f"there are {', '.join(choices)}"
        raise UserMistake(f"--metrics {clean(unknown[0])}: there is no such metric; {meant}")
    for word in words:
        key = word.partition("=")[0].lstrip("+~")
        if key.partition(".")[0] not in MEANT:
            raise UserMistake(f"{clean(word)} is nothing to an evaluation: it is of training")
        if key in _LISTED:
            raise UserMistake(f"{clean(word)}: type --metrics frechet,kid")
    metrics = [name for name in asked.metrics if name not in unknown]
    words.append(f"metric=[{','.join(metrics)}]")
    diagnose(composer, words, multirun=False).complain()
    config = plain(composer.compose(words))
    return config, build.parts(config)


def _dataset(
    asked: Asked, learnt: dict[str, Any] | None, config: Config, parts: Parts
) -> tuple[Any, str]:
    """What is measured against, and its name: what is typed, or what the run has learnt from.

    Of a run, what is read is names and numbers, of entries that are installed; where the data are
    is this machine's own business, but for a folder of images.
    """
    composed = config["dataset"]
    if learnt is None:
        return parts.dataset, str(composed["_target_"]).split(".")[-2]
    name, places = learnt["name"], {key.partition(".")[2] for key in WHERE} - {"path"}
    typed = {w.partition("=")[0].removeprefix("dataset.") for w in asked.overrides}
    usual = {key: value for key, value in composed.items() if not key.startswith("_")}
    said = {k: v for k, v in learnt.items() if k not in {*places, *typed, "name"}}
    try:
        for key, value in said.items():
            _check_size(key, value, usual.get(key))
        return build.component("dataset", name, usual | said, asked.trust), name
    except BadFile as error:
        raise BadFile(f"{clean(asked.ckpt)}: {error}; or name the data: dataset={name}") from error


def _check_size(key: str, value: Any, usual: Any) -> None:
    """Raise BadFile for a number that a stranger may have written to fill the memory."""
    most = max(MOST, 8 * abs(usual) if isinstance(usual, int | float) else 0)
    numbers = value if isinstance(value, list) else [value]
    if key != "seed" and any(isinstance(n, int | float) and abs(n) > most for n in numbers):
        raise BadFile(
            f"{clean(key)}={clean(value, 60)} of its record is too large to be trusted: type it"
        )


def _task(sampler: Sampler | None) -> Task:
    """What the generator is asked for; its file says so."""
    if sampler is not None and sampler.task is not None:
        return sampler.task  # type: ignore[return-value]
    return Label() if sampler is not None and sampler.space.classes else Unconditional()


def _learnt(ckpt: Path) -> dict[str, Any]:
    """The name and the settings of the data that a run has learnt from, by what its directory or
    its checkpoint says. UserMistake where neither says anything."""
    said = _recorded(ckpt)
    if said is None:
        spec = generators.find(ckpt)[0].meta.get("config")
        said = spec.get("dataset") if isinstance(spec, dict) else None
    if not isinstance(said, dict) or not re.fullmatch(r"\w+", str(said.get("name")), re.ASCII):
        raise UserMistake(
            f"{clean(ckpt)} does not say what it learnt from: name the data, as dataset=mnist"
        )
    return said


_CHECKPOINTS = {"checkpoints"}
"""What the directory within a run is called that holds them."""


def _recorded(ckpt: Path) -> dict[str, Any] | None:
    """The data set in the run.json that a checkpoint stands beside."""
    checkpoints = ckpt.parent.name in _CHECKPOINTS
    for place in (ckpt, ckpt.parent, *[ckpt.parent.parent] * checkpoints):
        if (place / "run.json").is_file():
            record = Record.read(place)
            spec = record.config.get("dataset")
            name = record.choices.get("dataset")
            if not isinstance(spec, dict) or not name:
                return None
            plainly = {key: value for key, value in spec.items() if not key.startswith("_")}
            return plainly | {"name": name}
    return None


def _made(path: str, parts: Parts, real: Source) -> Source:
    """The images of a directory, as they are; UserMistake where they are of another size."""
    if len(real.shape) != 3:
        raise UserMistake("a directory of images is measured against images")
    own = parts.dataset if isinstance(parts.dataset, Folder) else Folder(size=None)
    made: Source = (
        archive.read(Path(path))
        if path.lower().endswith(".npz")
        else Folder(
            path,
            own.size,
            channels=real.shape[0],
            min_size=1,
            on_bad_image=own.on_bad_image,
            cache=None,
        ).load()
    )
    if made.shape[1:] == real.shape[1:] and made.shape != real.shape:
        raise UserMistake(
            f"the images of {clean(path)} have {made.shape[0]} channels, the real ones "
            f"{real.shape[0]}: dataset.channels={made.shape[0]}, where the real ones are files"
        )
    if made.shape != real.shape:
        raise UserMistake(
            f"the images of {clean(path)} are {_size(made.shape)}, the real ones "
            f"{_size(real.shape)}: dataset.size=SIDE resizes the images of both directories"
        )
    return made


def _size(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))


def _check_fit(sampler: Sampler, examiner: Examiner) -> None:
    made, real = tuple(sampler.space.shape), tuple(examiner.source.shape)
    if made != real:
        raise UserMistake(
            f"the generator makes {_size(made)}, and the data are {_size(real)}: name the data it "
            "was trained on, with their settings"
        )


def _asking_what_fits(asked: Asked, examiner: Examiner, refused: dict[str, str]) -> Examiner:
    """The metrics that can be asked; where they were named, UserMistake for those that can't."""
    if asked.named and refused and len(refused) >= len(examiner.question.metrics):
        told = "\n".join(f"{name}: {reason}" for name, reason in refused.items())
        raise UserMistake(told)
    if asked.named:
        return examiner  # what is refused is told with the figures
    fitting = examiner.without(refused)
    if not fitting.question.metrics:
        raise UserMistake("there is no metric for such samples: name one with --metrics")
    return fitting
