"""Phase portraits of the Dirac-GAN."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from gan_cli.lab import style
from gan_cli.plot.film import film

Path = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
"""(θ, ψ) step by step, `(steps + 1, 2)`."""

REACH = 2.0
"""Half the width of a portrait."""

GOOD, BAD = "#9ee493", "#ff6b8b"
TITLE = "The Dirac-GAN: which games come to rest?"
WORDS = (
    "θ is where G puts its point (the data are at 0), ψ the slope of D, + the equilibrium.  "
    "Violet to yellow: both move at once. Blue: D, then G."
)


@dataclass(frozen=True)
class Portrait:
    """A method: its trajectories, the steps from the points of a lattice, and whether
    it came to rest.

    `field` is (θ, ψ, dθ, dψ), each a column.
    """

    name: str
    simultaneous: Path
    alternating: Path | None
    field: Path
    converged: bool


def portraits(shown: Sequence[Portrait]) -> bytes:
    """All methods side by side, as a PNG file."""
    drawn, panels = _stage(shown)
    for panel, portrait in zip(panels, shown, strict=False):
        _trail(panel, portrait.simultaneous, len(portrait.simultaneous))
        if portrait.alternating is not None:
            panel.plot(*portrait.alternating.T, color=style.REAL, linewidth=0.9, alpha=0.75)
            panel.plot(*portrait.alternating[-1], "o", color=style.REAL, markersize=4.5)
        end = portrait.simultaneous[-1]
        panel.plot(*end, "o", color="#ffe08a", markersize=6, zorder=6)
    return style.png(drawn)


def film_of(shown: Sequence[Portrait], frames: int = 60) -> bytes:
    """The simultaneous games as they go, more and more steps a frame, as an animated WebP."""
    drawn, panels = _stage(shown)
    stage = style.Stage(drawn)
    last = len(shown[0].simultaneous)
    shots = [stage.shot()]
    for step in np.unique(np.geomspace(1, last, frames).round().astype(int)):
        for panel, portrait in zip(panels, shown, strict=False):
            end = panel.plot(*portrait.simultaneous[step - 1], "o", color="#ffe08a", ms=6)
            stage.draw(panel, *_trail(panel, portrait.simultaneous, step), *end)
        stage.draw(panels[0], style.note(panels[0], f"step {step - 1}"))
        shots.append(stage.shot())
    return film(shots)


def radii(shown: Sequence[Portrait]) -> bytes:
    """The distance to the equilibrium over the steps, simultaneous and alternating."""
    drawn, panels = style.figure(
        1,
        2,
        (5.6, 4.2),
        "The Dirac-GAN: distance to the equilibrium",
        "a straight line down is convergence at a linear rate, which the paper proves with R1",
    )
    for panel, alternating in zip(panels, (False, True), strict=True):
        style.head(panel, "D, then G" if alternating else "both at once")
        for portrait, colour in zip(shown, [*style.COLOURS, "#ffffff"], strict=False):
            path = portrait.alternating if alternating else portrait.simultaneous
            if path is not None:
                distance = np.maximum(np.hypot(*path.T), 1e-12)
                line = "-" if portrait.converged else (0, (4, 1.5))
                panel.plot(distance, color=colour, linewidth=1.6, label=portrait.name, ls=line)
        panel.set(yscale="log", ylim=(1e-8, 10), xlabel="step")
    panels[0].set_ylabel("√(θ² + ψ²)")
    style.legend_below(drawn, panels[0], 5)
    return style.png(drawn)


def _stage(shown: Sequence[Portrait]) -> tuple[Figure, list[Axes]]:
    """The panels, with everything that does not move."""
    drawn, panels = style.figure(-(-len(shown) // 3), 3, (3.5, 3.45), TITLE, WORDS)
    for panel, portrait in zip(panels, shown, strict=False):
        _field(panel, portrait.field)
        panel.set(xlim=(-REACH, REACH), ylim=(-REACH, REACH), aspect="equal")
        panel.set(xticks=(-2, -1, 0, 1, 2), yticks=(-2, -1, 0, 1, 2))
        panel.plot(0, 0, "+", color=style.BRIGHT, markersize=9, markeredgewidth=1.4, zorder=7)
        panel.plot(*portrait.simultaneous[0], "o", mec=style.BRIGHT, mfc="none", ms=6, zorder=7)
        words = "converges" if portrait.converged else "does not"
        style.head(panel, portrait.name)
        panel.set_title(words, color=GOOD if portrait.converged else BAD, size=9.5, loc="right")
    for panel in panels[len(shown) :]:
        panel.set_visible(False)
    for panel in panels[-3:]:
        panel.set_xlabel("θ")
    for panel in panels[::3]:
        panel.set_ylabel("ψ", rotation=0)
    return drawn, panels


def _field(panel: Axes, field: Path) -> None:
    """An arrow along each step, all of them about as long: the stronger, the brighter."""
    x, y, dx, dy = field.T
    length = np.hypot(dx, dy)
    scale = np.sqrt(length / max(length.max(), 1e-12))
    unit = 0.5 + 0.5 * scale
    colour = colormaps["Greys_r"](0.22 + 0.33 * scale)
    safe = np.maximum(length, 1e-12)
    panel.quiver(
        x,
        y,
        dx / safe * unit,
        dy / safe * unit,
        color=colour,
        angles="xy",
        scale=22,
        width=0.0042,
        headwidth=3.6,
        headlength=4,
        headaxislength=3.6,
        pivot="mid",
        zorder=1,
    )


def _trail(panel: Axes, path: Path, steps: int) -> list:  # type: ignore[type-arg]
    """The first steps of a path, from early (dark) to late (bright)."""
    seen = path[: max(steps, 2)]
    pieces = np.stack([seen[:-1], seen[1:]], axis=1)
    colours = colormaps["plasma"](np.linspace(0.25, 0.95, len(path) - 1) ** 0.8)[: len(pieces)]
    return [panel.add_collection(LineCollection(list(pieces), colors=colours, linewidths=1.5))]
