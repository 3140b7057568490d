"""Metrics where the answer is known: closed forms, simulated errors, and what they can't see."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from gan_cli.metric import Exam, Sight, Untrue, frechet
from gan_cli.metric.classes import Classes
from gan_cli.metric.kid import KID, kid
from gan_cli.metric.labels import Labels
from gan_cli.metric.prdc import PRDC, prdc
from gan_cli.metric.score import Score, score
from gan_cli.theory import interval
from tests.sights import randn


class Given:
    """An extractor that sees samples as they are; the greatest number is the class."""

    name, sha256, resize, about = "given", "0" * 64, "none", ""

    def __init__(self, classes: int = 0):
        self.classes = tuple(map(str, range(classes)))

    def features(self, x: Tensor) -> Tensor:
        return x

    def probabilities(self, x: Tensor) -> Tensor:
        return x.softmax(1)


def exam(real: Tensor, fake: Tensor, c: Tensor | None = None, classes: int = 0) -> Exam:
    extractor = Given(classes)
    return Exam(Sight(real, None, extractor), Sight(fake, c, extractor))


def test_frechet_of_like_gaussians_is_its_bias():
    """2.21 in 64 dimensions at n = 1000, 0.22 at 10,000."""
    told = [frechet.distance(randn(1000, 64, seed=2 * i), randn(1000, 64, seed=2 * i + 1))
            for i in range(3)]  # fmt: skip
    assert sum(told) / 3 == pytest.approx(2.21, rel=0.05)


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (1.2, 0.1)])
def test_the_error_of_frechet_is_that_of_other_samples(scale: float, shift: float):
    real, told = randn(2000, 8), []
    for seed in range(60):
        fake = scale * randn(300, 8, seed=seed + 1) + shift
        told.append(frechet.Frechet()(exam(real, fake))["frechet"])
    values = torch.tensor([one.value for one in told])
    errors = torch.tensor([one.error for one in told])
    assert float(errors.mean() / values.std()) == pytest.approx(1.2, abs=0.35)


def test_the_error_of_frechet_is_the_jackknife_s():
    whole = exam(randn(2000, 8), 1.2 * randn(500, 8, seed=1) + 0.1)
    metric = frechet.Frechet()
    parts = [metric(whole.without(b, 50))["frechet"].value for b in range(50)]
    error = metric(whole)["frechet"].error
    assert error == pytest.approx(interval.jackknife(parts) / interval.student(49), rel=0.2)


def test_kid_has_no_bias():
    values = torch.tensor([kid(randn(60, 8, seed=2 * i), randn(60, 8, seed=2 * i + 1), 1, 60)[0]
                           for i in range(300)])  # fmt: skip
    assert abs(float(values.mean())) < 3 * float(values.std()) / math.sqrt(300)
    assert float(values.min()) < 0


@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_the_error_of_kid_is_that_of_other_samples(shift: float):
    real, told = randn(300, 8), []
    for seed in range(60):
        fake = randn(300, 8, seed=seed + 1) + shift
        told.append(KID(20, 100)(exam(real, fake))["kid"])
    values = torch.tensor([one.value for one in told])
    errors = torch.tensor([one.error for one in told])
    assert float(errors.mean() / values.std()) == pytest.approx(1.15, abs=0.3)


def test_coverage_and_density_of_the_same_law_are_known():
    """E[coverage] = 1 - 2^-k and density 1, of as many fakes as real samples."""
    told = prdc(randn(1500, 8), randn(1500, 8, seed=1), 5)[0]
    assert told["coverage"] == pytest.approx(1 - 2**-5, abs=0.015)
    assert told["density"] == pytest.approx(1, abs=0.05)


def test_precision_and_density_are_blind_to_what_lies_amidst_everything():
    """Which is where noise lies in features of a classifier: recall and coverage see it."""
    told = prdc(randn(500, 8), 0.1 * randn(500, 8, seed=1), 5)[0]
    assert told["precision"] == 1
    assert told["density"] > 2
    assert told["recall"] < 0.05
    assert told["coverage"] < 0.3


def test_only_so_many_samples_are_looked_at():
    real, fake = randn(300, 4), randn(300, 4, seed=1)
    few = PRDC(most=100)(exam(real, fake))
    assert few == PRDC()(exam(real[:100], fake[:100]))


def test_score_of_sure_and_even_guesses_is_the_number_of_classes():
    sure = torch.eye(10).repeat(20, 1)
    assert score(sure) == pytest.approx(10, rel=1e-6)
    assert score(sure[:1].expand(200, -1)) == pytest.approx(1)
    assert score(torch.full((200, 10), 0.1)) == pytest.approx(1)
    assert Score()(exam(sure, 1000 * sure, classes=10))["score"].value <= 10


def test_a_score_beyond_the_classes_is_untrue():
    class Wrong(Given):
        def probabilities(self, x: Tensor) -> Tensor:
            return x.softmax(1).repeat(1, 2)[:, :3] * float("nan")

    sight = Sight(randn(50, 3), None, Wrong(3))
    with pytest.raises(Untrue, match="impossible"):
        Score()(Exam(sight, sight))


def test_classes_are_counted():
    """Two of four classes, evenly: log 2; and log 2 from four that are as frequent."""
    real, fake = torch.eye(4).repeat(1000, 1), torch.eye(4)[:2].repeat(50, 1)
    told = Classes()(exam(real, fake, classes=4))
    assert told["classes_entropy"].value == pytest.approx(math.log(2))
    assert told["classes_kl"].value == pytest.approx(math.log(2), rel=1e-3)
    other = Classes()(exam(fake, real, classes=4))["classes_kl"].value
    assert math.isfinite(other)
    assert other > 1


def test_labels_count_those_that_were_asked_for():
    x, c = torch.eye(4)[[0, 1, 2, 3, 3]], torch.tensor([0, 1, 0, 3, -1])
    told = Labels()(exam(x, x, c, classes=4))
    assert told["label_accuracy"].value == 0.75


def test_foreign_classes_are_refused():
    x, c = torch.eye(4), torch.tensor([0, 1, 2, 7])
    assert "extractor=judge" in (Labels().refuses(exam(x, x, c, classes=4)) or "")
    assert "task=label" in (Labels().refuses(exam(x, x, classes=4)) or "")
    assert "extractor=judge" in (Labels().refuses(exam(x, x, c)) or "")


def test_features_that_are_no_numbers_are_untrue():
    real, fake = randn(50, 4), randn(50, 4, seed=1)
    fake[3, 2] = math.nan
    for metric in (frechet.Frechet(), KID(), PRDC()):
        with pytest.raises(Untrue, match="NaN"):
            metric(exam(real, fake))


def test_statistics_are_of_float64():
    """Far from 0 float32 has no digits left for a covariance."""
    real, fake = randn(400, 4).double(), 1.5 * randn(400, 4, seed=1).double()
    near, far = (frechet.Frechet()(exam(real + at, fake + at))["frechet"] for at in (0.0, 1e6))
    assert near.value == pytest.approx(far.value, rel=1e-6)
    assert near.error == pytest.approx(far.error, rel=1e-4)


def test_too_few_samples_are_refused():
    few = exam(randn(3, 4), randn(3, 4), classes=4)
    assert "too few" in (PRDC(k=3).refuses(few) or "")
    assert "too few" in (KID().refuses(few) or "")
    assert "too few" in (Score(splits=2).refuses(few) or "")
    blind = replace(few, real=Sight(few.real.x), fake=Sight(few.fake.x))
    assert "extractor=" in (frechet.Frechet().refuses(blind) or "")
