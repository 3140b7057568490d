"""A run whose samples still come nearer to the data: it may need nothing but more steps."""

from __future__ import annotations

from gan_cli.diagnosis.limits import Limits
from gan_cli.doctor import Remedy
from gan_cli.doctor.case import Case
from gan_cli.doctor.history import Seen
from gan_cli.doctor.pace import spelled
from gan_cli.run import BUDGET
from gan_cli.study.folder import Folder

LATELY = 3
"""Looks over which a distance must have fallen."""

FELL, BEST = 0.1, 0.05
"""By what share: as a rule, and where it never was less than at the last look."""

WHOLE = frozenset({"done"})
"""States of a run that was made as it was asked for."""


def nearer(looks: Seen) -> str:
    """That the energy distance of samples to the data still falls, in words; '' where not.

    Below the distance at which a light no longer minds, where chance moves it by a tenth, only one
    that never was less counts.
    """
    seen = [look for look, _ in looks if "distance" in look.measured]
    gaps = [look.measured["distance"] for look in seen]
    last = min(LATELY, len(gaps) - 1)
    if last < 1 or not gaps[-1 - last] > 0:
        return ""
    best = gaps[-1] < min(gaps[:-1])
    fell = 1 - gaps[-1] / gaps[-1 - last]
    if fell < (BEST if best else FELL) or not (best or gaps[-1] >= Limits().near):
        return ""
    way = f"{gaps[-1 - last]:.3g} at step {seen[-1 - last].step:,}, {gaps[-1]:.3g} now"
    return f"samples still come nearer to the data (energy distance {way})"


def more_steps(folder: Folder, why: str) -> Remedy | None:
    """Twice the steps, of the run itself where it can go on; None before it is at its end."""
    status, case = folder.status, Case.of(folder)
    if status.state not in WHOLE or status.step < status.steps:
        return None
    key = next((key for key in ("images", "epochs") if case.number(key, 0) > 0), "steps")
    goes_on = any((folder.path / "checkpoints").glob("step-*.safetensors"))
    return Remedy(
        (f"{key}={_twice(case.number(key, status.steps))}",),
        f"{why}: a run that still learns needs time before anything else",
        "Székely and Rizzo 2013, doi 10.1016/j.jspi.2013.03.018, measure how near",
        drops=tuple(sorted(BUDGET - {key})),
        resume=str(folder.path) if goes_on else "",
    )


def _twice(number: float) -> str:
    return str(int(2 * number)) if number.is_integer() else spelled(2 * number)
