"""What `gan bench` shows: a page of a few lines and tables, 80 columns wide."""

from __future__ import annotations

from collections.abc import Sequence

from gan_cli.aligned import aligned
from gan_cli.bench.report import NEAR, Part, Report, Sized
from gan_cli.bench.timing import REST, Spread
from gan_cli.cli_page import BOLD, CYAN, DIM, GREEN, Page

BAR = "█"
WIDE = 24
"""Characters of the longest bar."""

UNCHOSEN = ("false", "torch")
"""Values that are not told where there was nothing to choose."""

TAKE = "the one to take"
RATES = "What a larger batch means for the learning rate is not measured here."


def page(report: Report, words: str) -> Page:
    """All that is known, as lines; `words` is the command without its verb."""
    made = Page.make()
    about = report.about
    circumstances = about.get("circumstances", {})
    machine = [circumstances.get(key) for key in ("device", "card", "processor")]
    made.title("gan bench", ", ".join(str(word) for word in machine if word))
    made.lines.append("")
    if words:
        made.row("Command", made.words(f"gan train {words}"))
    _training(made, report)
    _machine(made, report)
    if report.parts:
        _parts(made, report)
    if report.gains:
        _gains(made, report)
    elif report.parts:
        made.text("No fast path is on here that could be left out.")
    if report.batches:
        _batches(made, report)
    for note in report.notes:
        made.text(note)
    if report.stopped:
        made.text("Stopped by Ctrl-C: what was known by then.")
    return made


def _training(made: Page, report: Report) -> None:
    if report.rate is None or report.step is None:
        return
    rate, step = report.rate, report.step
    head = f"{made.paint(f'{number(rate.median)} images/s', BOLD, GREEN)}"
    lines = [
        f"{head}  half of {rate.count} blocks between {number(rate.low)} and {number(rate.high)}",
        f"{duration(step.median)} a step of {report.images:,} images, with its logging",
    ]
    if report.occasions and report.whole_rate:
        told = f"{number(report.whole_rate)} images/s with looks, pictures and checkpoints"
        lines += made.words(f"{told} at their intervals")
    made.row("Training", lines)
    if report.flops is not None and report.speed is not None:
        made.row("Operations", _work(made, report))
    if report.memory is not None:
        made.row("Memory", made.words(f"{size(report.memory)} {report.memory_about}"))


def _work(made: Page, report: Report) -> list[str]:
    """Operations a step, and what they are of what the hardware can do."""
    assert report.flops is not None
    assert report.speed is not None
    told = f"{flops(report.flops)}FLOP a step, {flops(report.speed)}FLOP/s"
    if report.roof is None or report.share is None:
        return made.words(told)
    roof, precision = report.roof, report.about["circumstances"].get("precision", "")
    told += (
        f": {report.share:.0%} of what plain operations reach here in {precision} (a large product "
        f"{flops(roof.product)}FLOP/s, a convolution {flops(roof.convolution)}FLOP/s)"
    )
    return made.words(told)


def _machine(made: Page, report: Report) -> None:
    about = report.about
    if not about:
        return
    length = "endless" if about["length"] is None else f"{about['length']:,}"
    weights = ", ".join(f"{name} {count:,}" for name, count in about["weights"].items())
    told = f"{length} samples of {about['samples']}, weights {weights}"
    made.row("Data", made.words(told))
    picks = [
        (f"{what}={which}", why)
        for what, which, why in report.picks
        if why or which not in UNCHOSEN
    ]
    made.row("Picked", made.table(picks))


