"""What docs/performance.md shows, from what `speed.py`, `growth.py` and `quality_time.py` found."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "performance.md"
RESULTS = ROOT / "benchmarks" / "results" / "speed.json"

Case = dict[str, Any]
Cases = dict[str, Case]

MODES = {
    "ours": "defaults",
    "ours, float32": "float32",
    "ours, shared fakes": "defaults, `share_fakes=true`",
    "ours, compiled": "defaults, `hardware.compile=true`",
    "ours, compiled, bfloat16": "`hardware.compile=true`, bfloat16",
}
"""Who runs, as the page calls it."""


def told(case: Case) -> str:
    """A case in one line."""
    if "percent" in case:
        p = case["percent"]
        return f"{p['median']:+.1f} % ({p['low']:+.1f} to {p['high']:+.1f} %)"
    parts = []
    for who, ratio in case["ratio"].items():
        bar = case.get("bars", {}).get(who)
        held = f", asked for {number(bar)}" if bar else ""
        parts.append(f"{who} {spread(ratio)}{held}")
    return "; ".join(parts)


def spread(ratio: Case) -> str:
    """A ratio with its quartiles."""
    low, high = number(ratio["low"]), number(ratio["high"])
    return f"{number(ratio['median'])}× ({low} to {high})"


def number(value: float) -> str:
    """Two or three digits that count: 0.48, 3.2, 41, 1,200."""
    if value >= 10:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def table(head: str, align: str, rows: list[list[str]]) -> str:
    """A table in Markdown."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([head, align, *lines])


def trainings(cases: Cases) -> str:
    """Every game: milliseconds of a step, the ratio, its bar, and what the machine allows."""
    rows = []
    for name, case in cases.items():
        if "roofline" not in case:
            continue
        for who, ratio in case["ratio"].items():
            bar, roof = case["bars"].get(who), case["roofline"][who]
            met = "" if not bar else "yes" if ratio["median"] >= bar else "no"
            plain = case["ms"].get("reference, float32") if who == "ours, float32" else None
            cells = [
                f"`{name}`",
                MODES[who],
                number(plain or case["ms"]["reference"]),
                number(case["ms"][who]),
                spread(ratio),
                f"{number(bar)}×" if bar else "",
                met,
                f"{number(roof['largest_ratio'])}×",
                f"{100 * roof['share_of_peak']:.0f} %",
                number(roof["kernels_ms"]) if "kernels_ms" in roof else "",
            ]
            rows.append(cells)
    head = (
        "| game | how | plain, ms a step | gan, ms | ratio (quartiles) | asked for | met "
        "| no faster than | share of peak | kernels alone, ms |"
    )
    return table(head, "|---|---|--:|--:|--:|--:|---|--:|--:|--:|", rows)


def memories(cases: Cases) -> str:
    """Every game: the memory of both."""
    rows = []
    for name, case in cases.items():
        if "memory" not in case:
            continue
        key = "device_mb" if "device_mb" in case["memory"]["ours"] else "peak_mb"
        plain, mine = case["memory"]["reference"], case["memory"]["ours"]
        workers = f"{plain['workers_mb']:,.0f}" if plain["workers_mb"] else ""
        cells = [plain[key], mine[key], case["ema_mb"], case["data_mb"]]
        shown = [f"{cell:,.0f}" for cell in cells]
        rows.append([f"`{name}`", shown[0], workers, *shown[1:]])
    head = "| game | plain, MB | its workers | gan, MB | the average of G | decoded images |"
    return table(head, "|---|--:|--:|--:|--:|--:|", rows)


def others(cases: Cases) -> str:
    """The cases that are not games."""
    rows = []
    for name, case in cases.items():
        if "roofline" in case or "ratio" not in case:
            continue
        for who, ratio in case["ratio"].items():
            seconds = case["seconds"]
            pair = seconds
            if isinstance(seconds.get("ours"), dict):
                pair = {key: seconds[key][who] for key in ("plain", "ours")}
            plain, mine = PAIRS.get(who, ("plain", "ours"))
            rows.append(
                [
                    f"`{name}`",
                    case["what"] if who == "ours" else who,
                    f"{number(1000 * pair[plain])} ms",
                    f"{number(1000 * pair[mine])} ms",
                    spread(ratio),
                ]
            )
    for name, case in cases.items():
        if "percent" in case:
            ms = case["ms"]
            shown = [f"{number(ms[key])} ms" for key in ("bare", "ours")]
            rows.append([f"`{name}`", case["what"], *shown, told(case)])
    head = "| case | what | plain | gan | ratio (quartiles) |"
    return table(head, "|---|---|--:|--:|--:|", rows)


PAIRS = {
    "gan --help": ("python -c pass", "gan --help"),
    "gan train, first step": ("plain, first step", "gan train, first step"),
    "against torch.save": ("torch.save", "gan, a checkpoint"),
    "against torch.save, synced": ("torch.save, synced", "gan, a checkpoint"),
}
"""Which two times a ratio is of, where they have names of their own."""


def picks(cases: Cases) -> str:
    """What gan picked by itself in each game."""
    rows = []
    for name, case in cases.items():
        if "picked" in case:
            said = ", ".join(f"{key}={value}" for key, value in case["picked"]["ours"].items())
            rows.append([f"`{name}`", said])
    return table("| game | picked |", "|---|---|", rows)


