"""What a run's files say of it, put into words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from gan_cli.diagnosis import COLLAPSE, Light, Sign
from gan_cli.diagnosis.limits import Limit, Limits
from gan_cli.doctor import Curve, Findings, Remedy, Symptom, returns, young
from gan_cli.doctor.advice import rates, remedies
from gan_cli.doctor.case import Case
from gan_cli.doctor.history import Seen, seen
from gan_cli.doctor.story import LOST, story
from gan_cli.strict import clean
from gan_cli.study.folder import Folder

CALM = 2
"""Green looks in a row that end a sign: on again after a single one, it was on all along."""

WORSE = 1.5
"""How many times its best a distance must be for a run to have been better before."""

ORDER = (
    *("finite", "vanishing", "overpowering", "overfitting"),
    *("diversity", "classes", "duplicates", "gradients", "weights"),
)
"""Signs, causes before what they cause."""

COURSE = ("loss/d", "loss/g", "grad_norm/d", "grad_norm/g")
"""Columns of the metrics that tell most."""


def of(folder: Folder) -> Findings:
    """The findings about a run. Raises BadFile and UserMistake where it can't be read."""
    looks, kept = seen(folder)
    found = [s for s in (_symptom(name, looks) for name in _names(looks)) if s is not None]
    symptoms = sorted(found, key=lambda s: (-s.light, ORDER.index(s.name)))
    symptoms = [_shown(symptom, folder) for symptom in symptoms]
    on = [symptom.name for symptom in symptoms]
    red = any(symptom.light is Light.RED for symptom in symptoms)
    ill = red or folder.status.state in LOST
    nearer = "" if ill or not on else young.nearer(looks)
    return Findings(
        story=story(folder, len(looks), kept),
        ill=ill,
        symptoms=tuple(symptoms),
        calm=tuple(_calm(looks, on)),
        passed=tuple(_passed(looks)),
        notes=(*returns.told(folder), *_early(folder, nearer), *_late(folder)),
        blind=tuple(_blind(folder, looks, kept)),
        remedies=_remedies(folder, on, _recent(looks), nearer),
        looks=len(looks),
    )


def _names(looks: Seen) -> list[str]:
    told = {name for _, signs in looks for name in signs}
    return [name for name in ORDER if name in told]


def _series(name: str, looks: Seen) -> list[tuple[int, Sign]]:
    return [(look.step, signs[name]) for look, signs in looks if name in signs]


def _symptom(name: str, looks: Seen) -> Symptom | None:
    """The sign, if it is yellow or red at the last look that could tell."""
    series = _series(name, looks)
    last, now = series[-1]
    if now.light is Light.GREEN:
        return None
    since, calm = last, 0
    for step, sign in reversed(series):
        calm = calm + 1 if sign.light is Light.GREEN else 0
        if calm >= CALM:
            break
        if not calm:
            since = step
    return Symptom(name, now.light, since, last, clean(now.words), _curve(name, series))


def _recent(looks: Seen) -> list[str]:
    """The signs that were yellow or red at one of the last few looks."""
    late = {name: _series(name, looks)[-CALM:] for name in _names(looks)}
    return [name for name, few in late.items() if any(sign.light for _, sign in few)]


def _remedies(folder: Folder, on: list[str], recent: list[str], nearer: str) -> tuple[Remedy, ...]:
    """What to try: against the signs that are on, or of a run that was lost have just been.

    Where samples still come nearer to the data, more steps go before it all, and instead of what
    is against signs of samples. A learning rate far from the usual one goes before them still,
    even where its sign has just passed.
    """
    case = Case.of(folder)
    if folder.status.state in LOST:
        return remedies(case, dict.fromkeys([*on, *recent]))
    if not nearer:
        return remedies(case, on) or rates(case, recent)
    more = young.more_steps(folder, nearer)
    others = remedies(case, [name for name in on if name not in COLLAPSE])
    first = rates(case, recent)
    told = [*first, *([] if more is None else [more]), *others]
    return tuple({one.changes: one for one in told}.values())


def _calm(looks: Seen, on: list[str]) -> Iterator[Curve]:
    """The curves of signs that are green, but for one that is always the same number."""
    for name in _names(looks):
        series = _series(name, looks)
        if name not in on and _limits(name) and len(series) > 1:
            yield _curve(name, series)


