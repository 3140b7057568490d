"""How samples fall on the classes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from gan_cli.metric import Estimate, Exam, Figure, Sight, needs

UNSEEN = 0.5
"""Added to the count of each class among the real samples, so that none is impossible
(Krichevsky and Trofimov 1981, The performance of universal encoding)."""


@dataclass(frozen=True)
class Classes:
    """Whether each class of the data is made, and as often: what the extractor takes samples for.

    classes_entropy: of the histogram, in nats; best is that of the data, the floor, and log K the
    most. classes_kl: from the real samples' own histogram, Σ q log(q/p) with q of the fakes, as the
    mode score of Che et al. 2016, arXiv 1612.02136, section 4, asks of the marginal; about
    (K - 1)/(2n) of a perfect generator, for chance alone.

    Needs: an extractor with classes, extractor=judge or inception.
    Trouble: a KL near 0 of bad samples: only the classes count here, not how well they are made.
    Of a generator of classes it is asked for the labels of the data, so it says little of it:
    metric=labels.
    """

    figures: ClassVar[Mapping[str, Figure]] = {
        "classes_entropy": Figure("entropy of the classes, nats", 0, low=0),
        "classes_kl": Figure("KL of the classes from those of the data, nats", -1, low=0),
    }

    def refuses(self, exam: Exam) -> str | None:
        """An extractor without classes is refused, and a G that is told which to make."""
        if exam.maker is not None and exam.fake.c is not None:
            return "a G that is told the class doesn't choose it: metric=labels"
        return needs.classes(exam) or needs.few(exam, 2)

    def __call__(self, exam: Exam) -> dict[str, Estimate]:
        """Both."""
        real, fake = _counts(exam.real), _counts(exam.fake)
        q, p = fake / fake.sum(), (real + UNSEEN) / (real + UNSEEN).sum()
        return {
            "classes_entropy": Estimate(entropy(q)),
            "classes_kl": Estimate(max(0.0, math.fsum(torch.special.xlogy(q, q / p).tolist()))),
        }


def class_shares(labels: Tensor, classes: int) -> Tensor:
    """The share of each class among labels `(N,)`, `(classes,)` float64."""
    return torch.bincount(labels.flatten(), minlength=classes).double() / labels.numel()


def entropy(shares: Tensor) -> float:
    """-Σ p log p of shares `(…, K)` in nats, the mean of it over rows.

    Of `class_shares` log K is the best where the classes of the data are equally frequent, and 0
    one class alone; of a classifier's probabilities it says how unsure it is of each sample.
    """
    return float(torch.special.entr(shares.double()).sum(-1).mean())


def _counts(sight: Sight) -> Tensor:
    p = sight.probabilities
    return torch.bincount(p.argmax(1), minlength=p.shape[1]).double()
