"""Laws of the f-GAN: its two losses do what their divergence says."""

from __future__ import annotations

import math

import pytest
import torch

from gan_cli.loss.fgan import FGAN
from gan_cli.loss.minimax import Minimax
from gan_cli.loss.nonsaturating import NonSaturating
from gan_cli.theory import measure, optimum
from gan_cli.theory.divergence import NAMES
from tests.conftest import entries
from tests.games import part

P = torch.tensor([0.5, 0.2, 0.2, 0.1], dtype=torch.float64)
LOGITS = torch.tensor([-1.0, 0.1, -0.6, 0.4], dtype=torch.float64)
ONES = torch.ones(4, dtype=torch.float64)


def test_every_divergence_has_its_entry():
    found = {name: part("loss", name) for name in entries("loss") if name.startswith("fgan_")}
    assert found == {f"fgan_{name}": FGAN(name) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_at_the_best_d_its_loss_is_minus_the_divergence(name):
    loss, tables = FGAN(name), (P.log(), LOGITS.log_softmax(0), ONES)
    true = measure.divergence(loss.f, *tables)
    assert float(optimum.value(loss, *tables)) == pytest.approx(-float(true), abs=1e-12)


def descended(loss, logits):
    """G's gradient with the best D held fixed, G being a softmax over four places."""
    logits = logits.clone().requires_grad_()
    best = loss.optimal(P.log() - logits.log_softmax(0)).detach()
    (gradient,) = torch.autograd.grad(logits.softmax(0) @ loss.g(None, best), logits)
    return gradient


def gradient_of(divergence, logits):
    logits = logits.clone().requires_grad_()
    tables = P.log(), logits.log_softmax(0), ONES
    (gradient,) = torch.autograd.grad(divergence(*tables), logits)
    return gradient


@pytest.mark.parametrize("name", NAMES)
def test_the_saturating_g_descends_the_divergence(name):
    loss = FGAN(name, saturating=True)
    expected = gradient_of(lambda *tables: measure.divergence(loss.f, *tables), LOGITS)
    torch.testing.assert_close(descended(loss, LOGITS), expected)


@pytest.mark.parametrize(
    ("name", "divergence"),
    [("kl", measure.reverse_kl), ("pearson", lambda *tables: 2 * measure.kl(*tables))],
)
def test_the_other_g_descends_another_divergence(name, divergence):
    """That of h with h'' = f''/u: u log u gives -log u, (u - 1)² gives 2 u log u."""
    torch.testing.assert_close(descended(FGAN(name), LOGITS), gradient_of(divergence, LOGITS))


@pytest.mark.parametrize("name", [name for name in NAMES if name != "tv"])
@pytest.mark.parametrize("saturating", [True, False])
def test_both_rest_where_the_model_is_the_data(name, saturating):
    gradient = descended(FGAN(name, saturating=saturating), P.log())
    torch.testing.assert_close(gradient, torch.zeros_like(gradient))


def test_gans_own_divergence_is_the_original_game():
    real, fake = torch.randn(2, 50, dtype=torch.float64)
    assert torch.equal(FGAN("gan").d(real, fake), Minimax().d(real, fake))
    assert torch.equal(FGAN("gan").g(None, fake), NonSaturating().g(None, fake))
    assert torch.equal(FGAN("gan", saturating=True).g(None, fake), Minimax().g(None, fake))


# By hand, from Tables 2 and 6, at D's outputs (real, fake) = (1, -2): d, and G's two forms.
BY_HAND = {
    "kl": (-1 + math.exp(-3), 2.0, -math.exp(-3)),
    "reverse_kl": (math.exp(-1) - 3, math.exp(2), 3.0),
    "js": (-math.log(2) + 0.313262 + 0.126928 - math.log(2), 2.126928 - math.log(2), 0.566219),
    "gan": (0.313262 + 0.126928, 2.126928, -0.126928),
    "pearson": (-1 - 1.0, 2.0, 1.0),
    "neyman": (math.exp(-1) - 1 + 2 - 2 * math.e, math.exp(2) - 1, 2 * math.e - 2),
    "hellinger": (math.exp(-1) - 1 + math.exp(-2) - 1, math.exp(2) - 1, 1 - math.exp(-2)),
    "tv": (-0.380797 - 0.482014, 0.482014, 0.482014),
    # W(e^3) = 2.207940
    "jeffreys": (-1 + 2.207940 + 1 / 2.207940 - 4, 2.0, 4 - 2.207940 - 1 / 2.207940),
    # 1/(1 - α) = 2; f*(t) = 4/(2 - t) - 2
    "alpha": (-2 + 0.313262 + 4 / 2.126928 - 2, 0.126928, 2 - 4 / 2.126928),
}


@pytest.mark.parametrize("name", NAMES)
def test_values_by_hand(name):
    real, fake = torch.tensor([1.0]), torch.tensor([-2.0])
    d, g, saturating = BY_HAND[name]
    assert float(FGAN(name).d(real, fake)) == pytest.approx(d, abs=1e-5)
    assert float(FGAN(name).g(None, fake)) == pytest.approx(g, abs=1e-5)
    assert float(FGAN(name, saturating=True).g(None, fake)) == pytest.approx(saturating, abs=1e-5)


def test_impossible_values_are_refused():
    with pytest.raises(ValueError, match="reverse_kl, js, gan"):
        FGAN("kulback")
    with pytest.raises(ValueError, match="neither 0"):
        FGAN("alpha", alpha=1.0)
