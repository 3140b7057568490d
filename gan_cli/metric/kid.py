"""The kernel distance between two sets of features."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor

from gan_cli.metric import Estimate, Exam, Figure, needs

MOST = 4000
"""Samples of each kind from which the error is found, at most."""


class Kernel(NamedTuple):
    """(x·y / d + 1)³, the kernel of the paper, in torch-fidelity's words."""

    kid_kernel: str = "poly"
    kid_kernel_poly_degree: int = 3
    kid_kernel_poly_gamma: float | None = None
    kid_kernel_poly_coef0: float = 1.0


@dataclass(frozen=True)
class KID:
    """The squared maximum mean discrepancy of features under a cubic kernel, without bias.

    Bińkowski et al. 2018, arXiv 1801.01401, section 4: the mean over `subsets` of `subset_size`
    samples each, drawn without replacement, and their standard deviation; by torch-fidelity, with
    its defaults. Subsets are of half the samples, where these are fewer than twice the size.

    Subsets share samples, so their deviation over √subsets would be too small an error. What is
    given is √(4 var h(y)/M + s²/subsets) of M fakes: h(y) is the mean kernel of a fake with the
    others less that with the real ones (Hoeffding 1948, A class of statistics with asymptotically
    normal distribution), s the deviation over subsets, which are drawn at random.

    Needs: features. Nothing in it depends on n but the error, so unlike n can be compared.
    Trouble: a number below 0: no fault, an estimate without bias of a small distance is below it
    now and then. An error as large as the distance: more samples.
    """

    figures: ClassVar[Mapping[str, Figure]] = {
        "kid": Figure("kernel distance of features", -1),
        "kid_std": Figure("its deviation over subsets", 0, low=0),
    }

    subsets: int = 100
    subset_size: int = 1000

    def __post_init__(self) -> None:
        needs.check_counts(subsets=self.subsets, subset_size=self.subset_size)
        if self.subsets < 2 or self.subset_size < 2:
            raise ValueError(
                "subsets and subset_size are 2 or more, for a deviation, not "
                f"{self.subsets} and {self.subset_size}"
            )

    def refuses(self, exam: Exam) -> str | None:
        """Samples without features, or fewer than four, are refused."""
        return needs.features(exam, 4)

    def __call__(self, exam: Exam) -> dict[str, Estimate]:
        """The mean over subsets, and their deviation."""
        real, fake = needs.seen(exam.real), needs.seen(exam.fake)
        size = min(self.subset_size, len(real) // 2, len(fake) // 2)
        mean, deviation = kid(real, fake, self.subsets, size, exam.seed)
        error = math.hypot(spread(real, fake), deviation / math.sqrt(self.subsets))
        return {
            "kid": Estimate(mean, error),
            "kid_std": Estimate(deviation, deviation / math.sqrt(2 * (self.subsets - 1))),
        }


def kid(real: Tensor, fake: Tensor, subsets: int, size: int, seed: int = 0) -> tuple[float, float]:
    """The mean and deviation over so many subsets of features `(N, d)` and `(M, d)`.

    ValueError for subsets of more samples than there are.
    """
    from torch_fidelity import metric_kid as reference  # 2 s

    if not 2 <= size <= min(len(real), len(fake)):
        raise ValueError(f"subsets of {size}, of {len(real)} and {len(fake)} samples")
    with np.errstate(over="ignore", invalid="ignore"):  # infinity is no figure
        found = reference.kid_features_to_metric(
            fake.double(),
            real.double(),
            kid_subsets=subsets,
            kid_subset_size=size,
            rng_seed=seed % 2**32,
            verbose=False,
            **Kernel()._asdict(),
        )
    return (
        found[reference.KEY_METRIC_KID_MEAN],
        found[reference.KEY_METRIC_KID_STD],
    )


def spread(real: Tensor, fake: Tensor) -> float:
    """2 √(var h / M), the standard error of the distance of M fakes, the real ones given."""
    x, y = real[:MOST].double(), fake[:MOST].double()
    h = torch.cat(
        [_pull(part, y) * len(y) / (len(y) - 1) - _pull(part, x) for part in y.split(500)]
    )
    h -= _own(y) / (len(y) - 1)
    return 2 * float(h.std()) / math.sqrt(len(fake))


def _pull(y: Tensor, x: Tensor) -> Tensor:
    """The mean kernel of each sample with the others, `(n, d), (N, d) -> (n,)`."""
    return _kernel(y @ x.T, x.shape[1]).mean(1)


def _own(y: Tensor) -> Tensor:
    return _kernel(y.square().sum(1), y.shape[1])


def _kernel(products: Tensor, d: int) -> Tensor:
    kernel = Kernel()
    return (products / d + kernel.kid_kernel_poly_coef0) ** kernel.kid_kernel_poly_degree
