"""What only a GPU can show; skipped where there is none."""

from __future__ import annotations

import pytest
import torch

from gan_cli import train
from gan_cli.sampler import Sampler
from tests.conftest import entries
from tests.games import TINY, composed

pytestmark = [
    pytest.mark.training,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("loss", entries("loss"))
def test_a_run_on_the_gpu_resumes_and_its_generator_needs_none(loss, precision, tmp_path):
    for steps in (2, 4):
        asked = [
            f"loss={loss}",
            *TINY,
            f"steps={steps}",
            "hardware.device=cuda",
            f"hardware.precision={precision}",
            f"run_dir={tmp_path / 'run'}",
        ]
        train.launch(composed(*asked), {"model": "dcgan"}, asked, ["gan", "train", *asked])
    here = Sampler.load(tmp_path / "run", device="cpu").sample(8, seed=0)
    there = Sampler.load(tmp_path / "run", device="cuda").sample(8, seed=0)
    assert torch.allclose(here, there, atol=1e-2)
