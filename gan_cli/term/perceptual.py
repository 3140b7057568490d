"""The distance to the right answer as a network for pictures sees it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torchvision.models import VGG16_Weights, vgg16

from gan_cli.space import Space
from gan_cli.term import Played, check_weight, needs_an_answer

LAYERS = {"relu1_2": 4, "relu2_2": 9, "relu3_3": 16, "relu4_3": 23}
"""How many of VGG16's layers there are up to each of these."""

LEAST = 32
"""Pixels a side, at least, as VGG16 gets to see them: smaller images are enlarged."""

SHA256 = "397923af"
"""How the digest of torchvision's file begins, by which it is known."""

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of the colours that VGG16 was trained on, from 0 to 1."""


@dataclass(frozen=True)
class Perceptual:
    """The mean of (φ(x) - φ(G(z, c)))² over the features φ of VGG16, times `weight`.

    Johnson et al. 2016, arXiv 1603.08155, equation 2, at their layer relu2_2; Ledig et al. 2016,
    arXiv 1609.04802, equation 5. `weights` is torchvision's file, vgg16-397923af.pth; without
    it torchvision's cache is looked into, and filled only with `download`.

    Needs: a task with a right answer, VGG16's weights (528 MB), and time: it is a large network.
    Trouble: a pattern of fine dots: term=[l1,perceptual] with more weight on l1.
    """

    weight: float = 1.0
    layer: str = "relu2_2"
    weights: str | None = None
    download: bool = False
    every: int = 1

    def __post_init__(self) -> None:
        check_weight(self.every, weight=self.weight)
        if self.layer not in LAYERS:
            raise ValueError(f"layer is one of {', '.join(LAYERS)}, not {self.layer}")

    def __call__(self, played: Played) -> Tensor:
        """What each answer costs, `(N,)`."""
        network = self.network.to(played.fake.x.device)
        with torch.no_grad():
            wanted = network(_as_vgg_sees(played.real.x))
        found = network(_as_vgg_sees(played.fake.x))
        return self.weight * (wanted - found).square().flatten(1).mean(1)

    def refuses(self, G: nn.Module, D: nn.Module | None, space: Space) -> str | None:
        """A task without right answers or colours; weights that are missing, or others."""
        if reason := needs_an_answer(space):
            return reason
        if space.shape[0] not in (1, 3):
            return f"VGG16 sees gray or colour, not {space.shape[0]} channels: term=l1"
        if not self.file.is_file() and not self._may_download:
            return (
                f"there are no weights of VGG16 at {self.file}: term.perceptual.weights=FILE, or "
                "term.perceptual.download=true (528 MB, once), or term=l1"
            )
        if self.file.is_file() and not _digest(self.file).startswith(SHA256):
            return (
                f"{self.file} is not torchvision's {Path(_WEIGHTS.url).name}: another, or damaged"
            )
        return None

    @property
    def file(self) -> Path:
        """Where the weights are looked for."""
        if self.weights is not None:
            return Path(self.weights).expanduser()
        return Path(torch.hub.get_dir(), "checkpoints", Path(_WEIGHTS.url).name)

    @property
    def _may_download(self) -> bool:
        return self.download and self.weights is None

    @cached_property
    def network(self) -> nn.Module:
        """VGG16 up to the layer, frozen."""
        state = torch.hub.load_state_dict_from_url(  # reads the file; fetches it if there is none
            _WEIGHTS.url,
            model_dir=str(self.file.parent),
            file_name=self.file.name,
            map_location="cpu",
            check_hash=self._may_download,
            weights_only=True,
        )
        with torch.device("meta"):
            features = vgg16().features[: LAYERS[self.layer]]
        mine = {name: state[f"features.{name}"] for name in features.state_dict()}
        features.load_state_dict(mine, assign=True)
        return features.requires_grad_(False).eval()


_WEIGHTS = VGG16_Weights.IMAGENET1K_V1


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _as_vgg_sees(x: Tensor) -> Tensor:
    """Images in [-1, 1] in three channels, with the mean and deviation that VGG16 knows."""
    x = x.float().expand(-1, 3, -1, -1)
    if least := max(0, LEAST - min(x.shape[2:])):
        scale = 1 + least / min(x.shape[2:])
        x = interpolate(x, scale_factor=scale, mode="bilinear", align_corners=False)
    mean, std = (x.new_tensor(values)[:, None, None] for values in (MEAN, STD))
    return ((x + 1) / 2 - mean) / std
