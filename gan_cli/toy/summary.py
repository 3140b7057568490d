"""A watched run summed up: the panels of its curves, and a table."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gan_cli.metric.divergence import EXACT
from gan_cli.plot.curves import Curve, Level, Panel
from gan_cli.plot.paper import DATA, FAKE, INK

Row = dict[str, float]

ROWS = {
    "js": "JS",
    "js_by_d": "JS, as D finds it",
    "kl": "KL(data, G)",
    "kl_by_d": "KL(data, G), as D finds it",
    "reverse_kl": "KL(G, data)",
    "reverse_kl_by_d": "KL(G, data), as D finds it",
    "w1": "W1",
    "w1_by_d": "W1, as D finds it",
    "sliced_w1": "sliced W1",
    "tv": "TV",
    "tv_by_d": "TV, as D finds it",
    "slope": "largest slope of D",
    "game": "D's loss on fresh samples",
    "game_at_best": "  at the best D for this G",
    "modes": "modes found",
    "quality": "share within 3 std",
    "quality_gap": "  off a perfect sampler's",
    "modes_kl": "KL of the modes' shares",
    "spread": "std of a mode / the true one",
    "spread_least": "  of the narrowest",
    "spread_most": "  of the widest",
}
"""What a table says, and in which words."""

FORMATS = {"modes": ".0f", "quality": ".2%", "quality_gap": ".2%"}
"""How numbers are written that aren't plain."""


def panels(told: Sequence[Row], best: Row) -> list[Panel]:
    """The curves of a run, those that there are: divergence, game, modes and quality."""
    made = [_divergence(told, best, "js", "Jensen-Shannon divergence", math.log(2))]
    if "tv_by_d" in told[-1]:
        made.append(_divergence(told, best, "tv", "total variation", 1.0))
    for name, title in (("kl", "KL(data, G)"), ("reverse_kl", "KL(G, data)")):
        if f"{name}_by_d" in told[-1]:
            made.append(_divergence(told, best, name, title, math.inf))
    if "w1_by_d" in told[-1]:
        name = "Wasserstein distance W1"
        name += f", of {EXACT:,} samples" if "sliced_w1" in told[-1] else ""
        made.append(_divergence(told, best, "w1", name, None))
    if "game_at_best" in told[-1]:
        curves = [
            Curve("D, on fresh samples", _column(told, "game"), INK, "--"),
            Curve("the best D for this G", _column(told, "game_at_best"), DATA),
        ]
        made.append(Panel("D's loss", curves))
    if best.get("modes", 1) > 1:
        modes = [Curve("found", _column(told, "modes"), FAKE)]
        levels = [Level("all", best["modes"])]
        made.append(Panel("modes", modes, levels, low=0, high=1.08 * best["modes"]))
    if "quality" in told[-1]:
        share = [Curve("of G", _column(told, "quality"), FAKE)]
        levels = [Level(f"perfect: {best['perfect']:.4f}", best["perfect"])]
        made.append(Panel("samples within 3 standard deviations", share, levels, 0, 1.05))
    return made


def table(told: Sequence[Row], best: Row) -> str:
    """The numbers first, last, and those of a perfect sampler of as many samples, in columns."""
    looks = [told[0], told[-1]] if len(told) > 1 else [told[-1]]
    heads = [f"{'step ' + format(row['step'], '.0f'):>14}" for row in looks]
    lines = [f"{'':30}{''.join(heads)}{'the data itself':>17}"]
    for name, words in ROWS.items():
        if name in told[-1]:
            cells = [f"{_number(name, row.get(name)):>14}" for row in looks]
            lines.append(f"{words:30}{''.join(cells)}{_number(name, best.get(name)):>17}")
    return "\n".join(lines)


def _divergence(told: Sequence[Row], best: Row, name: str, title: str, most: float | None) -> Panel:
    curves = [Curve("true", _column(told, name), DATA)]
    if f"{name}_by_d" in told[-1]:
        found = _column(told, f"{name}_by_d")
        curves.append(Curve("as D finds it", found, INK, "--"))
        if most is None:  # of a critic, which may be as steep as it likes
            slopes = [max(slope, 1e-12) for slope in _column(told, "slope")]
            level = [value / slope for value, slope in zip(found, slopes, strict=True)]
            curves.append(Curve("over its largest slope", level, FAKE, ":"))
    levels = [Level(f"the data itself: {best[name]:.4f}", best[name])] if name in best else []
    bounded = most is not None and math.isfinite(most)
    if bounded and most:
        levels.append(Level(f"most: {most:.3f}", most))
    low = 1.1 * min(0.0, *(min(curve.values) for curve in curves))
    return Panel(title, curves, levels, low, 1.08 * most if most and bounded else None)


def _column(told: Sequence[Row], name: str) -> list[float]:
    return [row.get(name, math.nan) for row in told]


def _number(name: str, value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:{FORMATS.get(name, '.4f')}}"
