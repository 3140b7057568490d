"""The variational autoencoder: its terms are those of the densities they are named for."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Bernoulli, Normal, kl_divergence

from gan_cli import build, session
from gan_cli.batch import Batch
from gan_cli.errors import UserMistake
from gan_cli.method.coder import Encoder
from gan_cli.method.vae import LEAST, VAE, bernoulli, divergence, gaussian
from gan_cli.randomness import reseed
from gan_cli.session import Session
from tests.games import composed
from tests.laws.test_method import play


def made(*overrides: str) -> Session:
    config = composed(*overrides, "batch_size=16", "model=mlp", "model.width=16", "model.z_dim=3")
    return session.make(config, build.parts(config), torch.device("cpu"), overrides)


def test_the_kl_is_that_of_gaussians():
    mu, log_variance = torch.randn(7, 4), 2 * torch.randn(7, 4)
    law = Normal(mu, (log_variance / 2).exp())
    assert torch.allclose(
        divergence(mu, log_variance), kl_divergence(law, Normal(0.0, 1.0)).sum(1), atol=1e-4
    )
    assert divergence(torch.zeros(1, 4), torch.zeros(1, 4)) == 0


def test_the_likelihood_of_black_and_white_pixels_is_bernoullis():
    x = torch.rand(5, 1, 3, 3).round() * 2 - 1
    mean = torch.rand(5, 1, 3, 3) * 1.9 - 0.95
    known = -Bernoulli((mean + 1) / 2).log_prob((x + 1) / 2).flatten(1).sum(1)
    assert torch.allclose(bernoulli(x, mean), known, atol=1e-4)


@pytest.mark.parametrize("end", [-1.0, 1.0])
def test_pixels_that_are_surely_wrong_cost_much_and_not_infinitely(end):
    mean = torch.full((1, 1, 2, 2), end, requires_grad=True)
    loss = bernoulli(torch.full((1, 1, 2, 2), -end), mean)
    (slope,) = torch.autograd.grad(loss.sum(), mean)
    assert loss.isfinite().all()
    assert slope.isfinite().all()


@pytest.mark.parametrize("sigma", [0.1, 1.0, 3.0])
def test_the_gaussian_likelihood_is_that_of_torch(sigma):
    x, mean = torch.randn(5, 6), torch.randn(5, 6)
    known = -Normal(mean, sigma).log_prob(x).sum(1)
    assert torch.allclose(gaussian(x, mean, sigma), known, rtol=1e-5)


def test_a_learnt_sigma_is_the_best_there_is():
    x, mean = torch.randn(50, 6), 2 * torch.randn(50, 6)
    best = float((x - mean).square().mean().sqrt())
    learnt = float(gaussian(x, mean).sum())
    assert learnt == pytest.approx(float(gaussian(x, mean, best).sum()), rel=1e-5)
    assert all(learnt < float(gaussian(x, mean, f * best).sum()) for f in (0.8, 1.2))
    exact = float(gaussian(x, x)[0])
    assert exact == pytest.approx(6 * math.log(LEAST * math.sqrt(2 * math.pi)), rel=1e-4)


@pytest.mark.parametrize("beta", [0.0, 1.0, 4.0])
def test_the_loss_is_the_reconstruction_and_beta_times_the_kl(beta):
    held = made("method=vae", f"method.beta={beta}")
    (facts,) = play(held, 0, 1)
    assert float(facts["loss"]) == pytest.approx(
        float(facts["reconstruction"]) + beta * float(facts["kl"]), rel=1e-5
    )


def test_both_players_descend_the_gradient_of_one_loss():
    """Of a plain gradient step at a rate of 1, each weight moves by its slope."""
    held = made("method=vae", "optimizer=sgd", "optimizer.lr=1.0", "ema.half_life=0")
    method, real = held.method, held.feed(0)
    weights = [w for player in method.players.values() for w in player.weights]
    before = [w.detach().clone() for w in weights]
    reseed(3)
    slopes = torch.autograd.grad(method.loss(real)[0].mean(), weights)
    reseed(3)
    method.step([real], 0)
    moved = zip(before, weights, slopes, strict=True)
    assert all(torch.allclose(old - new, slope, atol=1e-5) for old, new, slope in moved)


def test_in_parts_it_is_the_same_step():
    ends = []
    for parts in (1, 4):
        held = made("method=autoencoder", f"accumulate={parts}")
        play(held, 0, 1)
        ends.append(held.method.state())
    one, other = ends
    assert all(torch.allclose(one[k].float(), other[k].float(), atol=1e-4) for k in one)


def test_beta_can_change_during_a_run():
    held = made("method=vae", "method.beta=0.0", "+anneal.to.method.beta=2.0")
    seen = []
    for progress in (0.0, 0.5, 1.0):
        held.course(progress)
        seen.append(held.method.recipe.beta)
    assert seen == pytest.approx([0.0, 1.0, 2.0])


def test_an_encoder_hears_of_labels_and_learns_nothing_it_does_not_use():
    held = made("method=vae", "task=label")
    E = held.method.E
    assert isinstance(E.net, Encoder)
    real = held.feed(0)
    assert real.c is not None
    asked = E.net.eval()(real.x, real.c), E.net(real.x, (real.c + 1) % 10)
    assert not torch.allclose(*asked)
    (facts,) = play(held, 0, 1)
    assert facts["loss"].isfinite()
    idle = [w for w in E.net.parameters() if not w.requires_grad]
    assert [tuple(w.shape) for w in idle] == [(1, 16), (1,)]  # D's last layer


def test_samples_of_an_autoencoder_come_from_the_prior_it_was_not_told_of():
    held = made("method=autoencoder", "prior=uniform")
    (facts,) = play(held, 0, 1)
    assert float(facts["code/rms"]) > 0


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (("method=vae", "loss=wgan"), "loss=wgan: method=vae has no use"),
        (("method=vae", "penalty=r1"), "penalty=r1: method=vae has no use"),
        (("method=autoencoder", "n_critic=2"), "n_critic=2: method=autoencoder has no use"),
        (("method=vae", "prior=uniform"), "prior=normal"),
        (("method=vae", "prior.std=2.0"), "prior=normal"),
        (("method=vae", "dataset=ring"), "method=vae_gaussian"),
    ],
)
def test_what_cannot_be_right_is_refused(typed, told):
    with pytest.raises(UserMistake, match=told):
        made(*typed)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [({"likelihood": "poisson"}, "bernoulli, gaussian"), ({"sigma": 0.0}, "sigma"),
     ({"beta": -1.0}, "beta"), ({"beta": math.inf}, "beta")],
)  # fmt: skip
def test_impossible_values_are_refused(wrong, told):
    with pytest.raises(ValueError, match=told):
        VAE(**wrong)


def test_a_batch_of_one_is_enough():
    held = made("method=vae_gaussian")
    assert held.method.step([Batch(held.feed(0).x[:1])], 0)["loss"].isfinite()
