"""A mixture of Gaussians, by expectation maximisation."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from gan_cli import dist, memory
from gan_cli.batch import Batch
from gan_cli.errors import NumericalFailure, UserMistake
from gan_cli.facts import Facts
from gan_cli.method.kit import Kit
from gan_cli.method.likelihood import mixture
from gan_cli.method.single import Single
from gan_cli.model.mixture import Full, MixtureGenerator

STARTS = ("kmeans", "k-means++", "random", "random_from_data")
"""How the first components can be found; scikit-learn's names."""


@dataclass(frozen=True)
class Mixture:
    """Expectation maximisation of a mixture of Gaussians: an iteration over all data a step.

    Dempster, Laird and Rubin 1977, by scikit-learn's GaussianMixture. An iteration never makes the
    data less likely, but for what the floor under the variances costs. `init` is where the
    components start; of data without an end the first `points` are learnt from.

    Needs: model=mixture, which it brings; the covariances of all components must fit into memory.
    Trouble: a component shrunk to a few samples: model.floor=1e-3, fewer model.components, or
    model.covariance=diag. Blurred or noisy images: a Gaussian knows no edges; method=gan.
    """

    uses: ClassVar[frozenset[str]] = frozenset({"model", "prior"})

    init: str = "kmeans"
    points: int = 10_000

    def __post_init__(self) -> None:
        if self.init not in STARTS:
            raise ValueError(f"init is one of {', '.join(STARTS)}, not {self.init}")
        if self.points < 2:
            raise ValueError(f"points is a number of samples, 2 or more, not {self.points}")

    def make(self, kit: Kit) -> Expectation:
        """The mixture, not yet fitted. UserMistake when parts don't go together."""
        if dist.size() > 1:
            raise UserMistake(
                "method=mixture takes all of the data in each step: on one rank, without torchrun, "
                "or method=mixture_gradient"
            )
        G = mixture(kit).to(kit.device)
        if len(G.means) > (count := kit.length or self.points):
            raise UserMistake(f"model.components={len(G.means)} for {count} samples: fewer")
        return Expectation(self, G, kit)


class Expectation(Single):
    """G, fitted anew at each step (Dempster, Laird and Rubin 1977).

    What the next step goes on from is kept in float64. Nobody follows a gradient, so there are no
    players.
    """

    def __init__(self, recipe: Mixture, G: MixtureGenerator, kit: Kit):
        super().__init__({})
        self.recipe, self.G = recipe, G
        self.count, self.batch_size = kit.length or recipe.points, kit.batch_size
        means, full = G.means.detach().double().cpu(), isinstance(G, Full)
        self.found = {
            "weights": means.new_zeros(len(means)),
            "means": means,
            "covariances": means.new_zeros(*means.shape, *means.shape[1:] * full),
        }
        self.endless = kit.length is None
        self.data = torch.zeros(self.count * self.endless, means.shape[1])
        self.steps = 0

    @property
    def batches_per_step(self) -> int:
        """So many batches that each step begins with an epoch; of them it takes the first."""
        if self.endless:
            return math.ceil(self.count / self.batch_size)
        return self.count // math.gcd(self.count, self.batch_size)

    @property
    def images(self) -> int:
        """Samples of the data that have been learnt from."""
        return self.steps * self.count

    @property
    def generator(self) -> nn.Module:
        """The mixture."""
        return self.G

    def step(self, batches: Iterable[Batch], step: int) -> Facts:
        """The components' shares in each sample; then the best components for these shares.

        log_likelihood is that before the step, the mean of all samples in nats.
        """
        em = self.maximised(self.all(batches))
        names = ("weights", "means", "covariances")
        self.found = {name: torch.from_numpy(getattr(em, f"{name}_")) for name in names}
        self.G.fit(*self.found.values())
        self.steps += 1
        likelihood = torch.tensor(float(em.lower_bound_))
        return {"loss": -likelihood, "log_likelihood": likelihood}

    def all(self, batches: Iterable[Batch]) -> Tensor:
        """All of the data once, `(n, d)`; of endless data always the same."""
        if self.endless and self.steps:
            return self.data
        some = islice(batches, math.ceil(self.count / self.batch_size))
        x = torch.cat([batch.x.flatten(1).cpu() for batch in some])[: self.count]
        if self.endless:
            self.data = x
        return x

    def maximised(self, x: Tensor) -> Any:
        """What scikit-learn makes of the data `(n, d)` in one iteration; NumericalFailure."""
        from sklearn.exceptions import ConvergenceWarning  # 0.8 s, only for those who need it
        from sklearn.mixture import GaussianMixture
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

        em = GaussianMixture(
            len(self.G.means),
            covariance_type=self.G.covariance,
            tol=0.0,
            reg_covar=self.G.floor,
            max_iter=1,
            init_params=self.recipe.init,
            random_state=int(torch.randint(2**31, ())),
            warm_start=True,
        )
        if self.steps:
            given = {name: value.numpy() for name, value in self.found.items()}
            for name, value in (given | {"precisions_cholesky": self.precisions()}).items():
                setattr(em, f"{name}_", value)
            em.converged_, em.lower_bound_ = False, -math.inf
        one = 1 if self.steps == 0 else None  # threads that meet in any order would round in any
        with warnings.catch_warnings(), threadpool_limits(one, "openmp"):
            warnings.simplefilter("ignore", ConvergenceWarning)  # one iteration is not meant to
            try:
                return em.fit(x.double().numpy())
            except ValueError as error:
                told = "a component has shrunk to a point: model.floor=1e-3, or fewer components"
                raise NumericalFailure(told) from error

    def precisions(self) -> Any:
        """A root of each component's precision, as scikit-learn has it: upper triangular."""
        covariances = self.found["covariances"]
        if covariances.dim() == 2:
            return covariances.rsqrt().numpy()
        L = torch.linalg.cholesky(covariances)
        one = torch.eye(L.shape[1], dtype=L.dtype)
        return torch.linalg.solve_triangular(L, one, upper=False).mT.contiguous().numpy()

    def state(self) -> dict[str, Tensor]:
        """The mixture, its parameters in float64, and the data where they would not come again."""
        tensors = {f"G/{key}": value for key, value in self.G.state_dict().items()}
        tensors |= {f"em/{key}": value for key, value in self.found.items()}
        return tensors | {"em/data": self.data, "em/steps": torch.tensor(self.steps)}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take back what `state` gave; KeyError and RuntimeError where it can't be."""
        for key, mine in self.state().items():
            memory.check(key, tensors[key], mine)
        self.G.load_state_dict({key: tensors[f"G/{key}"] for key in self.G.state_dict()})
        self.found = {key: tensors[f"em/{key}"] for key in self.found}
        self.data, self.steps = tensors["em/data"], int(tensors["em/steps"])
