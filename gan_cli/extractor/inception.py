"""Features of Inception v3, as published scores have them."""

from __future__ import annotations

import hashlib
import io
import sys
import weakref
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gan_cli.dataset.fetch import Remote, fetch
from gan_cli.dataset.source import Source
from gan_cli.errors import BadFile, UserMistake
from gan_cli.extractor import is_image
from gan_cli.metric import Extractor
from gan_cli.metric.blocks import through
from gan_cli.strict import clean

FILE = "weights-inception-2015-12-05-6726825d.pth"
"""What torch-fidelity calls its weights, in torch's cache and in its release on GitHub."""

ALIKE = "pt_inception-2015-12-05-6726825d.pth"
"""What pytorch-fid calls the same file."""

SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
LARGEST = 1 << 28
"""Bytes of a file that is read at all; the weights are 95,628,359."""

LAYERS = ["2048", "logits_unbiased"]
CLASSES = tuple(f"imagenet {number}" for number in range(1008))
"""What the network of 2015 tells apart, by number; it has eight more outputs than ImageNet has
classes."""

BATCH = 32
"""Images that are looked at together, of 299×299; on a CPU, an eighth."""


@dataclass(frozen=True)
class Inception:
    """Inception v3 of 2015 (Szegedy et al. 2015, arXiv 1512.00567), as torch-fidelity has it.

    Its pooled features are those of the published Fréchet inception distances (Heusel et al. 2017,
    arXiv 1706.08500), the softmax of its 1008 logits without their biases those of the
    inception score (Salimans et al. 2016, arXiv 1606.03498). `weights` is torch-fidelity's own
    file; without it torch's cache is looked into, and filled on first use.

    Needs: images of 1 or 3 channels; the file (96 MB, once); about 0.2 s an image on one core.
    Trouble: it has seen photographs alone: of digits and other drawings its figures say little.
    """

    weights: str | None = None

    def of(self, source: Source, device: torch.device) -> Extractor:
        """Inception on that device; UserMistake for points, or without its weights.

        BadFile for a file that isn't torch-fidelity's: it is known by its SHA-256 before anything
        in it is read.
        """
        if not is_image(source.shape) or source.shape[0] not in (1, 3):
            raise UserMistake(
                f"Inception sees images of 1 or 3 channels, and a sample of these data has shape "
                f"{source.shape}: extractor=random for other images, extractor=raw for points"
            )
        return Seen(network(_found(self.weights)).to(device), device, SHA256)


@dataclass(frozen=True, eq=False)
class Seen:
    """What Inception sees in images."""

    net: Any
    device: torch.device
    sha256: str
    name: str = "inception"
    resize: str = "gray as RGB, 8 bits, 299x299 bilinear as TF1"
    about: str = "Inception v3 of 2015 with torch-fidelity's weights"
    classes: tuple[str, ...] = CLASSES
    _last: dict[str, Any] = field(default_factory=dict)

    def features(self, x: Tensor) -> Tensor:
        """`(N, C, H, W) -> (N, 2048)`."""
        return self._both(x)[:, :2048]

    def probabilities(self, x: Tensor) -> Tensor:
        """`(N, C, H, W) -> (N, 1008)`."""
        return self._both(x)[:, 2048:].softmax(1)

    def _both(self, x: Tensor) -> Tensor:
        """Features and logits; those of the last images are kept, for it takes long."""
        of = self._last.get("of")
        if of is None or of[0]() is not x or of[1] != x._version:
            most = BATCH // 8 if self.device.type == "cpu" else BATCH
            found = through(self._look, x, self.device, most)
            self._last.update(of=(weakref.ref(x), x._version), found=found)
        kept: Tensor = self._last["found"]
        return kept

    def _look(self, x: Tensor) -> Tensor:
        return torch.cat(self.net(levels(x).expand(-1, 3, -1, -1)), 1)


def levels(x: Tensor) -> Tensor:
    """Images in [-1, 1] as an image file has them, uint8 of 0 to 255."""
    return x.add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)


def network(weights: Path) -> Any:
    """torch-fidelity's network with the weights of that file; BadFile unless it is theirs."""
    data = _read(weights)
    if hashlib.sha256(data).hexdigest() != SHA256:
        raise BadFile(
            f"{clean(weights)} is not torch-fidelity's {FILE}: another file, or damaged; delete "
            "it, or name a good copy with extractor.weights=FILE"
        )
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3  # 2 s

    with torch.random.fork_rng(devices=[]):  # it draws weights, before it reads these
        # it unpickles: the very bytes that were checked, not the file, which may have changed
        net = FeatureExtractorInceptionV3("inception", LAYERS, io.BytesIO(data))
    return net.to(memory_format=torch.channels_last)


def _read(weights: Path) -> bytes:
    try:
        with weights.open("rb") as file:
            return file.read(LARGEST)
    except OSError as error:
        raise BadFile(f"extractor.weights={clean(weights)}: {error.strerror}") from error


def _found(weights: str | None) -> Path:
    """Where the weights are; they are fetched if they are nowhere."""
    if weights is not None:
        return Path(weights).expanduser()
    home = Path(torch.hub.get_dir(), "checkpoints")
    for name in (FILE, ALIKE):
        if (home / name).is_file():
            return home / name
    _fetch(home)
    return home / FILE


def _fetch(home: Path) -> None:
    from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3 as URL

    mirror = str(URL).rpartition("/")[0] + "/"

    def download(temporary: Path) -> None:
        torch.hub.download_url_to_file(URL, str(temporary / FILE), SHA256, sys.stderr.isatty())

    try:
        remote = Remote("Inception", home, [FILE], [mirror], {FILE: SHA256})
        fetch(home, remote, (home / FILE).is_file, download)
    except UserMistake as error:
        raise UserMistake(
            f"Inception's weights are not here, and they could not be downloaded "
            f"({clean(_reason(error))}): put {FILE}, of the release v0.2.0 of torch-fidelity on "
            f"GitHub ({URL}, SHA-256 {SHA256}), into {clean(home)}, or name it: "
            "extractor.weights=FILE; extractor=judge and extractor=random need no download"
        ) from error


def _reason(error: UserMistake) -> str:
    cause = error.__cause__ or error
    return str(cause).splitlines()[-1] if str(cause) else type(cause).__name__
