"""Sources and feeds: batches are pure functions of (seed, i), wherever the samples wait."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from gan_cli.dataset import source as source_module
from gan_cli.dataset import stream
from gan_cli.dataset.digits import Digits
from gan_cli.dataset.order import Order
from gan_cli.dataset.ring import Ring
from gan_cli.dataset.room import fits_device, fits_host, host_room
from gan_cli.dataset.source import Endless, Feed, Resident, Source, digest
from gan_cli.dataset.stream import Streamed
from gan_cli.errors import BadFile, GanError
from tests.conftest import ROOT

CPU = torch.device("cpu")
forks = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


def pictures(n: int = 10, labelled: bool = True, mirror: bool = False) -> Resident:
    images = torch.randint(
        256, (n, 3, 4, 5), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    labels = torch.arange(n) % 2 if labelled else None
    return Resident.of(images, labels, ("even", "odd") if labelled else (), mirror)


def streamed(images: stream.Images, like: Resident, workers: int = 0) -> Streamed:
    return Streamed(
        images, like.labels, like.length, like.shape, like.classes, "", like.mirror, workers
    )


SOURCES: dict[str, Source] = {
    "resident": pictures(),
    "mirrored": pictures(mirror=True),
    "unlabelled": pictures(labelled=False),
    "streamed": streamed(pictures().images, pictures()),
    "endless": Endless(Ring()),
}


def same(a: Feed, b: Feed, i: int) -> bool:
    one, two = a(i), b(i)
    labels = one.c is two.c is None or bool(torch.equal(*map(torch.as_tensor, (one.c, two.c))))
    return bool(torch.equal(one.x, two.x)) and labels


@given(
    length=st.integers(1, 30),
    batch=st.integers(1, 70),
    seed=st.integers(0, 2**40),
    epochs=st.integers(1, 4),
)
@settings(max_examples=50, deadline=None)
def test_each_epoch_sees_each_sample_once(length: int, batch: int, seed: int, epochs: int):
    order = Order(length, batch, seed)
    count = math.ceil(epochs * length / batch)
    seen = torch.cat([order(i)[0] for i in range(count)])[: epochs * length]
    assert all(sorted(epoch.tolist()) == list(range(length)) for epoch in seen.split(length))


@pytest.mark.parametrize("name", SOURCES)
def test_a_batch_is_a_function_of_seed_and_number(name: str):
    source = SOURCES[name]
    straight, astray = source.open(4, 7, CPU), source.open(4, 7, CPU)
    first = [straight(i) for i in range(9)]
    torch.manual_seed(99)
    for i in (8, 0, 3, 3, 4, 5, 1, 7, 6, 2):
        again = astray(i)
        assert torch.equal(again.x, first[i].x)
        assert again.c is first[i].c is None or torch.equal(again.c, first[i].c)


@pytest.mark.parametrize("name", SOURCES)
def test_a_batch_keeps_its_promises(name: str):
    source = SOURCES[name]
    batch = source.open(4, 0, CPU)(2)
    assert batch.x.shape == (4, *source.shape)
    assert batch.x.dtype == torch.float32
    if source.classes:
        assert batch.c is not None
        assert batch.c.shape == (4,)
        assert batch.c.dtype == torch.int64
    else:
        assert batch.c is None


@pytest.mark.parametrize("name", SOURCES)
def test_feeds_leave_the_global_generator_alone(name: str):
    before = torch.get_rng_state()
    SOURCES[name].open(4, 0, CPU)(3)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("name", SOURCES)
def test_another_seed_gives_another_order(name: str):
    assert not same(SOURCES[name].open(8, 0, CPU), SOURCES[name].open(8, 1, CPU), 0)


def test_the_order_of_the_samples_does_not_depend_on_the_batch_size():
    one, many = pictures(mirror=True).open(1, 3, CPU), pictures(mirror=True).open(25, 3, CPU)
    assert torch.equal(torch.cat([one(i).x for i in range(25)]), many(0).x)


def test_labels_stay_with_their_images():
    source = pictures()
    batch = source.open(10, 0, CPU)(0)
    assert batch.c is not None
    for x, c in zip(batch.x, batch.c, strict=True):
        [number] = [i for i, y in enumerate(source.images) if torch.equal(y / 127.5 - 1, x)]
        assert c == number % 2


def test_pixels_span_minus_one_to_one():
    images = torch.tensor([0, 255], dtype=torch.uint8).view(1, 1, 1, 2)
    x = Resident.of(images, None, ()).open(1, 0, CPU)(0).x
    assert x.flatten().tolist() == [-1.0, 1.0]


def test_mirroring_flips_about_half_and_nothing_else():
    images = torch.arange(5, dtype=torch.uint8).expand(1000, 3, 4, 5).contiguous()
    x = Resident.of(images, None, (), mirror=True).open(1000, 0, CPU)(0).x
    flipped = x[:, 0, 0, 0] > x[:, 0, 0, -1]
    assert 400 < int(flipped.sum()) < 600
    upright = torch.where(flipped[:, None, None, None], x.flip(-1), x)
    assert torch.equal(upright, images / 127.5 - 1)


@forks
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("mirror", [False, True])
def test_a_stream_equals_memory_bit_for_bit(workers: int, mirror: bool):
    memory = pictures(mirror=mirror)
    stream_feed = streamed(memory.images, memory, workers).open(4, 1, CPU)
    feed = memory.open(4, 1, CPU)
    assert stream_feed.where == "stream"
    assert all(same(feed, stream_feed, i) for i in (0, 1, 2, 3, 7, 8, 2))


def test_memory_on_the_host_equals_memory_on_the_device(monkeypatch: pytest.MonkeyPatch):
    near = pictures().open(4, 1, CPU)
    monkeypatch.setattr(source_module, "fits_device", lambda size, device: False)
    far = pictures().open(4, 1, CPU)
    assert (near.where, far.where) == ("device", "host")
    assert all(same(near, far, i) for i in range(5))


class Faulty:
    def __getitem__(self, index: int) -> Tensor:
        raise BadFile("a.png has changed")


class Deadly:
    def __getitem__(self, index: int) -> Tensor:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


class Shaken:
    """Images whose reader is sent every signal that a process group may be sent."""

    def __getitem__(self, index: int) -> Tensor:
        for name in stream.QUIET:
            os.kill(os.getpid(), getattr(signal, name))
        return torch.full((3, 4, 5), index, dtype=torch.uint8)


@forks
@pytest.mark.parametrize("workers", [0, 1])
def test_a_bad_image_in_a_stream_is_named_in_one_line(workers: int):
    with pytest.raises(BadFile, match=r"^a\.png has changed$"):
        streamed(Faulty(), pictures(), workers).open(4, 0, CPU)(0)
    assert not multiprocessing.active_children()


@forks
def test_a_killed_worker_is_told_with_its_likely_cause():
    with pytest.raises(GanError, match=r"memory: dataset\.workers=0"):
        streamed(Deadly(), pictures(), 1).open(4, 0, CPU)(0)


@forks
def test_workers_leave_signals_to_the_main_process():
    feed = streamed(Shaken(), pictures(), 1).open(10, 0, CPU)
    for i in range(3):
        numbers = (feed(i).x[:, 0, 0, 0] + 1) * 127.5
        assert sorted(numbers.round().tolist()) == list(range(10))


def test_a_process_with_an_open_stream_ends():
    program = """
