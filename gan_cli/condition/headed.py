"""D with heads: what is asked of its features beside its own answer."""

from __future__ import annotations

from torch import Tensor, nn

from gan_cli.auxiliary import Auxiliary
from gan_cli.model import Discriminator


class Headed(Discriminator):
    """D, and a linear head on its features for each auxiliary task."""

    def __init__(
        self, D: Discriminator, auxiliaries: dict[str, Auxiliary], guesses: dict[str, int]
    ):
        super().__init__()
        self.D, self.width, self.auxiliaries = D, D.width, auxiliaries
        self.heads = nn.ModuleDict({name: nn.Linear(D.width, n) for name, n in guesses.items()})

    def both(self, x: Tensor, c: Tensor | None) -> tuple[Tensor, dict[str, Tensor]]:
        """Raw outputs `(N,)`, and the guesses of each head, `(N, guesses)`."""
        h = self.D.features(x, c)
        guesses = {name: head(h) for name, head in self.heads.items()}
        return self._answer(h, c, guesses), guesses

    def features(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """D's features, `(N, …), (N, …) -> (N, width)`."""
        return self.D.features(x, c)

    def answer(self, h: Tensor, c: Tensor | None = None) -> Tensor:
        """Raw outputs, `(N, width), (N, …) -> (N,)`."""
        return self._answer(h, c, {name: head(h) for name, head in self.heads.items()})

    def _answer(self, h: Tensor, c: Tensor | None, guesses: dict[str, Tensor]) -> Tensor:
        output = self.D.answer(h, c)
        for name, guess in guesses.items():
            output = self.auxiliaries[name].answer(output, guess)
        return output
