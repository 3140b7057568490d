"""Tasks on images whose answers are known."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gan_cli.dataset.digits import Digits
from gan_cli.dataset.source import Resident
from gan_cli.dataset.stream import Streamed
from gan_cli.randomness import generator
from gan_cli.task.colorize import Colorize
from gan_cli.task.denoise import Denoise
from gan_cli.task.edges import Edges
from gan_cli.task.frames import Frames
from gan_cli.task.inpaint import Inpaint
from gan_cli.task.next_frame import NextFrame
from gan_cli.task.superres import SuperResolution
from gan_cli.task.translate import Translate
from gan_cli.task.unpaired import Unpaired

CPU = torch.device("cpu")


def noise(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 2 - 1


def coins(seed: int = 0) -> torch.Generator:
    return generator("pair", seed)


def test_small_images_are_means_of_squares_and_of_any_size_that_divides():
    x = noise(2, 3, 8, 12)
    small = SuperResolution(4).pair(x, coins()).c
    assert torch.allclose(small[1, 2, 1, 2], x[1, 2, 4:8, 8:12].mean())
    flat = torch.full((1, 1, 8, 8), 0.3)
    for way in ("area", "bicubic"):
        task = SuperResolution(2, way)
        assert torch.allclose(task.reference(task.pair(flat, coins()).c), flat)


@pytest.mark.parametrize(
    ("factor", "shape", "fix"),
    [
        (4, (1, 30, 30), r"task.factor=2, or dataset=folder with dataset.size=\[32,32\]"),
        (2, (3, 15, 16), r"dataset=folder with dataset.size=\[16,16\]"),
        (4, (1, 7, 8), r"smaller: dataset=folder with dataset.size=\[8,8\]"),
    ],
)
def test_sides_that_do_not_divide_are_refused_with_a_size_that_does(factor, shape, fix):
    with pytest.raises(ValueError, match=fix):
        SuperResolution(factor).shapes(shape)


def test_a_hole_is_zero_and_marked_and_the_rest_is_as_it_was():
    x = noise(40, 3, 8, 12) / 2 + 0.4
    for mask, share in (("box", 0.5), ("random", 0.25), ("half", 0.5)):
        c = Inpaint(mask, share).pair(x, coins()).c
        hole = c[:, 3:] == 1
        assert set(c[:, 3:].unique().tolist()) == {-1.0, 1.0}
        assert (c[:, :3] == torch.where(hole, 0.0, x)).all()
        expected = share**2 if mask == "box" else share
        assert hole.float().mean() == pytest.approx(expected, abs=0.02)


def test_a_box_is_anywhere_and_in_the_middle_of_a_users_picture():
    x = noise(200, 1, 8, 8)
    corners = Inpaint("box").pair(x, coins()).c[:, 1].flatten(1).argmax(1)
    assert len(corners.unique()) == 25  # every place of a 4×4 box
    read = Inpaint("box").read(x)
    assert (read[:, 1, 2:6, 2:6] == 1).all()
    assert (read[:, 1] == 1).sum() == 200 * 16


def test_a_hole_is_filled_from_its_border():
    x = torch.full((2, 1, 9, 9), 0.25)
    task = Inpaint("box", 0.6)
    assert torch.allclose(task.reference(task.pair(x, coins()).c), x, atol=1e-6)
    sides = torch.full((1, 1, 8, 8), -1.0)
    sides[..., 4:] = 1  # the hole's middle columns stay between both
    filled = task.reference(task.read(sides))
    assert (filled[0, 0, 4].diff() >= -1e-6).all()


def test_noise_has_the_deviation_it_is_given():
    c = Denoise(0.1).pair(torch.zeros(50, 1, 16, 16), coins()).c
    assert c.std() == pytest.approx(0.1, rel=0.02)
    smooth = Denoise(0.1).reference(c)
    assert smooth.std() < 0.4 * c.std()


def test_gray_is_the_luma_of_colours_and_one_channel_is_refused():
    red = torch.tensor([1.0, -1, -1]).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    assert Colorize().pair(red, coins()).c[0, 0, 0, 0] == pytest.approx(2 * 0.299 - 1)
    white = torch.ones(1, 3, 4, 4)
    assert torch.allclose(Colorize().pair(white, coins()).c, torch.ones(1, 1, 4, 4))
    with pytest.raises(ValueError, match="dataset=cifar10"):
        Colorize().shapes((1, 8, 8))


def test_a_border_is_white_and_what_is_flat_is_black():
    x = torch.full((1, 3, 6, 6), -1.0)
    x[:, 1, :, 3:] = 1
    for task in (Edges(1.0), Edges(threshold=0.2)):
        drawn = task.pair(x, coins()).c[0, 0]
        assert (drawn[:, 2:4] == 1).all()
        assert (drawn[:, [0, 1, 4, 5]] == -1).all()


def test_halves_are_told_apart_and_mirrored_together():
    x = torch.cat([torch.full((64, 1, 2, 3), -0.5), noise(64, 1, 2, 3)], 3)
    there, back = (Translate(way).pair(x, coins()) for way in ("a_to_b", "b_to_a"))
    assert (there.c == -0.5).all()
    assert torch.equal(there.x, back.c)
    y = torch.cat([noise(64, 1, 2, 3), -noise(64, 1, 2, 3)], 3)
    turned = Translate(mirror=True).pair(y, coins())
    assert torch.equal(turned.x, -turned.c)  # still pairs
    flipped = (turned.x != y[..., 3:]).flatten(1).any(1).float().mean()
    assert 0.3 < flipped < 0.7


def test_a_mirrored_data_set_would_swap_the_halves():
    pixels = torch.zeros(4, 1, 8, 16, dtype=torch.uint8)
    with pytest.raises(ValueError, match=r"task\.mirror=true"):
        Translate().space(Resident.of(pixels, None, (), mirror=True))
    with pytest.raises(ValueError, match=r"dataset\.size=\[8,16\]"):
        Translate().shapes((1, 8, 15))


def test_frames_are_those_before_and_the_next():
    x = noise(2, 9, 4, 4)
    batch = Frames(2).pair(x, coins())
    assert torch.equal(torch.cat([batch.c, batch.x], 1), x)
    assert torch.equal(Frames(2).reference(batch.c), x[:, 3:6])
    assert torch.equal(Frames(2).seen(batch.c)[..., 4:], x[:, 3:6])


# Moving pictures: where each frame has its picture.


def corners(frames: Tensor) -> Tensor:
    """The upper left corner of what isn't background, `(N, C, H, W) -> (N, C, 2)`."""
    there = frames > -1
    return torch.stack([there.any(3).int().argmax(2), there.any(2).int().argmax(2)], 2)


