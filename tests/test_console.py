"""What a person sees: on a terminal, in a file, without colour, and when nobody reads."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rich
import rich.console

from gan_cli import blocks
from gan_cli import console as module
from gan_cli.console import PLAIN_EVERY, Console, _bytes, _curve, _duration, _number

GAME = {"loss/d": 1.1, "loss/g": 0.91, "D/real": 0.6, "D/fake": -0.4, "grad_norm/d": 3.0}
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
CELL = re.compile(r"\x1b\[38;2;(\d+);(\d+);(\d+)(?:;48;2;(\d+);(\d+);(\d+))?m▀")


class Clock:
    """Time that moves when it is told to."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def terminal(width: int = 80, height: int = 24, encoding: str = "utf-8", **options: Any) -> Any:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    return rich.console.Console(
        file=file, width=width, height=height, force_terminal=True, _environ={}, **options
    )


def paper(encoding: str = "utf-8") -> Any:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    return rich.console.Console(file=file, _environ={})


def written(out: Any) -> str:
    out.file.flush()
    return out.file.buffer.getvalue().decode(out.file.encoding)


def display(out: Any, console: Console) -> list[str]:
    """The lines of the live display, as text."""
    return ["".join(s.text for s in line).rstrip() for line in out.render_lines(console._view)]


def test_two_lines_of_a_terminal_of_80_columns(clock: Clock) -> None:
    out = terminal()
    console = Console(out, live=True)
    console.start(5000, 1000)
    for step in range(1020, 1201, 20):
        clock.now += 2
        console.update(step, GAME, rate=3412.4, memory=412_000_000)
    top, numbers = display(out, console)
    assert top.startswith("━━━━")
    assert top.lstrip("━╺╸ ").split() == (
        ["1,200/5,000", "24%", "6:20", "left", "3,412", "images/s", "0:20"]
    )
    assert re.sub("[▁▂▃▄▅▆▇█]+ *", "| ", numbers) == (
        "D  1.100 | G  0.910 | D(real)  0.600  D(fake) -0.400   412 MB"
    )
    assert (len(top), len(numbers)) == (80, 79)
    console.stop()


def test_widths_do_not_jump(clock: Clock) -> None:
    out = terminal()
    console = Console(out, live=True)
    console.start(10_000, 0)
    places = set()
    for step, size in [(1, 0.001), (20, 9.99999), (9_999, -99.9999), (10_000, 123_456_789.0)]:
        clock.now += 7
        console.update(step, dict.fromkeys(GAME, size), rate=min(abs(size), 99_999), memory=10**8)
        lines = display(out, console)
        assert [len(line) for line in lines] == [80, 79]
        places.add(tuple(lines[1].index(word) for word in ("D ", "G ", "D(real)", "D(fake)")))
        places.add((lines[0].index("/10,000"), lines[0].index("left"), lines[0].index("images")))
    assert len(places) == 2
    console.stop()


@pytest.mark.parametrize("width", [1, 5, 10, 20, 40, 61, 79, 80, 81, 120, 300])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_it_fits_any_width(clock: Clock, width: int, encoding: str) -> None:
    out = terminal(width, encoding=encoding)
    console = Console(out, live=True)
    console.start(5000, 0)
    for step in range(3):
        clock.now += 2
        assert len(display(out, console)) == 2
        console.update(step, GAME, rate=3412, memory=10**8)
        assert len(display(out, console)) == 2
        assert all(len(line) <= width for line in display(out, console))
    console.stop()
    assert written(out).isascii() == (encoding == "ascii" or width == 1)


def test_the_last_state_stays_on_the_screen_below_the_messages(clock: Clock) -> None:
    out = terminal()
    console = Console(out, live=True)
    console.start(100, 0)
    clock.now += 3
    console.update(100, GAME, rate=10, memory=10**8)
    console.warn("look out")
    console.stop()
    console.say("done")
    text = ESCAPES.sub("", written(out))
    assert text.index("look out") < text.rindex("100/100  100%") < text.index("done")
    assert "0:00 left" in text
    assert not out._live_stack


@pytest.mark.parametrize(
    ("facts", "shown"),
    [
        (GAME, ["D", "G", "D(real)", "D(fake)"]),
        ({"grad_norm/d": 1.0, "loss/g": 2.0}, ["G"]),
        ({"elbo": 1.0, "kl": 2.0, "likelihood": 3.0, "fourth": 4.0}, ["elbo", "kl", "likelihood"]),
    ],
)
def test_which_facts_are_shown(clock: Clock, facts: dict[str, float], shown: list[str]) -> None:
    for out, live in ((terminal(100), True), (paper(), False)):
        console = Console(out, live)
        console.start(10, 0)
        console.update(1, facts, rate=1, memory=0)
        line = display(out, console)[1] if live else written(out)
        console.stop()
        line = re.sub("[▁▂▃▄▅▆▇█]+", "", line)
        assert [word for word, _ in re.findall(r"([^\s]+) +(-?\d\.\d{3})", line)] == shown


