"""`resume=RUN_DIR`: the command of an earlier run, and what may be changed about it."""

from __future__ import annotations

from pathlib import Path

from gan_cli.cli_compose import Sources, quote
from gan_cli.cli_keys import shown
from gan_cli.errors import UserMistake
from gan_cli.record import Record, differences, flat
from gan_cli.run import BUDGET, CADENCE, key_of, may_change

PLACES = ("fresh", "run_dir", "outputs", "resume")
"""Keys that `resume` itself settles."""

RANKS = "hardware.batch"
"""The key that says whose the size of a batch is."""


def rewrite(overrides: list[str], sources: Sources, multirun: bool) -> list[str]:
    """The overrides that continue the run named by `resume=`; as they are when there is none.

    They are those that the run was made with, then what is asked now. Only the budget, the
    cadence and the hardware may be asked for. Nothing that names code or looks elsewhere is taken
    from the directory: the user types it again. Raises UserMistake and BadFile.
    """
    named = [text.partition("=")[2] for text in overrides if key_of(text) == "resume"]
    if not named:
        return overrides
    if multirun or len(named) > 1 or named[0] in ("", "null"):
        raise UserMistake("resume=RUN_DIR names one run, and can't be swept over")
    directory = Path(_unquoted(named[0])).expanduser()
    if "${" in str(directory):
        raise UserMistake(f"resume={directory}: an interpolation can't name a run")
    record = Record.read(directory)
    asked = [text for text in overrides if key_of(text) != "resume"]
    _refuse_changes(directory, record, asked)
    return [*as_made(directory, record, asked, sources), f"run_dir={quote(str(directory))}"]


def as_made(directory: Path, record: Record, asked: list[str], sources: Sources) -> list[str]:
    """What the run was made with, then what is asked now; without where the run is.

    UserMistake where it names code, or was made with configurations of the user's, unless that is
    typed again.
    """
    _refuse_other_sources(directory, record, sources)
    replaced = {key_of(text) for text in asked} | set(PLACES)
    if replaced & BUDGET:
        replaced |= BUDGET  # a new budget stands for the old one, in whatever it was counted
    kept = _whole(record, [text for text in record.overrides if key_of(text) not in replaced])
    _refuse_code(directory, kept)
    return [*kept, *asked]


def _whole(record: Record, overrides: list[str]) -> list[str]:
    """The overrides with the size of the whole batch where they name that of each rank.

    So a run goes on with the same batch, on however many ranks.
    """
    if not any(key_of(text) == RANKS for text in overrides):
        return overrides
    rest = [text for text in overrides if key_of(text) not in (RANKS, "batch_size")]
    return [*rest, f"batch_size={record.config.get('batch_size')}", f"{RANKS}=whole"]


def other(record: Record, asked: list[str]) -> dict[str, str]:
    """What is asked and is not as the run was made, by key, as `key: stored → asked`."""
    stored = {**flat(record.config), **record.choices}
    typed = _whole(record, record.overrides)
    stored |= {key_of(text): text.partition("=")[2] for text in typed}
    wanted = {key_of(text): text.partition("=")[2] for text in asked}
    same = {key for key, value in wanted.items() if _typed(stored.get(key, ...)) == _typed(value)}
    told = {key: value for key, value in wanted.items() if key not in same}
    return differences(stored, stored | told)


def _refuse_changes(directory: Path, record: Record, asked: list[str]) -> None:
    changed = other(record, asked)
    wanted = [key_of(text) for text in asked]
    fixed = [k for k in wanted if (k in changed and not may_change(k)) or k in PLACES]
    if not fixed:
        return
    lines = [changed.get(key, f"{key}: resume settles it") for key in fixed]
    raise UserMistake(
        "\n  ".join([f"{directory} can't be resumed with other settings:", *lines])
        + f"\nwhat may change: {', '.join(sorted(BUDGET | CADENCE))} and hardware.*;"
        " without resume= these settings make a run of their own"
    )


def _refuse_other_sources(directory: Path, record: Record, sources: Sources) -> None:
    for flag in ("config_dir", "config_name"):
        before = getattr(record, flag)
        if before is not None and getattr(sources, flag) is None:
            option = f"--{flag.replace('_', '-')}"
            raise UserMistake(f"{directory} was made with {option} {before}: type that again")


def _refuse_code(directory: Path, kept: list[str]) -> None:
    for text in kept:
        if "_target_" in text or "${" in text or key_of(text).startswith("hydra"):
            raise UserMistake(f"{directory} was made with {text}: if you trust it, type it again")


def _typed(value: object) -> str:
    """A value in one spelling, so that 1e-4 and 0.0001 are the same, and '1' and 1."""
    text = _unquoted(str(shown(value)))
    try:
        return str(float(text))
    except ValueError:
        return text


def _unquoted(text: str) -> str:
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
    return text[1:-1].replace(f"\\{text[0]}", text[0]) if quoted else text
