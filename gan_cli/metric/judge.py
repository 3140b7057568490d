"""The judge: a small classifier of a labelled data set, to measure samples with.

Where no published network knows the data, one that was trained on their labels by a fixed recipe
serves instead (as the classifier score and LeNet features of Binkowski et al. 2018,
arXiv 1801.01401, section 4):

    from gan_cli.dataset.mnist import MNIST
    from gan_cli.metric.judge import Judge

    judge = Judge.of(MNIST("~/data").load())   # trained once, 20 s; read from the cache afterwards
    judge.accuracy                             # on images that it has not learnt from
    judge.labels(x)                            # (N,) of images x (N, 1, 28, 28) in [-1, 1]
    judge.probabilities(x)                     # (N, 10)
    judge.features(x)                          # (N, 64), for `frechet.distance`
    (judge.labels(x) == c).float().mean()      # the label accuracy of samples x of classes c
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import hashlib
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gan_cli import container
from gan_cli.dataset.cache import locked
from gan_cli.dataset.source import Resident, Source
from gan_cli.dataset.stream import Streamed
from gan_cli.errors import BadFile, DiskFailure, UserMistake
from gan_cli.metric import judge_net
from gan_cli.metric.blocks import through
from gan_cli.metric.judge_net import JudgeNet, Labelled
from gan_cli.strict import clean

FEWEST = 10
"""Images to learn from, at least."""


@dataclass(frozen=True, eq=False)
class Judge:
    """A classifier of the images of one data set, and what it sees in them.

    accuracy: its share of right labels on `held_out` images of the set that it has not learnt from.
    sha256: of its weights, in hex; numbers of unlike judges can't be compared. notes: what the user
    should know, a line each.
    """

    net: JudgeNet
    shape: tuple[int, ...]
    classes: tuple[str, ...]
    accuracy: float
    held_out: int
    sha256: str
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, source: Source, seed: int = 0, cache: Path | None = None) -> Judge:
        """The judge of these images and labels: from the cache, else trained and kept there.

        `cache` is a directory, None the user's own. What is kept is found by the contents of the
        data, the recipe and the seed. The global random numbers stay as they are. UserMistake for
        samples that are no images or have no labels.
        """
        images = labelled(source)
        kept = _Kept(cache or home(), images, seed)
        with contextlib.suppress(FileNotFoundError, BadFile):
            return kept.read()
        with kept.locked() as obstacle:
            notes = []
            try:
                return kept.read()  # of a process that was faster
            except FileNotFoundError:
                pass
            except BadFile as error:
                notes.append(
                    f"trained anew, because the judge that was kept can't be used: {error}"
                )
            judge = cls.train(images, seed)
            trouble = obstacle or kept.write(judge)
        return dataclasses.replace(judge, notes=(*notes, *[trouble] * bool(trouble)))

    @classmethod
    def train(cls, source: Source, seed: int = 0) -> Judge:
        """The judge of these images and labels, trained now and not kept."""
        images = labelled(source)
        net, accuracy, count = judge_net.train(images, seed)
        return cls(net, images.shape, images.classes, accuracy, count, digest(net))

    def on(self, device: torch.device) -> Judge:
        """The same judge on that device."""
        return dataclasses.replace(self, net=copy.deepcopy(self.net).to(device))

    def features(self, x: Tensor) -> Tensor:
        """What it sees in images in [-1, 1], `(N, C, H, W) -> (N, 64)`, float32, on the CPU."""
        return self._seen(x, self.net.see)

    def probabilities(self, x: Tensor) -> Tensor:
        """Of each class, `(N, C, H, W) -> (N, K)`."""
        return self._seen(x, self.net).softmax(1)

    def labels(self, x: Tensor) -> Tensor:
        """The likeliest class of each image, `(N, C, H, W) -> (N,)` int64."""
        return self._seen(x, self.net).argmax(1)

    @property
    def said(self) -> str:
        """How good it is, in words."""
        right, seen = f"{100 * self.accuracy:.1f} % right", f"{self.held_out:,} images"
        return f"a judge trained on these data: {right} on {seen} that it has not learnt from"

    def _seen(self, x: Tensor, look: Callable[[Tensor], Tensor]) -> Tensor:
        if tuple(x.shape[1:]) != self.shape:
            raise ValueError(
                f"the judge knows images of shape {self.shape}, not {tuple(x.shape[1:])}"
            )
        return through(look, x, self.net.answer.weight.device)


def unfit(source: Source) -> str | None:
    """Why no judge can learn from these data, and what to do instead; None where one can."""
    if len(source.shape) != 3:
        return (
            f"a judge is for images, and a sample of these data has shape {source.shape}: "
            "dataset=digits, or a folder with one sub-folder a class"
        )
    if not isinstance(source, Resident | Streamed) or len(source.classes) < 2:
        return (
            "a judge learns from labels, and these images have none: "
            "a folder with one sub-folder a class"
        )
    if source.length < FEWEST:
        return f"a judge learns from {FEWEST} images or more, not {source.length}"
    return None


def labelled(source: Source) -> Labelled:
    """The source, if a judge can learn from it; else UserMistake."""
    if reason := unfit(source):
        raise UserMistake(reason)
    assert isinstance(source, Resident | Streamed)  # or it would be unfit
    return source


def home() -> Path:
    """Where judges are kept: in the user's cache directory."""
    named = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(named).expanduser() / "gan" / "judge"


