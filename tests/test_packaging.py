"""A wheel holds the package and conf/ and nothing else, and works from any directory."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.conftest import ROOT


def run(*command: str | Path, cwd: Path = ROOT, path: Path | None = None) -> str:
    env = {**os.environ, **({"PYTHONPATH": str(path)} if path else {})}
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=cwd,
        env=env,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the source archive and, built from that, the wheel."""
    pytest.importorskip("hatchling", reason="hatchling builds the wheel: pip install -e .[dev]")
    directory = tmp_path_factory.mktemp("built")
    run("hatchling", "build", "-t", "sdist", "-d", directory)
    (archive,) = directory.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        opened.extractall(directory, filter="data")
    source = directory / archive.name.removesuffix(".tar.gz")
    run("hatchling", "build", "-t", "wheel", "-d", directory, cwd=source)
    return directory


@pytest.fixture(scope="module")
def installed(built: Path) -> Path:
    """A directory in which the wheel is installed, without what it depends on."""
    pytest.importorskip("pip", reason="pip installs the wheel")
    (wheel,) = built.glob("*.whl")
    target = built / "installed"
    run("pip", "install", "--quiet", "--no-deps", "--no-index", "--target", target, wheel)
    return target


def files(folder: str, inside: str) -> set[str]:
    paths = [path for path in (ROOT / folder).rglob("*") if path.is_file()]
    return {
        f"{inside}/{path.relative_to(ROOT / folder).as_posix()}"
        for path in paths
        if "__pycache__" not in path.parts
    }


def test_the_wheel_holds_the_package_and_conf_and_nothing_else(built: Path):
    (wheel,) = built.glob("*.whl")
    names = {name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert names == files("gan_cli", "gan_cli") | files("conf", "gan_cli/conf")


def test_an_installed_wheel_reads_its_own_conf_from_any_directory(installed: Path, tmp_path: Path):
    where = run("gan_cli", "train", "--info", "searchpath", cwd=tmp_path, path=installed)
    assert str(installed / "gan_cli" / "conf") in where
    assert str(ROOT / "conf") not in where


def test_an_installed_wheel_means_what_the_source_means(installed: Path, tmp_path: Path):
    asked = ("gan_cli", "train", "--cfg", "job", "loss=wgan")
    assert run(*asked, cwd=tmp_path, path=installed) == run(*asked, cwd=tmp_path, path=ROOT)
