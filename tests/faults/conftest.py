"""What a test of a fault can ask for: how often to inject it, and a place for what came of it.

A test says which row of the matrix it is, what goes wrong and how that is brought about:

    @pytest.mark.fault("C1", "killed while it saves", "kill -9 at a random moment of a save")
    def test_…(times, tally):
        for seed in range(times(3, 200)):
            …
        tally(tried, survived, "the newest checkpoint before is used, and said so")

`times` is the first number in the suite, and the second where GAN_FAULTS=full. With
GAN_TALLY=FILE every count is added to that file, from which `python -m tests.faults.matrix FILE`
makes the table of docs/reliability.md.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gan_cli import train as training
from tests.faults.dying import done
from tests.faults.lives import EVENTFUL, FULL, LOST, PLAIN, WATCHED, stopped, train
from tests.faults.nursery import Nursery
from tests.games import composed


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """Where commands are started as processes of their own in a moment."""
    with Nursery.open() as opened:
        yield opened


@pytest.fixture
def times() -> Callable[[int, int], int]:
    """How often to inject a fault: a few times in the suite, many in the whole campaign."""

    def chosen(few: int, many: int) -> int:
        return many if os.environ.get("GAN_FAULTS") == "full" else few

    return chosen


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Callable[[int, int, str], None]:
    """Takes down how often the fault was tried and survived, and what the user sees.

    The test fails where one was not survived.
    """
    marker = request.node.get_closest_marker("fault")
    assert marker is not None, "a test that tallies says which fault it is of"
    name, fault, injection = marker.args

    def take(tried: int, survived: int, sees: str) -> None:
        row = {"id": name, "fault": fault, "injection": injection, "test": request.node.name}
        told = json.dumps({**row, "tried": tried, "survived": survived, "sees": sees})
        if path := os.environ.get("GAN_TALLY"):
            with open(path, "a") as file:  # noqa: PTH123, one write at the end of the file
                file.write(told + "\n")
        assert tried > 0
        assert survived == tried, told

    return take


@pytest.fixture(scope="session")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing happened to."""
    directory = tmp_path_factory.mktemp("disk") / "straight"
    composed(*PLAIN)
    train(directory, *FULL)
    return directory


@pytest.fixture(scope="session")
def lives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs that nothing happened to, and the same runs, killed on their way."""
    where = tmp_path_factory.mktemp("lives")
    for overrides in (WATCHED, EVENTFUL):
        composed(*overrides)
    train(where / "watched", *WATCHED)
    said = where / "said"
    assert done(lambda: train(where / "eventful", *EVENTFUL), said) == LOST
    stopped(where / "cut", 10, said, *WATCHED)
    back = where / "back"

    def returned() -> None:  # killed when it has gone back and is on its way again
        pace, seen = training._pace, 0

        def paced(session: Any, step: int) -> dict[str, float]:
            nonlocal seen
            seen += step == 8
            if seen == 2 and step == 9:
                os.kill(os.getpid(), signal.SIGKILL)
            return pace(session, step)

        training._pace = paced
        train(back, *EVENTFUL)

    assert done(returned, said) == -signal.SIGKILL
    return where
