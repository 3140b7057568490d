"""Points on a line, as a histogram."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from gan_cli.plot.grid import Pixels
from gan_cli.plot.paper import FAKE, drawn, figure, headline, tidy

WIDTH, HEIGHT = 1000, 500


def histogram(points: Tensor, title: str) -> Pixels:
    """The density of points `(N, 1)` in about √N bins of equal width, `(HEIGHT, WIDTH, 3)`."""
    values = points.detach().cpu().double().numpy()[:, 0]
    reach = float(np.ptp(values))
    made = figure(WIDTH, HEIGHT)
    low, high = f"{values.min():.3g}", f"{values.max():.3g}"
    headline(made, title, f"{len(values):,} samples from {low} to {high}")
    axes = made.add_axes((0.075, 0.11, 0.9, 0.70))
    middle, half = (values.max() + values.min()) / 2, max(reach / 2, 1e-6)
    frame = (middle - half, middle + half)
    bins = int(np.clip(len(values) ** 0.5, 10, 120))
    axes.hist(values, bins=bins, range=frame, density=True, color=FAKE)
    axes.set(xlim=frame, ylabel="density")
    tidy(axes)
    return drawn(made)
