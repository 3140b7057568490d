"""The laboratory on likelihood, modes, pixels and failures, as far as it is quick."""

from __future__ import annotations

import math

import pytest
import torch

from gan_cli.lab import failures, mle, modes, pixels
from gan_cli.lab.pixels_picture import Judged
from gan_cli.theory.divergence import DIVERGENCES
from gan_cli.theory.fit import fit_gaussian
from gan_cli.theory.measure import Grid, kl, reverse_kl

GRID = Grid.line(-12.0, 12.0, 800)
LOG_P = GRID.table(mle.DATA.log_prob)


def test_maximum_likelihood_has_one_minimum_the_moments_of_the_data() -> None:
    (q,) = mle._minima(kl, GRID, LOG_P)
    assert q.mean == pytest.approx(0.65 * -2 + 0.35 * 2, abs=1e-3)
    assert q.std == pytest.approx(math.sqrt(0.6**2 + 0.65 * 0.35 * 4**2), abs=1e-3)


def test_reverse_kl_has_a_minimum_on_either_mode_and_none_between() -> None:
    minima = mle._minima(reverse_kl, GRID, LOG_P)
    best = fit_gaussian(DIVERGENCES["reverse_kl"], LOG_P, GRID).q
    assert min(mle._apart(q, best) for q in minima) < 1e-3
    assert sorted(round(q.mean) for q in minima) == [-2, 2]
    assert all(q.std < 0.7 for q in minima)


def test_em_with_one_gaussian_is_maximum_likelihood() -> None:
    fitted = mle._em(1, GRID, LOG_P, seed=0)
    assert fitted.kl == pytest.approx(fit_gaussian(DIVERGENCES["kl"], LOG_P, GRID).value, abs=3e-3)
    entropy = -float(GRID.weights @ (LOG_P.exp() * LOG_P))
    assert fitted.likelihood == pytest.approx(-entropy - fitted.kl, abs=0.03)


@pytest.fixture(scope="module")
def digits() -> torch.Tensor:
    return pixels._inked(pixels._digits("test"))


def test_every_corruption_has_the_same_squared_error(digits: torch.Tensor) -> None:
    shown = pixels.corruptions(digits, torch.Generator().manual_seed(0))
    assert set(shown) == {"shifted", *pixels.UNFORGIVEN}
    errors = torch.stack([(x - digits).square().flatten(1).sum(1) for x in shown.values()])
    torch.testing.assert_close(errors, errors[:1].expand_as(errors), rtol=1e-4, atol=0.0)
    assert float(errors.min()) > 1


def test_a_shift_moves_a_digit_by_one_pixel_to_either_side(digits: torch.Tensor) -> None:
    shifted = pixels.corruptions(digits, torch.Generator().manual_seed(0))["shifted"]
    left = (shifted[..., :-1] == digits[..., 1:]).flatten(1).all(1)
    right = (shifted[..., 1:] == digits[..., :-1]).flatten(1).all(1)
    assert bool((left | right).all())
    assert 0.4 < float(left.double().mean()) < 0.6


def test_a_stroke_goes_missing_where_there_was_one_and_a_blot_adds_ink(
    digits: torch.Tensor,
) -> None:
    shown = pixels.corruptions(digits, torch.Generator().manual_seed(0))
    assert bool((shown["missing stroke"] <= digits).all())
    assert bool((shown["blot"] >= digits).all())


def test_what_scores_alike_is_a_coin_to_a_judge() -> None:
    a, b = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([0.0, 2.0, 1.5])
    judged = Judged(0, {}, {"D": {"a": a, "b": b, "c": a + 1e-7}})
    assert judged.auc("D", "a", "b") == pytest.approx((6 + 0.5) / 9)
    assert judged.auc("D", "b", "a") == pytest.approx(1 - (6 + 0.5) / 9)
    assert judged.auc("D", "a", "c") == pytest.approx(0.5)


def test_batch_norm_with_a_penalty_is_refused_with_the_flag() -> None:
    assert failures.FLAG in failures._refused()


def test_a_slope_through_batch_norm_depends_on_the_neighbours() -> None:
    case = next(one for one in failures.FAILURES if one.cure == failures.FLAG)
    ill = case.measure(case.provoked, 3)
    well = case.measure((*case.provoked, case.cure), 3)
    assert ill.value > case.ill
    assert well.value < case.well


@pytest.mark.parametrize("case", failures.FAILURES, ids=lambda case: case.name)
def test_the_limits_of_a_failure_leave_room_between(case: failures.Failure) -> None:
    assert case.ill != case.well
    assert not case.verdict(case.well, case.ill)
    assert not case.verdict(case.ill, case.well)


def test_every_method_of_the_table_of_modes_can_be_composed() -> None:
    for method in modes.METHODS:
        made = modes.build.parts(modes.build.compose(*modes.RING.overrides, *method.overrides))
        assert made.dataset.shape == (2,)


def test_a_perfect_sampler_reaches_the_bars_and_a_shrunken_one_does_not() -> None:
    law = modes.build.parts(modes.build.compose(*modes.GRID.overrides)).dataset
    x = law.sample(modes.SAMPLES, torch.Generator().manual_seed(0))
    for data, reaches in ((x, True), (law.means.repeat(400, 1), False)):
        score = modes.modes(data, law.means, law.std)
        one = modes.Played("grid", "", 0, 0, data, law.means, law.std, score)
        assert modes._reaches(one, modes.GRID) is reaches
