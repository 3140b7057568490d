"""Laws of every policy: a pure function of the lights, which acts on lasting red alone."""

from __future__ import annotations

import dataclasses

import pytest

from gan_cli.diagnosis import Light
from gan_cli.diagnosis.signs import READINGS
from gan_cli.policy import Policy, Ruling
from tests.conftest import entries
from tests.games import part

POLICIES: dict[str, Policy] = {name: part("policy", name) for name in entries("policy")}
ACTING = [name for name, policy in POLICIES.items() if policy.acts]
FEW = 20


def lights(*told: Light, sign: str = "diversity") -> list[dict[str, Light]]:
    return [dict.fromkeys(READINGS, Light.GREEN) | {sign: light} for light in told]


def ends(name: str, times: int) -> Ruling:
    """What a policy does at a red that lasts, having gone back so often."""
    return POLICIES[name](lights(*[Light.RED] * FEW), times)


@pytest.mark.parametrize("name", POLICIES)
def test_nothing_is_done_about_green_and_yellow(name):
    mild = lights(*[Light.YELLOW, Light.GREEN] * FEW)
    assert POLICIES[name](mild, 0) is Ruling.GO_ON
    assert POLICIES[name]([], 0) is Ruling.GO_ON


@pytest.mark.parametrize("name", POLICIES)
def test_a_red_that_is_over_is_forgotten(name):
    assert POLICIES[name](lights(*[Light.RED] * FEW, Light.GREEN), 0) is Ruling.GO_ON


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_that_acts_does_so_at_a_red_that_lasts_and_another_never(name):
    assert (ends(name, 0) is not Ruling.GO_ON) == POLICIES[name].acts
    assert (ends(name, 0) is Ruling.GO_BACK) == POLICIES[name].returns


@pytest.mark.parametrize("name", ACTING)
@pytest.mark.parametrize("patience", [1, 2, 5])
def test_it_waits_for_so_many_looks(name, patience):
    policy = dataclasses.replace(POLICIES[name], patience=patience)
    first = next(n for n in range(FEW) if policy(lights(*[Light.RED] * n), 0) is not Ruling.GO_ON)
    assert first == patience


@pytest.mark.parametrize("name", ACTING)
def test_signs_that_do_not_count_change_nothing(name):
    policy = dataclasses.replace(POLICIES[name], signs=("duplicates",))
    assert policy(lights(*[Light.RED] * FEW), 0) is Ruling.GO_ON
    assert policy(lights(*[Light.RED] * FEW, sign="duplicates"), 0) is not Ruling.GO_ON


@pytest.mark.parametrize("name", POLICIES)
def test_no_run_goes_back_for_ever(name):
    assert POLICIES[name].failed(1000) is Ruling.STOP
    assert ends(name, 1000) is not Ruling.GO_BACK


@pytest.mark.parametrize("name", POLICIES)
def test_learning_rates_change_where_a_run_goes_back_and_only_there(name):
    factors = {POLICIES[name].factor(player) for player in ("G", "D", "E", "F", "D_A")}
    assert (factors != {1.0}) == POLICIES[name].returns
    assert all(0 < factor <= 1 for factor in factors)


@pytest.mark.parametrize("name", ACTING)
@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"patience": 0}, "1 or more"), ({"signs": ("nose",)}, "nose"), ({"signs": ()}, "null")],
)
def test_impossible_settings_are_refused(name, wrong, said):
    with pytest.raises(ValueError, match=said):
        dataclasses.replace(POLICIES[name], **wrong)
