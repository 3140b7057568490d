"""Opening a stranger's file runs nothing, writes nothing, and says in one line what is wrong."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from safetensors.torch import load

from gan_cli import container, state
from gan_cli.errors import BadFile
from gan_cli.sampler import Sampler
from tests import hostile


@pytest.fixture(autouse=True)
def no_canary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever a payload touches would appear in the working directory."""
    monkeypatch.chdir(tmp_path)
    yield
    assert not (tmp_path / hostile.CANARY).exists()


def refused(read: Callable[[], object], path: object, words: str) -> None:
    with pytest.raises(BadFile) as caught:
        read()
    message = str(caught.value)
    assert caught.value.exit_code == 4
    assert words in message
    assert message.isprintable(), "one line, and nothing that moves a cursor"
    assert len(message) < 500


def made(tmp_path: Path, make: Callable[[], bytes]) -> Path:
    path = tmp_path / "evil.safetensors"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path.write_bytes(make())
    return path


def test_the_file_that_the_hostile_ones_imitate_is_sound(tmp_path: Path) -> None:
    path = made(tmp_path, hostile.asking)
    assert Sampler.load(path).sample(3, seed=0).shape == (3, 1, 4, 4)


@pytest.mark.parametrize("name", hostile.FILES)
def test_a_hostile_file_is_refused(tmp_path: Path, name: str) -> None:
    make, words = hostile.FILES[name]
    path = made(tmp_path, make)
    refused(lambda: container.read(path), path, words)
    path = path.rename(state.path_of(tmp_path, 3))
    refused(lambda: state.newest(tmp_path), path, words)


@pytest.mark.parametrize("name", hostile.REQUESTS)
def test_a_hostile_request_is_refused(tmp_path: Path, name: str) -> None:
    make, words = hostile.REQUESTS[name]
    path = made(tmp_path, make)
    assert load(path.read_bytes()), "sound as a file"
    container.read(path)
    refused(lambda: Sampler.load(path), path, words)


@pytest.mark.parametrize("name", hostile.PLACES)
def test_a_place_without_a_file_is_refused(tmp_path: Path, name: str) -> None:
    make, words = hostile.PLACES[name]
    place = make(tmp_path / "evil")
    refused(lambda: Sampler.load(place), place, words)


def test_a_trusted_package_is_the_only_one_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.py").write_text(
        "from gan_cli.model import mlp\n\n\nclass MLP(mlp.MLP):\n    pass\n"
    )
    (tmp_path / "other.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    named = {"name": "mine.MLP", "args": hostile.MODEL}
    path = made(tmp_path, lambda: hostile.asking(model=named))
    refused(lambda: Sampler.load(path), path, "--trust mine")
    refused(lambda: Sampler.load(path, trust=("other",)), path, "--trust mine")
    assert "mine" not in sys.modules
    assert Sampler.load(path, trust=("mine",)).sample(1, seed=0).shape == (1, 1, 4, 4)
    assert "other" not in sys.modules