def film(task: NextFrame, n: int = 500) -> tuple[Tensor, Tensor, Tensor]:
    """Places in every frame `(N, past + 1, 2)`, the frames given, and the next one."""
    batch = task.pair(torch.full((n, 1, 4, 4), 0.5), coins())
    frames = torch.cat([batch.c, batch.x], 1)
    assert ((frames == 0.5).sum((2, 3)) == 16).all()  # whole, in every frame
    return corners(frames), batch.c, batch.x


def test_what_moves_keeps_its_velocity_and_turns_back_at_the_border():
    places, _, _ = film(NextFrame(past=4, canvas=12, speed=2))
    steps = places.diff(dim=1)
    speed = steps[:, 0].float().norm(dim=1)
    assert speed.min() > 1.4
    assert speed.max() < 2.3
    assert torch.equal(steps.abs(), steps.abs()[:, :1].expand_as(steps))  # only signs change
    turned = steps[:, 1:].sign() != steps[:, :-1].sign()
    onwards = places[:, 1:-1] + steps[:, :-1]
    out = (onwards < 0) | (onwards > 8)
    assert torch.equal(turned, out & (steps[:, 1:] != 0))
    assert turned.any()
    assert len(steps[:, 0].unique(dim=0)) == 16  # every direction


def test_the_next_frame_follows_from_two():
    """The law of motion is one function of two frames: nothing is left to chance."""
    places, _, _ = film(NextFrame(past=2, canvas=12, speed=2), 4000)
    seen: dict[tuple[int, ...], tuple[int, ...]] = {}
    for before, now, then in places.tolist():
        assert seen.setdefault((*before, *now), then) == then
    assert len(seen) < 4000


def test_at_a_fork_half_turn_left_and_half_right():
    places, _, _ = film(NextFrame(past=3, canvas=16, speed=2, turn=1.0), 2000)
    steps = places.diff(dim=1)
    assert torch.equal(steps[:, 0], steps[:, 1])  # straight on until then
    y, x = steps[:, 1].unbind(1)
    left = torch.stack([-x, y], 1)
    lefts, rights = ((steps[:, 2] == way).all(1) for way in (left, -left))
    assert (lefts ^ rights).all()
    assert lefts.float().mean() == pytest.approx(0.5, abs=0.05)


def test_a_share_of_forks():
    places, _, _ = film(NextFrame(canvas=16, turn=0.25), 4000)
    steps = places.diff(dim=1)
    turned = (steps[:, 0] != steps[:, 1]).any(1).float().mean()
    assert turned == pytest.approx(0.25, abs=0.03)