def machine(found: dict[str, Any]) -> str:
    """What it was measured on, and when."""
    here = found["machine"]
    days = sorted({case["measured"] for case in found["cases"].values()})
    peaks = [case["peak"] for case in found["cases"].values() if "peak" in case]
    best = {key: max(peak[key] for peak in peaks) / 1e9 for key in peaks[0]} if peaks else {}
    reached = " and ".join(f"{number(value)} in {key}" for key, value in best.items())
    on = here["gpu"] or f"{here['processor']} ({here['CPU capability']}), {here['cores']} cores"
    return (
        f"Measured on {' and '.join(days)}: {on}, Python {here['python']}, torch {here['torch']}."
        + (f" It reaches {reached} billion operations a second." if reached else "")
    )


def missed(cases: Cases) -> str:
    """Every bar that was not reached, with what the machine allows."""
    lines = []
    for name, case in cases.items():
        for who, bar in case["bars"].items() if "roofline" in case else ():
            ratio, roof = case["ratio"][who]["median"], case["roofline"][who]
            if bar and ratio < bar:
                lines.append(
                    f"- `{name}`, {MODES[who]}: {number(ratio)}× where {number(bar)}× was asked "
                    f"for. A step of gan's is {case['flops'][who] / 1e9:.3g} billion operations, "
                    f"{number(roof['least_ms'])} ms at the most that this machine does in "
                    f"{roof['precision']}: more than {number(roof['largest_ratio'])}× is not to be "
                    f"had. gan reaches {100 * roof['share_of_peak']:.0f} % of that." + alone(roof)
                )
    return "\n".join(lines) or "All of them are reached."


def alone(roof: Case) -> str:
    """What a step's products and convolutions leave to be had; '' where they were not measured."""
    if "kernels_ms" not in roof:
        return ""
    return (
        f" Its products and convolutions alone take {number(roof['kernels_ms'])} ms with all that "
        f"they read at hand: with torch's kernels more than "
        f"{number(roof['largest_by_kernels'])}× is not to be had."
    )


def growth(cases: Cases) -> str:
    """The curves, a picture each, with their ends in words."""
    parts = []
    for name, case in cases.items():
        ends = [
            f"{who} {plain(values[0])} → {plain(values[-1])}"
            for who, values in case["lines"].items()
        ]
        at = f"{case['at'][0]:,} to {case['at'][-1]:,}"
        parts.append(
            f"![{case['y']} against {case['x']}](images/growth-{name}.png)\n\n"
            f"{case['x']}, {at}: {'; '.join(ends)}."
        )
    return "\n\n".join(parts)


def quality(cases: Cases) -> str:
    """The curve, and when levels were first reached."""
    case = cases["mnist"]
    rows = []
    for level in next(iter(case["curves"].values()))["reached"]:
        times = [one["reached"][level] for one in case["curves"].values()]
        if any(times):
            rows.append([level, *(f"{number(t)} s" if t else "not reached" for t in times)])
    head = f"| distance | {' | '.join(case['curves'])} |"
    shown = "![distance from MNIST against seconds](images/quality-time.png)"
    return f"{shown}\n\n{table(head, '|--:|--:|--:|', rows)}"


def plain(value: float) -> str:
    """Three digits that count, and no power of ten: 45.8, 728, 33,500."""
    return f"{float(f'{value:.3g}'):,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def precisions(games: Cases) -> str:
    """The judge's figures in both precisions, and their difference over seeds."""
    rows = []
    for name, game in games.items():
        for figure, found in game["figures"].items():
            one, other = (
                f"{found[p]['mean']:.3g} ± {found[p]['deviation']:.1g}"
                for p in ("float32", "bfloat16")
            )
            gap = found["difference"]
            apart = f"{gap['mean']:+.2g} ({gap['low']:+.2g} to {gap['high']:+.2g})"
            rows.append([name, figure, one, other, apart])
    head = "| game | figure | float32 | bfloat16 | difference (95 % interval) |"
    return table(head, "|---|---|--:|--:|--:|", rows)


def sections(path: Path = RESULTS) -> dict[str, str]:
    """What stands between the marks of the page, by their names, as far as it was measured.

    path: the results of `speed.py`, beside those of the other scripts.
    """
    made: dict[str, str] = {}
    if path.is_file():
        found = json.loads(path.read_text())
        makers = {
            "training": trainings,
            "missed": missed,
            "memory": memories,
            "others": others,
            "picked": picks,
        }
        made["machine"] = machine(found)
        made |= {name: make(found["cases"]) for name, make in makers.items()}
    if (gpu := path.with_name("cuda_speed.json")).is_file():
        found = json.loads(gpu.read_text())
        told = trainings(found["cases"]), memories(found["cases"]), missed(found["cases"])
        made["cuda"] = "\n\n".join([machine(found), *told])
    if (file := path.with_name("precision.json")).is_file():
        made["precision"] = precisions(json.loads(file.read_text())["games"])
    for name, make in {"growth": growth, "quality_time": quality}.items():
        if (file := path.with_name(f"{name}.json")).is_file():
            made[name] = make(json.loads(file.read_text())["cases"])
    return made


def marked(page: str, name: str) -> str:
    """What stands between the marks of that name."""
    rest = page.partition(f"<!-- {name}: begin -->")[2]
    return rest.partition(f"<!-- {name}: end -->")[0].strip()


def write(path: Path = PAGE, results: Path = RESULTS) -> None:
    """Put into the page what was measured."""
    page = path.read_text()
    for name, text in sections(results).items():
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        between = f"{begin}\n\n{text}\n\n{end}"
        page = re.sub(f"{begin}.*?{end}", lambda _, t=between: t, page, flags=re.DOTALL)
    path.write_text(page)
