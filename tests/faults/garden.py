"""Sound files of every kind, made by gan itself, for others to be made of by small changes."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from gan_cli import build, cli, container
from gan_cli.rewinds import Rewinds
from gan_cli.space import Space
from gan_cli.study.job import Job
from gan_cli.study.ledger import Ledger
from tests.faults import opened

TINY = (
    *("dataset=digits", "model=mlp", "model.width=8", "model.depth=1", "batch_size=8"),
    *("log_every=2", "tensorboard=false", "hardware.threads=1", "hardware.device=cpu"),
)
TRAINED = (
    *("steps=12", "sample_every=6", "checkpoint_every=6", "diagnose.every=3", "diagnose.n=16"),
    *("metric=[frechet]", "extractor=raw", "evaluate_every=6", "evaluate_n=64"),
)
"""A run of a moment that leaves every file that a run can leave."""


def plant(root: Path) -> Path:
    """Make the files below that directory; the working directory is changed to it, and back."""
    before = Path.cwd()
    root.mkdir(parents=True, exist_ok=True)
    os.chdir(root)
    try:
        _runs()
        _files()
        _images()
        opened.judge(Path("judge.safetensors"))
        _configurations()
    finally:
        os.chdir(before)
    return root


def _command(*words: str) -> None:
    if code := cli.main([*words]):
        raise RuntimeError(f"gan {' '.join(words)}: {code}")


def _runs() -> None:
    _command("train", *TINY, *TRAINED, "run_dir=run")
    asked = ("--metrics", "frechet", "-n", "64", "--extractor", "raw")
    _command("evaluate", "--ckpt", "run", *asked)
    (scores,) = Path("run/evaluations").glob("*.json")
    scores.rename("run/evaluations/scores.json")
    (Path("run") / ".lock").unlink(missing_ok=True)
    _rewound(Path("run"))
    shutil.copytree("run", "other")
    record = json.loads(Path("other/run.json").read_text())
    record["config"]["seed"] = 1
    Path("other/run.json").write_text(json.dumps(record))
    jobs = [
        Job("seed=0", ["seed=0"], "run", "done", config={"seed": 0}, figures={"loss/g": 1.5}),
        Job("seed=1", ["seed=1"], "other", "failed", "why", {"seed": 1}, {}, "2026", "", 1.5),
        Job("seed=2", ["seed=2"], "third"),
    ]
    Ledger.open(Path("sweep"), "gan train -m seed=0,1,2", jobs)


def _rewound(run: Path) -> None:
    rewinds = Rewinds(run)
    rewinds.add(12, 12, "overpowering: D is sure of itself")
    rewinds.add(13, 12, "finite: nan")


def _files() -> None:
    """Generators: of digits, of classes, images from images, and a whole checkpoint."""
    shutil.copy("run/generator.safetensors", "digits.safetensors")
    shutil.copy("run/checkpoints/step-00000012.safetensors", "trained.safetensors")
    condition: dict[str, Any] = {"condition": {"name": "concat", "args": {}}}
    args = {"z_dim": 4, "width": 8, "depth": 1, "g_norm": "none", "d_norm": "none"}
    _generator("pets", "mlp", args, Space((1, 8, 8), ("cat", "dog", "owl")), condition)
    task = {"task": {"name": "superres", "args": {"factor": 2}}}
    given = Space((1, 8, 8), given=(1, 4, 4))
    _generator("sharper", "unet", {"z_dim": 3, "width": 4}, given, condition | task)


def _generator(
    name: str, model: str, args: dict[str, Any], space: Space, more: dict[str, Any]
) -> None:
    torch.manual_seed(1)
    condition = build.component("condition", "concat", {})
    net = condition.generator(build.component("model", model, args), space)
    told: dict[str, Any] = {"shape": list(space.shape), "classes": list(space.classes)}
    if space.given:
        told |= {"given": list(space.given), "data": list(space.shape)}
    about = {"kind": "generator", "step": 12, "model": {"name": model, "args": args}}
    tensors = {f"G_ema/{key}": value for key, value in net.state_dict().items()}
    container.write(f"{name}.safetensors", tensors, about | more | {"space": told})


def _images() -> None:
    draw = np.random.default_rng(0)
    for name in ("real", "made"):
        for label in ("a", "b"):
            place = Path(name) / label
            place.mkdir(parents=True)
            for number in range(12):
                pixels = draw.integers(0, 255, (8, 8), dtype=np.uint8)
                end = ".jpg" if number % 6 == 5 else ".png"
                Image.fromarray(pixels).save(place / f"{number}{end}")
    images = draw.integers(0, 255, (24, 8, 8, 1), dtype=np.uint8)
    np.savez_compressed("made.npz", images=images, labels=np.arange(24) % 3)


MINE = """\
# @package _global_
defaults:
  - override /constraint: spectral
  - _self_
n_critic: 1
loss:
  _target_: gan_cli.loss.hinge.Hinge
optimizer:
  lr: 1.0e-4
  betas: [0.0, 0.9]
"""


def _configurations() -> None:
    for group, text in {
        "loss": MINE,
        "model": "_target_: gan_cli.model.mlp.MLP\nz_dim: 4\nwidth: 8\ndepth: 1\n",
    }.items():
        place = Path("conf") / group
        place.mkdir(parents=True)
        (place / "mine.yaml").write_text(text)
    (Path("conf") / "mine.yaml").write_text("defaults:\n  - train\n  - _self_\nsteps: 3\n")
