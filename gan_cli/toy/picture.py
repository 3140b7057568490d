"""A look at a game, drawn; and told in words."""

from __future__ import annotations

import numpy as np
import torch

from gan_cli.dataset.density import Modal
from gan_cli.loss import Loss, Solved
from gan_cli.metric.cells import Array
from gan_cli.metric.divergence import EXACT
from gan_cli.metric.law import Law
from gan_cli.metric.modes import from_nearest
from gan_cli.plot.grid import Pixels
from gan_cli.plot.line import Line, line
from gan_cli.plot.plane import Plane, plane
from gan_cli.toy.measure import Look, is_logit

SCALES = (1.0, 1.5, 2.25, 3.4)
"""Blurs, in that of the law, from which G's density in the plane is told for the best D."""

FEW = 5
"""Samples within reach of a blur for it to be told so finely."""


SURE = 4.0
"""The log of a density ratio at which colours end."""


def picture(look: Look, law: Law, loss: Loss, step: int) -> Pixels:
    """The game as a figure, with its numbers in words above it."""
    logit = is_logit(loss)
    said = _probability(look.field.outputs) if logit else look.field.outputs
    best = _best(look, law, loss, logit)
    text = words(look.numbers, look)
    title = f"{type(loss).__name__} on {type(law.data).__name__}, step {step:,}"
    if law.cells.axes == 1:
        return line(_line(look, law, said, best, logit), title, text)
    left, right, bottom, top = law.cells.frame
    field = look.field
    drawn = Plane(
        frame=(left, right, bottom, top),
        p=law.drawn,
        d=said,
        best=best,
        limits=_limits(loss, logit),
        probability=logit,
        made=look.x,
        pushed=field.pushed,
        push=field.push,
        close=_close(look, law),
    )
    return plane(drawn, title, text)


def words(numbers: dict[str, float], look: Look) -> str:
    """The numbers that matter most, in a line."""
    shown = {"js": "JS", "tv": "TV", "w1": "W₁"}
    kls = {"kl": "KL(data, G)", "reverse_kl": "KL(G, data)"}
    if "sliced_w1" in numbers:  # in the plane W1 is that of few samples, and not 0 for the data
        shown = {"js": "JS", "tv": "TV", "sliced_w1": "sliced W₁"}
        shown |= {"w1": f"W₁ of {EXACT:,} samples"} if "w1_by_d" in numbers else {}
    shown |= {name: label for name, label in kls.items() if f"{name}_by_d" in numbers}
    parts = []
    for name, label in shown.items():
        if name in numbers:
            by_d = numbers.get(f"{name}_by_d")
            finds = "" if by_d is None else f" (D finds {by_d:.3f})"
            parts.append(f"{label} {numbers[name]:.3f}{finds}")
    if "w1_by_d" in numbers:
        parts.append(f"slopes up to {numbers['slope']:.2g}")
    if found := look.modes:
        if found.count > 1:
            parts.append(f"{found.found} of {found.count} modes")
        parts.append(f"{found.share:.1%} within 3σ (a perfect sampler: {found.perfect:.1%})")
    return "  ·  ".join(parts)


def _line(look: Look, law: Law, said: Array, best: Array | None, logit: bool) -> Line:
    x = law.cells.centres[:, 0]
    places = look.field.cells.centres[:, 0]
    z, label = _codes(look)
    return Line(
        x=x,
        p=law.drawn / law.cells.volume,
        q=look.q / law.cells.volume,
        d=np.interp(x, places, said),
        best=best,
        probability=logit,
        bandwidth=law.blur,
        z=z,
        made=look.x[:, 0],
        z_label=label,
    )


def _close(look: Look, law: Law) -> Array | None:
    if not isinstance(law.data, Modal):
        return None
    x = torch.from_numpy(look.x)
    return from_nearest(x, law.data.means, law.data.std).numpy()


def _codes(look: Look) -> tuple[Array, str]:
    """Each code as one number: itself, or how far along the direction that tells most of x."""
    z, x = look.z.astype(np.float64), look.x[:, 0]
    if z.shape[1] == 1:
        return z[:, 0], "z is one number: G folds and stretches a line"
    onto, *_ = np.linalg.lstsq(z, x - x.mean(), rcond=None)
    along = z @ onto / max(float(np.linalg.norm(onto)), 1e-30)
    return along, f"z of {z.shape[1]} numbers, seen along the direction that tells most of x"


def _probability(output: Array) -> Array:
    return torch.from_numpy(output).sigmoid().numpy()


def _best(look: Look, law: Law, loss: Loss, logit: bool) -> Array | None:
    """What the best D says in each cell; NaN where there is neither data nor G."""
    if not isinstance(loss, Solved) or loss.relative or not look.alone:
        return None
    p, q, known = law.masses, look.q, np.zeros(look.q.shape, dtype=bool)
    # G's density is told more coarsely where nothing is found: but on a line, where it would show
    for times in SCALES[: 1 if law.cells.axes == 1 else None]:
        more = law.cells.blur(look.q, law.blur * (times**2 - 1) ** 0.5)
        enough = ~known & (p + more > _mass_of(FEW, law, times * law.blur))
        q, known = np.where(enough, more, q), known | enough
    ratio = torch.from_numpy(np.log(np.where(known, p, 1) + 1e-12) - np.log(q + 1e-12))
    said = loss.optimal(ratio)
    if logit:
        said = said.sigmoid()
    return np.where(known, said.numpy(), np.nan)


def _limits(loss: Loss, logit: bool) -> tuple[float, float] | None:
    """What the best D says where it is nearly sure, of fakes and of the data."""
    if logit:
        return 0.0, 1.0
    if not isinstance(loss, Solved):
        return None
    low, high = loss.optimal(torch.tensor([-SURE, SURE])).tolist()
    return (low, high) if low < high else None


def _mass_of(samples: float, law: Law, width: float) -> float:
    """A cell's mass when so many samples are within reach of a blur of that width."""
    reach = 2 * np.pi**0.5 * width / law.cells.width
    return samples / law.n / float(reach**law.cells.axes)
