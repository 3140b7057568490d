"""Files of every released format load for ever."""

from __future__ import annotations

import pytest
import torch

from gan_cli import container
from gan_cli.sampler import Sampler
from tests.conftest import ROOT

FIXTURES = ROOT / "tests" / "fixtures"


@pytest.mark.parametrize("name", ["generator", "train"])
def test_a_file_of_schema_1_gives_the_samples_it_gave(name):
    sampler = Sampler.load(FIXTURES / "v1" / f"{name}.safetensors")
    expected = container.read(FIXTURES / "v1" / "samples.safetensors").tensors["samples"]
    assert torch.allclose(sampler.sample(4, seed=0), expected, atol=1e-5)
