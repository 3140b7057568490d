"""The card of an export: README.md as a model hub shows it, front matter and text.

What a file of a stranger says stands in code spans, but for words that can't be markup.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import yaml  # type: ignore[import-untyped]

from gan_cli.exporting import Verified, plain
from gan_cli.exporting.about import dataset, titled
from gan_cli.exporting.figures import figures, result
from gan_cli.exporting.markup import block, span, table, worded
from gan_cli.record import flat
from gan_cli.run import CADENCE
from gan_cli.sampler import Sampler
from gan_cli.scores import Scores

MOST = 100
"""Rows of a table, and names of classes, at most."""

_TAG = re.compile(r"[A-Za-z0-9][\w.-]{0,63}", re.ASCII)


@dataclass(frozen=True)
class Card:
    """What a card is made from.

    meta: what the weights' own file says. files: what is beside the card, and how near it is to
    the checkpoint. scores: evaluations of these very weights. license: as the user chose it.
    picture: whether there is a samples.png.
    """

    meta: dict[str, Any]
    sampler: Sampler
    files: dict[str, Verified]
    scores: list[Scores]
    license: str | None
    picture: bool

    def text(self) -> str:
        """README.md."""
        front = yaml.safe_dump(self._front(), sort_keys=False, allow_unicode=True)
        parts = [
            f"# {worded(titled(self.meta, self.sampler))}",
            self._what(),
            self._picture(),
            self._drawing(),
            self._files(),
            figures(self.scores),
            self._training(),
            self._license(),
        ]
        return f"---\n{front}---\n\n" + "\n\n".join(filter(None, parts)) + "\n"

    def _front(self) -> dict[str, Any]:
        """What a hub reads."""
        named = (self.meta["model"]["name"], dataset(self.meta), _method(self.meta))
        tags = ["gan", *(name for name in named if name and _TAG.fullmatch(name))]
        front: dict[str, Any] = {"license": self.license} if self.license else {}
        front |= {"library_name": "gan-cli"}
        if task := _pipeline(self.sampler):
            front["pipeline_tag"] = task
        front["tags"] = list(dict.fromkeys(tags))
        if results := [result(one, _pipeline(self.sampler)) for one in self.scores if one.figures]:
            name = titled(self.meta, self.sampler)
            front["model-index"] = [{"name": name, "results": results}]
        return front

    def _what(self) -> str:
        origin, images = self.sampler.origin, self.meta.get("images")
        what = "images" if len(self.sampler.space.shape) == 3 else "points"
        seen = f" on {images:,} {what}" if isinstance(images, int) and images > 0 else ""
        average = "averaged over the training" if origin.averaged else "those of the last step"
        return (
            f"A generator of {_kind(self.sampler)}, trained for {origin.step:,} steps{seen}. "
            f"Its weights are {average}."
        )

    def _picture(self) -> str:
        if not self.picture:
            return ""
        if self.sampler.space.given:
            said = "What was given, what the generator made of it, and the truth where it is known."
        elif self.sampler.space.classes:
            said = (
                "A row of each class, of the same codes: the first of seed 0, none of them chosen."
            )
        else:
            said = "The first samples of seed 0, none of them chosen."
        return f"![samples](samples.png)\n\n{said}"

    def _drawing(self) -> str:
        """How to draw from it, with gan and without."""
        given = "--from PICTURES" if self.sampler.space.given else "--seed 1"
        package, _, inside = self.meta["model"]["name"].partition(".")
        trust = f" --trust {package}" if inside else ""  # a model that gan does not have
        parts = [
            "## Drawing from it",
            block("sh", f"gan sample --ckpt .{trust} {given} --out more.png"),
            "In Python, with gan:",
            block("python", plain.library(self.sampler)),
        ]
        if without := [name for name in _CODE if name in self.files]:
            prior = span(type(self.sampler.prior).__name__.lower())
            parts += [
                f"Without gan, codes z are drawn from the prior ({prior}):",
                block("python", plain.codes(self.sampler)),
            ]
            for name in without:
                parts += [block("python", _CODE[name](self.sampler) + plain.images(self.sampler))]
        parts += ["The weights alone, by name:", block("python", plain.WEIGHTS)]
        return "\n\n".join(parts)

    def _files(self) -> str:
        """What is here, and how near it comes to the checkpoint."""
        rows = [(span(name), _USES[name], str(found)) for name, found in self.files.items()]
        rows.append(("`config.json`", "names and numbers: model, prior, shapes, training", ""))
        told = (
            "Each file was read back, and its samples held against those of the checkpoint "
            f"{span(self.sampler.sha256[:12])}:"
        )
        classes = self.sampler.space.classes
        named = ", ".join(f"{i} {span(name)}" for i, name in enumerate(classes[:MOST]))
        more = ", …" if len(classes) > MOST else ""
        told_classes = f"Classes, as c counts them: {named}{more}." if classes else ""
        parts = ["## Files", told, table(("file", "for", "compared"), rows), told_classes]
        return "\n\n".join(filter(None, parts))

    def _training(self) -> str:
        """The settings, as gan train takes them."""
        config = {k: v for k, v in self.meta["config"].items() if k not in CADENCE | {"hardware"}}
        told = {k: v for k, v in flat(config).items() if v not in (None, {}, [], "")}
        model = {f"model.{k}": v for k, v in self.meta["model"]["args"].items()}
        settings = told or {"model": self.meta["model"]["name"]} | model
        rows = [(span(key), span(value)) for key, value in list(settings.items())[:MOST]]
        return "## Training\n\n" + table(("setting", "value"), rows)

    def _license(self) -> str:
        if self.license:
            return ""
        return "## License\n\nNone was chosen: ask the author before you use it."


def _kind(sampler: Sampler) -> str:
    """What is made, in words."""
    shape = sampler.space.shape
    if len(shape) != 3:
        return f"points of {shape[0]} numbers"
    colours = {1: "grey images", 3: "colour images"}
    kind = colours.get(shape[0], f"images of {shape[0]} channels")
    of = f" of {len(sampler.space.classes)} classes" if sampler.space.classes else ""
    given = sampler.space.given
    whence = f", given images of {'×'.join(map(str, given))}" if given else ""
    return f"{kind}{of}, {shape[1]}×{shape[2]} pixels{whence}"


def _pipeline(sampler: Sampler) -> str | None:
    """The hub's word for what it does; points have none."""
    if len(sampler.space.shape) != 3:
        return None
    return "image-to-image" if sampler.space.given else "unconditional-image-generation"


def _method(meta: dict[str, Any]) -> str | None:
    try:
        name = meta["config"]["method"]["name"]
    except (KeyError, TypeError):
        return None
    return name if isinstance(name, str) else None


_CODE: dict[str, Callable[[Sampler], str]] = {
    "model.onnx": plain.onnx,
    "model.pt2": plain.torch_export,
}
"""How files are used without gan."""

_USES = {
    "model.safetensors": "gan, and any reader of safetensors",
    "model.onnx": "onnxruntime, and whatever else reads ONNX",
    "model.pt2": "PyTorch: `torch.export.load`",
}
"""What files are for."""
