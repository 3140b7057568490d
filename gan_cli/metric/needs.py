"""What metrics need of an exam, and what they say where it isn't there; errors by blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from gan_cli.metric import Estimate, Exam, Sight, Untrue
from gan_cli.metric.measure import BLOCKS
from gan_cli.theory import interval


def features(exam: Exam, least: int = 2) -> str | None:
    """Why features can't be compared: none are seen, or there are fewer than `least` samples."""
    if exam.real.extractor is None or exam.fake.extractor is None:
        return "it compares features, and nothing extracts any: extractor=judge, random or raw"
    return few(exam, least)


def classes(exam: Exam) -> str | None:
    """Why classes can't be counted: the extractor knows none."""
    extractor = exam.fake.extractor
    if extractor is not None and extractor.classes:
        return None
    return (
        "it counts classes, and the extractor knows none: extractor=judge for data with labels, "
        "or extractor=inception"
    )


def pictures(exam: Exam) -> str | None:
    """Why samples can't be seen as images: they are points."""
    shape = tuple(exam.fake.x.shape[1:])
    if len(shape) == 3:
        return None
    return f"it is for images, and a sample here has shape {shape}: metric=divergence for points"


def few(exam: Exam, least: int) -> str | None:
    """Why there are too few samples of either kind."""
    real, fake = len(exam.real), len(exam.fake)
    if min(real, fake) >= least:
        return None
    return f"{real} real samples and {fake} others are too few: {least} or more of each"


def seen(sight: Sight) -> Tensor:
    """The features of samples, `(N, d)` float64; Untrue where one is no number."""
    found = sight.features.double()
    if not bool(found.isfinite().all()):
        raise Untrue("the extractor sees NaN or infinity in some samples")
    return found


def blocks(n: int) -> Tensor:
    """The block of each of n samples, `(n,)`, as `Exam.without` counts them."""
    return torch.arange(n) % BLOCKS


def estimates(
    whole: Mapping[str, float], parts: Sequence[Mapping[str, float]]
) -> dict[str, Estimate]:
    """Figures with the error of the jackknife; parts are the figures without one block each, or
    nothing where there are too few samples."""
    if not parts:
        return {name: Estimate(value) for name, value in whole.items()}
    return {
        name: Estimate(value, interval.jackknife([part[name] for part in parts]) / interval.NORMAL)
        for name, value in whole.items()
    }


def share(value: float, n: int) -> Estimate:
    """A share of n independent samples, and its standard error: above 0 for none and for all, as
    one more sample of each kind would make it (Agresti and Coull 1998)."""
    near = (value * n + 2) / (n + 4)
    return Estimate(value, (near * (1 - near) / (n + 4)) ** 0.5)


def mean(values: Tensor) -> Estimate:
    """The mean of independent values `(n,)`, and its standard error."""
    values = values.double()
    error = float(values.std() / len(values) ** 0.5) if len(values) > 1 else None
    return Estimate(float(values.mean()), error)


def check_counts(**counts: int) -> None:
    """Raise ValueError unless each of these numbers is a whole one, 1 or more."""
    for name, count in counts.items():
        if type(count) is not int or count < 1:
            raise ValueError(f"{name} is a whole number, 1 or more, not {count}")
