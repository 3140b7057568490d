"""Mixtures of Gaussians: the same density by hand, by scikit-learn and by gradient ascent."""

from __future__ import annotations

import math
import warnings
from itertools import pairwise

import pytest
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from torch import Tensor
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

from gan_cli import build, session
from gan_cli.batch import Batch
from gan_cli.errors import NumericalFailure, UserMistake
from gan_cli.model.mixture import Mixture, MixtureGenerator
from gan_cli.session import Session
from tests.games import composed
from tests.laws.test_method import play


def made(*overrides: str) -> Session:
    config = composed(*overrides)
    return session.make(config, build.parts(config), torch.device("cpu"))


def known(covariance: str) -> tuple[MixtureGenerator, MixtureSameFamily]:
    """Three Gaussians in the plane, as a generator and as torch has them."""
    draw = torch.Generator().manual_seed(3)
    root = torch.randn(3, 2, 2, generator=draw).tril(-1) + torch.tensor([0.5, 1.0]).diag()
    cov = root @ root.mT
    if covariance == "diag":
        cov = cov.diagonal(dim1=1, dim2=2).diag_embed()
    means, weights = 3 * torch.randn(3, 2, generator=draw), torch.tensor([0.2, 0.5, 0.3])
    G = Mixture(3, covariance).generator((2,))
    G.fit(weights, means, cov if covariance == "full" else cov.diagonal(dim1=1, dim2=2))
    return G, MixtureSameFamily(Categorical(weights), MultivariateNormal(means, cov))


@pytest.mark.parametrize("covariance", ["full", "diag"])
def test_the_density_is_that_of_torch(covariance):
    G, law = known(covariance)
    x = 4 * torch.randn(50, 2)
    assert torch.allclose(G.log_prob(x), law.log_prob(x), atol=1e-4)


@pytest.mark.parametrize("covariance", ["full", "diag"])
def test_samples_have_the_shares_means_and_covariances_of_the_components(covariance):
    G, law = known(covariance)
    torch.manual_seed(0)
    x = G(torch.randn(40_000, G.z_dim)).detach()
    other = law.sample((40_000,))
    assert torch.allclose(x.mean(0), other.mean(0), atol=0.06)
    assert torch.allclose(x.T.cov(), other.T.cov(), atol=0.15)
    ours, theirs = ((law.log_prob(v) > -3.5).float().mean() for v in (x, other))
    assert abs(ours - theirs) < 0.015


def test_each_sample_is_a_function_of_its_code():
    G, _ = known("full")
    z = torch.randn(100, 3)
    assert torch.equal(G(z)[37:40], G(z[37:40]))


def test_images_are_clipped_and_have_their_shape():
    x = Mixture(2).generator((1, 4, 5))(torch.randn(30, 21))
    assert x.shape == (30, 1, 4, 5)
    assert float(x.detach().abs().max()) == 1


def test_no_variance_falls_below_the_floor():
    G = Mixture(1, "diag", 0.25).generator((1,))
    G.fit(torch.ones(1), torch.zeros(1, 1), torch.zeros(1, 1))
    at_zero = float(G.log_prob(torch.zeros(1, 1)).detach())
    assert at_zero == pytest.approx(-math.log(0.5 * math.sqrt(2 * math.pi)), abs=1e-5)
    assert all(weight.isfinite().all() for weight in G.parameters())


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"components": 0}, "components"),
        ({"covariance": "tied"}, "full, diag"),
        ({"floor": 0.0}, "floor"),
    ],
)
def test_impossible_values_are_refused(wrong, told):
    with pytest.raises(ValueError, match=told):
        Mixture(**wrong)


TOYS = ["gaussian", "two_gaussians", "mixture", "moons", "ring"]


@pytest.mark.parametrize("covariance", ["full", "diag"])
@pytest.mark.parametrize("toy", TOYS)
def test_em_never_makes_the_data_less_likely(toy, covariance):
    size = (f"model.covariance={covariance}", "model.components=6", "model.floor=1e-9")
    held = made("method=mixture", f"dataset={toy}", *size, "method.points=1000")
    likelihoods = [float(facts["log_likelihood"]) for facts in play(held, 0, 15)]
    assert all(b >= a - 1e-6 for a, b in pairwise(likelihoods))
    assert likelihoods[-1] >= likelihoods[0]


