"""Whether samples are of the classes that were asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from gan_cli.metric import Estimate, Exam, Figure, needs


@dataclass(frozen=True)
class Labels:
    """The share of samples that the extractor takes for the class they were asked to be.

    Miyato and Koyama 2018, arXiv 1802.05637, section 6.1, and Odena et al. 2017, arXiv 1610.09585,
    section 4.2, measure generators of classes so. A perfect generator reaches the extractor's own
    accuracy, the floor, not 1; more than that means samples that are easier than real ones.

    Needs: a generator of classes (task=label) and an extractor of the same, extractor=judge.
    Trouble: 1/K: the labels are not heard; another condition, such as condition=projection. A high
    share of samples that are all alike: it asks for the class alone, so see metric=frechet too.
    """

    figures: ClassVar[Mapping[str, Figure]] = {
        "label_accuracy": Figure("share of samples of the class asked for", 1, low=0, high=1)
    }

    def refuses(self, exam: Exam) -> str | None:
        """Samples that were not asked to be of a class are refused, and foreign classes."""
        extractor, c = exam.fake.extractor, exam.fake.c
        if reason := needs.classes(exam):
            return reason
        if c is None or c.ndim != 1 or not bool((c >= 0).any()):
            return "it is for generators that are asked for classes: task=label"
        assert extractor is not None
        known = len(extractor.classes)
        named = exam.source.classes if exam.source is not None else ()
        if int(c.max()) >= known or (named and tuple(named) != tuple(extractor.classes)):
            return (
                f"the {known} classes of the extractor are not those that are asked for: "
                "extractor=judge"
            )
        return None

    def __call__(self, exam: Exam) -> dict[str, Estimate]:
        """The share."""
        assert exam.fake.c is not None
        said = exam.fake.probabilities.argmax(1)
        return {"label_accuracy": needs.mean(right(said, exam.fake.c))}


def right(said: Tensor, asked: Tensor) -> Tensor:
    """Which of the samples are of the class asked for, `(N,), (N,) -> (n,)`.

    Those of label -1, which were asked for nothing, are left out; ValueError when none is left.
    """
    known = asked >= 0
    if len(said) != len(asked) or not bool(known.any()):
        raise ValueError(f"{len(said)} samples and {int(known.sum())} labels to hold them against")
    return said[known] == asked[known].to(said.device)
