"""Laws of every schedule: a factor from 0 to 1, whole at the start when nothing warms up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.conftest import entries
from tests.games import part

SCHEDULES = {name: part("schedule", name) for name in entries("schedule")}
ENDS = {"constant": 1.0, "linear": 0.0, "cosine": 0.0}
MIDDLES = {"constant": 1.0, "linear": 0.5, "cosine": 0.5}


@pytest.mark.parametrize("name", SCHEDULES)
def test_it_starts_at_the_rate_itself_and_never_rises(name):
    factors = [SCHEDULES[name](step / 100) for step in range(101)]
    assert factors[0] == 1
    assert factors == sorted(factors, reverse=True)
    assert min(factors) >= 0


@pytest.mark.parametrize("name", ENDS)
def test_it_ends_where_its_paper_says(name):
    factors = [SCHEDULES[name](step / 100) for step in range(101)]
    assert factors[50] == pytest.approx(MIDDLES[name])
    assert factors[-1] == pytest.approx(ENDS[name], abs=1e-12)


@pytest.mark.parametrize("name", SCHEDULES)
def test_it_warms_up_in_a_straight_line(name):
    schedule = replace(SCHEDULES[name], warmup=0.5)
    flat = SCHEDULES[name]
    assert schedule(0) == 0
    assert schedule(0.25) == pytest.approx(flat(0.25) / 2)
    assert schedule(0.75) == flat(0.75)


@pytest.mark.parametrize("name", SCHEDULES)
def test_shares_are_shares(name):
    with pytest.raises(ValueError, match="warmup is a share"):
        type(SCHEDULES[name])(warmup=2)


def test_linear_can_wait():
    later = type(SCHEDULES["linear"])(start=0.5, final=0.1)
    assert later(0.5) == 1
    assert later(0.75) == pytest.approx(0.55)
    assert later(1) == pytest.approx(0.1)
