"""The judge's network, and the fixed recipe it is trained by."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, interpolate

from gan_cli.batch import Batch
from gan_cli.dataset.source import Resident
from gan_cli.dataset.stream import Images, Streamed
from gan_cli.randomness import generator, mix

RECIPE = 1
"""The version of network, split and training: a change of any of them is a new one."""

IMAGES = 200_000
"""Images to learn from, with repetitions; fewer in a small set: at most EPOCHS of it."""

EPOCHS = 60
BATCH = 128
RATE = 5e-3
DECAY = 1e-2
HELD_OUT = 10
"""Every so many images, one is not learnt from: the accuracy is measured on these."""

MOST = 10_000
"""Images that the accuracy is measured on, at most."""

LARGEST = 64
"""Pixels of a side; larger images are shrunk first."""

SMALL = 8
"""Pixels of a side that convolutions of stride 2 come down to, or below."""

WIDEST = 96
"""Channels of a convolution, at most."""

FEATURES = 64

Labelled = Resident | Streamed
"""Images with labels that can be picked by number."""

CPU = torch.device("cpu")


class JudgeNet(nn.Module):
    """A convolutional classifier sized from the shape of an image.

    Convolutions of stride 2 until the shorter side is 8 or less, one more, then 64 features
    (after ReLU, so none is negative) and a linear layer; batch norm everywhere (Ioffe and Szegedy
    2015, arXiv 1502.03167).
    """

    def __init__(self, shape: tuple[int, ...], classes: int):
        super().__init__()
        channels, *sides = shape
        self.size = _shrunk(sides[0], sides[1])
        width = 24 if channels < 3 else 48
        side = min(self.size)
        stride = 2 if side >= 16 else 1
        layers, side = _conv(channels, width, 5, stride), math.ceil(side / stride)
        for _ in range(max(1, math.ceil(math.log2(side / SMALL)))):
            layers += _conv(width, min(2 * width, WIDEST), 3, 2)
            width = min(2 * width, WIDEST)
        self.body = nn.Sequential(*layers, *_conv(width, width, 3, 1), nn.Flatten())
        with torch.no_grad():
            flat = self.body.eval()(torch.zeros(1, channels, *self.size)).shape[1]
        self.features = nn.Sequential(
            nn.Linear(flat, FEATURES, bias=False), nn.BatchNorm1d(FEATURES), nn.ReLU()
        )
        self.answer = nn.Linear(FEATURES, classes)

    def see(self, x: Tensor) -> Tensor:
        """The features of images in [-1, 1], `(N, C, H, W) -> (N, 64)`."""
        if tuple(x.shape[2:]) != self.size:
            x = interpolate(x, self.size, mode="area")
        h: Tensor = self.features(self.body(x))
        return h

    def forward(self, x: Tensor) -> Tensor:
        """The logits of the classes, `(N, C, H, W) -> (N, K)`."""
        logits: Tensor = self.answer(self.see(x))
        return logits


def train(source: Labelled, seed: int) -> tuple[JudgeNet, float, int]:
    """A network trained on nine tenths of the images, on the CPU.

    Also its accuracy on images that it has not learnt from, and their number. The global random
    numbers are as they were afterwards.
    """
    learnt, kept_back = split(source, seed)
    with torch.enable_grad():
        net = fresh(source, seed)
        _fit(net, learnt, seed)
    settle(net)
    right = [int((net(b.x).argmax(1) == b.c).sum()) for b in once(kept_back) if b.c is not None]
    return net, sum(right) / kept_back.length, kept_back.length


def fresh(source: Labelled, seed: int) -> JudgeNet:
    """An untrained network for these images, its weights a function of the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(mix("judge", seed))
        return JudgeNet(source.shape, len(source.classes))


def settle(net: JudgeNet) -> None:
    """Make a network ready to judge: it learns no more, and each image is seen by itself."""
    net.eval().requires_grad_(False)
    net.to(memory_format=torch.channels_last)


def split(source: Labelled, seed: int) -> tuple[Labelled, Labelled]:
    """The images to learn from, and every tenth, chosen at random, to measure on."""
    order = torch.randperm(source.length, generator=generator("judge split", seed))
    count = max(1, source.length // HELD_OUT)
    return part(source, order[count:].sort()[0]), part(source, order[: min(count, MOST)].sort()[0])


def part(source: Labelled, keep: Tensor) -> Labelled:
    """The images of these numbers, `(n,)` int64."""
    labels = None if source.labels is None else source.labels[keep]
    name = f"{source.fingerprint}/{len(keep)}"
    if isinstance(source, Resident):
        return Resident(source.images[keep], labels, source.classes, name, source.mirror)
    chosen = _Chosen(source.images, keep.tolist())
    return dataclasses.replace(
        source, images=chosen, labels=labels, length=len(keep), fingerprint=name, notes=()
    )


def once(source: Labelled, batch: int = 500) -> Iterator[Batch]:
    """Every image once, in batches on the CPU, in an order that is always the same."""
    feed = source.open(batch, 0, CPU)
    for i, start in enumerate(range(0, source.length, batch)):
        made, count = feed(i), min(batch, source.length - start)
        yield Batch(made.x[:count], None if made.c is None else made.c[:count])


def _fit(net: JudgeNet, source: Labelled, seed: int) -> None:
    """Adam with decoupled decay over one cycle of the rate (Smith and Topin 2018,
    arXiv 1708.07120)."""
    batch = min(BATCH, source.length)
    steps = math.ceil(min(IMAGES, EPOCHS * source.length) / batch)
    feed = source.open(batch, mix("judge order", seed), CPU)
    adam = torch.optim.AdamW(net.parameters(), RATE, weight_decay=DECAY)
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        adam, RATE, total_steps=max(2, steps), pct_start=0.2
    )
    net.train().to(memory_format=torch.channels_last)
    for i in range(steps):
        seen = feed(i)
        assert seen.c is not None
        loss = cross_entropy(net(seen.x), seen.c)
        adam.zero_grad()
        loss.backward()
        adam.step()
        cycle.step()


def _conv(channels: int, width: int, kernel: int, stride: int) -> list[nn.Module]:
    conv = nn.Conv2d(channels, width, kernel, stride, kernel // 2, bias=False)
    return [conv, nn.BatchNorm2d(width), nn.ReLU()]


def _shrunk(height: int, width: int) -> tuple[int, int]:
    """A size of the same proportions, no side above LARGEST."""
    scale = min(1.0, LARGEST / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


class _Chosen:
    def __init__(self, images: Images, numbers: list[int]):
        self._images, self._numbers = images, numbers

    def __getitem__(self, index: int) -> Tensor:
        return self._images[self._numbers[index]]
