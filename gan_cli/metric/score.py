"""The classifier score of samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from gan_cli.metric import Estimate, Exam, Figure, Untrue, needs

SURE = 1e-4
"""How far beyond the number of classes a score can be by rounding, as a share."""


@dataclass(frozen=True)
class Score:
    """exp E KL(p(y|x) ‖ p(y)): the Inception score, where the extractor is Inception.

    Salimans et al. 2016, arXiv 1606.03498, section 4; by torch-fidelity, of the extractor's
    probabilities. From 1 to the number of classes: high where it is sure of each sample and all
    classes are as frequent. The paper takes the mean over 10 parts of 5,000 samples each
    (splits=10); parts of few samples score too low, so one is the default here.

    Needs: an extractor with classes, extractor=judge or inception.
    Trouble: a high score of bad samples: it compares with no real one, and a single good sample of
    each class scores the most; look at metric=frechet beside it. On data other than its own
    classes, Inception's is a number without a meaning.
    """

    figures: ClassVar[Mapping[str, Figure]] = {
        "score": Figure("classifier score, from 1 to the number of classes", 1, low=1)
    }

    splits: int = 1

    def __post_init__(self) -> None:
        needs.check_counts(splits=self.splits)

    def refuses(self, exam: Exam) -> str | None:
        """An extractor without classes is refused, and fewer than two samples a part."""
        return needs.classes(exam) or needs.few(exam, 2 * self.splits)

    def __call__(self, exam: Exam) -> dict[str, Estimate]:
        """The score of the fakes."""
        p = exam.fake.probabilities
        value = score(p, self.splits, exam.seed)
        if not 1 - SURE <= value <= p.shape[1] * (1 + SURE):
            raise Untrue(f"a score of {value:.6g} with {p.shape[1]} classes, which is impossible")
        return {"score": Estimate(min(max(value, 1.0), float(p.shape[1])))}


def score(p: Tensor, splits: int = 1, seed: int = 0) -> float:
    """The mean score of so many parts of probabilities `(N, K)`, shuffled by the seed."""
    from torch_fidelity import metric_isc as reference  # 2 s

    log_p = p.double().clamp(min=torch.finfo(torch.float64).tiny).log()
    found = reference.isc_features_to_metric(log_p, splits, splits > 1, seed % 2**32)
    return float(found[reference.KEY_METRIC_ISC_MEAN])
