"""Laws of every term: a sample pays for itself, the right answer pays nothing, G alone learns."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import vgg16

from gan_cli import build
from gan_cli.batch import Batch
from gan_cli.model.dcgan import DCGAN
from gan_cli.space import Space
from gan_cli.term import Played
from gan_cli.term.feature_matching import FeatureMatching
from gan_cli.term.gradient_difference import GradientDifference
from gan_cli.term.l1 import L1
from gan_cli.term.l2 import L2
from gan_cli.term.perceptual import LAYERS, Perceptual
from tests.conftest import entries
from tests.games import composed

SHAPE = (1, 8, 8)
ANSWERED = Space(SHAPE, given=SHAPE)
FREE = Space(SHAPE)
COMPARE = ["l1", "l1_small", "l2", "gradient_difference", "feature_matching", "perceptual"]
FREE_TERMS = {"none", "path_length", "diversity"}
"""Those that compare with nothing: their own tests say what they do."""


@pytest.fixture(scope="module")
def vgg(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of VGG16's features with random weights, its first layers alone."""
    path = tmp_path_factory.mktemp("weights") / "vgg.pth"
    with torch.device("meta"):
        shapes = vgg16().features[: LAYERS["relu2_2"]].state_dict()
    torch.manual_seed(0)
    torch.save({f"features.{n}": torch.randn(v.shape) / 20 for n, v in shapes.items()}, path)
    return path


