"""A wheel holds the package and conf/ and nothing else, and works from any directory; what it asks
for has bounds."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
from importlib.metadata import packages_distributions
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests import bounds
from tests.conftest import ROOT
from tests.laws.source import read


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


def test_every_dependency_begins_with_its_oldest_version():
    assert all(bounds.oldest(text) for text in bounds.required().values())


def test_a_newest_version_has_its_reason_beside_it():
    lines = bounds.PROJECT.read_text().splitlines()
    for name, text in bounds.required().items():
        asking = [line for line in lines if f'"{name}{text}"' in line]
        assert asking, f"{name}: not on a line with its bounds"
        assert all(("<" in text) == ("#" in line) for line in asking), asking


def test_what_the_package_imports_is_asked_for():
    """Rather than there because another package happens to need it."""
    asked = {plain(name) for name in bounds.required()}
    sold = packages_distributions()
    ours = {"gan_cli", *sys.stdlib_module_names}
    foreign = {
        target.partition(".")[0]: f"{module.path}:{line}: {target}"
        for module in read("gan_cli")
        for line, target in module.imports()
    }
    for top, where in foreign.items():
        names = {plain(name) for name in sold.get(top, [top])}
        assert top in ours or names & asked, where


def plain(name: str) -> str:
    """The name of a distribution in one spelling."""
    return re.sub(r"[-_.]+", "-", name).lower()
