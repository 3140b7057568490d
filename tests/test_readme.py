"""Every command of the README and of docs/ runs."""

from __future__ import annotations

import re
import shlex
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan_cli import cli_lab, serve
from gan_cli.scores import Scores
from gan_cli.train import launch
from tests.conftest import ROOT
from tests.games import composed

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
QUICK = ["steps=2", "images=null", "epochs=null", "batch_size=4", "sample_every=1", "log_every=1"]
QUICK += ["diagnose.n=64"]
"""A run of a moment, whatever the command asks for."""


def commands() -> list[tuple[str, str]]:
    """The lines that begin with `gan` in the shell blocks of the pages, comments cut off."""
    found = []
    for page in PAGES:
        for block in re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL):
            lines = block.replace("\\\n", " ").splitlines()
            gan = [line for line in lines if line.strip().startswith("gan ")]
            found += [(page.name, line.split(" #")[0].strip()) for line in gan]
    first = {command: page for page, command in reversed(found)}  # each once, for its first page
    return [(page, command) for command, page in reversed(first.items())]


ALONE = {command.split()[1]: command for _, command in reversed(commands())}
"""Of each verb the first command, which has a process of its own: it imports what it needs."""


MEASURED = ["evaluate_every=1", "evaluate_n=20"]
SEEN = "20"
"""Samples that are measured."""


def quickened(words: list[str], quick: list[str]) -> list[str]:
    """The same with a budget of a moment."""
    if words[0] == "evaluate":
        at = words.index("--n") if "--n" in words else len(words)
        return [*words[:at], *words[at + 2 :], "--n", SEEN]
    if words[0] == "invert":
        return [*words, "--steps", "2", "--restarts", "1"]
    if words[0] == "bench":
        sizes = [w if before != "--batches" else "4,8" for before, w in pairwise(words)]
        return [words[0], *sizes, "batch_size=4", "--seconds", "0.1"]
    if words[0] != "train" or {"--help", "--cfg", "--info"} & set(words):
        return words
    quick = quick + MEASURED * any(word.startswith("metric=") for word in words)
    budget = {"steps", "images", "epochs", "batch_size", "sample_every", "log_every"}
    budget |= {"evaluate_every", "evaluate_n"}
    return [w for w in words if w.split("=")[0] not in budget] + quick


UNET = ["model=unet", "model.width=4"]
RUNS = {
    "default": ["model=mlp"],
    "dataset-mnist": ["dataset=folder", "dataset.size=28", "dataset.channels=1"],
    "demo": ["experiment=demo"],
    "dataset-mnist+task-label": ["task=label", "model=mlp"],
    "experiment-infogan": ["experiment=infogan"],
    "experiment-sngan_mnist": ["task=label", "model=mlp"],
    "experiment-superres_mnist": ["task=superres_x4", *UNET],
    "mean": ["task=superres_x4", *UNET, "method=regression", "term=l2"],
}
"""The runs that commands speak of, by their directories, and what is as good for each of them."""


def painted(directory: Path, count: int = 4) -> Path:
    """A directory of pictures that show nothing."""
    directory.mkdir(parents=True)
    for index in range(count):
        pixels = np.random.default_rng(index).integers(0, 255, (70, 70, 3), np.uint8)
        Image.fromarray(pixels).save(directory / f"{index}.png")
    return directory


@pytest.fixture(scope="module")
def stage(tmp_path_factory) -> Path:
    """What the commands speak of: runs under the names they have, folders of pictures."""
    stage = tmp_path_factory.mktemp("stage")
    for name in ("pictures/cats", "pictures/dogs", "sketches", "photos", "made", "clips"):
        painted(stage / name, 24)
    np.savez(stage / "made.npz", images=np.zeros((30, 28, 28, 1), np.uint8))
    for name, overrides in RUNS.items():
        asked = [*overrides, *QUICK]
        if "dataset=folder" in asked:
            asked.append(f"dataset.path={stage / 'pictures'}")
        config = composed(*asked, f"run_dir={stage / 'outputs' / name}")
        typed = dict(word.split("=", 1) for word in overrides if "." not in word)
        chosen = {"dataset": "digits", **typed}
        launch(config, chosen, asked, ["gan", "train", *asked])
    shutil.copytree(stage / "outputs" / "default", stage / "outputs" / "experiment-ring")
    return stage