def test_a_fact_that_is_late_leaves_the_others_in_place(clock: Clock) -> None:
    console = Console(terminal(), live=False)
    console.start(10, 0)
    console.update(1, {"loss/d": 1.0, "loss/g": 2.0}, rate=1, memory=0)
    console.update(2, {"loss/d": 3.0}, rate=1, memory=0)
    assert "loss D 3.000 G 2.000" in console._view.line()


def test_plain_lines_say_everything_and_come_seldom(clock: Clock) -> None:
    out = paper()
    console = Console(out, live=False)
    console.start(5000, 1000)
    for step in range(1020, 1301, 20):
        clock.now += 1
        console.update(step, GAME, rate=3412.4, memory=412_000_000)
    first, second, third = written(out).splitlines()
    assert first == (
        "step 1020/5000 (20%)  3,412 images/s  3:19 left  "
        "loss D 1.100 G 0.910  D(real) 0.600  D(fake) -0.400  412 MB"
    )
    assert (second[:14], third[:14]) == ("step 1120/5000", "step 1220/5000")
    console.stop()
    console.stop()
    assert written(out).splitlines()[3].startswith("step 1300/5000")
    assert len(written(out).splitlines()) == 4
    assert PLAIN_EVERY == 5


def test_what_is_counted_may_be_no_steps(clock: Clock) -> None:
    out = paper()
    console = Console(out, live=False)
    console.start(5000, 0, "image")
    console.update(1000, {}, rate=10, memory=0)
    assert written(out).startswith("image 1000/5000 (20%)")


def test_messages_are_text_and_nothing_else() -> None:
    hostile = "[bold]x[/bold] [link=file:///etc/passwd]y\x1b[2J\x07\x9b1m\u202e\udcff " + "z" * 200
    for out in (terminal(), paper()):
        console = Console(out, live=False)
        for send in (console.say, console.warn, console.error):
            send(hostile)
        lines = ESCAPES.sub("", written(out)).splitlines()
        shown = "[bold]x[/bold] [link=file:///etc/passwd]y?[2J??1m?? " + "z" * 200
        assert lines == [shown, f"warning: {shown}", f"error: {shown}"]
        assert "\x1b]8" not in written(out)


def test_an_output_that_knows_only_ascii_gets_ascii() -> None:
    out = paper("ascii")
    Console(out, live=False).say("λ → done\tnow\nhere")
    assert written(out) == "? ? done        now\nhere\n"


def picture(height: int, width: int, channels: int = 3) -> np.ndarray:
    generator = np.random.default_rng(0)
    return generator.integers(0, 256, (height, width, channels), dtype=np.uint8)


@pytest.mark.parametrize("height", [1, 6, 7])
def test_a_preview_has_the_colour_of_every_pixel(height: int) -> None:
    out = terminal(color_system="truecolor")
    image = picture(height, 10)
    Console(out, live=False).preview(image)
    lines = written(out).splitlines()
    cells = [CELL.findall(line) for line in lines]
    pixels = np.zeros((2 * len(lines), 10, 3), np.uint8)
    for y, row in enumerate(cells):
        assert len(row) == 10
        for x, cell in enumerate(row):
            pixels[2 * y, x] = cell[:3]
            pixels[2 * y + 1, x] = [v or 0 for v in cell[3:]]
    assert np.array_equal(pixels[:height], image)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [(300, 500), (1000, 3), (3, 1000), (1, 1)])
def test_a_preview_fits_the_terminal_and_keeps_its_light(
    size: tuple[int, int], channels: int
) -> None:
    out = terminal(80, 24, color_system="truecolor")
    image = picture(*size, channels)
    console = Console(out, live=True)
    console.preview(image)
    lines = ESCAPES.sub("", written(out)).splitlines()
    assert len(lines) <= 21
    assert {len(line) for line in lines} <= set(range(1, 81))
    small = blocks.shrunk(image, 42, 80)
    light = image[..., :3] if channels > 2 else image[..., :1]
    assert small.mean() == pytest.approx(light.mean(), abs=3)
    assert small.shape[2] == 3


@pytest.mark.parametrize(
    ("out", "shades"),
    [
        (paper(), " ░▒▓█"),
        (paper("ascii"), " .:-=+*#%@"),
        (terminal(no_color=True), " ░▒▓█"),
        (terminal(encoding="ascii"), " .:-=+*#%@"),
    ],
)
def test_a_preview_without_colour_is_shaded(out: Any, shades: str) -> None:
    ramp = np.linspace(0, 255, 40).astype(np.uint8)
    Console(out, live=False).preview(np.broadcast_to(ramp[None, :, None], (4, 40, 1)))
    first, second = ESCAPES.sub("", written(out)).splitlines()
    assert first == second
    assert "".join(dict.fromkeys(first)) == shades
    assert first == "".join(sorted(first, key=shades.index))


