"""Signs: what is measured of samples and of D, and when a light turns."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
import torch

from gan_cli import build, train
from gan_cli.dataset.ring import Ring
from gan_cli.diagnosis import COLLAPSE, Light, Look, light, measure
from gan_cli.diagnosis.limits import Limit, Limits
from gan_cli.diagnosis.signs import READINGS, replay, signs
from gan_cli.facts import hidden
from gan_cli.glance import Glance
from gan_cli.lately import norms
from gan_cli.session import make
from tests.conftest import ROOT
from tests.games import composed, part

GREEN, YELLOW, RED = Light.GREEN, Light.YELLOW, Light.RED


def course(*measured: dict[str, float]) -> list[dict[str, Light]]:
    """The lights of looks in turn."""
    looks = [Look(100 * n, one) for n, one in enumerate(measured, 1)]
    return [{name: sign.light for name, sign in told.items()} for told in replay(looks)]


def steady(name: str, value: float, looks: int = 8, **others: float) -> list[Light]:
    """The lights of one sign of a run that is always the same."""
    return [told[name] for told in course(*[{name: value, **others}] * looks)]


@pytest.mark.parametrize("name", COLLAPSE)
def test_the_lights_of_samples_turn_at_their_limits_and_not_before_a_run_has_begun(name):
    limit: Limit = getattr(Limits(), name)
    inside = 1.01 if limit.falls else 0.99
    assert set(steady(name, limit.yellow * inside)) == {GREEN}
    assert set(steady(name, limit.red * inside)) == {YELLOW}
    assert steady(name, limit.red) == [YELLOW] * 3 + [RED] * 5


def test_one_bad_look_is_yellow_and_two_are_red():
    values = [1.0] * 5 + [0.1, 1.0, 0.1, 0.1, 1.0]
    lights = [told["diversity"] for told in course(*[{"diversity": v} for v in values])]
    assert lights == [GREEN] * 5 + [YELLOW, GREEN, YELLOW, RED, GREEN]


def test_a_number_that_gets_better_is_not_red():
    values = [0.02 * 1.2**n for n in range(16)]
    lights = [told["diversity"] for told in course(*[{"diversity": v} for v in values])]
    assert RED not in lights
    assert lights[0] is YELLOW


def test_nothing_is_said_of_what_is_not_measured():
    told = signs([], Look(1, {}))
    assert set(told) == {"finite"}
    assert light(told) is GREEN
    assert light({}) is GREEN


def test_each_sign_has_its_words_its_value_and_the_limit_that_it_crossed():
    lost = {"diversity": 0.1, "duplicates": 0.9, "classes": 0.1, "auc": 1.0, "distance": 0.5}
    lost |= {"gradient/g": 1e-9, "first/g": 1.0, "slope": 1e-9, "overfit": 0.9}
    lost |= {"weights/g": 900.0, "begun/g": 1.0}
    spikes = [{"gradient/d": 1.0 if n < 5 else 5000.0} for n in range(1, 12)]
    *_, last = replay([Look(n, lost | spike) for n, spike in enumerate(spikes)])
    assert last.keys() == READINGS.keys()
    for name, sign in last.items():
        assert sign.light is (GREEN if name == "finite" else RED), name
        assert sign.words[0] != " "
        limit = getattr(Limits(), name, None)
        assert limit is None or sign.limit == limit.red
    assert "G" in last["weights"].words
    assert "D" in last["gradients"].words


def test_a_number_that_is_not_finite_is_red_at_once():
    assert signs([], Look(7, {"failed": 2.0}))["finite"].light is RED


def test_a_gradient_that_dies_is_told_while_d_is_sure_and_not_otherwise():
    alive = {"gradient/g": 2.0, "first/g": 3.0, "auc": 1.0}
    dead = alive | {"gradient/g": 0.001}
    assert [told["vanishing"] for told in course(alive, dead, dead)] == [GREEN, YELLOW, RED]
    unsure = dead | {"auc": 0.7}
    assert [told["vanishing"] for told in course(alive, unsure, unsure)] == [GREEN] * 3


def test_a_norm_that_runs_away_stays_red():
    values = [1.0, 1.2, 1.1, 500.0, 900.0, 700.0, 900.0, 900.0, 900.0, 900.0]
    lights = [told.get("gradients") for told in course(*[{"gradient/d": v} for v in values])]
    assert lights == [None, None, None, YELLOW, *[RED] * 6]


def test_a_quotient_beyond_all_bounds_is_a_number():
    told = signs([], Look(1, {"weights/d": 1e300, "begun/d": 1e-300}))["weights"]
    assert math.isfinite(told.value)
    assert told.light is YELLOW


def test_weights_that_have_run_away_before_the_first_look_are_seen():
    assert steady("weights", 0.0, **{"weights/g": 200.0, "begun/g": 10.0})[1] is RED


def test_a_sure_d_is_no_trouble_while_samples_get_better_or_are_good():
    better = [{"auc": 1.0, "distance": 0.9**n} for n in range(1, 12)]
    good = [{"auc": 1.0, "distance": 0.01}] * 12
    stuck = [{"auc": 1.0, "distance": 0.4}] * 12
    unsure = [{"auc": 0.8, "distance": 0.4}] * 12
    worst = [max(told["overpowering"] for told in course(*run)) for run in (better, good, unsure)]
    assert worst == [GREEN] * 3
    assert course(*stuck)[-1]["overpowering"] is RED


@pytest.mark.parametrize("wrong", ["purple", "GREEN", ""])
def test_a_light_has_one_of_three_words(wrong):
    assert [Light.of(one.word) for one in Light] == list(Light)
    with pytest.raises(ValueError, match="light"):
        Light.of(wrong)


def ring(n: int, seed: int) -> torch.Tensor:
    return Ring().sample(n, torch.Generator().manual_seed(seed))


def test_samples_of_the_law_itself_are_well():
    told = measure.of_samples(ring(256, 0), ring(256, 1), None, None)
    told |= measure.of_modes(ring(256, 0), ring(256, 1), Ring().means)
    assert told["diversity"] == pytest.approx(1, abs=0.05)
    assert told["duplicates"] < 0.05
    assert told["distance"] < 0.01
    assert told["classes"] == pytest.approx(1, abs=0.03)


def test_samples_of_one_mode_are_few_of_all_there_are():
    real = ring(256, 1)
    one = Ring().means[:1] + 0.01 * torch.randn(256, 2, generator=torch.Generator().manual_seed(0))
    told = measure.of_samples(one, real, None, None) | measure.of_modes(one, real, Ring().means)
    assert told["diversity"] < 0.05
    assert told["classes"] == pytest.approx(1 / 8, abs=0.01)
    assert told["distance"] > 0.2


def test_samples_that_are_there_twice_are_counted():
    half = ring(128, 0)
    told = measure.of_samples(torch.cat([half, half]), ring(256, 1), None, None)
    assert told["duplicates"] > 0.9
    assert told["diversity"] > 0.9


def test_within_classes_that_are_asked_for_samples_must_differ():
    asked = torch.arange(256) % 8
    real = ring(2048, 1)
    of_mode = torch.cdist(real, Ring().means).argmin(1)
    real = torch.stack([real[of_mode == label][n // 8] for n, label in enumerate(asked)])
    same = Ring().means[asked]
    assert measure.of_samples(same, real, None, None)["diversity"] > 0.9
    assert measure.of_samples(same, real, asked, None)["diversity"] == 0


def test_classes_are_those_of_the_nearest_real_samples():
    digits = build.compose("dataset=digits")
    data = build.parts(digits).dataset.load().open(256, 0, torch.device("cpu"))
    real, other = data(0), data(1)
    assert measure.of_samples(other.x, real.x, None, real.c)["classes"] == pytest.approx(1, abs=0.1)
    ones = real.x[real.c == 1][:1].expand(256, -1, -1, -1)
    few = measure.of_samples(ones, real.x, None, real.c)
    assert few["classes"] == pytest.approx(0.1, abs=0.02)
    assert (few["diversity"], few["duplicates"]) == (0, 1)


def test_large_pictures_are_looked_at_from_afar():
    x = torch.rand(16, 3, 200, 100, generator=torch.Generator().manual_seed(0))
    assert measure._flat(x).shape == (16, 3 * 32 * 32)


def test_d_is_sure_when_it_ranks_every_pair_rightly():
    real, fake = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([-1.0, 2.0])
    assert measure.auc(real, fake) == pytest.approx(4.5 / 6)
    assert measure.auc(real + 10, fake) == 1
    assert measure.auc(fake, fake) == 0.5


def test_r_v_is_0_where_d_knows_nothing_by_heart_and_1_where_it_knows_all():
    draw = torch.Generator().manual_seed(0)
    train_set, held, fake = (torch.randn(256, generator=draw) for _ in range(3))
    assert measure.overfit(train_set + 5, held + 5, fake) == pytest.approx(0, abs=0.05)
    assert measure.overfit(train_set + 5, held, fake) == pytest.approx(1, abs=0.05)
    assert measure.overfit(train_set, held, fake) is None  # D tells nothing apart
    assert measure.overfit(train_set[:3] + 5, held[:3], fake[:3]) is None


@pytest.mark.parametrize(
    ("loss", "dead"),
    [("minimax", True), ("nonsaturating", False), ("wgan", False), ("lsgan", False)],
)
def test_the_loss_that_is_flat_where_d_is_sure_is_found(loss, dead):
    value = measure.slope(part("loss", loss), torch.full((8,), 9.0), torch.full((8,), -9.0))
    assert value is not None
    assert (Limits().vanishing.light(value) is RED) == dead


def test_the_signs_need_no_torch():
    pieces = "gan_cli.diagnosis.record, gan_cli.diagnosis.signs, gan_cli.policy"
    code = f"import sys, {pieces}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "False"


def played(*overrides: str, looks: int = 6, every: int = 40) -> list[dict[str, Light]]:
    """The lights of a game that is really played, in a moment."""
    size = ("model=mlp", "model.width=32", "batch_size=32", "diagnose.n=128", "hardware.threads=1")
    config = composed(*size, f"steps={looks * every}", *overrides)
    parts = build.parts(config)
    session = make(config, parts, parts.hardware.claim())
    glance, seen, facts = Glance(session, parts, config), [], []
    for step in range(looks * every):
        train.reseed(0, step)
        told = session.step(train.batches(session, step), step)
        facts.append({name: float(value) for name, value in told.items() if not hidden(name)})
        if (step + 1) % every == 0:
            seen.append(Look(step + 1, norms(facts) | glance.begun | glance()))
            facts = []
    return [{name: sign.light for name, sign in told.items()} for told in replay(seen)]


@pytest.mark.training
@pytest.mark.parametrize(
    ("name", "provoked"),
    [
        (
            "vanishing",
            ("loss=minimax", "optimizer.d_lr=0.01", "optimizer.lr=1e-5", "ema.half_life=0"),
        ),
        ("weights", ("optimizer.lr=1.0",)),
        ("duplicates", ("optimizer.lr=0.2",)),
        ("diversity", ("optimizer.lr=1e-7", "optimizer.d_lr=1e-3")),
    ],
)
def test_a_failure_that_is_provoked_turns_its_light_red(name, provoked):
    assert RED in [told[name] for told in played(*provoked) if name in told]


@pytest.mark.training
def test_a_run_that_goes_well_ends_green_and_is_never_red():
    toy = ("model=mlp_toy", "model.width=64", "dataset=gaussian", "optimizer=adam_toy")
    lights = played(*toy, "ema.half_life=500", looks=8, every=50)
    assert RED not in {one for told in lights for one in told.values()}
    assert set(lights[-1].values()) == {GREEN}


def test_what_can_be_measured_is_a_number():
    told = measure.of_samples(ring(16, 0), ring(16, 1), None, None)
    assert all(math.isfinite(value) for value in told.values())
    assert measure.of_samples(ring(4, 0), ring(4, 1), None, None) == {}
