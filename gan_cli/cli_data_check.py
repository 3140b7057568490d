"""The report of `gan data check`: what is in a data set, and what becomes of it."""

from __future__ import annotations

import hashlib
import shlex
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from gan_cli.cli_data import Asked
from gan_cli.cli_data_plan import images, lossy, megabytes, plan, refusal, shares
from gan_cli.cli_page import CYAN, RED, Page
from gan_cli.dataset.census import COMPARED, Census, Strangers, census, strangers
from gan_cli.dataset.decode import MODES
from gan_cli.dataset.folder import Folder
from gan_cli.dataset.listing import Listing
from gan_cli.dataset.source import Density, Endless, Resident, Source
from gan_cli.dataset.stream import Streamed
from gan_cli.errors import BadFile, UserMistake
from gan_cli.strict import clean

MANY = 2000
"""Images from which on it is said that looking at them takes a while."""

TOLD = 20
"""Broken files that are named; the rest are counted."""

PAIRS = 5
"""Copies that are named."""

ENTRIES = 12
"""Classes that are named."""


def tell(dataset: Any, asked: Asked) -> int:
    """Write the report of these data; 4 where training would stop at broken files, else 0."""
    page = Page.make()
    if isinstance(dataset, Folder):
        code = _folder(page, dataset, asked)
    else:
        _source(page, dataset.load(), asked)
        code = 0
    page.show()
    return code


def _folder(page: Page, folder: Folder, asked: Asked) -> int:
    if not folder.path:
        raise UserMistake("dataset=folder: of which images? Type dataset.path=DIRECTORY")
    root = Path(folder.path).expanduser()
    listing = Listing.scan(root)
    if len(listing.names) > MANY:
        sys.stderr.write(f"looking at {len(listing.names):,} images …\n")
    found = census(listing, folder.decode())
    page.title(clean(root), images(len(listing.names)))
    page.lines.append("")
    _found(page, found)
    _classes(page, listing)
    _passed_over(page, strangers(root))
    _broken(page, found)
    _copies(page, found, bool(listing.classes))
    page.lines.append("")
    refused = refusal(folder, found)
    if found.good:
        rest = [t for t in asked.overrides if not t.startswith(("dataset=", "dataset.path="))]
        page.lines.append(f"  With {clean(shlex.join(['dataset=folder', *rest]))}")
        for label, text in plan(folder, found):
            page.row(label, page.words(text))
    if refused:
        page.row("Stops", page.words(refused))
    page.lines.append("")
    _command(page, folder, found, asked)
    return BadFile.exit_code if refused else 0


def _found(page: Page, found: Census) -> None:
    """What the images that can be read are."""
    good = found.good
    if not good:
        page.row("Found", ["no image that can be read"])
        return
    kinds = shares(Counter(file.kind for file in good))
    page.row("Found", page.words(f"{len(good):,} that can be used: {kinds}"))
    sizes = Counter(file.size for file in good)
    (height, width), count = sizes.most_common(1)[0]
    if len(sizes) == 1:
        page.row("Sizes", [f"all {width}×{height}"])
    else:
        low, high = (pick(sizes, key=lambda size: size[0] * size[1]) for pick in (min, max))
        text = (
            f"{len(sizes)} different, from {low[1]}×{low[0]} to {high[1]}×{high[0]}; "
            f"the most frequent: {width}×{height} ({count:,})"
        )
        page.row("Sizes", page.words(text))
    modes = Counter(_MODES.get(file.mode, file.mode) for file in good)
    page.row("Channels", page.words(shares(modes)))


_MODES = {
    "1": "black and white",
    "L": "grey",
    "LA": "grey with opacity",
    "RGB": "colour (RGB)",
    "RGBA": "colour with opacity (RGBA)",
    "P": "palette",
    "CMYK": "CMYK",
    "I;16": "grey of 16 bits",
    "I;16B": "grey of 16 bits",
    "I": "grey of 16 bits",
}


def _classes(page: Page, listing: Listing) -> None:
    names = [clean(name, 40) for name in listing.classes]
    if names:
        page.row("Classes", page.words(_counts(names, listing.labels)))
        return
    top = [name for name in listing.names if len(Path(name).parts) < 2]
    inside = len(listing.names) - len(top)
    text = "none: no sub-folders with images"
    if inside:
        text = (
            f"none, because {len(top):,} images stand in no sub-folder, such as "
            f"{clean(top[0], 60)}; {inside:,} do"
        )
    page.row("Classes", page.words(text))


def _counts(names: Sequence[str], labels: Sequence[int]) -> str:
    """`3: cats 20, dogs 30, emus 5`."""
    counts = Counter(labels)
    each = [f"{name} {counts[i]:,}" for i, name in enumerate(names[:ENTRIES])]
    more = [f"… and {len(names) - ENTRIES} more"] if len(names) > ENTRIES else []
    return f"{len(names)}: {', '.join([*each, *more])}"