import warnings; warnings.simplefilter("ignore")
from tests.test_dataset import CPU, pictures, streamed
feed = streamed(pictures().images, pictures(), 2).open(4, 0, CPU)
feed(0)
keep = [feed, feed._batches]; keep.append(keep)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=30
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("labels", "classes", "why"),
    [
        (torch.tensor([0, 2]), ("a", "b"), "0 to 1"),
        (torch.tensor([-1, 0]), ("a", "b"), "-1"),
        (torch.tensor([0]), ("a",), "1 labels for 2"),
        (None, ("a",), "no labels"),
    ],
)
def test_labels_out_of_range_are_refused(labels: Tensor | None, classes: tuple[str, ...], why: str):
    with pytest.raises(ValueError, match=why):
        Resident.of(torch.zeros(2, 1, 2, 2, dtype=torch.uint8), labels, classes)


def test_the_fingerprint_tells_shape_pixels_and_labels_apart():
    images, labels = pictures().images, torch.arange(10)
    touched = images.clone()
    touched[0, 0, 0, 0] ^= 1
    prints = {
        digest(images, labels),
        digest(images, None),
        digest(images, labels.flip(0)),
        digest(touched, labels),
        digest(images.view(10, 3, 5, 4), labels),
    }
    assert len(prints) == 5
    assert digest(images.clone(), labels.clone()) in prints


def test_digits_are_digits():
    whole = Digits().load()
    assert (whole.shape, whole.length, whole.classes) == ((1, 8, 8), 1797, tuple("0123456789"))
    assert (int(whole.images.min()), int(whole.images.max())) == (0, 255)
    train, test = Digits("train").load(), Digits("test").load()
    assert (train.length, test.length) == (1438, 359)
    assert torch.equal(test.images, whole.images[4::5])
    assert len({whole.fingerprint, train.fingerprint, test.fingerprint}) == 3
    with pytest.raises(ValueError, match="all, train, test, not tset"):
        Digits("tset")


def test_the_ring_is_known_by_its_parameters():
    assert Ring().load().fingerprint == Ring().load().fingerprint
    assert Ring().load().fingerprint != Ring(std=0.02).load().fingerprint
    for wrong in ({"modes": 0}, {"radius": -1.0}, {"std": 0.0}, {"std": math.inf}):
        with pytest.raises(ValueError, match="must be"):
            Ring(**wrong)


def test_room_is_what_the_host_and_the_container_leave(tmp_path: Path):
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 9 kB\nMemAvailable: 4 kB\n")
    assert host_room(meminfo, tmp_path) == 4096
    (tmp_path / "memory.max").write_text("3000\n")
    (tmp_path / "memory.current").write_text("1000\n")
    assert host_room(meminfo, tmp_path) == 2000
    (tmp_path / "memory.max").write_text("max\n")
    assert host_room(meminfo, tmp_path) == 4096
    assert host_room(tmp_path / "none", tmp_path) > 0
    assert fits_host(1)
    assert not fits_host(1 << 60)
    assert fits_device(1 << 60, CPU)
