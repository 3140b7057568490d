"""Modes reached of Stacked MNIST, and how evenly."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from gan_cli.dataset.stacked_mnist import MODES, Stacked
from gan_cli.metric import Estimate, Exam, Figure, Untrue
from gan_cli.metric.cells import least
from gan_cli.metric.judge_stack import StackedJudge
from gan_cli.randomness import mix

DRAWN = 200
"""Times that samples are drawn again from their own histogram, for the error of the modes."""


@dataclass(frozen=True)
class StackedModes:
    """Which of the 1000 numbers of Stacked MNIST samples show, and the KL of their shares.

    Metz et al. 2016, arXiv 1611.02163, section 3.3.1; the protocol of Srivastava et al. 2017, arXiv
    1705.07761, and Lin et al. 2018, arXiv 1712.04086: MNIST's judge names the digit of each colour,
    one sample is enough for a mode, and the KL is that of the samples' histogram from a uniform one
    over 1000, of 26,000 samples: --n 26000. Fewer samples have a larger KL: real triples 0.055 with
    10,000, 0.024 with 26,000, 0.014 with 50,000, so KLs of unlike n can't be compared. A KL below
    that of as many independent draws of a uniform law is refused.

    Needs: dataset=stacked_mnist and a G that isn't told the class.
    Trouble: a digit that is none has a name too, so poor digits reach many modes: look at them, and
    at the KL. Below 1000 modes: more images, loss=r3gan, or pack=2.
    """

    figures: ClassVar[dict[str, Figure]] = {
        "stacked_modes": Figure(f"modes found, of {MODES}", 1, 0.0, MODES),
        "stacked_kl": Figure("KL(modes of G, uniform)", -1, 0.0, math.log(MODES), floored=True),
    }

    def refuses(self, exam: Exam) -> str | None:
        """Where these are no triples of digits, or the classes are not G's own choice."""
        source = exam.source
        if not isinstance(source, Stacked) or source.digits is None:
            return "it counts the thousand modes of dataset=stacked_mnist"
        if exam.fake.x.shape[1:] != source.shape:
            return f"samples of {tuple(exam.fake.x.shape[1:])}, and triples of {source.shape}"
        if exam.maker is not None and exam.fake.c is not None:
            return "a G that is told the class doesn't choose its modes: task=unconditional"
        return None

    def __call__(self, exam: Exam) -> dict[str, Estimate]:
        """stacked_modes and stacked_kl. Raises Untrue where the KL can't be."""
        assert exam.source is not None
        judge = StackedJudge.of(exam.source)
        assert judge is not None
        return told(judge.labels(exam.fake.x))


def told(numbers: Tensor) -> dict[str, Estimate]:
    """The figures of the numbers that are read in samples, `(N,)`. Raises Untrue."""
    n, counts = len(numbers), torch.bincount(numbers, minlength=MODES).double()
    kl = divergence(counts)
    limit = least(np.ones(MODES), n)
    if kl.value < limit:
        raise Untrue(
            f"KL {kl.value:.4f} is less than that of {n:,} independent draws of a uniform law, at "
            f"least {limit:.4f}: the samples are not drawn independently, or the judge is wrong"
        )
    again = np.random.default_rng(mix("modes", n)).multinomial(n, counts.numpy() / n, DRAWN)
    modes = float((counts > 0).sum())
    return {
        "stacked_modes": Estimate(modes, float((again > 0).sum(1).std())),
        "stacked_kl": kl,
    }


def divergence(counts: Tensor) -> Estimate:
    """KL in nats of a histogram `(K,)` from a uniform law, and its standard error.

    The variance is that of log p over the samples, and of the chance in n of them by itself: n KL
    of a uniform law is half a chi-squared of K - 1 degrees, of which the first holds twice.
    """
    n, kinds = float(counts.sum()), len(counts)
    p = counts / n
    log_ratio = torch.where(p > 0, p * kinds, 1.0).log()
    kl = float((p * log_ratio).sum())
    spread = float((p * log_ratio.square()).sum()) - kl**2
    chance = (kinds - 1) / n
    return Estimate(max(0.0, kl), math.sqrt((max(0.0, spread - chance) + chance / 2) / n))
