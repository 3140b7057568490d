"""Known answers: games of two numbers, played by the real GAN, players and dynamics.

The Dirac-GAN (Mescheder et al. 2018, arXiv 1801.04406, section 2): the data are a point at 0, G
makes a point at theta, and D(x) = psi x. In the paper D is larger for fakes: psi = -1 is its 1.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from gan_cli.augment.instance_noise import InstanceNoise
from gan_cli.augment.none import NoAugment
from gan_cli.batch import Batch
from gan_cli.constraint.clip import Clip
from gan_cli.constraint.free import Free
from gan_cli.dynamics.alternating import Alternating
from gan_cli.dynamics.consensus import Consensus
from gan_cli.dynamics.extragradient import Extragradient
from gan_cli.dynamics.simultaneous import Simultaneous
from gan_cli.loss.minimax import Minimax
from gan_cli.loss.nonsaturating import NonSaturating
from gan_cli.loss.wgan import WGAN
from gan_cli.method.game import Game
from gan_cli.method.gan import GAN
from gan_cli.method.turns import Turns
from gan_cli.model import Generator
from gan_cli.optimizer.adam import Adam
from gan_cli.optimizer.optimistic_sgd import OptimisticSGD
from gan_cli.optimizer.sgd import SGD
from gan_cli.penalty.gp import GradientPenalty
from gan_cli.penalty.r1 import R1
from gan_cli.player import Player
from gan_cli.randomness import reseed

pytestmark = pytest.mark.training


class Point(Generator):
    z_dim = 1

    def __init__(self, theta: float):
        super().__init__()
        self.theta = nn.Parameter(torch.tensor([theta], dtype=torch.float64))

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        return self.theta.expand(len(z), 1)


class Line(nn.Module):
    def __init__(self, psi: float):
        super().__init__()
        self.psi = nn.Parameter(torch.tensor([psi], dtype=torch.float64))

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        return x[:, 0] * self.psi


def dirac(loss, *, penalties=None, constraint=None, augment=None, optimizer=None, n_critic=1):
    optimizer = optimizer or SGD(0.2)
    players = [Player(net, optimizer, optimizer.lr) for net in (Point(1.0), Line(-1.0))]
    rules = (penalties or {}, constraint or Free(), augment or NoAugment(), Turns(n_critic))
    return GAN(*players, Game(loss, *rules))


def radius(gan: GAN) -> float:
    return math.hypot(gan.G.net.theta.item(), gan.D.net.psi.item())


def radii(gan: GAN, dynamics, steps: int, size: int = 1) -> list[float]:
    """The distance from the equilibrium after each step."""
    real = Batch(torch.zeros(size, 1, dtype=torch.float64))
    found = []
    for step in range(steps):
        dynamics.step(gan, [real] * gan.batches_per_step, step)
        found.append(radius(gan))
    return found


R1_03, R1_1 = {"r1": R1(gamma=0.3)}, {"r1": R1(gamma=1.0)}
GP = {"gp": GradientPenalty(weight=0.35)}  # theirs is half of the squared distance, times 0.7
TRAJECTORIES = [  # game, simultaneous after 100 steps, alternating (D first) after 500
    (lambda: dirac(Minimax()), 1.96262, 1.41260),
    (lambda: dirac(NonSaturating()), 0.741471, 0.270630),
    (lambda: dirac(WGAN(), constraint=Clip(1.0)), 1.27244, 0.984644),
    (lambda: dirac(WGAN(), penalties=GP), 1.79928, 1.28015),
    (lambda: dirac(Minimax(), penalties=R1_03), 0.0989894, 2.38270e-7),
    (lambda: dirac(Minimax(), penalties=R1_1), 3.79e-4, 8.49e-17),
]


@pytest.mark.parametrize(("made", "at_once", "in_turn"), TRAJECTORIES)
def test_the_dirac_gan_goes_where_mescheder_et_al_say(made: Callable[[], GAN], at_once, in_turn):
    """Six digits, but for those of which three are given."""
    digits = {3.79e-4: 2e-3, 8.49e-17: 1e-3}
    for dynamics, steps, end in [(Simultaneous(), 100, at_once), (Alternating(), 500, in_turn)]:
        found = radii(made(), dynamics, steps)[-1]
        assert found == pytest.approx(end, rel=digits.get(end, 5e-6))


def test_five_critic_steps_do_not_settle_the_dirac_gan_but_r1_does():
    assert radii(dirac(Minimax(), n_critic=5), Alternating(), 250)[-1] > math.sqrt(2)
    assert radii(dirac(Minimax(), n_critic=5, penalties=R1_03), Alternating(), 250)[-1] < 1e-15


def test_instance_noise_settles_the_dirac_gan():
    reseed(0)
    noisy = dirac(Minimax(), augment=InstanceNoise(0.7))
    assert radii(noisy, Simultaneous(), 100, size=1000)[-1] == pytest.approx(0.21, abs=0.05)


def field(theta: float, psi: float, gamma: float) -> tuple[float, float]:
    """v + gamma ∇ ½‖v‖² of the Dirac-GAN by hand: v = f'(t) (psi, -theta), t = theta psi."""
    real = 1 / (1 + math.exp(-theta * psi))  # f'
    bend = real * (1 - real) * (theta**2 + psi**2)  # f'' ‖(theta, psi)‖²
    pull = [real * (bend * b + real * a) for a, b in ((theta, psi), (psi, theta))]
    return -real * psi + gamma * pull[0], real * theta + gamma * pull[1]


