"""CONTRIBUTING.md keeps its word: a new loss is one file and one YAML, and the laws find it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, Result

BLOCK = re.compile(r"^in\s+`([\w/.]+)`:\n\n```\w+\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository with the files that CONTRIBUTING.md shows added to it."""
    copy = tmp_path_factory.mktemp("tree")
    for name in ("gan_cli", "conf", "tests"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    shown = dict(BLOCK.findall(text))
    assert set(shown) == {"gan_cli/loss/squared_hinge.py", "conf/loss/squared_hinge.yaml"}
    for path, content in shown.items():
        (copy / path).write_text(content, "utf-8")
    return copy


def run(tree: Path, *command: str) -> Result:
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree)},
        check=False,
        capture_output=True,
        text=True,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def test_the_laws_find_the_new_loss_and_hold(tree: Path):
    texts = {path: path.read_text("utf-8") for path in tree.glob("tests/laws/test_*.py")}
    of_losses = {path for path, text in texts.items() if '"loss"' in text}
    laws = [
        str(path) for path in of_losses if "pytestmark = pytest.mark.training" not in texts[path]
    ]
    only = ("-k", "squared_hinge", "-m", "not training")
    done = run(tree, "pytest", *laws, *only, "-p", "no:cacheprovider", "-v")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(re.findall(r"squared_hinge.* PASSED", done.stdout)) >= 5


def test_the_new_loss_trains(tree: Path):
    small = ("model=mlp", "model.width=8", "steps=2", "batch_size=8", "tensorboard=false")
    done = run(tree, "gan_cli", "train", "loss=squared_hinge", *small)
    assert done.returncode == 0, done.stdout + done.stderr
