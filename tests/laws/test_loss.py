"""Laws of every loss: per sample, ordered, stable, differentiable."""

from __future__ import annotations

from math import exp, log

import pytest
import torch

from gan_cli.loss import Crossing, Selective
from gan_cli.loss.began import BEGAN
from gan_cli.loss.ebgan import EBGAN
from gan_cli.loss.smoothed import Smoothed
from gan_cli.memory import Remembers, recall, scalar
from gan_cli.model.autoencoder import Autoencoder
from gan_cli.model.mlp import MLP
from tests.conftest import entries
from tests.games import part

LOSSES = {name: part("loss", name) for name in entries("loss")}
ACROSS = [name for name, loss in LOSSES.items() if isinstance(loss, Crossing)]
SEPARATE = [name for name in LOSSES if name not in ACROSS]


@pytest.mark.parametrize("name", LOSSES)
def test_a_sample_pays_for_itself(name):
    """Nothing is reduced, and a sample's loss does not depend on the size of its batch, unless the
    loss says that it looks across it; then it does."""
    loss = LOSSES[name]
    real, fake = torch.randn(2, 6, dtype=torch.float64)
    for play in (loss.d, loss.g):
        together = play(real, fake)
        assert together.shape == (6,)
        alone = torch.cat([play(real[i : i + 1], fake[i : i + 1]) for i in range(6)])
        assert torch.equal(alone, together) == (name in SEPARATE)


@pytest.mark.parametrize("name", LOSSES)
def test_the_order_of_the_pairs_is_nothing(name):
    loss = LOSSES[name]
    real, fake = torch.randn(2, 6, dtype=torch.float64)
    order = torch.tensor([3, 1, 5, 0, 2, 4])
    for play in (loss.d, loss.g):
        assert torch.allclose(play(real[order], fake[order]), play(real, fake)[order])


@pytest.mark.parametrize("name", LOSSES)
def test_only_a_game_of_pairs_minds_which_fake_meets_which_real(name):
    """A separable loss is one sum over real and one over fake; one across the batch sees them all.
    A loss of pairs is neither, and `relative` must say so."""
    loss = LOSSES[name]
    real, fake = torch.randn(2, 6, dtype=torch.float64)
    here, there = loss.d(real, fake).sum(), loss.d(real, fake.roll(1)).sum()
    assert torch.allclose(here, there) == (not loss.relative or name in ACROSS)


@pytest.mark.parametrize("name", LOSSES)
def test_g_reads_real_where_the_loss_says_so(name):
    loss = LOSSES[name]
    real, fake = torch.randn(2, 6, dtype=torch.float64)
    assert torch.equal(loss.g(real, fake), loss.g(real + 1, fake)) == (not loss.relative)
    if not loss.relative:
        assert torch.equal(loss.g(None, fake), loss.g(real, fake))


@pytest.mark.parametrize("name", [name for name, loss in LOSSES.items() if loss.relative])
def test_a_relative_loss_minds_differences_alone(name):
    loss = LOSSES[name]
    real, fake = torch.randn(2, 6, dtype=torch.float64)
    for play in (loss.d, loss.g):
        assert torch.allclose(play(real + 7, fake + 7), play(real, fake))


@pytest.mark.parametrize("name", LOSSES)
def test_larger_is_more_real(name):
    """D is never worse off for a larger output on real, or a smaller one on fake, near its aim;
    G is never worse off for a larger output on its own."""
    loss = LOSSES[name]
    low, high = torch.tensor([-0.5]), torch.tensor([0.5])
    assert loss.d(high, low) < loss.d(low, high)
    assert loss.g(low, high) < loss.g(low, low)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", LOSSES)
def test_sure_outputs_stay_finite(name, dtype):
    loss = LOSSES[name]
    for real, fake in [(1e4, -1e4), (-1e4, 1e4), (0.0, 1e4), (1e4, 1e4), (-1e4, -1e4)]:
        outputs = torch.tensor([[real], [fake]], dtype=dtype, requires_grad=True)
        for paid in (loss.d(*outputs), loss.g(*outputs)):
            (slope,) = torch.autograd.grad(paid.sum(), outputs)
            assert paid.isfinite().all()
            assert slope.isfinite().all()


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_the_derivatives(name):
    loss = LOSSES[name]
    outputs = torch.tensor([[0.3, -1.7, 2.2], [0.4, 1.9, -0.6]], dtype=torch.float64)
    for play in (loss.d, loss.g):
        assert torch.autograd.gradcheck(
            lambda real, fake, play=play: play(real, fake) + 0 * real,
            tuple(outputs.requires_grad_().unbind()),
        )


