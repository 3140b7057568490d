"""What pyproject.toml asks for, and the oldest version of each that it allows, for pip.

    python -m tests.bounds > oldest.txt
    pip install --constraint oldest.txt --editable ".[dev]"

`make lowest` does that and runs the tests. Nothing but Python need be there.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"
REQUIREMENT = re.compile(r"([\w.-]+)(?:\[([\w,-]+)\])?((?:[<>=!~]=?[\w.*]+,?)*)", re.ASCII)


def required(extras: bool = True) -> dict[str, str]:
    """The bounds of each dependency by its name, `>=1.3.8,<1.4`; with those of the extras."""
    project = tomllib.loads(PROJECT.read_text())["project"]
    texts = list(project["dependencies"])
    for extra in project["optional-dependencies"].values() if extras else ():
        texts += extra
    found = {}
    for text in texts:
        match = REQUIREMENT.fullmatch(text)
        if match is None:
            raise ValueError(f"pyproject.toml asks for {text!r}, which is no NAME>=VERSION")
        if match[1] != project["name"]:  # which asks for its own extras
            found[match[1]] = match[3]
    return found


def oldest(bounds: str) -> str:
    """The version that a requirement begins with: `>=1.3.8,<1.4` gives `1.3.8`."""
    match = re.match(r">=([\w.]+)(?:,|$)", bounds)
    if match is None:
        raise ValueError(f"{bounds!r} does not begin with >=VERSION")
    return match[1]


if __name__ == "__main__":
    for name, bounds in required().items():
        print(f"{name}=={oldest(bounds)}")
