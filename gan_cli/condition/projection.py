"""The projection discriminator."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from gan_cli.condition import check_way, featured, told_generator, untold_discriminator
from gan_cli.model import Discriminator, Generator, Model
from gan_cli.space import Space


@dataclass(frozen=True)
class Projection:
    """D adds the inner product of the sample's features with a vector of the class.

    Miyato and Koyama 2018, arXiv 1802.05637, equation 3: with h the features and v_c a learned
    embedding of the label, D(x, c) = ψ(h) + v_c · h. Their G is told by class-conditional batch
    norm (g=norm, of model=sngan or dcgan); g=concat puts a one-hot label beside z.

    Needs: labels, and a D with features (not model=autoencoder, pack=1).
    Trouble: samples of the wrong class: condition.matching=true.
    """

    g: str = "concat"
    matching: bool = False

    def __post_init__(self) -> None:
        check_way(self.g)

    def generator(self, model: Model, space: Space) -> Generator:
        """G that hears of labels, `(N, z_dim), (N,) -> (N, …)`."""
        return told_generator(self.g, model, space)

    def discriminator(self, model: Model, space: Space, pack: int) -> nn.Module:
        """D that hears of labels, `(N, …), (N,) -> (N,)`; ValueError where it can't."""
        if space.given is not None:
            raise ValueError("it projects on labels, and an image is none: condition=concat")
        if not space.classes:
            return untold_discriminator(model, space, pack)
        if pack > 1:
            raise ValueError("a pack of samples has no class of its own: pack=1")
        bare = featured(model.discriminator(space.shape), "condition=projection")
        if getattr(bare, "patches", False):
            raise ValueError("a patch has no class of its own: condition=concat")
        return Projected(bare, len(space.classes))


class Projected(Discriminator):
    """D whose output depends on how well the features fit the class (Miyato and Koyama 2018)."""

    def __init__(self, D: Discriminator, classes: int):
        super().__init__()
        self.D, self.width = D, D.width
        self.embedding = nn.Embedding(classes, D.width)
        nn.init.xavier_uniform_(self.embedding.weight)

    def features(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """D's features of a sample, `(N, …) -> (N, width)`."""
        return self.D.features(x)

    def answer(self, h: Tensor, c: Tensor | None = None) -> Tensor:
        """Raw outputs, `(N, width), (N,) -> (N,)`."""
        assert c is not None
        fit: Tensor = (self.embedding(c) * h).sum(1)
        return self.D.answer(h) + fit
