"""Images that a user hands to a verb: what can be wrong with them, and what only looks wrong."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan_cli.cli import main
from gan_cli.dataset.folder import Folder
from gan_cli.dataset.source import Resident
from tests.faults.forks import child, ended
from tests.faults.pictures import BROKEN, noise, plain
from tests.hostile import asking, within
from tests.test_reply import generator

ODD = "x\n\x1b[31m.png"
SHOWN = "x??[31m.png"
TAKEN = {"an image of 1×1"}
"""What is broken only where D would learn from it."""


@contextmanager
def little_memory(spare: int = 200 << 20) -> Iterator[None]:
    """So many bytes beside those that are taken: far too few for the pixels of a bomb."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    taken = pages * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + spare, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A generator of images of codes, one of images of images, and good pictures."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    Path("codes.safetensors").write_bytes(asking())
    generator("answers.safetensors")
    for number in range(3):
        noise(Path("good") / f"{number}.png", number)


def asked(path: str) -> list[list[str]]:
    """The commands that take an image, or a directory of them."""
    sample = ["sample", "--ckpt", "answers.safetensors", "--out", "out.png"]
    invert = ["invert", "--ckpt", "codes.safetensors", "--out", "out.png", "--steps", "1"]
    return [[*sample, "--from", path], [*sample, "--input", path], [*invert, path]]


@pytest.mark.fault(
    "D7", "a broken image is asked about", "`gan sample --from`, `--input`, `gan invert`: each kind"
)
def test_a_broken_image_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], tally
):
    made = []
    for number, (name, (_, make, words)) in enumerate(BROKEN.items()):
        path = Path(f"set{number}") / ODD
        noise(path.with_name("a.png"), number)
        try:
            make(path)
        except PermissionError:
            continue
        if name not in TAKEN:
            made.append((path, words))
    tried = survived = 0
    for path, words in made:
        for given, fix in ((str(path), "give another"), (str(path.parent), "leave it out")):
            for words_of in asked(given):
                with within(5), little_memory():
                    code = main(words_of)
                told = capsys.readouterr().err
                right = words in told and f"{SHOWN}: " in told and f"; {fix}, or repair" in told
                tried += 1
                survived += code == 4 and right and told.count("\n") == 1
                assert survived == tried, (words_of, code, told)
    assert not Path("out.png").exists()
    tally(tried, survived, "FILE: why it can't be read; give another, or repair it; exit 4")


@pytest.mark.fault("D7", "a path that leads nowhere", "missing, below a file, too long, with a NUL")
def test_a_path_that_leads_nowhere_is_told(capsys: pytest.CaptureFixture[str], tally):
    Path("empty.png").mkdir()
    paths = {"no.png": 4, "good/0.png/x": 4, "x" * 300: 4, "a\0b": 4, "empty.png": 2}
    survived = 0
    for path, expected in paths.items():
        for words in asked(path):
            code, told = main(words), capsys.readouterr().err
            named = path[:100].replace("\0", "?") in told
            survived += code == expected and named and told.count("\n") == 1
    tally(
        3 * len(paths), survived, "the path, and why it is no image; exit 4, or 2 for a directory"
    )


@pytest.mark.fault(
    "D7", "broken images are measured", "`gan evaluate REAL MADE`, on either side, `data preview`"
)
def test_broken_images_are_told_before_anything_is_measured(
    capsys: pytest.CaptureFixture[str], tally
):
    names = {}
    for number, (name, (_, make, words)) in enumerate(BROKEN.items()):
        noise(Path("set") / "a.png", 0)
        try:
            if name not in TAKEN and len(names) < 10:  # so many are named
                make(Path("set") / f"{number}.png")
                names[f"{number}.png"] = words
        except PermissionError:
            continue
    named, raw = 0, ["size=8", "--metrics", "frechet", "extractor=raw"]
    for words_of in (
        ["evaluate", "good", "set", *raw],
        ["evaluate", "set", "good", *raw],
        ["data", "preview", "set", "size=8", "--out", "out.png"],
    ):
        with within(20):
            assert main(words_of) == 4
        out, told = capsys.readouterr()
        assert out == ""
        assert "Traceback" not in told
        assert f"{len(names)} of {len(names) + 1} images in set can't be used:" in told
        named += sum(f"\n  {name}: " in told for name in names)
    assert not Path("out.png").exists()
    for name in [*names][1:]:
        (Path("set") / name).unlink()
    assert main(["evaluate", "good", "set", *raw, "on_bad_image=skip"]) == 2  # of another reason
    told = capsys.readouterr().err
    named += "left out 1 images that can't be read:\n  0.png: empty" in told and "too few" in told
    tally(3 * len(names) + 1, named, "each file and why, and what to do with them; exit 4")


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to become somebody else")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.fault("D7", "no permission to read what is asked about", "a file, a parent directory")
def test_what_may_not_be_read_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str], tally):
    for folder in (tmp_path, *tmp_path.parents):
        folder.chmod(folder.stat().st_mode | 0o55)
        if folder.name.startswith("pytest-of"):
            break
    plain(Path("file.png"))
    plain(Path("below") / "x.png")
    for name in ("file.png", "below"):
        Path(name).chmod(0)
    survived = 0
    for path in ("file.png", "below/x.png"):
        for words in asked(path):

            def work(words: list[str] = words) -> bool:
                os.setuid(65534)
                return main(words) == 4

            right = ended(child(work)) == 0
            told = capfd.readouterr().err
            survived += right and f"{path}: Permission denied; " in told and told.count("\n") == 1
    tally(6, survived, "FILE: Permission denied; give another, or repair it; exit 4")


@pytest.mark.fault(
    "D7", "odd images that are whole", "16-bit, animated, CMYK, turned, clear, under odd names"
)
def test_odd_images_are_seen_as_a_data_set_sees_them(capsys: pytest.CaptureFixture[str], tally):
    ramp = np.linspace(0, 65535, 256).round().astype(np.uint16).reshape(16, 16)
    exif = Image.Exif()
    exif[0x0112] = 6
    half = np.zeros((16, 24, 3), np.uint8)
    half[:8] = 250
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("#ff0000", "#00ff00")]
    made = {
        "deep": lambda path: Image.fromarray(ramp).save(path, "PNG"),
        "moving": lambda path: frames[0].save(path, "GIF", save_all=True, append_images=frames[1:]),
        "cmyk": lambda path: Image.new("CMYK", (16, 16), (0, 200, 0, 0)).save(path, "JPEG"),
        "turned": lambda path: Image.fromarray(half).save(path, "JPEG", exif=exif),
        "clear": lambda path: Image.new("LA", (16, 16), (0, 51)).save(path, "PNG"),
    }
    survived = 0
    for name, make in made.items():
        path = Path(name) / ODD
        path.parent.mkdir()
        make(path)
        source = Folder(name, size=8, channels=1, cache=None).load()
        assert isinstance(source, Resident)
        _, from_it, invert = (words for words in asked(str(path)))
        sample = [*asked(str(path))[0][:3], "--out", f"{name}.npz", "--from", str(path)]
        assert main(sample) == main(from_it) == main(invert) == 0, capsys.readouterr().err
        Path("out.png").unlink()
        with np.load(f"{name}.npz") as held:
            survived += np.array_equal(held["truth"][0, :, :, 0], source.images[0, 0].numpy())
        out, err = capsys.readouterr()
        assert "\x1b" not in out + err
    tally(len(made), survived, "the picture as training would see it")