def test_fewer_colours_are_used_where_there_are_fewer() -> None:
    out = terminal(color_system="256")
    Console(out, live=False).preview(picture(2, 4))
    assert written(out).count("\x1b[38;5;") == 4
    assert "38;2;" not in written(out)


def test_numbers_keep_their_width_and_their_meaning() -> None:
    for power in np.linspace(-6, 38, 2001):
        for value in (10**power, -(10**power)):
            text = _number(float(value))
            assert len(text) <= 6
            assert float(text) == pytest.approx(
                value, rel=0.5 if abs(value) > 1e4 else 1e-3, abs=5e-4
            )
    assert [_number(v) for v in (0, float("nan"), float("-inf"))] == ["0.000", "nan", "-inf"]


def test_durations_and_sizes() -> None:
    for seconds, text in {
        None: "-:--",
        0: "0:00",
        5: "0:05",
        59.6: "1:00",
        3599: "59:59",
        3600: "1:00:00",
        35999: "9:59:59",
        36000: "10h 00m",
        86399: "23h 59m",
        86400: "1d 00h",
        1e6: "11d 13h",
    }.items():
        assert _duration(seconds) == text
    assert [_bytes(b) for b in (412e6, 9.9e9, 80e9)] == ["412 MB", "9900 MB", "80.0 GB"]


def test_a_curve_spans_the_bars() -> None:
    assert _curve(range(8), 8) == "▁▂▃▄▅▆▇█"
    assert _curve(range(8), 3) == "▁▅█"
    assert _curve([2.0, float("nan"), 2.0], 4) == "▁▁  "
    assert _curve([], 2) == "  "


def test_the_time_left_follows_the_pace_and_counts_down(clock: Clock) -> None:
    console = Console(paper(), live=False)
    console.start(1000, 0)
    assert "-:-- left" in console._view.line()
    for step in range(1, 101):
        clock.now += 1 if step <= 50 else 2
        console.update(step, GAME, rate=1, memory=0)
    assert "30:00 left" in console._view.line()
    clock.now += 10
    assert "29:50 left" in console._view.line()


def test_bars_only_where_they_can_move(monkeypatch: pytest.MonkeyPatch) -> None:
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    made = {}
    for name, file, term in [
        ("terminal", Screen(), "xterm"),
        ("dumb", Screen(), "dumb"),
        ("file", io.StringIO(), "xterm"),
    ]:
        out = rich.console.Console(file=file, _environ={"TERM": term})
        monkeypatch.setattr(rich, "get_console", lambda out=out: out)
        monkeypatch.setattr(sys, "stdout", file)
        made[name] = Console.make()._live
        assert Console.make()._out is out
    assert made == {"terminal": True, "dumb": False, "file": False}
    monkeypatch.setattr(sys, "stdout", Screen())
    out = rich.console.Console(file=Screen(), _environ={"TERM": "xterm"})
    monkeypatch.setattr(rich, "get_console", lambda: out)
    assert Console.make()._live
    monkeypatch.setattr(module.multiprocessing, "parent_process", lambda: "a parent")
    assert not Console.make()._live


OWN_TERMINAL = """
import fcntl, signal, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
"""

TALK = """
import sys, time, pathlib
from gan_cli import console as module
from gan_cli.console import Console
from gan_cli.signals import Interrupt
module.PLAIN_EVERY = 0.0
with Interrupt() as interrupt:
    console = Console.make()
    console.start(100, 0)
    for step in range(100):
        time.sleep(0.01)
        console.update(step + 1, {"loss/d": 1.0}, 1.0, 1)
    console.stop()
    console.say("saved")
pathlib.Path(sys.argv[1]).write_text(f"{console._live} {interrupt.signum}")
"""


def test_a_closed_pipe_does_not_stop_a_run(tmp_path: Path) -> None:
    talk = subprocess.Popen(
        [sys.executable, "-c", TALK, tmp_path / "end"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert talk.stdout is not None
    assert talk.stderr is not None
    assert talk.stdout.readline().startswith(b"step 1/100")
    talk.stdout.close()
    assert talk.stderr.read() == b""
    talk.stderr.close()
    assert talk.wait(10) == 0
    assert (tmp_path / "end").read_text() == "False None"


def test_a_terminal_that_hangs_up_does_not_stop_a_run(tmp_path: Path) -> None:
    screen, keyboard = os.openpty()
    talk = subprocess.Popen(
        [sys.executable, "-c", OWN_TERMINAL + TALK, tmp_path / "end"],
        stdin=keyboard,
        stdout=keyboard,
        stderr=keyboard,
        env={**os.environ, "TERM": "xterm"},
        start_new_session=True,
    )
    os.close(keyboard)
    seen = b""
    while b"images" not in seen:
        seen += os.read(screen, 4096)
    os.close(screen)
    assert talk.wait(10) == 0
    assert (tmp_path / "end").read_text() == f"True {signal.SIGHUP.value}"