@pytest.mark.parametrize(("gamma", "end"), [(0.0, 1.96262), (1.0, 0.0231620), (0.3, None)])
def test_consensus_is_the_gradient_of_the_length_of_both(gamma, end):
    """The published notebook halves one term of this gradient, and so ends at .0187 for gamma 1."""
    theta, psi = 1.0, -1.0
    for _ in range(100):
        slopes = field(theta, psi, gamma)
        theta, psi = theta - 0.2 * slopes[0], psi - 0.2 * slopes[1]
    found = radii(dirac(Minimax()), Consensus(gamma), 100)[-1]
    assert found == pytest.approx(math.hypot(theta, psi), rel=1e-9)
    assert end is None or found == pytest.approx(end, rel=3e-6)


# min max xy: WGAN with nothing to hold D, the game that cycles (Gidel et al. 2018, section 2).

H = 0.2
RATES = {
    "simultaneous": (Simultaneous(), math.sqrt(1 + H**2)),
    "extragradient": (Extragradient(), math.sqrt(1 - H**2 + H**4)),
    "consensus": (Consensus(1.0), math.hypot(1 - H, H)),
}


@pytest.mark.parametrize("name", RATES)
def test_in_the_bilinear_game_the_distance_changes_at_a_known_rate(name):
    dynamics, rate = RATES[name]
    found = [math.sqrt(2), *radii(dirac(WGAN()), dynamics, 30)]
    for before, after in itertools.pairwise(found):
        assert after / before == pytest.approx(rate, rel=1e-9)


def test_alternation_neither_leaves_the_bilinear_game_nor_ends_it():
    found = radii(dirac(WGAN()), Alternating(), 400)
    assert 1 < min(found[-100:]) < max(found) < 2


def test_optimism_settles_the_bilinear_game():
    """Its error goes as the roots of λ² = (1 + 2ih) λ - ih (Daskalakis et al. 2017, section 2)."""
    found = radii(dirac(WGAN(), optimizer=OptimisticSGD(H)), Simultaneous(), 300)
    root = ((1 + 2j * H) + ((1 + 2j * H) ** 2 - 4j * H) ** 0.5) / 2
    assert found[-1] / found[-201] == pytest.approx(abs(root) ** 200, rel=1e-6)
    assert found[-1] < 0.01 * found[0]


def test_extragradient_with_adam_is_extra_adam():
    """Gidel et al. 2018, Algorithm 4, by hand: moments take in both gradients, bias counts both."""
    lr, b1, b2, eps = 0.05, 0.5, 0.9, 1e-8
    w, m, v, count = [1.0, -1.0], [0.0, 0.0], [0.0, 0.0], 0
    gan = dirac(WGAN(), optimizer=Adam(lr=lr, betas=(b1, b2), eps=eps))
    found = radii(gan, Extragradient(), 20)
    for step in range(20):
        at = list(w)
        for _ in range(2):
            slopes = (-at[1], at[0])  # G descends -psi theta in theta, D psi theta in psi
            count += 1
            for i in (0, 1):
                m[i] = b1 * m[i] + (1 - b1) * slopes[i]
                v[i] = b2 * v[i] + (1 - b2) * slopes[i] ** 2
                scale = math.sqrt(v[i] / (1 - b2**count)) + eps
                at[i] = w[i] - lr * m[i] / (1 - b1**count) / scale
        w = at
        assert found[step] == pytest.approx(math.hypot(*w), rel=1e-9)
    assert gan.G.updates == 20
