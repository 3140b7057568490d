"""Figures of a game, its curves and its film: where things are, and the same each time."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan_cli.plot import animation as film
from gan_cli.plot.curves import Curve, Level, Panel, curves
from gan_cli.plot.grid import png
from gan_cli.plot.line import Line, line
from gan_cli.plot.plane import Plane, plane

FAKE = (213, 94, 0)


def on_a_line(**changes) -> Line:
    x = np.linspace(-4, 4, 256)
    p, q = np.exp(-((x + 1) ** 2)), np.exp(-((x - 2) ** 2))
    random = np.random.default_rng(0)
    z = random.standard_normal(500)
    game = Line(x, p, q, p / (p + q), p / (p + q), True, 0.1, z, 2 + z, "z")
    return dataclasses.replace(game, **changes)


def in_the_plane(**changes) -> Plane:
    side = np.linspace(-1, 1, 64)
    x, y = np.meshgrid(side, side)
    p = np.exp(-8 * ((x - 0.5) ** 2 + (y - 0.5) ** 2))
    made = np.random.default_rng(0).normal(-0.5, 0.1, (300, 2))
    push = np.ones((300, 2))
    sure, nothing = (0.0, 1.0), None
    frame, d = (-1.0, 1.0, -1.0, 1.0), (x + 1) / 2
    game = Plane(frame, p / p.sum(), d, nothing, sure, True, made, made, push, nothing)
    return dataclasses.replace(game, **changes)


def coloured(picture: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return np.abs(picture.astype(int) - colour).max(2) < 24


def test_a_game_on_a_line_is_the_same_size_whatever_happens():
    pictures = [
        line(on_a_line(), "a", "b"),
        line(on_a_line(best=None, probability=False), "a", ""),
        line(on_a_line(d=np.zeros(256), best=None, probability=False), "a", ""),
        line(on_a_line(q=np.zeros(256), made=np.full(500, 1e9)), "a", ""),
    ]
    assert {picture.shape for picture in pictures} == {(700, 1000, 3)}
    assert all(picture.std() > 10 for picture in pictures)
    assert np.array_equal(pictures[0], line(on_a_line(), "a", "b"))
    columns = np.nonzero(coloured(pictures[0], FAKE)[260:450, 75:925])[1]
    assert np.median(columns) > 425, "G is at the right"


def test_panels_of_the_plane():
    two = plane(in_the_plane(), "a", "b")
    field = np.linspace(0, 1, 64 * 64).reshape(64, 64)
    field[:10] = np.nan
    three = plane(in_the_plane(best=field), "a", "b")
    four = plane(in_the_plane(best=field, close=np.zeros((300, 2))), "a", "b")
    assert two.shape[1] < three.shape[1]
    assert four.shape[0] > three.shape[0]
    assert four.shape[1] == two.shape[1]
    rows, columns = np.nonzero(coloured(two[100:600, 50:530], FAKE))
    assert (rows > 250).mean() > 0.9, "y grows upwards"
    assert (columns < 250).mean() > 0.9
    assert np.array_equal(two, plane(in_the_plane(), "a", "b"))


@pytest.mark.parametrize(
    "changes",
    [
        {"d": np.zeros((64, 64)), "limits": None, "probability": False},
        {"push": np.zeros((300, 2))},
        {"made": np.full((300, 2), 7.0)},
        {"p": np.eye(64) / 64},
        {"p": np.full((64, 64), 1 / 64**2)},
    ],
    ids=["constant D", "no push", "all outside", "a line of data", "uniform data"],
)
def test_a_plane_of_any_kind_can_be_drawn(changes):
    assert plane(in_the_plane(**changes), "a", "b").std() > 5


def test_curves_stand_one_below_the_other():
    panel = Panel("JS", [Curve("true", [0.5, float("nan"), 0.1])], [Level("most", 0.69)], 0, 0.7)
    one, two = (curves([1, 2, 3], [panel] * n, "a", "b") for n in (1, 2))
    assert one.shape[1] == two.shape[1]
    assert two.shape[0] > one.shape[0]
    assert one.std() > 10


def pictures(directory: Path, count: int, size: tuple[int, int] = (90, 60)) -> list[Path]:
    paths = [directory / f"step-{step:08d}.png" for step in range(count)]
    for step, path in enumerate(paths):
        image = np.full((size[1], size[0], 3), 255, np.uint8)
        image[:, : step + 1] = (0, 90, 200)
        path.write_bytes(png(image, {}))
    return paths


def test_a_film_has_a_frame_for_each_picture(tmp_path):
    paths = pictures(tmp_path, 5)
    made = film.animation(paths)
    assert made == film.animation(paths)
    with Image.open(io.BytesIO(made)) as shown:
        assert (shown.n_frames, shown.size) == (5, (90, 60))
        shown.seek(4)
        assert (np.asarray(shown.convert("RGB"))[30, :4, 2] > 150).all()


def test_a_long_film_keeps_its_ends_and_stays_small(tmp_path, monkeypatch):
    paths = pictures(tmp_path, 70)
    assert film._spread(paths)[0] == paths[0]
    assert film._spread(paths)[-1] == paths[-1]
    with Image.open(io.BytesIO(film.animation(paths))) as shown:
        assert shown.n_frames == film.FRAMES
    monkeypatch.setattr(film, "LIMIT", 1)
    with Image.open(io.BytesIO(film.animation(paths))) as shown:
        assert shown.size < (90, 60)


def test_what_does_not_fit_is_left_out_of_a_film(tmp_path):
    paths = pictures(tmp_path, 4)
    paths[0].write_bytes(b"no picture")
    paths[1].write_bytes(png(np.zeros((5, 5, 3), np.uint8), {}))
    with Image.open(io.BytesIO(film.animation(paths))) as shown:
        assert shown.n_frames == 2
    assert film.animation(paths[3:]) is None
    assert film.animation([]) is None
