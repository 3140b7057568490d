"""Every command of the README and of docs/ runs."""

from __future__ import annotations

import re
import shlex

import pytest

from tests.conftest import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
QUICK = ["steps=2", "images=null", "epochs=null", "batch_size=4", "sample_every=2", "log_every=1"]
"""A run of a moment, whatever the command asks for."""


def commands() -> list[tuple[str, str]]:
    """The lines that begin with `gan` in the shell blocks of each page, comments cut off."""
    found = []
    for page in PAGES:
        for block in re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL):
            lines = block.replace("\\\n", " ").splitlines()
            gan = [line for line in lines if line.strip().startswith("gan ")]
            found += [(page.name, line.split(" #")[0].strip()) for line in gan]
    return list(dict.fromkeys(found))


def quickened(words: list[str]) -> list[str]:
    """The same training with a budget of a moment."""
    if words[0] != "train" or {"--help", "--cfg", "--info"} & set(words):
        return words
    budget = {"steps", "images", "epochs", "batch_size", "sample_every", "log_every"}
    return [w for w in words if w.split("=")[0] not in budget] + QUICK


@pytest.fixture
def scene(tmp_path, gan):
    """A directory with what the commands speak of: a run, a folder of pictures, a config."""
    import numpy as np
    from PIL import Image

    done = gan("train", "model=mlp", "run_dir=outputs/default", *QUICK)
    assert done.returncode == 0, done.stderr
    for kind in ("cats", "dogs"):
        (tmp_path / "pictures" / kind).mkdir(parents=True)
        for index in range(4):
            pixels = np.random.default_rng(index).integers(0, 255, (70, 70, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pictures" / kind / f"{index}.png")
    for name in ("dataset-mnist", "demo", "experiment-ring", "loss-wgan+dataset-mnist"):
        (tmp_path / "outputs" / name).symlink_to("default")
    return tmp_path


def test_there_are_commands_to_test():
    assert len(commands()) > 10


@pytest.mark.parametrize(("page", "command"), commands())
def test_the_command_runs(page, command, scene, gan, request):
    _, *words = shlex.split(command)
    env = {}
    if "mnist" in command and words[0] == "train" and "resume" not in command:
        env["GAN_DATA"] = str(request.getfixturevalue("mnist_root"))
    if any(word.startswith("resume=") for word in words):
        words = ["train", f"resume={scene / 'outputs' / 'default'}", "steps=3"]
        done = gan(*words)
    else:
        done = gan(*quickened(words), env=env)
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
