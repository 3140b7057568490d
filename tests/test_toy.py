"""What is measured of a generator on a known law: known answers, and a perfect sampler's."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gan_cli.dataset.gaussian import Gaussian
from gan_cli.dataset.grid import Grid
from gan_cli.dataset.points import Points
from gan_cli.dataset.ring import Ring
from gan_cli.loss.fgan import FGAN
from gan_cli.loss.nonsaturating import NonSaturating
from gan_cli.loss.wgan import WGAN
from gan_cli.metric.cells import Cells
from gan_cli.metric.law import Law, lawful
from gan_cli.metric.modes import modes
from gan_cli.model import Generator
from gan_cli.model.mlp import MLP
from gan_cli.model.packed import Packed
from gan_cli.sampler import Sampler
from gan_cli.space import Space
from gan_cli.toy.measure import _slopes, look, perfect
from gan_cli.toy.picture import picture
from tests.games import part

NS = NonSaturating()


class Shifted(Generator):
    """A perfect sampler of equal Gaussians, moved and scaled about its modes."""

    def __init__(self, data, shift: float = 0.0, scale: float = 1.0, only: int | None = None):
        super().__init__()
        self.axes = data.shape[0]
        self.z_dim = 1 + self.axes
        self.means, self.std = data.means[:only], data.std
        self.shift, self.scale = nn.Parameter(torch.tensor(shift)), scale

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        share = torch.special.ndtr(z[:, 0])
        mode = (share * len(self.means)).long().clamp(max=len(self.means) - 1)
        return self.means[mode] + self.scale * self.std * z[:, 1:] + self.shift


class Linear(nn.Module):
    """D(x) = a x + b on the line."""

    def __init__(self, a: float, b: float = 0.0):
        super().__init__()
        self.a, self.b = nn.Parameter(torch.tensor(a)), b

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        return self.a * x[:, 0] + self.b


class Mean(nn.Module):
    """D(x) = minus the mean of m numbers that are judged together."""

    def __init__(self, m: int):
        super().__init__()
        self.a = nn.Parameter(torch.full((m,), -1 / m))

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        return x @ self.a


@cache
def law_of(data) -> Law:
    return Law(data, 0)


def seen(data, G: Generator, D: nn.Module | None = None, loss=NS):
    D = D or MLP(2, 16, 1).discriminator(data.shape)
    return look(Sampler(G, Space(data.shape)), D, loss, law_of(data))


@pytest.mark.parametrize("data", [Gaussian(), Ring(), Grid()], ids=lambda d: type(d).__name__)
def test_a_generator_that_is_the_law_is_perfect(data):
    numbers = seen(data, Shifted(data)).numbers
    # two samplings never agree to the last digit, and a coarse blur would hide a difference
    assert numbers["js"] < 0.003
    assert numbers["kl"] < 0.01
    assert numbers["reverse_kl"] < 0.01
    assert numbers["modes"] == len(data.means)
    assert numbers["quality"] == pytest.approx(0.99730 if data.shape == (1,) else 0.98889, abs=3e-3)
    assert numbers["quality_gap"] < 3e-3
    assert numbers["modes_kl"] < 0.003
    assert numbers["spread"] == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("shift", [0.25, 1.0, 2.0])
def test_a_shifted_gaussian_is_as_far_as_it_is_known_to_be(shift):
    numbers = seen(Gaussian(), Shifted(Gaussian(), shift)).numbers
    x = np.linspace(-12, 12, 100_001)
    p, q = (np.exp(-((x - m) ** 2) / 2) / math.sqrt(2 * math.pi) for m in (0, shift))
    middle = (p + q) / 2
    js = np.sum(p * np.log(p / middle) + q * np.log(q / middle)) / 2 * (x[1] - x[0])
    assert numbers["js"] == pytest.approx(js, rel=0.05, abs=5e-4)
    assert numbers["kl"] == pytest.approx(shift**2 / 2, rel=0.06, abs=0.004)
    assert numbers["reverse_kl"] == pytest.approx(shift**2 / 2, rel=0.06, abs=0.004)
    assert numbers["w1"] == pytest.approx(shift, abs=0.02)


def test_the_best_d_finds_the_true_divergence_and_no_other_finds_more():
    shift = 1.0
    G = Shifted(Gaussian(), shift)
    best = seen(Gaussian(), G, Linear(-shift, shift**2 / 2)).numbers
    assert best["js_by_d"] == pytest.approx(best["js"], abs=0.004)
    assert best["game"] == pytest.approx(best["game_at_best"], abs=0.008)
    assert best["game_at_best"] == pytest.approx(2 * math.log(2) - 2 * best["js"], abs=1e-6)
    for other in (Linear(0.0), Linear(-0.3), Linear(-3.0, 2.0), Linear(1.0)):
        assert seen(Gaussian(), G, other).numbers["js_by_d"] < best["js"]


def test_a_critic_of_slope_1_finds_the_distance_and_a_steeper_one_so_many_times_more():
    G = Shifted(Gaussian(), 0.5)
    for slope in (1.0, 3.0):
        numbers = seen(Gaussian(), G, Linear(-slope), WGAN()).numbers
        assert numbers["w1_by_d"] == pytest.approx(0.5 * slope, abs=0.04 * slope)
        assert numbers["slope"] == pytest.approx(slope)
        assert "game_at_best" not in numbers, "there is no best critic in closed form"


def test_a_generator_of_one_mode_is_told_from_one_of_all():
    found = seen(Ring(), Shifted(Ring(), only=1))
    assert found.numbers["modes"] == 1
    assert found.numbers["modes_kl"] == pytest.approx(math.log(8))
    assert found.numbers["quality"] == pytest.approx(0.98889, abs=3e-3)
    middle = (1 / 8 + 1) / 2
    js = (math.log(1 / 8 / middle) / 8 + 7 / 8 * math.log(2) + math.log(1 / middle)) / 2
    assert found.numbers["js"] == pytest.approx(js, abs=0.003)


def test_shrunken_modes_are_no_better_than_perfect():
    numbers = seen(Ring(), Shifted(Ring(), scale=0.5)).numbers
    assert numbers["quality"] > 0.9999
    assert numbers["quality_gap"] == pytest.approx(1 - 0.98889, abs=1e-3)
    assert numbers["spread"] == pytest.approx(0.5, abs=0.02)


def test_what_lies_outside_of_the_frame_counts():
    numbers = seen(Gaussian(), Shifted(Gaussian(), 100.0)).numbers
    assert numbers["js"] == pytest.approx(math.log(2), abs=1e-3)
    assert numbers["w1"] == pytest.approx(100, abs=0.1)
    assert all(math.isfinite(value) for value in numbers.values())


def test_a_mode_counts_from_20_samples_of_10000_on():
    means = torch.tensor([[0.0, 0.0], [10.0, 0.0], [20.0, 0.0]])
    x = means.repeat_interleave(torch.tensor([9961, 20, 19]), 0)
    assert modes(x, means, 1.0).found == 2
    nowhere = modes(x + 5, means, 1.0)
    assert (nowhere.found, nowhere.share) == (0, 0)
    assert nowhere.kl == pytest.approx(math.log(3))


def test_modes_have_their_own_widths_and_shares():
    means, stds = torch.tensor([[-5.0], [5.0]]), torch.tensor([0.1, 2.0])
    shares = torch.tensor([0.25, 0.75])
    data = torch.Generator().manual_seed(0)
    mode = torch.multinomial(shares, 40_000, True, generator=data)
    x = means[mode] + stds[mode, None] * torch.randn(40_000, 1, generator=data)
    found = modes(x, means, stds, shares)
    assert found.share == pytest.approx(0.9973, abs=2e-3)
    assert found.kl < 1e-3
    assert found.spread[1] > 0.97
    assert found.spread[2] < 1.03


@pytest.mark.parametrize("frame", [(-1.0, 3.0), (-1.0, 3.0, 0.0, 4.0)])
def test_cells_hold_what_falls_into_them_and_blur_keeps_it(frame):
    cells = Cells(frame, 64)
    points = np.full((10, cells.axes), 1.7)
    points[0] = 99.0
    masses = cells.masses(points)
    assert masses.sum() == pytest.approx(0.9)
    place = np.argmax(masses.ravel())
    assert np.abs(cells.centres[place] - 1.7).max() <= cells.width / 2
    blurred = cells.blur(masses, 0.2)
    assert blurred.sum() == pytest.approx(0.9)
    spread = (blurred.ravel()[:, None] * (cells.centres - cells.centres[place]) ** 2).sum(0) / 0.9
    assert np.sqrt(spread) == pytest.approx(0.2, rel=1e-3)


@dataclass(frozen=True)
class Bare:
    """A user's own distribution: samples, and nothing else."""

    shape: tuple[int, ...] = (2,)

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        return torch.rand(n, 2, generator=generator)


