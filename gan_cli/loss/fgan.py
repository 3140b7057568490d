"""The f-GAN: a game for every f-divergence."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from gan_cli.theory.divergence import NAMES, Divergence, named


@dataclass(frozen=True)
class FGAN:
    """D makes a lower bound of an f-divergence tight; G brings it down.

    Nowozin et al. 2016, arXiv 1606.00709, equations 4 to 7, Tables 1, 2 and 6. `divergence` is one
    of kl, reverse_kl, js (twice Jensen-Shannon), gan (that less log 4), pearson, neyman,
    hellinger, tv, jeffreys and alpha, whose order `alpha` is; P is the data, Q the model. Minus D's
    loss is the bound: at the best D it is D_f(P‖Q) itself.

    `saturating` is G's side of Algorithm 1: with the best D it descends D_f. Otherwise G maximises
    g_f(D(G(z))), section 3.2: a strong gradient where D rejects fakes, but near the best D it is
    that of another divergence, whose generator h has h'' = f''/u. For `kl` that is reverse KL, for
    `pearson` it is 2 KL. To fit a model that can't match the data under the named divergence, take
    loss.saturating=true.

    Curves: -loss/d climbs from 0 to the divergence as D learns, then falls to 0 with G; for `gan`
      loss/d ends at 1.386 (log 4). It can't fall below -1 for tv, -1.386 for js, -2 for hellinger.
      A loss/d that dives without end: D has found data where there are no fakes (kl, pearson,
      jeffreys) or fakes where there are no data (reverse_kl, neyman, jeffreys).
    Needs: overlap of data and fakes for kl, pearson, jeffreys, neyman, reverse_kl: these are
      infinite without. js, gan, hellinger and tv are bounded and stand anything.
    Trouble: exploding G with reverse_kl, neyman or hellinger: g_f falls exponentially; take
      loss.saturating=true, clip_grad=1.0 or a smaller optimizer.lr. No gradient with
      loss.saturating=true and a sure D (js, gan, tv, kl): loss.saturating=false; with pearson
      fakes below -2 are even pushed away. An unsteady D: penalty=r1.
    """

    divergence: str = "kl"
    alpha: float = 0.5
    saturating: bool = False
    relative: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.divergence not in NAMES:
            raise ValueError(f"divergence is one of {', '.join(NAMES)}, not {self.divergence}")
        named("alpha", self.alpha)

    @property
    def f(self) -> Divergence:
        """The divergence's functions."""
        return named(self.divergence, self.alpha)

    @property
    def measures(self) -> str:
        """The divergence that the bound is of, by its short name."""
        return {"gan": "js"}.get(self.divergence, self.divergence)

    def distance(self, d_loss: float) -> float:
        """The divergence that a mean loss of D comes to; the paper's js and gan are twice JS."""
        bound = -d_loss
        return {"js": bound / 2, "gan": (bound + math.log(4)) / 2}.get(self.divergence, bound)

    def d(self, real: Tensor, fake: Tensor) -> Tensor:
        """-g_f(D(x)) + f*(g_f(D(G(z)))), `(N,), (N,) -> (N,)`."""
        f = self.f
        return f.cost(fake) - f.activation(real)

    def g(self, real: Tensor | None, fake: Tensor) -> Tensor:
        """-g_f(D(G(z))), or -f*(g_f(D(G(z)))) when saturating, `(N,) -> (N,)`."""
        f = self.f
        return -f.cost(fake) if self.saturating else -f.activation(fake)

    def optimal(self, log_ratio: Tensor) -> Tensor:
        """The v with g_f(v) = f'(p/q), equation 5."""
        return self.f.optimum(log_ratio)
