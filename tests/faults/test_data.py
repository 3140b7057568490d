"""What can be wrong with image files: each is named, and nothing stops in the middle."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from gan_cli.cli import main
from gan_cli.dataset.census import census
from gan_cli.dataset.decode import FAULTS, Decode
from gan_cli.dataset.folder import Folder
from gan_cli.dataset.frames import Frames
from gan_cli.dataset.listing import Listing
from gan_cli.dataset.pairs import Pairs
from gan_cli.dataset.source import Resident
from gan_cli.dataset.survey import quiet
from gan_cli.errors import BadFile
from tests.faults.pictures import BROKEN, Make, noise, pages, plain
from tests.hostile import within

REFUSED = "every such file with its reason, before step 0: repair it, or on_bad_image=skip"


def images(path: Path, **options: Any) -> torch.Tensor:
    source = Folder(str(path), **{"size": 16, "cache": None, **options}).load()
    assert isinstance(source, Resident)
    return source.images


@pytest.mark.fault("D1", "16-bit gray", "a ramp of 65,536 levels as PNG, PGM and TIFF")
def test_sixteen_bits_are_rescaled(tmp_path: Path, tally):
    ramp = np.linspace(0, 65535, 256).round().astype(np.uint16).reshape(16, 16)
    right = 0
    for kind in ("png", "tif", "pgm"):
        folder = tmp_path / kind
        folder.mkdir()
        if kind == "pgm":
            (folder / "a.pgm").write_bytes(b"P5 16 16 65535\n" + ramp.astype(">u2").tobytes())
        else:
            Image.fromarray(ramp).save(folder / f"a.{kind}")
        right += images(folder, channels=1).flatten().tolist() == list(range(256))
    tally(3, right, "the same picture in 8 bits: rescaled, never clipped")


@pytest.mark.fault("D2", "what is transparent hides a colour", "PNG and WebP of alpha 0 and 51")
def test_hidden_colours_stay_hidden(tmp_path: Path, tally):
    right = 0
    for kind in ("png", "webp"):
        for alpha, seen in ((0, 255), (51, 204)):
            image = Image.new("RGBA", (16, 16), (0, 0, 0, alpha))
            folder = tmp_path / f"{kind}{alpha}"
            folder.mkdir()
            image.save(folder / f"a.{kind}", lossless=True, exact=True)
            right += images(folder).unique().tolist() == [seen]
    tally(4, right, "the background of dataset.background, white")


@pytest.mark.fault("D3", "palette, gray with opacity, 1 bit, CMYK", "one file of each among RGB")
def test_other_modes_are_counted(tmp_path: Path, tally, capsys: pytest.CaptureFixture[str]):
    plain(tmp_path / "a.png")
    plain(tmp_path / "b.png", 0, "P")
    plain(tmp_path / "c.png", (100, 0), "LA")
    plain(tmp_path / "d.png", 1, "1")
    plain(tmp_path / "e.jpg", (0, 0, 0, 0), "CMYK")
    [note] = Folder(str(tmp_path), size=16, cache=None).load().notes
    assert note == "converted to RGB: 1 1, 1 CMYK, 1 LA, 1 P"
    found = images(tmp_path)
    assert found[1:, :, 0, 0].tolist() == [[0] * 3, [255] * 3, [255] * 3, [255] * 3]
    tally(4, 4, "converted as dataset.channels says, and counted in the greeting")


@pytest.mark.fault("D4", "an image that its EXIF turns", "all 8 orientations as JPEG, PNG and WebP")
def test_exif_is_obeyed(tmp_path: Path, tally):
    values = np.zeros((16, 32, 3), np.uint8)
    values[:8, :16], values[:8, 16:], values[8:, :16] = 255, 160, 80
    upright = [255, 160, 80, 0]
    places = [(4, 4), (4, -4), (-4, 4), (-4, -4)]
    turns = {  # what has to be done to see it upright, undone
        1: lambda x: x,
        2: lambda x: x[:, ::-1],
        3: lambda x: x[::-1, ::-1],
        4: lambda x: x[::-1],
        5: lambda x: x.transpose(1, 0, 2),
        6: lambda x: np.rot90(x, 1),
        7: lambda x: np.rot90(x, 2).transpose(1, 0, 2),
        8: lambda x: np.rot90(x, -1),
    }
    right = 0
    for kind in ("jpg", "png", "webp"):
        for orientation, turn in turns.items():
            folder = tmp_path / f"{kind}{orientation}"
            folder.mkdir()
            exif = Image.Exif()
            exif[0x0112] = orientation
            stored = Image.fromarray(np.ascontiguousarray(turn(values)))
            stored.save(folder / f"a.{kind}", exif=exif, quality=100)
            seen = images(folder, size=None)[0, 0]
            found = [int(seen[place]) for place in places]
            right += np.abs(np.array(found) - upright).max() < 12 and seen.shape == (16, 32)
    tally(24, right, "the picture as a viewer shows it")


@pytest.mark.fault("D5", "an animation among pictures", "GIF, PNG and WebP of 3 frames")
def test_the_first_frame_of_an_animation(tmp_path: Path, tally):
    frames = [Image.new("RGB", (16, 16), c) for c in ("#ff0000", "#00ff00", "#0000ff")]
    right = 0
    for kind in ("gif", "png", "webp"):
        (tmp_path / kind).mkdir()
        path = tmp_path / kind / f"a.{kind}"
        frames[0].save(path, save_all=True, append_images=frames[1:], lossless=True)
        right += images(tmp_path / kind)[0, :, 0, 0].tolist() == [255, 0, 0]
    tally(3, right, "its first frame, as documented; dataset=frames takes all of them")


@pytest.mark.fault("D6", "mixed sizes, not square", "three images of other sides, with size=null")
def test_unlike_sizes_are_named(tmp_path: Path, tally):
    for number, size in enumerate([(16, 16), (20, 12), (300, 9)]):
        plain(tmp_path / f"{number}.png", size=size)
    with pytest.raises(BadFile, match=r"2 of 3.*\n.*1\.png: 20×12.*\n.*2\.png: 300×9.*dataset\.si"):
        images(tmp_path, size=None)
    assert images(tmp_path).shape == (3, 3, 16, 16)
    tally(3, 3, "which ones differ, and the dataset.size that makes them agree")


def _cases() -> list[Any]:
    how = "in a folder, on either side of pairs, among frames, before `gan data check`"
    return [
        pytest.param(make, words, marks=pytest.mark.fault(row, name, how))
        for name, (row, make, words) in BROKEN.items()
    ]


@pytest.mark.parametrize(("make", "words"), _cases())
def test_a_broken_file_is_named_wherever_it_is(tmp_path: Path, make: Make, words: str, tally):
    """In a folder, on either side of pairs, among frames; for `gan data check` as for training."""
    for side in ("a", "b"):
        plain(tmp_path / side / "good.png")
        plain(tmp_path / side / "x.png")
    bad = tmp_path / "a" / "x.png"
    bad.unlink()
    try:
        make(bad)
    except PermissionError:
        pytest.skip("only root can make one")
    options: dict[str, Any] = {"size": 16, "cache": None}
    folder = Folder(str(tmp_path / "a"), **options)
    asked = {
        "folder": folder.load,
        "a": Pairs(str(tmp_path / "a"), str(tmp_path / "b"), **options).load,
        "b": Pairs(str(tmp_path / "b"), str(tmp_path / "a"), **options).load,
        "frames": Frames(str(tmp_path / "a"), size=16).load,
    }
    named = 0
    for load in asked.values():
        with within(5), pytest.raises(BadFile) as caught:
            load()
        named += "x.png" in str(caught.value) and words in str(caught.value)
    [broken] = census(Listing.scan(tmp_path / "a"), folder.decode()).broken
    named += broken.name == "x.png" and words in broken.why
    kept = Folder(str(tmp_path / "a"), **options, on_bad_image="skip").load()
    assert (kept.length, "x.png" in kept.notes[0]) == (1, True)
    tally(5, named, REFUSED)


@pytest.mark.fault("D13", "a page of 80 megapixels", "the second page of a TIFF, among frames")
def test_every_page_has_its_limit(tmp_path: Path, tally):
    pages(tmp_path / "x.tif")
    with pytest.raises(BadFile, match=r"x\.tif can't be read: 80 megapixels, above the limit"):
        Frames(str(tmp_path), size=16).load()
    assert images(tmp_path).shape == (1, 3, 16, 16)
    tally(1, 1, "the file, and the limit of 50 megapixels")


@pytest.mark.timeout(600)
@pytest.mark.fault("D8", "flipped bits in images", "1 to 20 random changes, 8 formats")
def test_mutated_images_are_decoded_or_named(tmp_path: Path, times, tally):
    path, chance = tmp_path / "x", random.Random(7)
    wholes = []
    base = Image.fromarray(np.random.default_rng(0).integers(0, 256, (12, 12, 3), np.uint8))
    for kind in ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM"):
        base.save(path, kind)
        wholes.append(path.read_bytes())
    base.convert("P").save(path, "PNG", transparency=3)
    wholes.append(path.read_bytes())
    decodes = [Decode((8, 8), 3, "center", "white", 1), Decode(None, 4, "none", "white", 1)]
    tried = times(300, 6000)
    for number in range(tried):
        data = bytearray(wholes[number % len(wholes)])
        for _ in range(chance.choice([1, 1, 3, 20])):
            place = chance.randrange(len(data))
            data[place : place + chance.choice([1, 1, 0, 4])] = chance.randbytes(
                chance.choice([1, 1, 0, 4])
            )
        path.write_bytes(data or b"x")
        with quiet():
            try:
                pixels, _ = decodes[number % 2](path)
                assert pixels.dtype == np.uint8
            except FAULTS:
                pass  # named; anything else fails the test
    tally(tried, tried, "other pixels, or the file and why it can't be read")


@pytest.mark.fault("D7", "all of these at once", "`gan data check`, then `gan train`")
def test_the_commands_name_all_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tally
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    plain(tmp_path / "set" / "good.png")
    made = 0
    for number, (_, make, _) in enumerate(BROKEN.values()):
        try:
            make(tmp_path / "set" / f"{number}.png")
        except PermissionError:
            continue
        made += 1
    assert main(["data", "check", "set", "size=16"]) == 4
    out, err = capsys.readouterr()
    assert err == ""
    assert f"{made} of {made + 1} can't be used" in out
    named = sum(words.split()[0] in out for _, _, words in BROKEN.values())
    settings = ["steps=2", "model=mlp", "dataset=folder", "dataset.path=set", "dataset.size=16"]
    assert main(["train", *settings, "run_dir=run", "dataset.cache=null"]) == 4
    out, err = capsys.readouterr()
    assert f"{made} of {made + 1} images in set can't be used:\n  0.png: empty" in err
    assert "dataset.on_bad_image=skip" in err
    assert "Traceback" not in err
    assert not list((tmp_path / "run").glob("checkpoints/*"))
    tally(len(BROKEN), named, REFUSED)


@pytest.mark.fault("D7", "2,000 files to look at", "hard links to two pictures, and two bad ones")
def test_looking_at_files_is_quick(tmp_path: Path, tally):
    for name in ("a", "b"):
        noise(tmp_path / f"{name}.png", 1)
    for number in range(1996):
        os.link(tmp_path / f"{'ab'[number % 2]}.png", tmp_path / f"{number}.png")
    for number in range(2):
        (tmp_path / f"bad{number}.png").touch()
    before = time.process_time()
    listing = Listing.scan(tmp_path)
    scanned = time.process_time() - before
    assert len(listing.names) == 2000
    source = Folder(str(tmp_path), size=16, cache=None, on_bad_image="skip").load()
    whole = time.process_time() - before
    assert source.length == 1998
    assert scanned < 2.0
    assert whole < 2 * 2.0  # decoded as well
    tally(2000, 2000, f"nothing: {1e3 * scanned / 2000:.2f} ms a file, {whole / 2:.2f} ms decoded")
