"""What a person sees of a run: a live display on a terminal, plain lines anywhere else."""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import sys
import time
import unicodedata
from collections import deque
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import rich
import rich.console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.segment import Segments
from rich.table import Table
from rich.text import Text

from gan_cli import blocks

PLAIN_EVERY = 5.0  # seconds between two plain lines
SHORT = {"loss/d": "D", "loss/g": "G", "D/real": "D(real)", "D/fake": "D(fake)"}
COLOURS = ("cyan", "magenta", "green", "yellow")
BARS = "▁▂▃▄▅▆▇█"


class Console:
    """Progress and messages, all through one rich console.

    `live` draws a display that stays at the bottom of the terminal, messages scrolling above it;
    else progress is a line every few seconds. A reader that goes away (a closed pipe or
    terminal, a full disk) never stops a run. Text is shown as it is: no markup, no controls.
    """

    def __init__(self, out: rich.console.Console, live: bool):
        self._out = out
        self._live = live
        self._view = _View(1, 0)
        self._display: Live | None = None
        self._printed = -math.inf
        self._shown = True

    @classmethod
    def make(cls) -> Console:
        """Live on a terminal that can move its cursor, outside of a sweep's worker processes."""
        out = rich.get_console()
        alone = multiprocessing.parent_process() is None
        return cls(out, alone and out.is_interactive and sys.stdout.isatty())

    @classmethod
    def silent(cls) -> Console:
        """One that shows nothing."""
        return cls(rich.console.Console(quiet=True), live=False)

    def start(self, total: int, step: int, what: str = "step") -> None:
        """Opens the progress of `total` steps, or `what` is counted, `step` of them done before."""
        self.stop()
        self._view = _View(total, step, what)
        if self._live:
            self._display = _Display(console=self._out, get_renderable=lambda: self._view)
            with _quietly():
                self._display.start(refresh=True)

    def update(self, step: int, facts: Mapping[str, float], rate: float, memory: int) -> None:
        """Shows where training is: facts by name, `rate` in images/s, `memory` in bytes."""
        self._view.update(step, facts, rate, memory)
        self._shown = self._live
        if not self._live and time.monotonic() >= self._printed + PLAIN_EVERY:
            self._line()

    def light(self, colour: str, names: Iterable[str] = ()) -> None:
        """Shows the traffic light: green, yellow or red, and the signs that make it so."""
        self._view.light = colour, tuple(names)

    def say(self, text: str) -> None:
        """A message, above the display."""
        self._print(text)

    def warn(self, text: str) -> None:
        """A message about something that is not as it should be."""
        self._print(text, ("warning: ", "yellow"))

    def error(self, text: str) -> None:
        """A message about what ended the run."""
        self._print(text, ("error: ", "bold red"))

    def preview(self, image: np.ndarray) -> None:
        """A picture `(H, W, C)` of uint8, no larger than the terminal: two pixels a character
        where there is colour, else one shade for both."""
        height = 2 * (self._out.height - 3) if self._live else len(image)
        colour = self._out.color_system is not None and not self._out.no_color
        unicode = not self._out.options.ascii_only
        lines = blocks.drawn(image, max(2, height), self._out.width, colour, unicode)
        with _quietly():
            self._out.print(Segments(lines), end="")

    def stop(self) -> None:
        """Closes the progress, which stays on the screen as it was last."""
        if self._display is not None:
            display, self._display = self._display, None
            with _quietly():
                display.stop()
        elif not self._shown:
            self._line()

    def _line(self) -> None:
        self._printed, self._shown = time.monotonic(), True
        self._print(self._view.line())

    def _print(self, text: str, before: tuple[str, str] = ("", "")) -> None:
        with _quietly():
            message = Text.assemble(before, _clean(text, self._out.encoding))
            self._out.print(message, soft_wrap=True)


class _Display(Live):
    """A live display that outlives its terminal."""

    def refresh(self) -> None:
        with _quietly():
            super().refresh()