def _parts(made: Page, report: Report) -> None:
    """Where a step's time goes, with what is done now and then."""
    now_and_then = [Part(f"{o.name} (every {o.every:,})", o.share) for o in report.occasions]
    whole = report.parts_step + sum(part.seconds for part in now_and_then)
    most = max((part.seconds for part in report.parts), default=0.0)
    rows, bars = [], []
    for part in [*_ordered(report.parts), *now_and_then]:
        name = f"  of it {part.name}" if part.of else part.name
        rows.append([name, duration(part.seconds), f"{part.seconds / max(whole, 1e-12):.1%}"])
        bars.append(round(WIDE * part.seconds / max(most, 1e-12)))
    rows.append(["a whole step", duration(whole), ""])
    bars.append(0)
    lines = _table(["where a step goes", "time", "share"], rows, "lrr", made)
    for index, (length, row) in enumerate(zip(bars, rows, strict=True), 2):
        code = DIM if row[0].startswith("  ") else CYAN
        lines[index] += f"  {made.paint(BAR * length, code)}" if length else ""
    made.lines += ["", *lines]
    if report.step is not None:
        own, above = duration(report.parts_step), duration(report.step.median)
        made.text(f"Timed one by one, in steps of their own of {own}; those above took {above}.")


def _ordered(parts: Sequence[Part]) -> list[Part]:
    """As they are, what is left over last."""
    return [*(p for p in parts if p.name != REST), *(p for p in parts if p.name == REST)]


def _gains(made: Page, report: Report) -> None:
    rows = [
        [gain.without, number(gain.rate.median), f"{gain.times.median:.2f}×", _between(gain.times)]
        for gain in report.gains
    ]
    headers = ["without", "images/s", "faster with", "half of rounds"]
    made.lines += ["", *_table(headers, rows, "lrrr", made)]


def _batches(made: Page, report: Report) -> None:
    best = report.best_batch
    rows = [_sized(one, best) for one in report.batches]
    headers = ["batch", "images/s", "half of blocks", "ms a step", "memory", "verdict"]
    made.lines += ["", *_table(headers, rows, "rrrrrl", made)]
    if best is not None:
        made.text(f"batch_size={best}: the smallest within {NEAR:.0%} of the highest rate. {RATES}")


def _sized(one: Sized, best: int | None) -> list[str]:
    if one.rate is None:
        return [f"{one.batch:,}", "", "", "", "", one.failed]
    memory = size(one.memory) if one.memory is not None else ""
    mark = TAKE if one.batch == best else ""
    rate = one.rate
    spread = f"{number(rate.low)}–{number(rate.high)}"
    step = f"{1e3 * one.images / rate.median:.3g}" if rate.median else ""
    return [f"{one.batch:,}", number(rate.median), spread, step, memory, mark]


def _table(headers: list[str], rows: list[list[str]], sides: str, made: Page) -> list[str]:
    right = [side == "r" for side in sides]
    lines, _ = aligned([headers, *rows], right, made.width - 2, 1)
    return [f"  {made.paint(line, DIM) if at < 2 else line}" for at, line in enumerate(lines)]


def _between(spread: Spread) -> str:
    return f"{spread.low:.2f}–{spread.high:.2f}"


def number(value: float) -> str:
    """Three digits that count: 7,120 for 7123."""
    if value >= 999.5:
        digits = len(f"{value:.0f}") - 3
        return f"{round(value, -digits):,.0f}"
    return f"{value:.3g}"


def duration(seconds: float) -> str:
    """Milliseconds with three digits; microseconds and seconds where that is shorter."""
    for least, factor, unit in ((1.0, 1.0, "s"), (1e-3, 1e3, "ms")):
        if seconds >= least:
            return f"{seconds * factor:#.3g} {unit}".replace(". ", " ")
    return f"{seconds * 1e6:.0f} µs"


def size(count: int) -> str:
    """Bytes with three digits."""
    return f"{count / 1e9:.3g} GB" if count >= 1e9 else f"{count / 1e6:.3g} MB"


def flops(count: float) -> str:
    """A count with its prefix, to be followed by the unit: `1.21 G`."""
    for power, prefix in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M")):
        if count >= power:
            return f"{count / power:.3g} {prefix}"
    return f"{count / 1e3:.3g} k"