def _curve(name: str, series: list[tuple[int, Sign]]) -> Curve:
    steps, values = [step for step, _ in series], [sign.value for _, sign in series]
    return Curve(name, steps, values, _limits(name))


def course(folder: Folder) -> list[Curve]:
    """The curves of the metrics that tell most, of a run that was not looked at twice."""
    columns = folder.metrics()
    steps = [int(step) for step in columns.get("step", ())]
    names = [name for name in COURSE if name in columns]
    return [Curve(name, steps, columns[name]) for name in names if len(steps) > 1]


def _limits(name: str) -> Mapping[str, float]:
    found = getattr(Limits(), name, None)
    return {"yellow": found.yellow, "red": found.red} if isinstance(found, Limit) else {}


def _shown(symptom: Symptom, folder: Folder) -> Symptom:
    """The symptom with a finer curve, where the metrics have one: a row of them is a step."""
    if symptom.name not in _FINER:
        return symptom
    columns = folder.metrics()
    names = [name for name in _FINER[symptom.name] if name in columns]
    name = max(names, key=lambda name: _growth(columns[name]), default=None)
    if name is None:
        return symptom
    rows = zip(columns["step"], columns[name], strict=True)
    pairs = [(int(step), value) for step, value in rows if not math.isnan(value)]
    curve = Curve(name, [step for step, _ in pairs], [value for _, value in pairs])
    return Symptom(**vars(symptom) | {"curve": curve})


_FINER = {
    "finite": ("grad_norm/d", "grad_norm/g", "loss/d", "loss/g"),
}
"""Columns of the metrics that show a sign better than its own values; that which grew most."""


def _growth(values: list[float]) -> float:
    """The largest of a column, over its middle."""
    sizes = sorted(abs(value) for value in values if math.isfinite(value))
    if not sizes:
        return 0.0
    return sizes[-1] / max(sizes[len(sizes) // 2], 1e-30)


def _passed(looks: Seen) -> list[str]:
    """The signs that were on and are green again."""
    told = []
    for name in _names(looks):
        series = _series(name, looks)
        on = [step for step, sign in series if sign.light is not Light.GREEN]
        if on and series[-1][1].light is Light.GREEN:
            told.append(f"{name} was {_course(series, on)}, and is green since")
    return told


def _course(series: list[tuple[int, Sign]], on: list[int]) -> str:
    """When a sign was on, and how badly."""
    within = [sign.light for step, sign in series if on[0] <= step <= on[-1]]
    worst = max(within).word
    if len(on) == 1:
        return f"{worst} at step {on[0]:,}"
    span = f"from step {on[0]:,} to {on[-1]:,}"
    if len(set(within)) == 1:
        return f"{worst} {span}"
    return f"on at {len(on)} looks {span}, {worst} at worst"


def _early(folder: Folder, nearer: str) -> list[str]:
    """That it may be too early to tell, of a run that is not at its end."""
    early = nearer and young.more_steps(folder, nearer) is None
    return [f"{nearer}: it may be too early to tell"] if early else []


def _late(folder: Folder) -> list[str]:
    """Whether it was better before: classical networks get worse late."""
    told: dict[str, list[tuple[int, float]]] = {}
    for step, scores in folder.evaluations:
        for name, figure in scores.figures.items():
            if figure.better < 0:
                told.setdefault(name, []).append((step, figure.value))
    for name, rows in told.items():
        (step, best), last = min(rows, key=lambda row: row[1]), rows[-1][1]
        if best > 0 and last > WORSE * best:
            was = f"{clean(name)} was {best:.4g} at step {step:,} and is {last:.4g} now"
            return [f"{was}: best.safetensors has the better generator, patience=3 stops in time"]
    return []


def _blind(folder: Folder, looks: Seen, kept: bool) -> list[str]:
    """What can't be told of this run, and what to type to have it told."""
    told = []
    if not looks:
        told.append("nothing at all: there is not one row of metrics yet")
    elif not kept:
        told.append(
            "diversity of samples, classes, D on held-out data: the run has no diagnosis.jsonl "
            "(gan kept none when it was made, or diagnose.every=null), so only its gradients and "
            "losses were read"
        )
    elif not any("overfit" in look.measured for look, _ in looks):
        told.append(
            "whether D overfits: there are no held-out data, D tells too little apart, or nobody "
            "judges"
        )
    if folder.scores is None:
        told.append(
            "how good samples are: nothing was measured; gan evaluate does, or train with "
            "metric=[frechet]"
        )
    return told