class _View:
    """The state of progress, and its two forms: two lines of a terminal, or one plain line."""

    def __init__(self, total: int, step: int, what: str = "step"):
        self._total, self._step, self._what = total, step, what
        self._facts: dict[str, float] = {}
        self._rate = self._memory = 0.0
        self._opened = self._updated = time.monotonic()
        self._ticks = deque([(self._opened, step)], maxlen=30)  # about one a second
        self._past: dict[str, deque[float]] = {}
        self.light: tuple[str, tuple[str, ...]] = ("", ())  # its colour, and what makes it so

    def update(self, step: int, facts: Mapping[str, float], rate: float, memory: int) -> None:
        now = time.monotonic()
        weight = 1 - math.exp(-(now - self._updated) / 2) if self._rate else 1.0
        self._step, self._updated, self._memory = step, now, float(memory)
        self._rate += weight * (rate - self._rate)
        self._facts.update(facts)
        if now - self._ticks[-1][0] >= 1 or not self._past:
            self._ticks.append((now, step))
            for name, value in self._chosen():
                self._past.setdefault(name, deque(maxlen=24)).append(value)

    def line(self) -> str:
        """Everything in one line that can be understood by itself."""
        parts = [f"{self._what} {self._step}/{self._total} ({self._percent()}%)"]
        parts += [f"{self._speed()} images/s"] if self._rate else []
        parts += [f"{_duration(self._left())} left"]
        facts = [f"{label} {_number(value)}" for label, value in self._chosen()]
        parts += [
            ("loss " if {"loss/d", "loss/g"} & self._facts.keys() else "") + " ".join(facts[:2]),
            *facts[2:],
        ]
        parts += [_bytes(self._memory)] if self._memory else []
        colour, names = self.light
        parts += [f"{colour}: {', '.join(names)}" if names else colour]
        return "  ".join(part for part in parts if part)

    def __rich_console__(
        self, console: rich.console.Console, options: rich.console.ConsoleOptions
    ) -> rich.console.RenderResult:
        width = options.max_width
        digits = len(f"{self._total:,}")
        words = [
            Text(f"{self._step:>{digits},}/{self._total:,}"),
            Text(f"{self._percent():>3}%", "bold"),
            Text(f"{_duration(self._left()):>7} left", "cyan"),
            Text(f"{self._speed():>7} images/s", "green"),
            Text(f"{_duration(time.monotonic() - self._opened):>7}", "dim"),
        ]
        right = _fit(words, width - 10)
        bar = ProgressBar(self._total, self._step, width=max(1, width - len(right) - 2))
        top = Table.grid(padding=(0, 2, 0, 0))
        top.add_row(bar, right)
        yield top
        yield self._numbers(width, not options.ascii_only)

    def _numbers(self, width: int, unicode: bool) -> Text:
        """The light, the facts and the memory; what room is left shows the last seconds of the
        first two."""
        chosen = self._chosen()
        if not chosen:
            return Text("the first steps take longest", "dim", no_wrap=True)
        colour, names = self.light
        lamp = [Text(" ".join(["●" if unicode else "*", *names]), colour)] if colour else []
        words = [
            Text.assemble((f"{label} ", "dim"), (f"{_number(value):>6}", f"bold {colour}"))
            for (label, value), colour in zip(chosen, COLOURS, strict=False)
        ]
        memory = Text(f"{_bytes(self._memory):>7}" if self._memory else "", "dim")
        room = (width - len(_fit([*lamp, *words, memory], width))) // 2 - 1
        for word, (label, _), colour in zip(words, chosen[:2], COLOURS, strict=False):
            if unicode and room >= 3:
                word.append(" " + _curve(self._past.get(label, ()), min(room, 24)), colour)
        return _fit([*lamp, *words, memory], width)

    def _chosen(self) -> list[tuple[str, float]]:
        """The facts to show: the game's own, else a method's first three."""
        game = [(short, self._facts[name]) for name, short in SHORT.items() if name in self._facts]
        return game or list(self._facts.items())[:3]

    def _percent(self) -> int:
        return 100 * self._step // max(1, self._total)

    def _speed(self) -> str:
        return f"{self._rate:,.0f}" if self._rate >= 10 else f"{self._rate:.1f}"

    def _left(self) -> float | None:
        """Seconds to go at the pace of the last half minute."""
        then, step = self._ticks[0]
        if self._step <= step:
            return None
        pace = (self._updated - then) / (self._step - step)
        waited = time.monotonic() - self._updated
        return max(0.0, (self._total - self._step) * pace - waited)


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Whoever reads the output may leave; rich answers a closed pipe with SystemExit."""
    with contextlib.suppress(OSError, SystemExit):
        yield


def _clean(text: str, encoding: str) -> str:
    """The text with `?` for what the output can't show, and for controls: a stranger's text could
    move the cursor, write backwards or rename the window."""
    seen = (c if c in "\n\t" or unicodedata.category(c)[0] != "C" else "?" for c in text)
    return "".join(seen).encode(encoding, "replace").decode(encoding)


def _fit(words: list[Text], width: int) -> Text:
    """As many words as fit, from the left, two spaces apart."""
    line = Text(no_wrap=True)
    for word in words:
        gap = 2 if line else 0
        if len(line) + gap + len(word) > width:
            break
        line.append(" " * gap).append_text(word)
    return line


def _number(value: float) -> str:
    """Three decimals or four digits, six characters at most."""
    for limit, decimals in ((9.9995, 3), (99.995, 2), (999.95, 1), (99_999, 0)):
        if abs(value) < limit:
            return f"{value:.{decimals}f}"
    return f"{value:.0e}"


def _duration(seconds: float | None) -> str:
    """`1:05`, `2:03:04`, `12h 03m` or `3d 04h`: seven characters for the first 99 days."""
    if seconds is None:
        return "-:--"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 24:
        return f"{hours // 24}d {hours % 24:02}h"
    if hours >= 10:
        return f"{hours}h {minutes:02}m"
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _bytes(size: float) -> str:
    return f"{size / 1e6:.0f} MB" if size < 9.95e9 else f"{size / 1e9:.1f} GB"


def _curve(values: Iterable[float], width: int) -> str:
    """The last values as bars between their own extremes."""
    shown = [value for value in list(values)[-width:] if math.isfinite(value)]
    low, high = min(shown, default=0.0), max(shown, default=0.0)
    scale = (len(BARS) - 1) / ((high - low) or 1.0)
    return "".join(BARS[round((value - low) * scale)] for value in shown).ljust(width)
