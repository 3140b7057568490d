"""The LeCam regulariser."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor, nn

from gan_cli.memory import scalar
from gan_cli.penalty import Seen, check_weight


def _nothing() -> dict[str, Tensor]:
    return {"real": scalar(0), "fake": scalar(0), "total": scalar(0)}


@dataclass(frozen=True)
class LeCam:
    """λ [max(0, D(x) - α_fake)² + max(0, α_real - D(G(z)))²], α the running means of D's outputs.

    Tseng et al. 2021, arXiv 2104.03310: D's outputs stay close to where those of the other side
    have been, which keeps it from learning few data by heart; with loss=wgan and fixed anchors,
    what G minimises is a LeCam divergence. The paper's formula is a plain square
    (`one_sided=false`); the authors' code, and its results, take the positive parts, which is the
    default here. Their weight is 0.3 for BigGAN on CIFAR-10, the mean's decay 0.99 an update. The
    means are those up to D's last update, freed from their start at 0; on the first update nothing
    is paid.

    Needs: nothing of D's network (batch norm is fine); a loss with one scale of outputs, as hinge,
    and not a relativistic one, whose outputs may drift together.
    Trouble: D/real and D/fake close to each other from the start, and a G that does not move: a
    tenth of the weight. D/real and D/fake that part after all: ten times it.
    """

    holds: ClassVar[bool] = True

    weight: float = 0.3
    decay: float = 0.99
    one_sided: bool = True
    every: int = 1
    memory: dict[str, Tensor] = field(
        init=False, repr=False, compare=False, default_factory=_nothing
    )

    def __post_init__(self) -> None:
        check_weight(self.every, weight=self.weight)
        if not 0 <= self.decay < 1:
            raise ValueError(f"decay is from 0 to below 1, not {self.decay}")

    def anchors(self) -> tuple[Tensor, Tensor]:
        """The running means of D's outputs on real and on generated samples, `() and ()`."""
        total = self.memory["total"].clamp(min=torch.finfo(torch.float32).tiny)
        return self.memory["real"] / total, self.memory["fake"] / total

    def __call__(self, seen: Seen) -> Tensor:
        """The penalty of each pair (real, fake), `(N,)`."""
        real, fake = self.anchors()
        above, below = seen.d_real - fake, real - seen.d_fake
        if self.one_sided:
            above, below = above.relu(), below.relu()
        return self.weight * (above.square() + below.square()) * (self.memory["total"] > 0)

    def remember(self, d_real: Tensor, d_fake: Tensor) -> None:
        """Move the means towards D's outputs on a batch, `(N,), (N,)`."""
        new = {"real": d_real.mean(), "fake": d_fake.mean(), "total": torch.ones_like(d_real[0])}
        for key, value in new.items():
            old = self.memory[key].to(value.device)
            self.memory[key] = self.decay * old + (1 - self.decay) * value.detach().float()

    def refuses(self, D: nn.Module) -> str | None:
        """Nothing is refused: no gradient is measured, so batch norm does no harm."""
        return None
