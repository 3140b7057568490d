"""Whether fakes are copies of the training images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from gan_cli.dataset.source import Resident
from gan_cli.dataset.stream import Streamed
from gan_cli.metric import Estimate, Exam, Figure, needs
from gan_cli.metric.measure import BLOCKS
from gan_cli.metric.neighbours import Memorised, nearest

LEAST = 20
"""Samples and held-out images, at least."""


@dataclass(frozen=True)
class Copies:
    """How near fakes lie to the training images, against real images that G has not learnt from.

    Meehan, Chaudhuri and Dasgupta 2020, arXiv 2004.05675, section 3. copies: the share nearer to a
    training image than all but 1 % of the held-out ones, 0.01 where nothing is copied. nearer: the
    share nearer than their median, 1/2 of fakes as new as they. copies_z: the Mann-Whitney
    statistic of both, about normal for such fakes, far below 0 for copies, far above for fakes that
    are like nothing. Distances are those of pixels, to every training image, mirrored too where
    training mirrors; at most `most` fakes and held-out images are looked up.

    Needs: images that are kept, and held-out ones: a data set with a test split.
    Trouble: nearer well above 1/2 without copies: fakes are smooth, and what is smooth is near to
    many. Copies: stop sooner, or more data; gan sample --neighbours shows them.
    """

    figures: ClassVar[Mapping[str, Figure]] = {
        "copies": Figure("share of copies of training images, 0.01 by chance", -1, low=0, high=1),
        "nearer": Figure("share nearer to them than new images, 1/2 if as new", 0, low=0, high=1),
        "copies_z": Figure("Mann-Whitney statistic, below 0 for copies", 0),
    }

    most: int = 500

    def __post_init__(self) -> None:
        needs.check_counts(most=self.most)
        if self.most < LEAST:
            raise ValueError(f"most is {LEAST} or more, not {self.most}")

    def refuses(self, exam: Exam) -> str | None:
        """Points, data that are drawn anew, and data without held-out images are refused."""
        if reason := needs.pictures(exam):
            return reason
        if not isinstance(exam.source, Resident | Streamed):
            return "it looks up the images of a data set, and these are not kept: metric=frechet"
        if exam.source.shape != tuple(exam.fake.x.shape[1:]):
            return (
                f"training images are of {exam.source.shape}, samples of "
                f"{tuple(exam.fake.x.shape[1:])}: the same size"
            )
        if exam.held is None or min(len(exam.held), len(exam.fake)) < LEAST:
            return (
                f"it takes {LEAST} real images that nobody learnt from: a data set with a test "
                "split, and dataset.split=train"
            )
        return None

    def __call__(self, exam: Exam) -> dict[str, Estimate]:
        """All three."""
        assert isinstance(exam.source, Resident | Streamed)
        assert exam.held is not None
        made, new = (
            nearest(x[: self.most], exam.source).distance[:, 0] for x in (exam.fake.x, exam.held.x)
        )
        block = needs.blocks(len(made))
        parts = [_told(made[block != b], new) for b in range(BLOCKS)]
        told = needs.estimates(_told(made, new), parts)
        return told | {
            name: needs.share(told[name].value, len(made)) for name in ("copies", "nearer")
        }


def _told(made: Tensor, new: Tensor) -> dict[str, float]:
    found = Memorised.of(made, new)
    return {"copies": found.copies, "nearer": found.nearer, "copies_z": found.z}
