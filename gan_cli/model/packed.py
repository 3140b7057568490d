"""Packing: D judges several samples together."""

from __future__ import annotations

from torch import Tensor, nn

from gan_cli.errors import UserMistake


class Packed(nn.Module):
    """A D that judges m consecutive samples together, and gives its answer to each of them.

    Lin et al. 2018, arXiv 1712.04086 (PacGAN): a G that lacks variety is caught by groups. The D
    inside is built for samples of m times the channels, and nothing else of it changes; it gets
    the conditions of a group together, `(N/m, m)`.
    """

    crosses_samples = True

    def __init__(self, D: nn.Module, m: int):
        super().__init__()
        if m < 1:
            raise ValueError(f"pack is a number of samples, 1 or more, not {m}")
        self.D, self.m = D, m

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """Raw outputs, `(N, C, …) -> (N,)`, or one a patch; UserMistake unless m divides N."""
        if len(x) % self.m:
            raise UserMistake(
                f"D judges pack={self.m} samples together, and {len(x)} samples can't be shared "
                f"out so: batch_size (and its parts, if accumulate) a multiple of {self.m}"
            )
        packs = x.reshape(len(x) // self.m, self.m * x.shape[1], *x.shape[2:])
        together = None if c is None else c.unflatten(0, (-1, self.m))
        out: Tensor = self.D(packs, together)
        return out.repeat_interleave(self.m, 0)
