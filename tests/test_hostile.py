"""Opening a stranger's file runs nothing, writes nothing, and says in one line what is wrong."""

from __future__ import annotations

import subprocess
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
from tests.conftest import ROOT


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


AUDIT = """
import io, os, resource, sys, time, warnings
from pathlib import Path
import importlib, pkgutil
import gan_cli.cli, gan_cli.condition, gan_cli.model, gan_cli.prior, gan_cli.task
from tests import hostile

for group in (gan_cli.condition, gan_cli.model, gan_cli.prior, gan_cli.task):
    for module in pkgutil.iter_modules(group.__path__, f"{group.__name__}."):
        importlib.import_module(module.name)  # else importing them would be seen

warnings.simplefilter("ignore")
QUIET = {"exec", "compile", "import", "ctypes.dlopen", "pickle.find_class", "subprocess.Popen",
         "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.remove", "os.rename", "os.mkdir",
         "shutil.rmtree", "socket.connect", "socket.getaddrinfo"}
watching, seen = False, []

def watch(event, arguments):
    writes = event == "open" and (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    if watching and (event in QUIET or writes):
        seen.append((event, str(arguments)[:200]))

sys.addaudithook(watch)

def attempt(place):
    global watching
    sys.stderr = io.StringIO()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.monotonic()
    watching = True
    code = gan_cli.cli.main(["sample", "--ckpt", str(place), "--out", "picture.png"])
    watching = False
    told, sys.stderr = sys.stderr.getvalue(), sys.__stderr__
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return code, told, time.monotonic() - start, more

path = Path("evil.safetensors")
path.write_bytes(hostile.asking())
attempt(path)
if not any(event == "open" for event, _ in seen):
    print("the watch is blind")
Path("picture.png").unlink()
path.write_bytes(hostile.FILES["empty"][0]())
attempt(path)  # what reports a failure is imported at the first one
seen.clear()
for name, (make, words) in {**hostile.FILES, **hostile.REQUESTS, **hostile.PLACES}.items():
    if name in hostile.PLACES:
        place = make(Path(f"evil-{name}"))
    else:
        path.write_bytes(make())
        place = path
    code, told, seconds, megabytes = attempt(place)
    good = code == 4 and "Traceback" not in told and words in told.replace("\\n", " ")
    if not good or seen or seconds > 2 or megabytes > 200:
        print(name, code, told, seen, seconds, megabytes)
        seen.clear()
left = {entry.name for entry in Path().iterdir()} - {"evil.safetensors"}
print(*[name for name in left if not name.startswith("evil-")], end="")
"""


def test_the_command_runs_nothing_and_writes_nothing(tmp_path: Path) -> None:
    """As `gan sample` meets them, without asserts, and with every system event looked at."""
    done = subprocess.run(
        [sys.executable, "-O", "-c", AUDIT],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HOME": str(tmp_path / "evil-home")},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1:] == [], done.stdout
    assert done.stdout.startswith("picture.png: 64 samples"), done.stdout