@pytest.mark.parametrize("data", ["dataset=digits", "dataset=moons"])
@pytest.mark.parametrize("covariance", ["full", "diag"])
def test_so_many_steps_are_so_many_iterations_of_scikit_learn(data, covariance):
    held = made("method=mixture", data, f"model.covariance={covariance}", "method.points=1500")
    one = made("method=mixture", data, f"model.covariance={covariance}", "method.points=1500")
    play(one, 0, 1)
    facts = play(held, 0, 6)
    x = one.method.all(held.feed(i) for i in range(2000)).double().numpy()
    start = one.method.found
    em = GaussianMixture(
        10, covariance_type=covariance, tol=0.0, reg_covar=1e-5, max_iter=5,
        weights_init=start["weights"].numpy(), means_init=start["means"].numpy(),
        precisions_init=(start["covariances"].inverse() if covariance == "full"
                         else 1 / start["covariances"]).numpy(),
        init_params="random", random_state=0,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        em.fit(x)
    assert float(facts[-1]["log_likelihood"]) == pytest.approx(em.lower_bound_, abs=2e-5)
    for name in ("weights", "means", "covariances"):
        mine, theirs = held.method.found[name], torch.from_numpy(getattr(em, f"{name}_"))
        assert torch.allclose(mine, theirs, atol=1e-6), name


def test_each_step_sees_all_of_the_data_once():
    held = made("method=mixture", "dataset=digits", "batch_size=100")
    every = held.data.images.flatten(1).float().sum(1).sort()[0]
    per_step = held.method.batches_per_step
    for step in range(3):
        held.method.steps = step
        batches = (held.feed(i) for i in range(step * per_step, (step + 1) * per_step))
        x = held.method.all(batches).add(1).mul(127.5).round()
        assert torch.equal(x.sum(1).sort()[0], every)


def kl(held: Session, G: MixtureGenerator) -> float:
    """KL of the toy to what was learnt, by a sum over a fine grid of the line."""
    x = torch.linspace(-12, 14, 20_001, dtype=torch.float64)[:, None]
    p, q = held.data.density.log_prob(x), G.double().log_prob(x).detach()
    G.float()
    return float((p.exp() * (p - q)).sum() * (x[1, 0] - x[0, 0]))


LINES = [("gaussian", 1), ("two_gaussians", 2), ("mixture", 2)]


@pytest.mark.parametrize(("toy", "components"), LINES)
def test_em_finds_the_law_of_the_data(toy, components):
    """With n samples and k parameters the KL is about k / 2n: here up to 5 / 20,000."""
    held = made("method=mixture", f"dataset={toy}", f"model.components={components}")
    play(held, 0, 40)
    assert 0 <= kl(held, held.method.G) < 2e-3


@pytest.mark.training
@pytest.mark.parametrize(("toy", "components"), LINES)
def test_gradient_ascent_finds_the_law_of_the_data(toy, components):
    size = (f"model.components={components}", "batch_size=256", "optimizer.lr=0.01", "steps=2000")
    held = made("method=mixture_gradient", f"dataset={toy}", *size, "schedule=cosine")
    for step in range(held.steps):
        for player in held.method.players.values():
            player.pace(held.schedule(step / held.steps))
        play(held, step, step + 1)
    assert 0 <= kl(held, held.method.generator) < 5e-3


def test_most_likely_is_nearest_in_kl():
    """Of Gaussians moved away from the fit of many samples each has a larger KL, and a smaller
    likelihood, by the same amount."""
    held = made("method=mixture", "dataset=mixture", "model.components=1", "method.points=40000")
    play(held, 0, 2)
    G, x = held.method.G, held.method.data
    best, near = float(G.log_prob(x).detach().mean()), kl(held, G)
    found = [held.method.found[name] for name in ("weights", "means", "covariances")]
    for shift, stretch in [(0.3, 1.0), (-0.3, 1.0), (0.0, 1.3), (0.0, 0.8)]:
        G.fit(found[0], found[1] + shift, found[2] * stretch)
        lost, gained = best - float(G.log_prob(x).detach().mean()), kl(held, G) - near
        assert gained > 0.003
        assert lost == pytest.approx(gained, rel=0.2, abs=5e-3)


def test_gradient_ascent_computes_the_gradient_of_the_likelihood():
    held = made("method=mixture_gradient", "dataset=two_gaussians", "model.components=2")
    (facts,) = play(held, 0, 1)
    assert float(facts["loss"]) == -float(facts["log_likelihood"])
    net = held.method.net.double()
    x = torch.randn(5, 1, dtype=torch.float64)

    def likelihood(*weights: Tensor) -> Tensor:
        names = [name for name, _ in net.named_parameters()]
        call = torch.func.functional_call
        return call(Scored(net), {f"net.{n}": w for n, w in zip(names, weights, strict=True)}, x)

    assert torch.autograd.gradcheck(likelihood, list(net.parameters()))


class Scored(torch.nn.Module):
    def __init__(self, net: MixtureGenerator):
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        return self.net.log_prob(x)


def test_more_components_than_samples_start_at_some_of_them_twice():
    held = made("method=mixture_gradient", "dataset=digits", "batch_size=4")
    play(held, 0, 2)
    assert held.method.net.means.isfinite().all()


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (("method=mixture", "model=mlp"), "model=mixture"),
        (("method=mixture", "prior=uniform"), "prior=normal"),
        (("method=mixture", "task=label"), "task=unconditional"),
        (("method=mixture", "model.components=5000"), "1797 samples"),
        (("model=mixture",), "method=mixture"),
    ],
)
def test_what_cannot_go_together_is_refused(typed, told):
    with pytest.raises(UserMistake, match=told):
        made(*typed)


def test_data_that_are_not_numbers_fail_by_name():
    held = made("method=mixture", "dataset=gaussian", "method.points=100")
    with pytest.raises(NumericalFailure, match="model.floor"):
        held.method.step([Batch(torch.full((100, 1), math.inf))], 0)
