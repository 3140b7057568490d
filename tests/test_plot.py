"""Pictures: every pixel of a grid is accounted for, and points are where they should be."""

from __future__ import annotations

import io
import math
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gan_cli.errors import UserMistake
from gan_cli.plot import grid
from gan_cli.plot.scatter import scatter


@given(
    st.integers(1, 12),
    st.integers(1, 4),
    st.integers(1, 9),
    st.integers(1, 9),
    st.none() | st.integers(1, 5),
    st.none() | st.integers(1, 4),
)
@settings(max_examples=40, deadline=None)
def test_every_image_is_in_its_place(
    n: int, channels: int, height: int, width: int, columns: int | None, scale: int | None
) -> None:
    x = torch.rand(n, channels, height, width) * 2 - 1
    if channels in (2, 4):
        x[:, -1] = 1  # opaque
    picture = grid.grid(x, columns, scale)
    across = columns or math.ceil(math.sqrt(n))
    down = math.ceil(n / across)
    k = scale or grid.default_scale(height, width, across)
    gap = grid.gap_of(height * k, width * k)
    assert picture.dtype == np.uint8
    assert picture.shape == (down * (height * k + gap) + gap, across * (width * k + gap) + gap, 3)
    colours = x[:, :-1] if channels in (2, 4) else x
    wanted = ((colours + 1) * 127.5).round().expand(-1, 3, -1, -1)
    free = np.ones(picture.shape[:2], bool)
    for index in range(n):
        top = gap + index // across * (height * k + gap)
        left = gap + index % across * (width * k + gap)
        tile = picture[top : top + height * k, left : left + width * k]
        free[top : top + height * k, left : left + width * k] = False
        for dy, dx in ((0, 0), (k - 1, k - 1)):
            assert np.array_equal(tile[dy::k, dx::k], wanted[index].permute(1, 2, 0).numpy())
    assert (picture[free] == grid.PAPER).all()


@pytest.mark.parametrize(("side", "low", "high"), [(8, 500, 800), (28, 500, 800), (64, 500, 800)])
def test_a_grid_of_small_images_is_large_enough_to_see(side: int, low: int, high: int) -> None:
    picture = grid.grid(torch.zeros(64, 1, side, side))
    assert low < picture.shape[0] < high
    assert 1 <= grid.gap_of(side, side) <= 4


def test_pixels_are_rounded_and_clipped_but_never_wrapped() -> None:
    x = torch.tensor([-9.0, -1, -0.999, 0, 0.999, 1, 9]).reshape(1, 1, 1, 7)
    assert grid.pixels(x).ravel().tolist() == [0, 0, 0, 128, 255, 255, 255]


def test_transparent_images_show_the_paper() -> None:
    x = torch.ones(1, 4, 2, 2)
    x[:, 3] = -1
    assert (grid.grid(x, scale=1) == grid.PAPER).all()


def test_seven_channels_are_the_users_mistake() -> None:
    with pytest.raises(UserMistake, match="7 channels"):
        grid.grid(torch.zeros(1, 7, 4, 4))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_png_reads_back_with_its_text(channels: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (5, 7, channels), np.uint8)
    text = {"seed": "3", "command": "gan sample --out 'gr\u00fc\u00dfe \u2603.png'"}
    with Image.open(io.BytesIO(grid.png(image, text))) as found:
        assert found.text == text  # type: ignore[attr-defined]
        assert np.array_equal(np.asarray(found).reshape(image.shape), image)


def test_a_grey_grid_is_stored_as_grey() -> None:
    with Image.open(io.BytesIO(grid.png(grid.grid(torch.zeros(4, 1, 8, 8)), {}))) as found:
        assert found.mode == "L"


def _coloured(picture: np.ndarray) -> np.ndarray:
    """Where the points are: their colours are vivid, all else is nearly grey."""
    return np.ptp(picture.astype(int), axis=2) > 60


def test_points_are_where_they_should_be() -> None:
    corners = torch.tensor([[-1.0, -1.0], [1.0, 1.0]]).repeat(50, 1)
    picture = scatter(corners)
    assert picture.shape == (720, 720, 3)
    assert picture.dtype == np.uint8
    rows, columns = np.nonzero(_coloured(picture))
    assert ((rows > 360) == (columns < 360)).all(), "y grows upwards"
    assert abs(np.ptp(rows) - np.ptp(columns)) <= 2, "one unit is as long in both directions"


@pytest.mark.parametrize(
    "points",
    [torch.zeros(1, 2), torch.zeros(9, 2), torch.tensor([[0.0, 1e30]]), torch.rand(5, 2) * 1e-30],
)
def test_points_of_any_spread_can_be_drawn(points: torch.Tensor) -> None:
    assert _coloured(scatter(points)).any()


def test_the_data_set_the_axes() -> None:
    real = torch.rand(100, 2)
    near, far = torch.full((50, 2), 0.5), torch.full((50, 2), 50.0)
    alone = scatter(near, real)
    both = scatter(torch.cat([near, far]), real)
    assert _coloured(alone).any()
    assert not _coloured(scatter(far, real)).any()
    assert np.array_equal(alone[:-60, :-200], both[:-60, :-200]), "but for what is said in a corner"
    assert not np.array_equal(alone, both)


def test_the_same_points_give_the_same_picture() -> None:
    points = torch.randn(500, 2, generator=torch.Generator().manual_seed(0))
    assert np.array_equal(scatter(points), scatter(points.flip(0).flip(0)))


def test_pyplot_and_its_global_state_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "matplotlib.pyplot", raising=False)
    scatter(torch.rand(10, 2))
    assert "matplotlib.pyplot" not in sys.modules
