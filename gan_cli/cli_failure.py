"""How a command that went wrong says so: one message, and an exit code."""

from __future__ import annotations

import difflib
import os
import sys
import traceback

from gan_cli.errors import GanError, Stopped, UserMistake
from gan_cli.launcher import several
from gan_cli.strict import clean

BUG = "this is a bug in gan, or in a component of your own; please report it with the traceback"


def wants_traceback() -> bool:
    """Whether the user asked to see every traceback."""
    return "1" in (os.environ.get("GAN_DEBUG"), os.environ.get("HYDRA_FULL_ERROR"))


def report(error: BaseException, debug: bool | None = None) -> int:
    """Tell an error on stderr, and return the exit code of its kind.

    A GanError is told in its own words. Anything else is a bug: its traceback is shown, unless
    the run directory has it (then a note on the error says where).
    """
    if not is_teller(error):
        return getattr(error, "exit_code", 1)
    if isinstance(error, BrokenPipeError):
        # nobody reads on; Python would complain once more when it flushes at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    told = isinstance(error, GanError | KeyboardInterrupt) or notes(error)
    if not told or (wants_traceback() if debug is None else debug):
        traceback.print_exception(error)
    if isinstance(error, KeyboardInterrupt):
        _say("stopped")
        return 130
    if isinstance(error, GanError):
        _say(str(error) if isinstance(error, Stopped) else f"error: {error}")
        return error.exit_code
    _say("\n".join([f"error: {type(error).__name__}: {error}", *notes(error), BUG]))
    return 1


def is_teller(error: BaseException) -> bool:
    """Whether it is for this one of several processes to tell the error, which all may have met."""
    if not several() and "gan_cli.dist" not in sys.modules:
        return True
    from gan_cli import dist  # imports torch

    return dist.first(error)


def notes(error: BaseException) -> list[str]:
    """What was added to an exception on its way up."""
    return list(getattr(error, "__notes__", []))


def warn(text: str) -> None:
    """Tell what may be a mistake, on stderr."""
    if os.environ.get("RANK", "0") in ("", "0"):
        _say(f"warning: {text}")


def refuse_ranks(verb: str) -> None:
    """Refuse a verb that torchrun would run once on each rank."""
    raise UserMistake(f"gan {verb} is for one process: without torchrun; gan train is for several")


def unknown_verb(argv: list[str], verbs: list[str]) -> int:
    """Refuse a verb, and name the nearest."""
    if "=" in argv[0]:
        raise UserMistake(f"{argv[0]} is no verb; did you mean `gan train {' '.join(argv)}`?")
    near = difflib.get_close_matches(argv[0], verbs, n=1)
    hint = f"did you mean `gan {near[0]}`?" if near else "`gan help` lists them"
    raise UserMistake(f"gan has no verb {argv[0]}; {hint}")


def _say(text: str) -> None:
    # names out of files may hold what a terminal would obey
    sys.stderr.write("".join(f"{clean(line, 2000)}\n" for line in text.splitlines()))
