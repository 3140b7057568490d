"""What became of a run, and why, in a sentence or two."""

from __future__ import annotations

import re

from gan_cli.diagnosis.signs import READINGS
from gan_cli.doctor.case import Case
from gan_cli.status import Status
from gan_cli.strict import clean
from gan_cli.study.folder import Folder

LOST = frozenset({"failed", "collapsed"})
"""States of a run that did not do what it was for."""

_ENDS = {
    "pending": "It has not begun",
    "running": "It is at step {step:,} of {steps:,} and goes on",
    "done": "It is done, {step:,} of {steps:,} steps",
    "failed": "It failed at step {step:,} of {steps:,}",
    "collapsed": "It ended at step {step:,} of {steps:,} with samples that are alike",
    "interrupted": "It was interrupted at step {step:,} of {steps:,}, and the same command goes on",
}
"""What became of a run, by its state."""

_STEP = re.compile(r"(?P<ended>stopped and saved at )?step (?P<step>\d{1,15}): ")
_SIGN = re.compile(r"(?P<name>[a-z]+): (?P<words>.+?)(?: \(and (?P<others>[a-z, ]+)\))?")


def story(folder: Folder, looks: int, kept: bool) -> str:
    """What became of it, why, and how often it was looked at."""
    status = folder.status
    text = _ENDS[status.state].format(step=status.step, steps=status.steps)
    if _stopped(status):
        text += f", stopped by policy={Case.of(folder).entry('policy') or 'stop'}"
    why = reason(status)
    crash = folder.path / "crash.txt"
    if status.state in LOST and crash.is_file() and str(crash) not in why:
        traceback = f"the traceback is in {clean(crash)}"
        why = f"{why}; {traceback}" if why else traceback
    text = f"{text}: {why}" if why else text
    times = f"looked at {looks} times" if looks != 1 else "looked at once"
    if status.seconds >= 1:
        seen = f", and was {times}" if kept else ""
        return f"{text}. It trained for {status.seconds:,.0f} s{seen}."
    return f"{text}. It was {times} while it trained." if kept else f"{text}."


def reason(status: Status) -> str:
    """Why it ended, without the step that its status has anyhow; '' where nothing is known."""
    text = clean(status.reason, 600).rstrip(". ")
    step = ""
    if match := _STEP.match(text):
        text = text[match.end() :]
        step = "" if int(match["step"]) == status.step else f"at step {int(match['step']):,} "
    sign = _SIGN.fullmatch(text)
    if sign and sign["name"] in READINGS:
        names = ", ".join(filter(None, (sign["name"], sign["others"])))
        text = f"{sign['words']} ({names})"
    return step + text


def _stopped(status: Status) -> bool:
    match = _STEP.match(status.reason)
    return bool(match and match["ended"])
