"""Networks that see which way a digit moves, and say where it goes."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import unfold

from gan_cli.lab.answering import Translators
from gan_cli.model import Discriminator, Generator, Shape

WIDTH = 16


class Mover(Generator):
    """G: the last frame under a kernel that depends on the frames and on z.

    De Brabandere et al. 2016, arXiv 1605.09673 (dynamic filter networks), one kernel for the whole
    frame: positive numbers that sum to 1, so that one of them alone moves the frame by up to
    `reach` pixels, and two of them lay two moved frames over each other. z counts as much as what
    is seen: both come as vectors of one length.
    """

    def __init__(self, shape: Shape, given: Shape, z_dim: int = 4, reach: int = 2):
        super().__init__()
        self.z_dim, self.shape, self.reach = z_dim, shape, reach
        seen = eyes(given, WIDTH, WIDTH)
        self.look = nn.Sequential(seen, nn.Linear(flat(shape, WIDTH), 64), nn.LayerNorm(64))
        self.draw = nn.Sequential(nn.Linear(z_dim, 64), nn.LayerNorm(64))
        side = 2 * reach + 1
        self.decide = nn.Sequential(nn.Linear(128, 128), nn.LeakyReLU(0.2), nn.Linear(128, side**2))

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """The next frame, `(N, z_dim), (N, past·C, H, W) -> (N, C, H, W)`."""
        assert c is not None
        kernel = self.decide(torch.cat([self.look(c), self.draw(z)], 1)).softmax(1)
        last = c[:, -self.shape[0] :] + 1  # the background is 0
        around = unfold(last, 2 * self.reach + 1, padding=self.reach)
        return (kernel[:, None] @ around).view(-1, *self.shape) - 1


class Watcher(Discriminator):
    """D: convolutions over the frames given and the next one, then one number."""

    width = 128

    def __init__(self, shape: Shape):
        super().__init__()
        size = flat(shape, 2 * WIDTH)
        self.look = nn.Sequential(
            eyes(shape, WIDTH, 2 * WIDTH), nn.Linear(size, self.width), nn.LeakyReLU(0.2)
        )
        self.last = nn.Linear(self.width, 1)

    def features(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """What the last layer gets to see, `(N, C, H, W) -> (N, width)`."""
        out: Tensor = self.look(x)
        return out

    def answer(self, h: Tensor, c: Tensor | None = None) -> Tensor:
        """Raw outputs, `(N, width) -> (N,)`."""
        out: Tensor = self.last(h)
        return out.squeeze(1)


def eyes(given: Shape, first: int, second: int) -> nn.Module:
    """Two convolutions of stride 2, `(N, C, H, W) -> (N, second·⌈H/4⌉·⌈W/4⌉)`."""
    return nn.Sequential(
        nn.Conv2d(given[0], first, 5, 2, 2),
        nn.LeakyReLU(0.2),
        nn.Conv2d(first, second, 3, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
    )


def flat(shape: Shape, width: int) -> int:
    """Numbers that `eyes` gives of images of that size."""
    return width * -(-shape[1] // 4) * -(-shape[2] // 4)


NETWORKS = Translators(Mover, Watcher)