# By hand, from the papers' formulas, at D's outputs (real, fake) = (1, -2).
BY_HAND = {
    "minimax": (0.313262 + 0.126928, -0.126928),
    "nonsaturating": (0.313262 + 0.126928, 2.126928),
    "maximum_likelihood": (0.313262 + 0.126928, -0.135335),
    "lsgan": (0.0 + 2.0, 4.5),
    "hinge": (0.0, 2.0),
    "wgan": (-3.0, 2.0),
    "wgan_gp": (-3.0, 2.0),
    "rsgan": (0.048587, 3.048587),
    "r3gan": (0.048587, 3.048587),
    "rasgan": (2 * 0.048587, 2 * 3.048587),
    "ralsgan": (4.0 + 4.0, 16.0 + 16.0),
    "rahinge": (0.0, 4.0 + 4.0),
    "dual_contrastive": (2 * 0.048587, 2 * 3.048587),
    "smoothed": (0.9 * 0.313262 + 0.1 * 1.313262 + 0.126928, 2.126928),
    "ebgan": (-1.0 + 0.0, 2.0),
    "began": (-1.0, 2.0),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_values_by_hand(name):
    loss, (d, g) = LOSSES[name], BY_HAND[name]
    real, fake = torch.tensor([1.0]), torch.tensor([-2.0])
    assert loss.d(real, fake).item() == pytest.approx(d, abs=1e-5)
    assert loss.g(real, fake).item() == pytest.approx(g, abs=1e-5)


# The same, for losses across the batch: real outputs (1, 0) with mean 1/2, fake (-2, 1) with -1/2.
BATCH_BY_HAND = {
    "rasgan": ((0.201413 + 0.078889, 0.474077 + 0.974077), (1.701413 + 2.578889, 1.448154)),
    "ralsgan": ((0.25 + 2.25, 0.25 + 2.25), (12.25 + 6.25, 0.25 + 2.25)),
    "rahinge": ((0.0 + 0.0, 0.5 + 1.5), (3.5 + 2.5, 0.5 + 1.5)),
    "dual_contrastive": (  # gaps -3 and 0 from real 1 to the fakes, -2 and 1 from real 0
        (
            log(1 + exp(-3) + exp(0)) + log(1 + exp(-3) + exp(-2)),
            log(1 + exp(-2) + exp(1)) + log(1 + exp(0) + exp(1)),
        ),
        (
            log(1 + exp(3) + exp(2)) + log(1 + exp(3) + exp(0)),
            log(1 + exp(0) + exp(-1)) + log(1 + exp(2) + exp(-1)),
        ),
    ),
}


@pytest.mark.parametrize("name", ACROSS)
def test_values_by_hand_across_a_batch(name):
    real, fake = torch.tensor([1.0, 0.0]), torch.tensor([-2.0, 1.0])
    for play, paid in zip((LOSSES[name].d, LOSSES[name].g), BATCH_BY_HAND[name], strict=True):
        assert play(real, fake).tolist() == pytest.approx(paid, abs=1e-5)


@pytest.mark.parametrize("name", ACROSS)
def test_one_pair_across_a_batch_of_one_is_a_pair(name):
    """With a batch of one the mean is the other sample, and the choice is between two."""
    real, fake = torch.randn(2, 1, dtype=torch.float64)
    twice = {"rasgan", "dual_contrastive"}
    if name in twice:
        assert torch.allclose(LOSSES[name].d(real, fake), 2 * LOSSES["rsgan"].d(real, fake))
    assert torch.allclose(LOSSES[name].g(real, fake), LOSSES[name].d(fake, real))


def test_dual_contrastive_at_equilibrium_chooses_at_random():
    same = torch.zeros(64)
    paid = LOSSES["dual_contrastive"].d(same, same)
    assert paid.tolist() == pytest.approx([2 * log(65)] * 64)


def test_saturation_is_what_sets_the_generator_losses_apart():
    """Where D is sure of a fake, minimax gives G no gradient, the non-saturating loss 1."""
    fake = torch.tensor([-20.0], requires_grad=True)
    slopes = {}
    for name in ("minimax", "nonsaturating", "wgan"):
        (slope,) = torch.autograd.grad(LOSSES[name].g(None, fake).sum(), fake)
        slopes[name] = slope.item()
    assert abs(slopes["minimax"]) < 1e-8
    assert slopes["nonsaturating"] == pytest.approx(-1)
    assert slopes["wgan"] == -1


def test_maximum_likelihood_goes_on_as_a_tangent():
    loss = LOSSES["maximum_likelihood"]
    edge = torch.tensor([loss.limit], dtype=torch.float64)
    beyond = loss.g(None, edge + 3)
    assert beyond.item() == pytest.approx(-edge.exp().item() * 4)


def test_smoothed_labels_of_1_and_0_are_the_original_game():
    real, fake = torch.randn(2, 6, dtype=torch.float64)
    plain = LOSSES["nonsaturating"]
    assert torch.allclose(Smoothed(1.0, 0.0).d(real, fake), plain.d(real, fake))


@pytest.mark.parametrize(
    ("make", "wrong"),
    [
        (lambda: Smoothed(real=1.1), "real=1.1"),
        (lambda: Smoothed(real=0.3, fake=0.3), "fake=0.3"),
        (lambda: EBGAN(margin=0.0), "margin"),
        (lambda: BEGAN(gamma=0.0), "gamma"),
        (lambda: BEGAN(gamma=1.5), "gamma"),
        (lambda: BEGAN(step=1.0), "step"),
    ],
)
def test_impossible_values_are_refused(make, wrong):
    with pytest.raises(ValueError, match=wrong):
        make()


def test_energies_by_hand():
    """E(x) = 0.2 and E(G(z)) = 0.1 or 0.5: EBGAN pushes up to its margin, BEGAN k times."""
    real, fake = torch.tensor([-0.2, -0.2]), torch.tensor([-0.1, -0.5])
    assert EBGAN(0.3).d(real, fake).tolist() == pytest.approx([0.2 + 0.2, 0.2])
    balanced = BEGAN()
    balanced.memory["k"] = scalar(0.25)
    assert balanced.d(real, fake).tolist() == pytest.approx([0.2 - 0.025, 0.2 - 0.125])
    for loss in (EBGAN(0.3), balanced):
        assert loss.g(None, fake).tolist() == pytest.approx([0.1, 0.5])


@pytest.mark.parametrize(
    "name", [name for name, loss in LOSSES.items() if isinstance(loss, Selective)]
)
def test_a_game_of_energies_refuses_a_d_that_has_none(name):
    assert "model=autoencoder" in LOSSES[name].refuses_d(MLP().discriminator((2,)))
    assert LOSSES[name].refuses_d(Autoencoder().discriminator((2,))) is None


def test_began_takes_one_step_of_k_by_hand():
    """k + 0.01 (0.5 × 0.4 - 0.1), and M = 0.4 + |0.5 × 0.4 - 0.1|."""
    loss = BEGAN(gamma=0.5, step=0.01)
    loss.remember(torch.tensor([-0.3, -0.5]), torch.tensor([-0.1, -0.1]))
    assert loss.memory["k"].item() == pytest.approx(0.001)
    assert loss.memory["M"].item() == pytest.approx(0.5)
    loss.remember(torch.tensor([-0.1]), torch.tensor([-9.0]))
    assert loss.memory["k"].item() == 0.0  # never below


def test_began_keeps_the_balance_it_is_told():
    """Two energies that answer to k: fakes are pushed up by it. It settles where their ratio is
    gamma, wherever that is."""
    for gamma, start in [(0.5, 0.0), (0.7, 0.0), (0.3, 0.9)]:
        loss = BEGAN(gamma=gamma, step=0.05)
        loss.memory["k"] = scalar(start)
        for _ in range(2000):
            k = loss.memory["k"]
            loss.remember(-(0.4 + 0.1 * k)[None], -(0.02 + 0.4 * k)[None])
        settled = loss.memory["k"].item()
        assert 0 < settled < 1
        assert (0.02 + 0.4 * settled) / (0.4 + 0.1 * settled) == pytest.approx(gamma, rel=1e-3)
        assert loss.memory["M"].item() == pytest.approx(0.4 + 0.1 * settled, rel=1e-3)


def test_what_began_remembers_comes_back():
    loss, later = BEGAN(), BEGAN()
    loss.remember(torch.tensor([-0.4]), torch.tensor([-0.1]))
    assert isinstance(loss, Remembers)
    recall("loss", later, {f"loss/{key}": value for key, value in loss.memory.items()})
    real, fake = torch.randn(2, 3)
    assert torch.equal(later.d(real, fake), loss.d(real, fake))
    assert BEGAN().memory["k"] == 0  # each has its own