def test_there_are_commands_to_test():
    assert len(commands()) > 10


@pytest.mark.parametrize(("page", "command"), commands())
def test_the_command_runs(page, command, stage, shared_cache, tmp_path, gan, gan_here, request):
    run = gan if command in ALONE.values() else gan_here
    shutil.copytree(stage, tmp_path, dirs_exist_ok=True)
    _, *words = shlex.split(command)
    if words[0] == "lab" and len(words) > 1:
        # tests/test_lab.py runs each of them, and asks that its claims hold
        assert words[1] in cli_lab.experiments(), words
        assert set(words[2:]) <= {"--quick"}, words
        return
    if words[0] == "serve":
        serve.parser().parse_args(words[1:])  # tests/test_serve.py opens the page
        return
    env = {"XDG_CACHE_HOME": str(shared_cache)}  # a judge is trained once
    resumes = any(word.startswith("resume=") for word in words)
    if (words[0] == "train" and "mnist" in command) or "dataset=mnist" in words:
        env["GAN_DATA"] = str(request.getfixturevalue("mnist_root"))
    if "train" in words and not resumes and len(words) < 3:
        shutil.rmtree(tmp_path / "outputs" / "default")
    for word in words:
        if words[0] == "train" and word.startswith("run_dir="):
            shutil.rmtree(tmp_path / word.removeprefix("run_dir="), ignore_errors=True)
    if words[0] == "evaluate" and "--against" in words:
        other = words[words.index("--against") + 1]
        assert run("evaluate", "--ckpt", other, "--n", SEEN, env=env).returncode == 0
    done = run(*(quickened(words, ["steps=3"] if resumes else QUICK)), env=env)
    assert done.returncode == 0, f"{page}: {command}\n{done.stdout}{done.stderr}"


def test_the_two_commands_of_the_readme_are_targets():
    text = (ROOT / "README.md").read_text()
    targets = re.findall(r"^make (\w+)", text, re.MULTILINE)
    makefile = (ROOT / "Makefile").read_text()
    assert {"demo", "test"} <= set(targets)
    assert all(re.search(rf"^{target}:.*##", makefile, re.MULTILINE) for target in targets)


def test_every_entry_of_conf_is_named():
    """A table in the README, or a page of docs/, knows each choice there is."""
    text = "\n".join(page.read_text() for page in PAGES)
    for path in sorted((ROOT / "conf").glob("*/*.yaml")):
        if path.parent.name != "hydra":
            named = f"`{path.stem}`" in text or f"={path.stem}" in text
            assert named, f"{path.parent.name}={path.stem}"


def test_every_picture_is_there_and_small():
    for page in PAGES:
        for target in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", page.read_text()):
            picture = page.parent / target
            assert picture.stat().st_size < 600_000, f"{page.name}: {target}"


def test_a_metric_of_ones_own_is_one_file_and_one_yaml(stage, tmp_path, gan):
    """The one that docs/metrics.md shows."""
    text = (ROOT / "docs" / "metrics.md").read_text()
    (tmp_path / "mine" / "metric").mkdir(parents=True)
    for path, kind in (("ink.py", "python"), ("mine/metric/ink.yaml", "yaml")):
        (block,) = re.findall(rf"`{path}`[^`]*:\n\n```{kind}\n(.*?)```", text, re.DOTALL)
        (tmp_path / path).write_text(block)
    own = ("--metrics", "ink", "--config-dir", "mine", "--n", SEEN, "--out", "ink.json")
    done = gan("evaluate", "--ckpt", stage / "outputs" / "demo", *own, "--extractor", "raw")
    assert done.returncode == 0, done.stderr
    figure = Scores.read(tmp_path / "ink.json").figures["ink"]
    assert 0 <= figure.low <= figure.value <= figure.high
