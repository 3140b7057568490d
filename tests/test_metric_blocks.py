"""Blocks of one size: what is made of a sample is its own, in full precision."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gan_cli.metric import blocks
from gan_cli.metric.blocks import through

CPU = torch.device("cpu")


def samples(n: int, *shape: int) -> Tensor:
    return torch.randn(n, *shape, generator=torch.Generator().manual_seed(n))


@pytest.mark.parametrize("n", [0, 1, 3, 4, 11])
def test_every_block_has_the_same_size_and_nothing_is_lost(n: int):
    sizes = []

    def double(x: Tensor) -> Tensor:
        sizes.append(len(x))
        return 2 * x

    x = samples(n, 2, 5)
    assert torch.equal(through(double, x, CPU, most=4), 2 * x)
    assert set(sizes) == {4}


def test_what_is_made_of_a_sample_does_not_depend_on_the_others():
    weight, x = samples(65, 37), samples(50, 65)
    whole = through(lambda h: h @ weight, x, CPU, most=8)
    for part in ([50], [1] * 50, [7, 30, 13]):
        made = [through(lambda h: h @ weight, some, CPU, most=8) for some in x.split(part)]
        assert torch.equal(torch.cat(made), whole)


def test_large_samples_come_in_smaller_blocks(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(blocks, "ROOM", 100)
    sizes = through(lambda x: torch.full((len(x),), len(x)), samples(7, 30), CPU)
    assert sizes.tolist() == [3.0] * 7


def test_neither_autocast_nor_gradients_reach_it():
    weight = samples(4, 8).requires_grad_()
    x = samples(6, 8)
    with torch.autocast("cpu", torch.bfloat16):
        made = through(lambda h: h @ weight.T, x.double(), CPU)
    assert made.dtype == torch.float32
    assert not made.requires_grad
    assert torch.equal(made, through(lambda h: h @ weight.T, x, CPU))
    assert torch.allclose(made, (x @ weight.T).detach(), atol=1e-6)