@pytest.mark.parametrize("data", [Bare(), Points()], ids=["samples alone", "point masses"])
def test_a_law_without_a_density_is_counted(data):
    law = Law(data, 0)
    assert law.density is None
    assert law.masses.sum() == pytest.approx(1, abs=0.01)
    assert perfect(law)["js"] < 0.003
    G = MLP(2, 16, 1).generator(data.shape)
    D = MLP(2, 16, 1).discriminator(data.shape)
    drawn = picture(look(Sampler(G, Space(data.shape)), D, NS, law), law, NS, 1)
    assert drawn.std() > 5


@pytest.mark.parametrize(
    "name", "ring grid25 swiss_roll checkerboard line gaussian mixture segments dirac".split()
)
def test_every_toy_reads_as_itself(name):
    data = part("dataset", name)
    law = Law(data, 0)
    assert lawful(data.load()) is data
    assert law.exact.sum() == pytest.approx(1, abs=0.02)
    assert law.floor < 0.003 + 1e-9
    assert law.blur < 0.03 * (law.cells.frame[1] - law.cells.frame[0]), "a fine look"


@pytest.mark.parametrize("m", [2, 3])
def test_a_d_of_packs_is_asked_for_packs(m):
    D = Packed(Mean(m), m)
    numbers = seen(Gaussian(), Shifted(Gaussian(), 0.5), D, WGAN())
    assert numbers.field.outputs == pytest.approx(-numbers.field.cells.centres[:, 0], abs=1e-5)
    assert numbers.numbers["slope"] == pytest.approx(1)
    assert "w1_by_d" not in numbers.numbers, "it would be the distance of packs"


