"""Laws of every task: it does what its shapes say, by the given randomness alone."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor

from gan_cli import build
from gan_cli.dataset.digits import Digits
from gan_cli.dataset.source import Endless, Resident
from gan_cli.randomness import generator
from gan_cli.task import Derived
from tests.conftest import entries
from tests.games import composed, part

CPU = torch.device("cpu")
SHAPES = [(1, 8, 8), (3, 32, 32), (1, 28, 28), (3, 12, 16), (9, 16, 16), (2, 8, 8)]
SETTINGS = [
    *entries("task"),
    *("superres task.factor=4", "superres task.way=bicubic", "inpaint task.mask=random"),
    *("inpaint task.mask=half", "inpaint task.share=0.1", "edges task.threshold=0.2"),
    *("translate task.direction=b_to_a", "translate task.mirror=true", "next_frame task.past=4"),
    *("next_frame task.turn=0.5", "fork task.past=3", "unpaired task.of=invert"),
    *("unpaired task.of=edges", "unpaired task.of=mirror"),
]


def task(setting: str) -> Any:
    name, *words = setting.split()
    pairs = (word.removeprefix("task.").split("=") for word in words)
    return part("task", name, **{key: yaml.safe_load(value) for key, value in pairs})


def typed(setting: str) -> Any:
    """As the command line makes it."""
    return build.parts(composed(*f"task={setting}".split())).task


TASKS = {setting: task(setting) for setting in SETTINGS}
DERIVED = {setting: one for setting, one in TASKS.items() if isinstance(one, Derived)}


def images(shape: tuple[int, ...], n: int = 5, seed: int = 0) -> Tensor:
    """Smooth pictures from black to white, unlike each other."""
    rough = torch.randn(n, shape[0], 4, 4, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(rough, shape[1:], mode="bicubic").clamp(-1, 1)


def source(shape: tuple[int, ...], n: int = 12, classes: int = 3) -> Resident:
    pixels = images(shape, n).add(1).mul(127.5).round().to(torch.uint8)
    return Resident.of(pixels, torch.arange(n) % classes, tuple("abcdefghij"[:classes]))


def serves(one: Any, shape: tuple[int, ...]) -> bool:
    """Whether the task takes data of this shape; if not, it has to say what to type instead."""
    try:
        one.shapes(shape)
    except ValueError as error:
        assert re.search(r"(task|dataset)\.?\w*=", str(error)), error
        return False
    return True


def pairs() -> list[Any]:
    return [
        pytest.param(one, shape, id=f"{setting} {shape}")
        for setting, one in DERIVED.items()
        for shape in SHAPES
        if serves(one, shape)
    ]


def draw(one: Any, x: Tensor, seed: int = 0):
    return one.pair(x, generator("pair", seed))


@pytest.mark.parametrize("setting", DERIVED)
def test_what_it_refuses_it_refuses_with_the_fix(setting):
    served = [shape for shape in SHAPES if serves(DERIVED[setting], shape)]
    assert served


@pytest.mark.parametrize(("one", "shape"), pairs())
def test_shapes_tell_the_truth(one, shape):
    made, given = one.shapes(shape)
    batch = draw(one, images(shape))
    assert batch.x.shape == (5, *made)
    assert batch.c.shape == (5, *given)
    assert batch.x.dtype == batch.c.dtype == torch.float32


@pytest.mark.parametrize(("one", "shape"), pairs())
def test_it_is_a_function_of_the_samples_and_the_generator(one, shape):
    x = images(shape)
    kept = x.clone()
    torch.manual_seed(1)
    first = draw(one, x)
    torch.manual_seed(2)  # nothing but the given generator counts
    again = draw(one, x)
    assert torch.equal(first.x, again.x)
    assert torch.equal(first.c, again.c)
    assert torch.equal(x, kept)


@pytest.mark.parametrize(("one", "shape"), pairs())
def test_everything_is_finite_and_from_black_to_white(one, shape):
    batch = draw(one, images(shape))
    for tensor in filter(lambda t: t is not None, (batch.x, batch.c, one.reference(batch.c))):
        assert tensor.isfinite().all()
        assert tensor.abs().max() <= 1 + 1e-6


@pytest.mark.parametrize(("one", "shape"), pairs())
def test_a_pair_is_a_matter_of_its_own_sample_alone(one, shape):
    x = images(shape)
    other = torch.cat([x[:2], images(shape, 3, seed=9)])
    for column in ("x", "c"):
        first, second = (getattr(draw(one, batch), column)[:2] for batch in (x, other))
        assert torch.equal(first, second)


@pytest.mark.parametrize(("one", "shape"), pairs())
def test_a_reference_is_an_answer(one, shape):
    batch = draw(one, images(shape))
    answer = one.reference(batch.c)
    assert answer is None or answer.shape == batch.x.shape


@pytest.mark.parametrize(("one", "shape"), pairs())
def test_what_is_given_can_be_seen_and_read_again(one, shape):
    c = draw(one, images(shape)).c
    seen = one.seen(c)
    assert seen.shape[1] in (1, 3)
    assert seen.abs().max() <= 1
    read = one.read(seen)
    assert read.shape == c.shape
    assert torch.equal(one.seen(one.read(one.seen(read))), one.seen(read))
    if c.shape[1] == seen.shape[1]:  # nothing is there that can't be seen
        assert torch.equal(read, c)


@pytest.mark.parametrize("setting", DERIVED)
def test_batches_are_a_function_of_seed_and_number(setting):
    one, data = DERIVED[setting], source((3, 16, 16))
    if "frames" in setting:
        data = _with_frames(source((9, 16, 16)))
    elif "translate" in setting:
        data = source((3, 16, 32))
    space, feeds = one.space(data), [one.take(data).open(4, 3, CPU) for _ in range(2)]
    forwards = [feeds[0](i) for i in range(5)]
    for i in (4, 0, 2):
        batch = feeds[1](i)
        assert torch.equal(batch.x, forwards[i].x)
        assert torch.equal(batch.c, forwards[i].c)
    assert (space.shape, space.given) == (batch.x.shape[1:], batch.c.shape[1:])
    taken = one.take(data)
    assert (taken.shape, taken.classes) == (space.shape, ())
    assert len(taken.fingerprint) == 64
    assert taken.fingerprint != data.fingerprint


def _with_frames(data: Resident, frames: int = 3) -> Resident:
    object.__setattr__(data, "frames", frames)
    return data


@pytest.mark.parametrize("setting", DERIVED)
def test_points_are_refused(setting):
    class Two:
        shape = (2,)

    with pytest.raises(ValueError, match=r"(task|dataset)\.?\w*="):
        DERIVED[setting].space(Endless(Two()))


@pytest.mark.parametrize("setting", [s for s, t in TASKS.items() if not isinstance(t, Derived)])
def test_what_derives_nothing_leaves_samples_as_they_are(setting):
    one, data = TASKS[setting], Digits().load()
    if setting.startswith("semi"):
        return  # it has laws of its own
    space, batch = one.space(data), one.take(data).open(4, 0, CPU)(0)
    plain = data.open(4, 0, CPU)(0)
    assert torch.equal(batch.x, plain.x)
    assert space.shape == (1, 8, 8)
    assert space.given is None
    assert (batch.c is None) == (not space.classes)


def test_labels_are_asked_for_where_there_are_any():
    assert TASKS["label"].space(Digits().load()).classes == tuple("0123456789")
    with pytest.raises(ValueError, match="dataset=digits"):
        TASKS["label"].space(Resident.of(torch.zeros(2, 1, 8, 8, dtype=torch.uint8), None, ()))


def test_frames_in_a_row_are_no_single_picture():
    data = _with_frames(source((9, 16, 16)))
    with pytest.raises(ValueError, match="task=frames"):
        TASKS["unconditional"].space(data)


WRONG = {
    "superres task.factor=3": "factor is one of 2, 4",
    "superres task.way=nearest": "way is one of area, bicubic",
    "inpaint task.mask=circle": "mask is one of box, random, half",
    "inpaint task.share=1.0": "share lies between 0 and 1",
    "denoise task.std=0.0": "std must be positive",
    "edges task.strength=-1.0": "strength must be positive",
    "edges task.threshold=2.0": "threshold lies between 0 and 1",
    "translate task.direction=left": "direction is one of a_to_b, b_to_a",
    "frames task.past=0": "past is a number of frames",
    "next_frame task.speed=0": "past and speed are 1 or more",
    "next_frame task.turn=2.0": "turn is a share",
    "fork task.past=1": "past=2",
    "unpaired task.of=upsidedown": "of is one of invert, edges, mirror",
    "unpaired task.of=invert task.a=3": "leave out a and b",
}


@pytest.mark.parametrize("setting", WRONG)
def test_impossible_values_are_refused(setting):
    with pytest.raises(build.UserMistake, match=re.escape(WRONG[setting])):
        typed(setting)


def test_every_task_is_tried():
    assert {setting.split()[0] for setting in TASKS} == set(entries("task"))
    for setting in ("label", "superres task.factor=4", "translate task.mirror=true"):
        assert typed(setting) == TASKS[setting]
