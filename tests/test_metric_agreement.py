"""Metrics against the libraries whose numbers are the reference, on the same features."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gan_cli.metric import frechet
from gan_cli.metric.kid import kid
from gan_cli.metric.prdc import prdc
from gan_cli.metric.score import score
from tests.sights import randn

CLOSE = 1e-4
quiet = pytest.mark.filterwarnings("ignore:Metric `", "ignore:std")
"""torchmetrics warns of its memory, and that one part has no deviation."""


def features(n: int = 300, d: int = 12, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Two sets that are unlike in mean and spread, with a few numbers that are always 0."""
    real, fake = randn(n, d, seed=seed), randn(n, d, seed=seed + 1)
    real, fake = real @ randn(d, d, seed=9), (1.2 * fake + 0.3) @ randn(d, d, seed=9)
    real[:, :2] = fake[:, :2] = 0
    return real.double(), fake.double()


class AsTheyAre(nn.Module):
    """An extractor for torchmetrics whose images are the features."""

    def __init__(self, d: int):
        super().__init__()
        self.num_features = d

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1)


def images(x: Tensor) -> Tensor:
    return x[:, None, None, :]


def test_frechet_is_that_of_torch_fidelity():
    from torch_fidelity import metric_fid as reference

    real, fake = features()
    first, second = (reference.fid_features_to_statistics(x) for x in (real, fake))
    found = reference.fid_statistics_to_metric(first, second, verbose=False)
    assert frechet.distance(real, fake) == pytest.approx(found[reference.KEY_METRIC_FID], rel=CLOSE)


def test_frechet_is_that_of_torchmetrics():
    from torchmetrics.image.fid import FrechetInceptionDistance

    real, fake = features()
    reference = FrechetInceptionDistance(AsTheyAre(12)).set_dtype(torch.float64)
    reference.update(images(real), real=True)
    reference.update(images(fake), real=False)
    assert frechet.distance(real, fake) == pytest.approx(float(reference.compute()), rel=CLOSE)


def test_kid_is_that_of_torch_fidelity():
    """The same subsets: both are a function of the seed."""
    from torch_fidelity import metric_kid as reference

    real, fake = features()
    found = reference.kid_features_to_metric(
        fake, real, kid_subsets=7, kid_subset_size=50, rng_seed=5, verbose=False
    )
    names = reference.KEY_METRIC_KID_MEAN, reference.KEY_METRIC_KID_STD
    assert kid(real, fake, 7, 50, 5) == pytest.approx([found[name] for name in names], rel=CLOSE)


@quiet
def test_kid_of_everything_is_that_of_torchmetrics():
    from torchmetrics.image.kid import KernelInceptionDistance

    real, fake = features()
    reference = KernelInceptionDistance(AsTheyAre(12), subsets=1, subset_size=len(real))
    reference.set_dtype(torch.float64)
    reference.update(images(real), real=True)
    reference.update(images(fake), real=False)
    assert kid(real, fake, 1, len(real))[0] == pytest.approx(
        float(reference.compute()[0]), rel=CLOSE
    )


@pytest.mark.parametrize("splits", [1, 10])
def test_score_is_that_of_torch_fidelity(splits: int):
    from torch_fidelity import metric_isc as reference

    logits = 3 * randn(500, 10)
    found = reference.isc_features_to_metric(logits, splits, splits > 1, 4)
    told = score(logits.double().softmax(1), splits, 4)
    assert told == pytest.approx(found[reference.KEY_METRIC_ISC_MEAN], rel=CLOSE)


@quiet
def test_score_is_that_of_torchmetrics():
    from torchmetrics.image.inception import InceptionScore

    logits = 3 * randn(2000, 10).double()
    reference = InceptionScore(AsTheyAre(10), splits=1).set_dtype(torch.float64)
    reference.update(images(logits))
    told = score(logits.softmax(1))
    assert told == pytest.approx(float(reference.compute()[0]), rel=CLOSE)


@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_precision_and_recall_are_those_of_torch_fidelity(shift: float):
    from torch_fidelity import metric_prc as reference

    real, fake = features()
    found = reference.prc_features_to_metric(fake + shift, real, prc_neighborhood=3, verbose=False)
    told = prdc(real, fake + shift, 3)[0]
    assert told["precision"] == pytest.approx(found[reference.KEY_METRIC_PRECISION], rel=CLOSE)
    assert told["recall"] == pytest.approx(found[reference.KEY_METRIC_RECALL], rel=CLOSE)


@pytest.mark.parametrize("k", [1, 3, 5])
def test_all_four_are_those_of_prdc(k: int):
    reference = pytest.importorskip("prdc")
    real, fake = features()
    fake = fake[:250] + 0.5
    found = reference.compute_prdc(real.numpy(), fake.numpy(), nearest_k=k)
    assert prdc(real, fake, k)[0] == pytest.approx(
        {name: float(np.asarray(value)) for name, value in found.items()}, rel=CLOSE
    )


def test_memory_for_few_distances_at_once_changes_nothing(monkeypatch: pytest.MonkeyPatch):
    real, fake = features()
    whole = prdc(real, fake, 5, 10)
    monkeypatch.setattr("gan_cli.metric.prdc.ROOM", 7 * 300)
    assert prdc(real, fake, 5, 10) == whole


def test_the_blocks_left_out_are_as_if_never_there():
    real, fake = features()
    whole, *parts = prdc(real, fake[:200], 5, 10)
    assert whole == prdc(real, fake[:200], 5)[0]
    for block in (0, 7):
        keep = torch.arange(200) % 10 != block
        assert parts[block] == pytest.approx(prdc(real, fake[:200][keep], 5)[0])