def _passed_over(page: Page, other: Strangers) -> None:
    told = []
    if other.endings:
        named = Counter({clean(e, 12) or "no ending": n for e, n in other.endings.items()})
        told.append(f"what is no image by its name ({shares(named, 6)})")
    if other.hidden:
        told.append(f"what is hidden ({other.hidden:,})")
    if other.linked:
        told.append(f"links to directories ({other.linked:,})")
    if told:
        page.row("Passed over", page.words("; ".join(told)))


def _broken(page: Page, found: Census) -> None:
    broken = found.broken
    if not broken:
        page.row("Broken", ["none"])
        return
    lines = [page.paint(f"{len(broken):,} of {len(found.files):,} can't be used", RED)]
    for file in broken[:TOLD]:
        told = page.wrap(f"{clean(file.name)}: {file.why}", 16)
        lines += [f"  {line}" if i else line for i, line in enumerate(told)]
    if len(broken) > TOLD:
        lines.append(f"… and {len(broken) - TOLD:,} more")
    page.row("Broken", lines)


def _copies(page: Page, found: Census, classes: bool) -> None:
    if len(found.good) < 2:
        return
    lines = [*_pairs(page, found.copies, "the same as another, to the pixel", "=")]
    if found.near is None:
        lines.append(f"near copies are looked for among {COMPARED:,} images at most")
    else:
        lines += _pairs(page, found.near, "nearly the same as another", "≈")
    crossed = [(a, b) for a, b in found.copies if Path(a).parts[0] != Path(b).parts[0]]
    if classes and crossed:
        lines += page.words(
            f"{len(crossed):,} of them in two classes, such as {clean(crossed[0][0])}"
        )
    page.row("Copies", lines or ["none"])


def _pairs(page: Page, pairs: list[tuple[str, str]], what: str, like: str) -> list[str]:
    if not pairs:
        return []
    lines = page.words(f"{len(pairs):,} {what}:")
    for one, other in pairs[:PAIRS]:
        lines += page.words(f"{clean(one, 70)} {like} {clean(other, 70)}")
    return [*lines, "…"] if len(pairs) > PAIRS else lines


def _command(page: Page, folder: Folder, found: Census, asked: Asked) -> None:
    """The line that trains on these data, with what suits them better than the defaults."""
    advice = lossy(folder, found, asked.overrides)
    if advice:
        page.row("Better", page.table(list(advice.items())))
        page.lines.append("")
    line = shlex.join(["gan", "train", *asked.overrides, *advice])
    if clean(line, len(line)) != line:
        page.row("Train", page.words("rename the directory: its name can't be typed"))
        return
    stops = refusal(folder, found) and "dataset.on_bad_image=skip" not in advice
    page.row("After that" if stops else "Train", [page.paint(line, CYAN)])


def _source(page: Page, source: Source, asked: Asked) -> None:
    """The report of a data set that is no directory."""
    chosen = next(text for text in asked.overrides if text.startswith("dataset="))
    count = "without end" if source.length is None else f"{source.length:,} samples"
    page.title(clean(chosen), count)
    page.lines.append("")
    shape = "×".join(map(str, source.shape))
    if len(source.shape) == 3:
        words = {1: "grey", 2: "grey with opacity", 3: "colour", 4: "colour with opacity"}
        page.row("Images", [f"{shape}: {words.get(source.shape[0], MODES.get(0, 'channels'))}"])
    else:
        page.row("Points", [f"of {shape} {'number' if source.shape == (1,) else 'numbers'}"])
        known = isinstance(source, Endless) and isinstance(source.density, Density)
        page.row("Density", ["known exactly" if known else "not known"])
    if isinstance(source, Resident | Streamed):
        _stored(page, source)
    for note in source.notes:
        page.row("Note", page.words(note))
    line = shlex.join(["gan", "train", *asked.overrides, *_task(source, asked)])
    page.lines.append("")
    page.row("Train", [page.paint(clean(line, len(line)), CYAN)])


def _task(source: Source, asked: Asked) -> list[str]:
    """The task that alone makes sense of such samples, where none was typed."""
    if any(text.startswith("task=") for text in asked.overrides):
        return []
    if getattr(source, "side_by_side", False):
        return ["task=translate"]
    return ["task=frames"] if getattr(source, "frames", None) else []


def _stored(page: Page, source: Resident | Streamed) -> None:
    if source.labels is None:
        page.row("Classes", ["none"])
    else:
        names = [clean(name, 40) for name in source.classes]
        page.row("Classes", page.words(_counts(names, source.labels.tolist())))
    if isinstance(source, Resident):
        same = _same(source.images)
        page.row("Copies", [f"{same:,} the same as another, to the pixel" if same else "none"])
        page.row("Memory", [f"{megabytes(source.images.nbytes)}, kept in memory"])
    else:
        page.row("Memory", [f"read while training, by {source.workers} workers"])
    page.row("Mirrored", ["half of them, chosen anew each epoch" if source.mirror else "no"])


def _same(images: torch.Tensor) -> int:
    """How many images equal one before them."""
    seen = {hashlib.sha256(image.numpy().tobytes()).digest() for image in images}
    return len(images) - len(seen)
