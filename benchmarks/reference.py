"""Plain GAN training, in the style that everyone writes: what `gan train` is held against.

    python benchmarks/reference.py mlp --data DIR --steps 200
    python benchmarks/reference.py dcgan64 --data DIR/OF/FOLDERS --workers 2 --device cuda

Nothing clever: torchvision's data sets and transforms, a DataLoader, plain Sequentials with the
layers of `model=mlp` and `model=dcgan`, Adam as it comes, real and fake judged apart, one batch of
fakes for both steps, and `.item()` of what is told at every step.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms


@dataclass(frozen=True)
class Game:
    """Networks of a family for images of one shape, and the rules they play by."""

    family: str
    shape: tuple[int, int, int]
    rules: str = "gan"
    batch: int = 64

    @property
    def nz(self) -> int:
        """Numbers in a latent code."""
        return {"mlp": 64, "dcgan": 100}[self.family]

    @property
    def files(self) -> bool:
        """Whether the images are files in a folder, and not MNIST."""
        return self.shape[0] == 3


DIGITS, SMALL, LARGE = (1, 28, 28), (3, 32, 32), (3, 64, 64)
GAMES = {
    "mlp": Game("mlp", DIGITS),
    "dcgan28": Game("dcgan", DIGITS),
    "dcgan32": Game("dcgan", SMALL),
    "dcgan64": Game("dcgan", LARGE),
    "dcgan64_b128": Game("dcgan", LARGE, batch=128),
    "wgan_gp_mlp": Game("mlp", DIGITS, "wgan_gp"),
    "wgan_gp_dcgan32": Game("dcgan", SMALL, "wgan_gp"),
    "r1_dcgan32": Game("dcgan", SMALL, "r1"),
}
GAMMA, LAMBDA, CRITIC = 10.0, 10.0, 5


def mlp(game: Game, width: int = 256) -> tuple[nn.Module, nn.Module]:
    """Three hidden layers each."""
    c, h, w = game.shape
    netG = nn.Sequential(
        nn.Linear(game.nz, width),
        nn.ReLU(True),
        nn.Linear(width, width),
        nn.ReLU(True),
        nn.Linear(width, width),
        nn.ReLU(True),
        nn.Linear(width, c * h * w),
        nn.Tanh(),
        nn.Unflatten(1, game.shape),
    )
    netD = nn.Sequential(
        nn.Flatten(),
        nn.Linear(c * h * w, width),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Linear(width, width),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Linear(width, width),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Linear(width, 1),
    )
    return netG, netD


def dcgan(game: Game, width: int = 64) -> tuple[nn.Module, nn.Module]:
    """Up from and down to a map of 4×4 (7×7 for digits), doubled and halved at each layer."""
    c, h, _ = game.shape
    halvings = {28: 2, 32: 3, 64: 4}[h]
    widths = [width * 2**i for i in range(halvings)]
    base, norm = h >> halvings, game.rules == "gan"
    up: list[nn.Module] = [
        nn.Linear(game.nz, widths[-1] * base * base, bias=False),
        nn.Unflatten(1, (widths[-1], base, base)),
    ]
    for i in reversed(range(halvings)):
        last = i == 0
        up += [nn.BatchNorm2d(widths[i]), nn.ReLU(True)]
        up += [nn.ConvTranspose2d(widths[i], c if last else widths[i - 1], 4, 2, 1, bias=last)]
    down: list[nn.Module] = []
    for i in range(halvings):
        down += [nn.Conv2d(widths[i - 1] if i else c, widths[i], 4, 2, 1, bias=i == 0 or not norm)]
        down += [nn.BatchNorm2d(widths[i])] if norm and i else []
        down += [nn.LeakyReLU(0.2, inplace=True)]
    down += [nn.Flatten(), nn.Linear(widths[-1] * base * base, 1)]
    netG, netD = nn.Sequential(*up, nn.Tanh()), nn.Sequential(*down)
    netG.apply(weights_init)
    netD.apply(weights_init)
    return netG, netD


def weights_init(m: nn.Module) -> None:
    """N(0, 0.02) for convolutions, N(1, 0.02) for batch norms."""
    if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
        nn.init.normal_(m.weight, 0.0, 0.02)
        if m.bias is not None:
            nn.init.zeros_(m.bias)
    elif isinstance(m, nn.BatchNorm2d):
        nn.init.normal_(m.weight, 1.0, 0.02)
        nn.init.zeros_(m.bias)


NETS = {"mlp": mlp, "dcgan": dcgan}


def images(game: Game, data: str, workers: int) -> DataLoader:
    """Batches as torchvision and a DataLoader give them: each image is transformed when read."""
    c, size, _ = game.shape
    steps = [transforms.ToTensor(), transforms.Normalize((0.5,) * c, (0.5,) * c)]
    if game.files:
        crop = [transforms.Resize(size), transforms.CenterCrop(size)]
        dataset = datasets.ImageFolder(data, transforms.Compose([*crop, *steps]))
    else:
        dataset = datasets.MNIST(data, train=True, transform=transforms.Compose(steps))
    return DataLoader(dataset, batch_size=game.batch, shuffle=True, num_workers=workers)


def train_gan(
    netG: nn.Module, netD: nn.Module, loader: DataLoader, device: torch.device, game: Game
) -> Iterator[dict[str, float]]:
    """The first game, with the loss of G that does not saturate; with R1 where the rules say so."""
    criterion = nn.BCEWithLogitsLoss()
    optimizerD = torch.optim.Adam(netD.parameters(), lr=0.0002, betas=(0.5, 0.999))
    optimizerG = torch.optim.Adam(netG.parameters(), lr=0.0002, betas=(0.5, 0.999))
    r1 = game.rules == "r1"
    while True:
        for data in loader:
            # (1) D: maximise log(D(x)) + log(1 - D(G(z)))
            netD.zero_grad()
            real = data[0].to(device).requires_grad_(r1)
            b_size = real.size(0)
            label = torch.full((b_size,), 1.0, device=device)
            output = netD(real).view(-1)
            errD_real = criterion(output, label)
            errD_real.backward(retain_graph=r1)
            D_x = output.mean().item()
            if r1:
                (GAMMA / 2 * squared_slope(output, real).mean()).backward()
            noise = torch.randn(b_size, game.nz, device=device)
            fake = netG(noise)
            label.fill_(0.0)
            output = netD(fake.detach()).view(-1)
            errD_fake = criterion(output, label)
            errD_fake.backward()
            errD = errD_real + errD_fake
            optimizerD.step()
            # (2) G: maximise log(D(G(z)))
            netG.zero_grad()
            label.fill_(1.0)
            output = netD(fake).view(-1)
            errG = criterion(output, label)
            errG.backward()
            D_G_z = output.mean().item()
            optimizerG.step()
            yield {"d": errD.item(), "g": errG.item(), "D(x)": D_x, "D(G(z))": D_G_z}


def train_wgan_gp(
    netG: nn.Module, netD: nn.Module, loader: DataLoader, device: torch.device, game: Game
) -> Iterator[dict[str, float]]:
    """A critic with a gradient penalty; G moves once for every five of its updates."""
    optimizerD = torch.optim.Adam(netD.parameters(), lr=0.0001, betas=(0.0, 0.9))
    optimizerG = torch.optim.Adam(netG.parameters(), lr=0.0001, betas=(0.0, 0.9))
    i = 0
    while True:
        for data in loader:
            optimizerD.zero_grad()
            real = data[0].to(device)
            noise = torch.randn(real.size(0), game.nz, device=device)
            fake = netG(noise).detach()
            penalty = gradient_penalty(netD, real, fake)
            d_loss = -netD(real).mean() + netD(fake).mean() + LAMBDA * penalty
            d_loss.backward()
            optimizerD.step()
            told = {"d": d_loss.item(), "penalty": penalty.item()}
            i += 1
            if i % CRITIC == 0:
                optimizerG.zero_grad()
                g_loss = -netD(netG(noise)).mean()
                g_loss.backward()
                optimizerG.step()
                yield told | {"g": g_loss.item()}


def gradient_penalty(netD: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """(‖∇D‖ - 1)² between real and fake, its mean."""
    alpha = torch.rand(real.size(0), 1, 1, 1, device=real.device)
    between = (alpha * real + (1 - alpha) * fake).requires_grad_(True)
    slope = torch.autograd.grad(netD(between).sum(), between, create_graph=True)[0]
    return ((slope.flatten(1).norm(2, dim=1) - 1) ** 2).mean()


def squared_slope(output: Tensor, x: Tensor) -> Tensor:
    """‖∇D(x)‖² of each sample."""
    slope = torch.autograd.grad(output.sum(), x, create_graph=True)[0]
    return slope.pow(2).flatten(1).sum(1)


TRAIN = {"gan": train_gan, "r1": train_gan, "wgan_gp": train_wgan_gp}


def nets(game: Game, device: str) -> tuple[nn.Module, nn.Module]:
    """G and D of a game, on their device."""
    torch.manual_seed(0)
    netG, netD = NETS[game.family](game)
    return netG.to(device), netD.to(device)


def steps(
    game: Game, both: tuple[nn.Module, nn.Module], data: str, workers: int, device: str
) -> Iterator[dict[str, float]]:
    """What is told of each of their steps, without end."""
    loader = images(game, data, workers)
    return TRAIN[game.rules](*both, loader, torch.device(device), game)


def main() -> None:
    """Train, and tell the losses now and then."""
    parser = argparse.ArgumentParser(description="plain GAN training")
    parser.add_argument("game", choices=GAMES)
    parser.add_argument("--data", required=True, help="of MNIST/raw, or of folders of images")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    said = parser.parse_args()
    game = GAMES[said.game]
    course = steps(game, nets(game, said.device), said.data, said.workers, said.device)
    for step, losses in enumerate(islice(course, said.steps), 1):
        if step % 50 == 0 or step == said.steps:
            told = ", ".join(f"{name} {value:.4f}" for name, value in losses.items())
            sys.stdout.write(f"step {step}: {told}\n")


if __name__ == "__main__":
    main()
