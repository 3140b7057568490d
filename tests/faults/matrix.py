"""The matrix of faults: its rows, and the table that a campaign's tallies make.

GAN_FAULTS=full GAN_TALLY=tally.jsonl python -m pytest tests/faults
python -m tests.faults.matrix tally.jsonl
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from tests.conftest import ROOT

ROWS = {
    "Resumption": ["R1", "R2", "R3", "R4", "R9"],
    "The disk, and sudden ends": [f"C{number}" for number in range(1, 16)],
    "Signals": [f"S{number}" for number in range(1, 7)],
    "Numbers": [f"N{number}" for number in range(1, 9)],
    "Data": [f"D{number}" for number in range(1, 21)],
    "Ranks": [f"P{number}" for number in range(1, 6)],
    "Other circumstances": [f"E{number}" for number in range(1, 5)],
    "Files from strangers": [f"H{number}" for number in range(1, 9)],
    "Long runs": ["L1", "L2"],
}
"""The rows of each part. Those of strangers: H1 pickles, H2 safetensors, H3 metadata, H4 paths,
H5 configurations and data, H6 what a page or a terminal would obey, H7 mutated files, H8 the local
page. L1 is the soak of an hour, L2 the sweep of 200 jobs."""

PAGE = ROOT / "docs" / "reliability.md"
RESULTS = ROOT / "benchmarks" / "results" / "reliability.json"
BEGIN, END = "<!-- matrix: begin -->", "<!-- matrix: end -->"


def gathered(lines: list[str]) -> list[dict[str, Any]]:
    """One row a fault, in the order of ROWS; of tests of the same fault the counts are added.

    Tests of one row in several campaigns: the last count of each test stands.
    """
    last = {}
    for line in lines:
        row = json.loads(line)
        last[row["id"], row["fault"], row["test"]] = row
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in last.values():
        key = row["id"], row["fault"]
        before = found.get(key)
        found[key] = _added(before, row) if before else row
    order = [name for names in ROWS.values() for name in names]
    told = sorted(found.values(), key=lambda row: (order.index(row["id"]), row["fault"]))
    return [{name: value for name, value in row.items() if name != "test"} for row in told]


def _added(row: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """A row with the counts of another test of the same fault, and what other words it has."""
    counts = {name: row[name] + more[name] for name in ("tried", "survived")}
    words = {
        name: row[name] if more[name] in row[name] else f"{row[name]}; {more[name]}"
        for name in ("injection", "sees")
    }
    return row | counts | words


def table(rows: list[dict[str, Any]]) -> str:
    """The matrix in Markdown, a table for each part."""
    head = "| | fault | how it is injected | tried | survived | what the user sees |"
    parts = []
    for part, names in ROWS.items():
        here = [row for row in rows if row["id"] in names]
        keys = ("id", "fault", "injection", "tried", "survived", "sees")
        lines = [f"| {' | '.join(_shown(row[key]) for key in keys)} |" for row in here]
        if lines:
            told = "\n".join([head, "|---|---|---|---:|---:|---|", *lines])
            parts.append(f"### {part}\n\n{told}")
    return "\n\n".join(parts)


def _shown(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value).replace("|", "\\|")


def main(argv: list[str]) -> int:
    """Add a campaign's tallies to the results, and write the table into the page."""
    lines = [line for path in argv for line in Path(path).read_text().splitlines()]
    rows = gathered(lines)
    text = json.dumps(rows, indent=1, ensure_ascii=False)
    RESULTS.write_text(f"{text}\n")
    page = PAGE.read_text()
    between = f"{BEGIN}\n\n{table(rows)}\n\n{END}"
    PAGE.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: between, page, flags=re.DOTALL))
    missing = [name for names in ROWS.values() for name in names]
    missing = [name for name in missing if name not in {row["id"] for row in rows}]
    print(f"{len(rows)} rows; not tried: {', '.join(missing) or 'none'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
