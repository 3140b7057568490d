"""Checkpoints that are torn or rotten: no damage passes unnoticed."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from gan_cli import container
from gan_cli.container import Checkpoint
from gan_cli.errors import BadFile
from tests.faults.dying import done
from tests.faults.lives import FULL, alike, train

pytestmark = pytest.mark.timeout(1800)  # of a whole campaign, on a busy machine
Times = Callable[[int, int], int]
Tally = Callable[[int, int, str], None]


def _same(found: Checkpoint, wanted: Checkpoint) -> bool:
    return found.meta == wanted.meta and all(
        torch.equal(tensor, wanted.tensors[name]) for name, tensor in found.tensors.items()
    )


def _flip(data: bytearray, chance: random.Random) -> None:
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _flip_in_header(data: bytearray, chance: random.Random) -> None:
    data[chance.randrange(8 + int.from_bytes(data[:8], "little"))] ^= 1 << chance.randrange(8)


def _blank(data: bytearray, chance: random.Random) -> None:
    start = chance.randrange(0, len(data), 4096)
    data[start : start + 4096] = bytes(len(data[start : start + 4096]))


def _cut(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(len(data)) :]


def _swap(data: bytearray, chance: random.Random) -> None:
    a, b = chance.randrange(len(data)), chance.randrange(len(data))
    data[a], data[b] = data[b], data[a]


def _insert(data: bytearray, chance: random.Random) -> None:
    data.insert(chance.randrange(len(data) + 1), chance.randrange(256))


Damage = Callable[[bytearray, random.Random], None]
ROT = "C5", "bits that rot", "one bit of a checkpoint is flipped"
DAMAGES = [
    pytest.param(_flip, 200, 10_000, marks=pytest.mark.fault(*ROT)),
    pytest.param(
        _flip_in_header, 100, 2000, marks=pytest.mark.fault(*ROT[:2], "one bit of its header")
    ),
    pytest.param(
        _blank,
        60,
        500,
        marks=pytest.mark.fault("C4", "a torn file", "4 KiB of a checkpoint are zeros"),
    ),
    pytest.param(
        _cut,
        60,
        1000,
        marks=pytest.mark.fault("C4", "a torn file", "a checkpoint ends anywhere"),
    ),
    pytest.param(
        _swap,
        60,
        1000,
        marks=pytest.mark.fault("C5", "bytes in the wrong place", "two bytes change places"),
    ),
    pytest.param(
        _insert,
        60,
        1000,
        marks=pytest.mark.fault("C5", "bytes in the wrong place", "a byte too many"),
    ),
]
REFUSED = "FILE: damaged: its contents do not have the SHA-256 it was written with"


@pytest.mark.parametrize(("damage", "few", "many"), DAMAGES)
def test_no_damage_passes_unnoticed(
    straight: Path,
    tmp_path: Path,
    damage: Damage,
    few: int,
    many: int,
    times: Times,
    tally: Tally,
) -> None:
    path, chance = tmp_path / "a.safetensors", random.Random(1)
    whole = next((straight / "checkpoints").glob("step-*8.safetensors"))
    data, wanted = whole.read_bytes(), container.read(whole)
    tried, refused, survived = times(few, many), 0, 0
    for _ in range(tried):
        damaged = bytearray(data)
        damage(damaged, chance)
        path.write_bytes(damaged)
        try:
            survived += _same(container.read(path), wanted)
        except BadFile as error:
            survived += "\n" not in str(error) and str(error).startswith(str(path))
            refused += 1
    assert refused > 0.8 * tried
    tally(tried, survived, REFUSED)


@pytest.mark.fault("C4", "a torn file", "a checkpoint ends in its length, header and each tensor")
def test_a_checkpoint_that_ends_too_soon_is_refused_wherever_it_ends(
    straight: Path, tmp_path: Path, tally: Tally
) -> None:
    whole = next((straight / "checkpoints").glob("step-*8.safetensors"))
    data = whole.read_bytes()
    header = int.from_bytes(data[:8], "little")
    ends = {0, 1, 7, 8, 9, 8 + header // 2, 7 + header, 8 + header, len(data) - 1}
    begin = 8 + header
    spans = [tensor.nbytes for tensor in container.read(whole).tensors.values()]
    for size in sorted(spans):  # any order meets every tensor's begin, middle and end
        ends |= {begin, begin + size // 2, max(begin, begin + size - 1)}
        begin += size
    ends -= {len(data)}
    path, survived = tmp_path / "a.safetensors", 0
    for end in ends:
        path.write_bytes(data[:end])
        with pytest.raises(BadFile) as caught:
            container.read(path)
        survived += "\n" not in str(caught.value)
    tally(len(ends), survived, REFUSED)


@pytest.mark.fault(
    "R4",
    "the newest checkpoint is damaged",
    "a bit, a page or the end of it; then the same command",
)
def test_the_checkpoint_before_a_damaged_one_is_gone_on_from_and_said(
    straight: Path, tmp_path: Path, times: Times, tally: Tally
) -> None:
    chance, tried, survived = random.Random(2), times(2, 40), 0
    kinds: list[Damage] = [_flip, _cut, _blank, _flip_in_header]
    for number in range(tried):
        run = tmp_path / "run"
        shutil.rmtree(run, ignore_errors=True)
        shutil.copytree(straight, run)
        newest = run / "checkpoints" / "step-00000008.safetensors"
        data = bytearray(newest.read_bytes())
        kinds[number % len(kinds)](data, chance)
        newest.write_bytes(data)
        code = done(lambda run=run: train(run, *FULL), tmp_path / "said")  # type: ignore[misc]
        said = " ".join((tmp_path / "said").read_text().split())
        told = f"passed over a checkpoint: {newest}" in said and f"resuming {run} at step 6" in said
        survived += code == 0 and told and alike(straight, run) == []
    tally(tried, survived, "passed over a checkpoint: FILE: damaged …; resuming RUN at step 6 of 8")
