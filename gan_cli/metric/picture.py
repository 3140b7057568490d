"""How near pictures are to the right ones, and how sharp."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import interpolate

RANGE = 2.0
"""From black to white."""

ALIKE = 100.0
"""dB of pictures that are alike, whose PSNR has no bound."""

WINDOW, SPREAD = 11, 1.5
"""Pixels a side of SSIM's Gaussian window, and its deviation; smaller ones for small pictures."""

FLAT = 1e-3
"""The sharpness of a picture without anything in it: an eighth of a shade of 255."""

LPIPS_LEAST = 64
"""Pixels a side, at least, as LPIPS gets to see them."""

LPIPS_WEIGHTS = "alexnet-owt-7be5be79.pth"


def compare(answer: Tensor, truth: Tensor) -> dict[str, float]:
    """Figures of answers against the truth, `(N, C, H, W)` in [-1, 1], by name; always finite.

    psnr in dB, ssim up to 1, sharpness as a share of the truth's (1 is as sharp), and lpips (0 is
    alike) where AlexNet's weights are in torchvision's cache. Each is the mean over the pictures.
    """
    told = {
        "psnr": float(psnr(answer, truth).mean()),
        "ssim": float(ssim(answer, truth).mean()),
        "sharpness": float(sharpness(answer).mean() / sharpness(truth).mean().clamp(min=FLAT)),
    }
    if lpips_weights().is_file():
        told["lpips"] = float(lpips(answer, truth).mean())
    return told


def psnr(answer: Tensor, truth: Tensor) -> Tensor:
    """10 log₁₀ of range² over the mean squared error, in dB and 100 at most, `(N, …) -> (N,)`."""
    from torchmetrics.functional.image import peak_signal_noise_ratio as measure  # 1 s

    dims = tuple(range(1, answer.dim()))
    told = measure(answer.float(), truth.float(), data_range=RANGE, reduction="none", dim=dims)
    return told.clamp(max=ALIKE)


def ssim(answer: Tensor, truth: Tensor) -> Tensor:
    """Structural similarity, `(N, C, H, W) -> (N,)`.

    Wang et al. 2004, Image quality assessment, with their Gaussian window of 11×11. Pictures too
    small for that get the largest window they have room for, as much narrower.
    """
    from torchmetrics.functional.image import structural_similarity_index_measure as measure  # 1 s

    side = min(WINDOW, *answer.shape[2:])
    window = side - 1 + side % 2
    told = measure(  # whose mean brightness has no sign
        answer.float() + 1,
        truth.float() + 1,
        sigma=SPREAD * max(1, window // 2) / (WINDOW // 2),
        data_range=RANGE,
        reduction="none",
    )
    assert isinstance(told, Tensor)
    return told


def sharpness(x: Tensor) -> Tensor:
    """The mean difference between neighbouring pixels, `(N, C, H, W) -> (N,)`.

    The sum of Mathieu et al. 2015, arXiv 1511.05440, section 3.1, before their logarithm.
    """
    x = x.float()
    return (
        sum((x.diff(dim=side).abs().flatten(1).sum(1) for side in (2, 3)), torch.zeros(len(x)))
        / x[0].numel()
    )


def lpips(answer: Tensor, truth: Tensor) -> Tensor:
    """Learned perceptual distance by AlexNet, `(N, 1 or 3, H, W) -> (N,)`.

    Zhang et al. 2018, arXiv 1801.03924. Gray is shown as colour, and pictures of fewer than 64
    pixels a side are enlarged. FileNotFoundError without AlexNet's weights, which are not fetched.
    """
    if not lpips_weights().is_file():
        raise FileNotFoundError(f"no weights of AlexNet at {lpips_weights()}")
    from torchmetrics.functional.image import learned_perceptual_image_patch_similarity as measure

    return measure(_large(answer), _large(truth), net_type="alex", reduction="none").view(-1)


def lpips_weights() -> Path:
    """Where torchvision keeps AlexNet's weights."""
    return Path(torch.hub.get_dir(), "checkpoints", LPIPS_WEIGHTS)


def _large(x: Tensor) -> Tensor:
    x = x.float().clamp(-1, 1).expand(-1, 3, -1, -1)
    scale = max(1.0, LPIPS_LEAST / min(x.shape[2:]))
    return interpolate(x, scale_factor=scale, mode="bilinear") if scale > 1 else x