def digest(net: JudgeNet) -> str:
    """SHA-256 of the weights, in hex."""
    sha = hashlib.sha256()
    for name, tensor in sorted(net.state_dict().items()):
        sha.update(f"{name} {tuple(tensor.shape)}\n".encode())
        sha.update(tensor.contiguous().numpy().tobytes())
    return sha.hexdigest()


class _Kept:
    """The file of one judge."""

    def __init__(self, directory: Path, source: Labelled, seed: int):
        self.source = source
        self.about: dict[str, Any] = {
            "kind": "judge",
            "recipe": judge_net.RECIPE,
            "data": source.fingerprint,
            "mirror": source.mirror,
            "seed": seed,
        }
        key = hashlib.sha256(repr(self.about).encode()).hexdigest()
        self.file = directory / f"judge-{key[:16]}.safetensors"

    def locked(self) -> AbstractContextManager[str]:
        """Keep other processes from training the same; gives what is in the way, or ''."""
        return locked(self.file, self._trouble)

    def _trouble(self, error: Exception) -> str:
        why = getattr(error, "strerror", None) or error
        return f"the judge is not kept: can't write {clean(self.file.parent)} ({why})"

    def read(self) -> Judge:
        """The judge that is kept; FileNotFoundError, or BadFile for any other file."""
        if not self.file.exists():
            raise FileNotFoundError(self.file)
        found = container.read(self.file, max_bytes=1 << 28)
        about = dict(found.meta)
        accuracy, count = about.pop("accuracy", None), about.pop("held_out", None)
        source = self.source
        net = judge_net.fresh(source, 0)
        if about != self.about or not isinstance(accuracy, float) or not isinstance(count, int):
            raise BadFile(f"{clean(self.file)}: the judge of something else")
        try:
            net.load_state_dict(found.tensors)
        except RuntimeError as error:
            raise BadFile(f"{clean(self.file)}: its weights are not those of a judge") from error
        judge_net.settle(net)
        return Judge(net, source.shape, source.classes, accuracy, count, digest(net))

    def write(self, judge: Judge) -> str:
        """Keep it, atomically; gives what was in the way, or ''."""
        about = self.about | {"accuracy": judge.accuracy, "held_out": judge.held_out}
        try:
            container.write(self.file, judge.net.state_dict(), about)
        except DiskFailure as error:
            return f"the judge is not kept: {error}"
        return ""
