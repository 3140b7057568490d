"""Frames one after another as a file that moves: MP4, animated WebP, or GIF."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain, pairwise, repeat

import numpy as np
from PIL import Image

from gan_cli.errors import UserMistake
from gan_cli.plot.grid import PAPER, Pixels

ENCODERS = ("libx264", "libvpx-vp9", "mpeg4")
"""Of MP4, the best first; which there are is a matter of how PyAV was built."""

ROOM = 250_000_000
"""Pixels of all frames together, where they are kept until the end."""

DESCRIPTION = 0x010E
"""The tag of Exif that holds what an image is."""


@dataclass(frozen=True)
class Clip:
    """How frames are played: so many a second, and the last of them longer."""

    fps: int
    rest: float = 0.0
    """Seconds that the last frame stays."""

    about: Mapping[str, str] = field(default_factory=dict)
    """Where it comes from, for the file's metadata."""

    @property
    def text(self) -> str:
        """All that there is to tell of it."""
        return "\n".join(f"{key}: {value}" for key, value in self.about.items())


def suffix() -> str:
    """The best kind of file that can be written here."""
    return ".mp4" if _there() else ".webp"


def check(kind: str, pixels: int) -> None:
    """Raise UserMistake unless frames of so many pixels in all can be a file of that kind."""
    if kind not in _WRITERS:
        raise UserMistake(f"a film is one file: --out FILE{', FILE'.join(_WRITERS)}")
    if kind in _PYAV and not _there():
        raise UserMistake(f"{kind} needs PyAV: pip install 'gan-cli[video]', or --out FILE.webp")
    if kind not in _PYAV and pixels > ROOM:
        raise UserMistake("a film of over 250 million pixels: --out FILE.mp4, or fewer --frames")


def film(frames: Iterable[Pixels], kind: str, clip: Clip) -> tuple[bytes, str]:
    """A file of frames `(height, width, 3)` that plays for ever, and what it is, in words.

    The same frames give the same file. Raises UserMistake where there is no encoder.
    """
    return _WRITERS[kind](frames, clip)


def _webp(frames: Iterable[Pixels], clip: Clip) -> tuple[bytes, str]:
    first, *others = (Image.fromarray(frame) for frame in frames)
    exif = Image.Exif()
    exif[DESCRIPTION] = clip.text
    file = io.BytesIO()
    first.save(
        file,
        "WEBP",
        save_all=True,
        append_images=others,
        duration=_durations(1 + len(others), clip, 1),
        loop=0,
        quality=80,
        method=4,
        exif=exif,
    )
    return file.getvalue(), "animated WebP"


def _gif(frames: Iterable[Pixels], clip: Clip) -> tuple[bytes, str]:
    first, *others = (_few_colours(frame) for frame in frames)
    file = io.BytesIO()
    first.save(
        file,
        "GIF",
        save_all=True,
        append_images=others,
        duration=_durations(1 + len(others), clip, 10),
        loop=0,
        comment=clip.text.encode()[:255],
    )
    return file.getvalue(), "animated GIF"


def _few_colours(frame: Pixels) -> Image.Image:
    """Greys as they are; of colours the 256 that say most."""
    if (frame == frame[..., :1]).all():
        return Image.fromarray(np.ascontiguousarray(frame[..., 0]))
    return Image.fromarray(frame).quantize(256, dither=Image.Dither.NONE)


def _durations(count: int, clip: Clip, unit: int) -> list[int]:
    """Milliseconds of each frame, in whole units, without drift."""
    ends = [round(1000 * index / clip.fps / unit) * unit for index in range(count + 1)]
    lengths = [max(unit, end - begin) for begin, end in pairwise(ends)]
    return [*lengths[:-1], lengths[-1] + round(1000 * clip.rest / unit) * unit]


def _mp4(frames: Iterable[Pixels], clip: Clip) -> tuple[bytes, str]:
    import av  # here, because all else does without it

    name = next((name for name in ENCODERS if _encodes(name)), None)
    if name is None:
        raise UserMistake(f"PyAV has no encoder for MP4 here ({', '.join(ENCODERS)}): FILE.webp")
    waiting = map(_even, frames)
    first = next(waiting)
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as out:
        out.metadata["comment"] = clip.text
        stream = out.add_stream(name, rate=Fraction(clip.fps))
        stream.height, stream.width, _ = first.shape
        stream.pix_fmt = "yuv420p"  # what every player knows
        stream.bit_rate = 0 if name in _CRF else 8_000_000
        stream.options = _CRF.get(name, {})
        stream.codec_context.thread_count = 1  # else the bytes are a matter of the machine
        for frame in _resting(chain([first], waiting), clip):
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            for packet in stream.encode(picture):
                out.mux(packet)
        for packet in stream.encode():
            out.mux(packet)
    return file.getvalue(), f"MP4 by {name}"


_CRF = {
    "libx264": {"crf": "18", "preset": "medium"},
    "libvpx-vp9": {"crf": "24", "b": "0"},
}
"""Of encoders that aim at a quality, and not at a size."""


def _resting(frames: Iterator[Pixels], clip: Clip) -> Iterator[Pixels]:
    """The frames, the last one as often as it rests."""
    last = None
    for last in frames:
        yield last
    if last is not None:
        yield from repeat(last, round(clip.rest * clip.fps))


def _even(frame: Pixels) -> Pixels:
    """The frame with a grey edge where a side is odd, which yuv420p can't be."""
    down, right = frame.shape[0] % 2, frame.shape[1] % 2
    padded = np.pad(frame, ((0, down), (0, right), (0, 0)), constant_values=PAPER)
    return np.ascontiguousarray(padded)


def _encodes(name: str) -> bool:
    from av.codec import Codec
    from av.codec.codec import UnknownCodecError

    try:
        Codec(name, "w")
    except UnknownCodecError:
        return False
    return True


def _there() -> bool:
    return importlib.util.find_spec("av") is not None


_PYAV = frozenset({".mp4"})
_WRITERS: dict[str, Callable[[Iterable[Pixels], Clip], tuple[bytes, str]]] = {
    ".mp4": _mp4,
    ".webp": _webp,
    ".gif": _gif,
}
KINDS = frozenset(_WRITERS)
"""The names that films can end in."""
