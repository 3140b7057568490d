"""How near answers to images are to the right ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from gan_cli.metric import Estimate, Exam, Figure, needs, picture


@dataclass(frozen=True)
class Answer:
    """PSNR, SSIM and sharpness of answers, held against the right ones, pixel by pixel.

    psnr in dB; ssim: Wang et al. 2004, Image quality assessment, up to 1; sharpness: the sum of
    Mathieu et al. 2016, arXiv 1511.05440, section 3.1, over that of the right answers, 1 if as
    sharp; lpips: Zhang et al. 2018, arXiv 1801.03924, where torchvision has kept AlexNet's weights
    (they are not fetched). Each is a mean over the answers, with the error of that mean.

    Needs: a task that knows the right answers, such as task=superres or task=colorize.
    Trouble: the best PSNR of blurred answers: the mean of all that could be right wins there, which
    is why sharpness stands beside it. Where many answers are right, none of them says much.
    """

    figures: ClassVar[Mapping[str, Figure]] = {
        "psnr": Figure("PSNR of answers, dB", 1, high=picture.ALIKE),
        "ssim": Figure("SSIM of answers", 1, low=-1, high=1),
        "sharpness": Figure("sharpness of answers, 1 as the right ones", 0, low=0),
        "lpips": Figure("perceptual distance of answers", -1, low=0),
    }

    def refuses(self, exam: Exam) -> str | None:
        """Samples to which no right answer is known are refused."""
        if exam.truth is None:
            return "no right answers are known to these: a task that has them, task=superres"
        return needs.pictures(exam)

    def __call__(self, exam: Exam) -> dict[str, Estimate]:
        """psnr, ssim, sharpness, and lpips where its weights are there."""
        assert exam.truth is not None
        x, y = exam.fake.x, exam.truth
        told = {
            "psnr": needs.mean(picture.psnr(x, y)),
            "ssim": needs.mean(picture.ssim(x, y)),
            "sharpness": _share(picture.sharpness(x), picture.sharpness(y)),
        }
        if picture.lpips_weights().is_file():
            told["lpips"] = needs.mean(picture.lpips(x, y))
        return told


def _share(mine: Tensor, right: Tensor) -> Estimate:
    """The ratio of two means, with the error by its derivative."""
    whole = right.double().mean().clamp(min=picture.FLAT)
    value = float(mine.double().mean() / whole)
    return Estimate(value, needs.mean((mine.double() - value * right.double()) / whole).error)