def test_a_d_with_a_statistic_of_groups_says_the_same_wherever_a_place_is_asked():
    torch.manual_seed(0)
    D = MLP(width=8, depth=2, minibatch_std=4).discriminator((1,))
    places = torch.linspace(-2, 2, 40)[:, None]
    order = torch.randperm(40)
    said, slopes = _slopes(D, places)
    again, once_more = _slopes(D, places[order])
    assert torch.allclose(said[order], again)
    assert torch.allclose(slopes[order], once_more)


def test_images_and_points_of_space_are_left_alone():
    assert lawful(part("dataset", "digits").load()) is None
    assert lawful(Points(places=((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))).load()) is None


def test_a_look_leaves_no_trace():
    data = Ring()
    net = MLP(2, 16, 1)
    G, D = net.generator(data.shape), net.discriminator(data.shape)
    torch.manual_seed(1)
    states = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    first = look(Sampler(G, Space(data.shape)), D, NS, law_of(data))
    again = look(Sampler(G, Space(data.shape)), D, NS, Law(data, 0))
    drawn = [picture(one, Law(data, 0), NS, 1) for one in (first, again)]
    assert first.numbers == again.numbers
    assert np.array_equal(*drawn)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.array_equal(np.random.get_state()[1], states[1])  # noqa: NPY002
    assert G.training
    assert D.training
    assert all(weight.grad is None for weight in [*G.parameters(), *D.parameters()])


def test_empty_cells_do_not_make_the_best_d_infinitely_good():
    """KL is infinite where G has no samples; what n samples can tell of it is not."""
    numbers = seen(Gaussian(), Shifted(Gaussian(), 0.5), Mean(1), FGAN("kl")).numbers
    assert numbers["game_at_best"] == pytest.approx(-0.125, abs=0.03)


def test_no_width_is_told_of_modes_that_are_not_there():
    numbers = seen(Ring(), Shifted(Ring(), 9.0), Mean(2), NonSaturating()).numbers
    assert numbers["modes"] == 0
    assert not {"spread", "spread_least", "spread_most", "modes_kl"} & numbers.keys()


@pytest.mark.parametrize(
    ("divergence", "short", "known"),
    [("kl", "kl", 0.125), ("js", "js", 0.0303), ("gan", "js", 0.0303)],
)
def test_the_bound_of_an_f_gan_stands_beside_the_true_divergence(divergence, short, known):
    """N(0, 1) against N(0.5, 1): KL = d²/2, and the JS of the closed form; a flat D finds less."""
    numbers = seen(Gaussian(), Shifted(Gaussian(), 0.5), Linear(0.0, 0.0), FGAN(divergence)).numbers
    assert numbers[short] == pytest.approx(known, abs=0.02)
    assert numbers[f"{short}_by_d"] <= numbers[short]