@pytest.fixture(autouse=True)
def known(vgg: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """These weights pass for torchvision's."""
    digest = hashlib.sha256(vgg.read_bytes()).hexdigest()
    monkeypatch.setattr("gan_cli.term.perceptual.SHA256", digest[:8])


def term(name: str, vgg: Path, *more: str) -> Any:
    where = [f"term.perceptual.weights={vgg}"] if name == "perceptual" else []
    return build.parts(composed(f"term={name}", *where, *more)).term[name]


@pytest.fixture
def D() -> nn.Module:
    torch.manual_seed(0)
    return DCGAN(width=8, d_norm="layer").discriminator(SHAPE)


def played(D: nn.Module | None, fake: Tensor, real: Tensor | None = None) -> Played:
    c = torch.zeros(len(fake), *SHAPE)
    real = images(1, len(fake)) if real is None else real
    return Played(nn.Identity(), D, Batch(real, c), Batch(fake, c))


def images(seed: int, n: int = 5) -> Tensor:
    return torch.rand(n, *SHAPE, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_every_term_is_tried():
    assert set(COMPARE) == set(entries("term")) - FREE_TERMS


@pytest.mark.parametrize("name", COMPARE)
def test_one_number_a_sample_and_none_for_the_right_answer(name, vgg, D):
    one = term(name, vgg)
    assert one.refuses(nn.Identity(), D, ANSWERED) is None
    paid = one(played(D, images(2)))
    assert paid.shape == (5,)
    assert paid.min() > 0
    assert one(played(D, images(1))).abs().max() < 1e-6


@pytest.mark.parametrize("name", COMPARE)
def test_a_sample_pays_for_itself(name, vgg, D):
    one, fake = term(name, vgg), images(2)
    other = torch.cat([fake[:2], images(3, 3)])
    assert torch.allclose(one(played(D, fake))[:2], one(played(D, other))[:2], rtol=1e-5)


@pytest.mark.parametrize("name", COMPARE)
def test_the_gradient_reaches_the_fake_and_nothing_else(name, vgg, D):
    fake, real = images(2).requires_grad_(), images(1).requires_grad_()
    paid = term(name, vgg)(played(D, fake, real)).sum()
    (to_fake,) = torch.autograd.grad(paid, fake, retain_graph=True)
    assert to_fake.flatten(1).abs().sum(1).min() > 0
    if name not in ("feature_matching", "perceptual"):
        return  # what is real has no graph in training
    assert torch.autograd.grad(paid, real, allow_unused=True) == (None,)


@pytest.mark.parametrize("name", COMPARE)
def test_it_grows_with_its_weight(name, vgg, D):
    heavy, light = (term(name, vgg, f"term.{name}.weight={weight}") for weight in (6.0, 2.0))
    game = played(D, images(2))
    assert torch.allclose(heavy(game), 3 * light(game))


@pytest.mark.parametrize("name", [n for n in COMPARE if n != "feature_matching"])
@pytest.mark.parametrize("space", [FREE, Space(SHAPE, ("a", "b")), ANSWERED._replace(paired=False)])
def test_without_a_right_answer_there_is_nothing_to_compare_with(name, space, vgg, D):
    assert "task=superres" in term(name, vgg).refuses(nn.Identity(), D, space)


@pytest.mark.parametrize("name", COMPARE)
def test_impossible_values_are_refused(name, vgg):
    for wrong in ("weight=-1.0", "every=0"):
        with pytest.raises(build.UserMistake, match=wrong.split("=")[0]):
            term(name, vgg, f"term.{name}.{wrong}")


# Known answers.


class Shifted(nn.Module):
    """G: what is given, moved by `by` times z."""

    def __init__(self, by: float):
        super().__init__()
        self.by = by

    def forward(self, z: Tensor, c: Tensor) -> Tensor:
        return c + self.by * z[:, :, None, None]


@pytest.mark.parametrize(("by", "earned"), [(0.0, 0.0), (0.25, 0.25), (-0.25, 0.25), (3.0, 0.5)])
def test_diversity_earns_what_an_answer_changes_with_its_code_up_to_a_bound(by, earned, vgg, D):
    G, z, c = Shifted(by), torch.randn(5, 1, generator=torch.Generator().manual_seed(0)), images(1)
    fake = Batch(G(z, c), c, z)
    one = term("diversity", vgg, "term.diversity.weight=2.0")
    assert one.refuses(G, D, ANSWERED) is None
    paid = one(Played(G, D, Batch(images(2), c), fake))
    torch.testing.assert_close(paid, torch.full((5,), -2.0 * earned))


def test_diversity_refuses_a_batch_of_one_code(vgg, D):
    G, z, c = Shifted(0.5), torch.zeros(1, 1), images(1)[:1]
    game = Played(G, D, Batch(images(2)[:1], c), Batch(G(z, c), c, z))
    with pytest.raises(build.UserMistake, match="batch_size=2 or more"):
        term("diversity", vgg)(game)


def test_diversity_refuses_impossible_values(vgg):
    for wrong in ("weight=-1.0", "every=0", "bound=0.0"):
        with pytest.raises(build.UserMistake, match=wrong.split("=")[0]):
            term("diversity", vgg, f"term.diversity.{wrong}")


def test_a_weight_means_what_it_means_in_the_papers():
    """Means over the pixels: λ = 100 times a distance of 0.2."""
    real = images(1) / 2
    game = played(None, real + 0.2, real)
    assert torch.allclose(L1(100.0)(game), torch.full((5,), 20.0), rtol=1e-5)
    assert torch.allclose(L2(100.0)(game), torch.full((5,), 4.0), rtol=1e-5)


def test_the_gradient_difference_sees_borders_alone():
    """Neither a shade nor which way a border goes costs anything; a blurred one does."""
    real = torch.full((1, *SHAPE), -1.0)
    real[..., 4:] = 1
    steps = GradientDifference(1.0)
    for same in (real, -real, real / 2 + real.sign() / 2, (real + 0.5)):
        assert float(steps(played(None, same, real))) == pytest.approx(0, abs=1e-6)
    soft = real.clone()
    soft[..., 3:5] = torch.tensor([-1 / 3, 1 / 3])
    # across, 7 differences in a row: 2 becomes 2/3, and two of 0 become 2/3
    expected = (2 - 2 / 3 + 2 * 2 / 3) / 7
    assert float(steps(played(None, soft, real))) == pytest.approx(expected, rel=1e-5)
    squared = ((2 - 2 / 3) ** 2 + 2 * (2 / 3) ** 2) / 7
    assert float(GradientDifference(1.0, 2.0)(played(None, soft, real))) == pytest.approx(squared)


class Halves(nn.Module):
    """Two features: the means of the upper and the lower half."""

    def features(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        return torch.stack([x[:, 0, :4].mean((1, 2)), x[:, 0, 4:].mean((1, 2))], 1)


def test_feature_matching_compares_samples_where_there_is_an_answer_and_else_means():
    real, fake = torch.zeros(4, *SHAPE), torch.zeros(4, *SHAPE)
    fake[0, :, :4], fake[1, :, :4] = 1.0, -1.0
    answered = played(Halves(), fake, real)
    assert FeatureMatching(1.0)(answered).tolist() == [0.5, 0.5, 0, 0]
    free = Played(nn.Identity(), Halves(), Batch(real), Batch(fake))
    assert FeatureMatching(1.0)(free).tolist() == [0, 0, 0, 0]  # the means agree
    fake[2, :, 4:] = 1.0
    assert FeatureMatching(1.0)(free).tolist() == pytest.approx([(1 / 4) ** 2 / 2] * 4)


def test_feature_matching_wants_features(D):
    one = FeatureMatching()
    assert "method=gan" in one.refuses(nn.Identity(), None, FREE)
    assert "model=dcgan" in one.refuses(nn.Identity(), nn.Identity(), FREE)
    assert one.refuses(nn.Identity(), D, FREE) is None
    assert "leave it out" in one.refuses(nn.Identity(), D, ANSWERED._replace(paired=False))


def test_images_of_one_pixel_have_no_borders():
    assert GradientDifference().refuses(nn.Identity(), None, Space((1, 1, 1), given=(1, 1, 1)))


def test_weights_that_are_not_there_are_named_and_never_fetched(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    for one in (Perceptual(), Perceptual(weights=str(tmp_path / "no.pth"), download=True)):
        reason = one.refuses(nn.Identity(), None, ANSWERED)
        assert str(one.file) in reason
        assert "term.perceptual.weights=FILE" in reason


def test_weights_in_torchvisions_cache_are_found(tmp_path, monkeypatch, vgg):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "vgg16-397923af.pth").write_bytes(vgg.read_bytes())
    assert Perceptual().refuses(nn.Identity(), None, ANSWERED) is None


def test_a_file_of_something_else_is_named_before_training(tmp_path):
    other = tmp_path / "other.pth"
    torch.save({"weight": torch.zeros(1)}, other)
    reason = Perceptual(weights=str(other)).refuses(nn.Identity(), None, ANSWERED)
    assert f"{other} is not torchvision's vgg16-397923af.pth" in reason


def test_what_vgg_cannot_see_or_does_not_have_is_refused(vgg):
    two = Space((2, 8, 8), given=(2, 8, 8))
    assert "term=l1" in Perceptual(weights=str(vgg)).refuses(nn.Identity(), None, two)
    with pytest.raises(ValueError, match="relu1_2, relu2_2"):
        Perceptual(layer="fc7")


def test_the_network_stays_as_it_was_read(vgg):
    one = Perceptual(weights=str(vgg))
    assert not any(p.requires_grad for p in one.network.parameters())
    assert not any(module.training for module in one.network.modules())
    assert one == Perceptual(weights=str(vgg))
