"""Figures of pictures whose values are known, and of futures that are known."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from gan_cli.metric import fork, picture
from gan_cli.task.pictures import blur

SHAPES = [(1, 8, 8), (3, 9, 7), (1, 28, 28), (3, 32, 20), (1, 4, 4)]


def images(shape: tuple[int, ...], n: int = 4, seed: int = 0) -> Tensor:
    return torch.rand(n, *shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_psnr_of_a_constant_offset_is_known():
    """20 log₁₀(2 / 0.2) = 20 dB, whatever the picture."""
    x = images((3, 8, 8)) / 2
    assert picture.psnr(x + 0.2, x).tolist() == pytest.approx([20.0] * 4, rel=1e-4)
    assert picture.psnr(x, x).tolist() == [picture.ALIKE] * 4


def test_psnr_is_the_mean_over_pictures_not_pixels():
    x = torch.zeros(2, 1, 4, 4)
    y = x + torch.tensor([0.2, 0.02]).view(2, 1, 1, 1)
    assert picture.psnr(y, x).tolist() == pytest.approx([20.0, 40.0], rel=1e-4)
    assert picture.compare(y, x)["psnr"] == pytest.approx(30.0, rel=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_picture_is_as_similar_to_itself_as_can_be(shape):
    x = images(shape)
    assert picture.ssim(x, x).tolist() == pytest.approx([1.0] * 4, abs=1e-5)
    assert (picture.ssim(-x, x) < 0.5).all()


def test_ssim_of_two_shades_is_known():
    """Without structure what is left is 2 m n / (m² + n²), from black, with the constant C₁."""
    x, y = torch.full((1, 1, 16, 16), 0.5), torch.full((1, 1, 16, 16), 0.25)
    c = (0.01 * picture.RANGE) ** 2
    expected = (2 * 1.5 * 1.25 + c) / (1.5**2 + 1.25**2 + c)
    assert float(picture.ssim(x, y)) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_blurred_picture_is_less_sharp_and_a_sharpened_one_more(shape):
    x = images(shape) / 2
    soft = picture.compare(blur(x, 1.0), x)["sharpness"]
    assert 0 < soft < 0.7
    assert picture.compare(x, x)["sharpness"] == pytest.approx(1)
    assert picture.compare(2 * x, x)["sharpness"] == pytest.approx(2)


def test_sharpness_of_a_border_is_its_height():
    x = torch.full((2, 1, 4, 4), -1.0)
    x[0, :, :, 2:] = 1  # 4 differences of 2 in 16 pixels
    assert picture.sharpness(x).tolist() == [0.5, 0]


@pytest.mark.parametrize("shape", SHAPES)
def test_figures_are_always_finite(shape):
    flat, noise = torch.zeros(4, *shape), images(shape)
    for answer in (flat, noise, torch.full_like(flat, -1)):
        for truth in (flat, noise):
            told = picture.compare(answer, truth)
            assert {"psnr", "ssim", "sharpness"} <= told.keys()
            assert all(math.isfinite(value) for value in told.values())


def test_lpips_is_told_where_its_weights_are_and_they_are_never_fetched(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    x = images((1, 8, 8))
    assert "lpips" not in picture.compare(x, x)
    with pytest.raises(FileNotFoundError, match=r"alexnet.*\.pth"):
        picture.lpips(x, x)


def test_lpips_of_the_same_is_nothing(tmp_path, monkeypatch):
    """With random weights in torchvision's cache: a distance, if not one of perception."""
    from torchvision.models import _api, alexnet

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(_api, "load_state_dict_from_url", lambda *args, **more: weights)
    with torch.device("meta"):
        shapes = alexnet().state_dict()
    torch.manual_seed(0)
    weights = {
        name: torch.randn(value.shape) / 50 if "features" in name else torch.zeros(value.shape)
        for name, value in shapes.items()
    }
    (tmp_path / "checkpoints").mkdir()
    picture.lpips_weights().touch()
    x, y = images((1, 8, 8)), images((1, 8, 8), seed=1)
    assert picture.lpips(x, x).tolist() == [0] * 4
    assert (picture.lpips(x, y) > 0).all()
    assert picture.compare(x, y)["lpips"] > 0


# A fork.


def futures(n: int = 6) -> tuple[Tensor, Tensor]:
    return images((1, 8, 8), n, 1), images((1, 8, 8), n, 2)


def test_a_future_is_single_and_the_mean_of_both_is_none():
    left, right = futures()
    for answer, lefts, rights in ((left, 6, 0), (right, 0, 6), ((left + right) / 2, 0, 0)):
        found = fork.taken(answer, left, right)
        assert (int(found.left.sum()), int(found.right.sum())) == (lefts, rights)
        assert found.single == (lefts + rights) / 6
    assert fork.taken((left + right) / 2, left, right).apart.tolist() == pytest.approx([1.0] * 6)


@pytest.mark.parametrize(("share", "single"), [(0.0, True), (0.2, True), (0.3, False)])
def test_how_near_is_near(share, single):
    """A quarter of the way to the other future is half the way to the mean."""
    left, right = futures()
    found = fork.taken(left + share * (right - left), left, right)
    assert found.apart.tolist() == pytest.approx([2 * share] * 6, abs=1e-6)
    assert found.single == float(single)


def test_what_is_neither_is_not_single():
    left, right = futures()
    for answer in (torch.zeros_like(left), -left, torch.maximum(left, right)):
        assert fork.taken(answer, left, right).single == 0


def test_both_futures_of_one_input():
    left, right = futures(4)
    mean = (left + right) / 2
    first = torch.stack([left[0], left[1], right[2], mean[3]])
    second = torch.stack([right[0], left[1], mean[2], mean[3]])
    found = fork.taken(torch.stack([first, second]), left, right)
    assert found.left.shape == (2, 4)
    assert fork.both(found) == 1 / 4
    assert found.single == 5 / 8


def test_futures_that_are_one_are_no_fork():
    left, _ = futures()
    assert fork.taken(left + 0.1, left, left).single == 0
