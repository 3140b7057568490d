"""The Dirac-GAN of Mescheder et al. 2018, arXiv 1801.04406, through the game that is trained."""

from __future__ import annotations

import math

import pytest

from gan_cli.lab.dirac import METHODS, Method, rounded
from gan_cli.lab.dirac_game import eigenvalue, put, setup, step_from, trajectory

pytestmark = pytest.mark.training

AT_ONCE = "dynamics=simultaneous"
BY_NAME = {method.name: method for method in METHODS}
KNOWN = [method for method in METHODS if method.known]


def both(method: Method) -> tuple[str, ...]:
    own = any(text.startswith("dynamics=") for text in method.overrides)
    return method.overrides if own else (*method.overrides, AT_ONCE)


@pytest.mark.parametrize("method", KNOWN, ids=lambda method: method.name)
def test_the_distance_after_100_steps_is_the_known_one_to_its_last_digit(method: Method):
    path = trajectory(setup(*both(method), steps=100))
    seen = math.hypot(*path[100])
    assert rounded(seen, method.known[0]) == rounded(float(method.known[0]), method.known[0])


@pytest.mark.parametrize(
    "method", [m for m in METHODS if m.largest is not None], ids=lambda method: method.name
)
def test_a_step_turns_and_shrinks_as_the_eigenvalues_say(method: Method):
    assert eigenvalue(setup(*both(method), steps=1)) == pytest.approx(method.largest, abs=1e-4)


@pytest.mark.parametrize("loss", ["minimax", "nonsaturating", "rsgan"])
@pytest.mark.parametrize("dynamics", ["simultaneous", "alternating"])
def test_the_equilibrium_is_where_it_should_be(loss: str, dynamics: str):
    start = setup(f"loss={loss}", f"dynamics={dynamics}", steps=1)
    assert step_from(start, 0.0, 0.0).tolist() == [0.0, 0.0]


def test_the_relativistic_game_has_the_field_of_the_minimax_game_at_the_equilibrium():
    games = [setup(f"loss={loss}", AT_ONCE, steps=1) for loss in ("rsgan", "nonsaturating")]
    ends = [step_from(start, 1e-6, -2e-6) for start in games]
    assert ends[0].tolist() == pytest.approx(ends[1].tolist(), rel=1e-5)


def test_half_the_rate_spirals_out_half_as_fast():
    grown = []
    for lr in (0.2, 0.1):
        start = setup("loss=minimax", AT_ONCE, f"optimizer.lr={lr}", steps=1)
        radius = eigenvalue(start)
        grown.append(math.log(radius) / lr)
    assert grown[0] / grown[1] == pytest.approx(2, rel=0.01)


def test_a_wrong_penalty_is_noticed():
    method = BY_NAME["GAN + R1, γ = 0.3"]
    wrong = [text.replace("0.3", "0.301") for text in method.overrides]
    path = trajectory(setup(*wrong, AT_ONCE, steps=100))
    assert rounded(math.hypot(*path[100]), method.known[0]) != rounded(
        float(method.known[0]), method.known[0]
    )


def test_the_numbers_are_those_of_float64():
    start = setup("loss=minimax", AT_ONCE, steps=1)
    put(start, 1.0, 1e-12)
    assert float(step_from(start, 1.0, 1e-12)[0]) != 1.0