def test_futures_are_those_that_a_pair_is_drawn_from():
    task = NextFrame(canvas=16, turn=1.0)
    x = noise(300, 1, 4, 4)
    batch, futures = task.pair(x, coins()), task.futures(x, coins())
    assert torch.equal(batch.c, futures.c)
    is_left, is_right = (
        (batch.x == future).flatten(1).all(1) for future in (futures.left, futures.right)
    )
    assert (is_left ^ is_right).all()
    assert not (futures.straight == batch.x).flatten(1).all(1).any()


def test_moving_right_left_is_up():
    task = NextFrame(canvas=16, turn=1.0)
    futures = task.futures(torch.ones(400, 1, 4, 4), coins())
    before, now = corners(futures.c).unbind(1)
    to_the_right = ((now - before) == torch.tensor([0, 2])).all(1)
    up = corners(futures.left)[:, 0][to_the_right] - now[to_the_right]
    assert len(up)
    assert (up == torch.tensor([-2, 0])).all()


def test_no_room_to_move_is_refused_with_room_enough():
    with pytest.raises(ValueError, match=r"task\.canvas=34 or more"):
        NextFrame(canvas=32).shapes((1, 30, 30))
    assert NextFrame(canvas=34).shapes((1, 30, 30)) == ((1, 34, 34), (2, 34, 34))
    assert NextFrame().shapes((3, 8, 12)) == ((3, 16, 24), (6, 16, 24))


# Two kinds.


def kinds(task: Unpaired, n: int = 20, classes: int = 3) -> tuple[Resident, object]:
    pixels = torch.arange(n, dtype=torch.uint8).view(n, 1, 1, 1).expand(n, 1, 4, 4).contiguous()
    labels = torch.arange(n) % classes
    data = Resident.of(pixels, labels, ("cat", "dog", "7")[:classes])
    return data, task.take(data)


def numbers(x: Tensor) -> list[int]:
    return ((x[:, 0, 0, 0] + 1) * 127.5).round().int().tolist()


@pytest.mark.parametrize(
    ("task", "a", "b"),
    [
        (Unpaired(), 0, 1),
        (Unpaired("dog", "cat"), 1, 0),
        (Unpaired(2), 2, 0),
        (Unpaired(b="cat"), 1, 0),
        (Unpaired(7, 1), 2, 1),
    ],
)
def test_kinds_are_classes_by_name_or_number_each_once_an_epoch(task, a, b):
    _, source = kinds(task)
    feed = source.open(1, 0, CPU)
    x = [numbers(feed(i).x)[0] for i in range(source.length)]
    c = [numbers(feed(i).c)[0] for i in range(source.a.length)]
    assert sorted(x) == [n for n in range(20) if n % 3 == b]
    assert sorted(c) == [n for n in range(20) if n % 3 == a]
    assert not task.space(kinds(task)[0]).paired


def test_kinds_are_told_by_their_names():
    assert kinds(Unpaired("dog", "cat"))[1].notes == ("unpaired: 7 pictures of dog, 7 of cat",)
    assert kinds(Unpaired(of="invert"))[1].notes == ("unpaired: 10 pictures of a, 10 of b",)


def test_pictures_that_are_made_are_made_of_others():
    data, source = kinds(Unpaired(of="invert"))
    feed = source.open(1, 0, CPU)
    x = [numbers(-feed(i).x)[0] for i in range(10)]
    c = [numbers(feed(i).c)[0] for i in range(10)]
    assert sorted(x + c) == list(range(20))
    whole = data.open(5, 0, CPU)(0).x
    truth = Unpaired(of="invert").pair(whole, coins())
    assert torch.equal(truth.x, -truth.c)
    assert Unpaired(of="edges").shapes((3, 8, 8)) == ((1, 8, 8), (3, 8, 8))


def test_kinds_that_are_not_there_are_refused():
    data = Digits().load()
    for task, fix in (
        (Unpaired("zebra"), "0, 1, 2"),
        (Unpaired(3, 3), "another task.b"),
        (Unpaired(-1), "by name or number"),
    ):
        with pytest.raises(ValueError, match=fix):
            task.space(data)
    with pytest.raises(ValueError, match=r"task\.of=invert"):
        Unpaired().space(Resident.of(data.images, None, ()))


def test_a_stream_is_divided_as_memory_is():
    data, _ = kinds(Unpaired())
    streamed = Streamed(
        data.images, data.labels, 20, data.shape, data.classes, data.fingerprint, workers=0
    )
    feeds = [Unpaired().take(one).open(3, 1, CPU) for one in (data, streamed)]
    for i in (0, 1, 5):
        first, second = (feed(i) for feed in feeds)
        assert torch.equal(first.x, second.x)
        assert torch.equal(first.c, second.c)
