"""Laws of every auxiliary task: what its head is paid for, who learns from it, who is refused."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import log_softmax

from gan_cli import build, session
from gan_cli.auxiliary import Heard
from gan_cli.batch import Batch
from gan_cli.condition.headed import Headed
from gan_cli.errors import UserMistake
from gan_cli.method.gan import GAN
from gan_cli.randomness import reseed
from gan_cli.space import Space
from tests.conftest import entries
from tests.games import composed, part

NAMES = [name for name in entries("auxiliary") if name != "none"]
SHAPE = (1, 8, 8)
NAMED = ("a", "b", "c", "d")
LABELLED, FEW, BARE = Space(SHAPE, NAMED), Space(SHAPE, kinds=NAMED), Space(SHAPE)
ITS_SPACE = dict.fromkeys(NAMES, LABELLED) | {"semi": FEW, "infogan": BARE}
CODES, NORMAL = part("prior", "codes"), part("prior", "normal")
ITS_PRIOR = dict.fromkeys(NAMES, NORMAL) | {"infogan": CODES}


def auxiliary(name: str, **fields: object):
    return dataclasses.replace(part("auxiliary", name), **fields)


def heard(name: str, n: int = 6, seed: int = 0) -> Heard:
    """Guesses at two batches, of which two real samples have no label where labels are few."""
    generator = torch.Generator().manual_seed(seed)
    width = auxiliary(name).guesses(ITS_SPACE[name], ITS_PRIOR[name])
    x = torch.zeros(n, *SHAPE)
    c = torch.arange(n) % len(NAMED)
    known = torch.where(torch.arange(n) > 1, c, -1) if ITS_SPACE[name].kinds else c
    z = ITS_PRIOR[name](n, 20, generator=generator).double()
    guesses = [torch.randn(n, width, generator=generator).double().requires_grad_() for _ in (0, 1)]
    return Heard(Batch(x, known), Batch(x, c, z), *guesses, ITS_PRIOR[name])


def surprise(logits: Tensor, c: Tensor) -> Tensor:
    """-log softmax of the right class, by hand."""
    return -log_softmax(logits, 1)[torch.arange(len(c)), c]


def by_hand(name: str, told: Heard) -> tuple[Tensor, Tensor]:
    """What D and G pay, from the papers' formulas."""
    real, fake, c, k = told.guess_real, told.guess_fake, told.fake.c, len(NAMED)
    match name:
        case "acgan":
            return surprise(real, c) + surprise(fake, c), surprise(fake, c)
        case "tac":
            twin = surprise(fake[:, k:], c)
            return surprise(real[:, :k], c) + twin, surprise(fake[:, :k], c) - twin
        case "adc":
            as_real, as_fake = surprise(fake, c), surprise(fake, c + k)
            return surprise(real, c) + as_fake, as_real - as_fake
        case "semi":
            right = surprise(real, told.real.c.clamp(min=0))
            return 8 * torch.where(told.real.c < 0, 0.0, right), torch.zeros(len(c)).double()
        case "infogan":
            code = CODES.split(told.fake.z)
            density = torch.distributions.Normal(fake[:, 10:], 1.0).log_prob(code.continuous)
            paid = surprise(fake[:, :10], code.categories[:, 0]) - 0.1 * density.sum(1)
            return paid, paid
    raise ValueError(name)


def test_none_is_no_auxiliary_at_all():
    assert part("auxiliary", "none") is None


@pytest.mark.parametrize("name", NAMES)
def test_d_and_g_pay_what_the_paper_says(name):
    told, asked = heard(name), auxiliary(name)
    d, g = by_hand(name, told)
    assert torch.allclose(asked.d(told), d)
    assert torch.allclose(asked.g(told.fake, told.guess_fake, told.prior), g)


@pytest.mark.parametrize("name", NAMES)
def test_each_sample_pays_for_itself(name):
    """One finite value a sample, on which the guesses at others have no influence."""
    told, asked = heard(name), auxiliary(name)
    for paid in (asked.d(told), asked.g(told.fake, told.guess_fake, told.prior)):
        assert paid.shape == (6,)
        assert paid.isfinite().all()
    for guess in (told.guess_real, told.guess_fake):
        (slope,) = torch.autograd.grad(
            asked.d(told)[3], guess, allow_unused=True, materialize_grads=True
        )
        assert slope[[0, 1, 2, 4, 5]].abs().sum() == 0


@pytest.mark.parametrize("name", NAMES)
def test_logits_of_any_size_stay_finite(name):
    """Cross-entropy takes logits, never a softmax."""
    told, asked = heard(name), auxiliary(name)
    scale = 1.0 if name == "infogan" else 1e4
    sure = [guess.detach().float() * scale for guess in (told.guess_real, told.guess_fake)]
    sure[1][:, :4] *= 1e4 / scale
    told = Heard(told.real, told.fake, *(guess.requires_grad_() for guess in sure), told.prior)
    paid = asked.d(told) + asked.g(told.fake, told.guess_fake, told.prior)
    assert paid.isfinite().all()
    slopes = torch.autograd.grad(paid.sum(), sure, allow_unused=True, materialize_grads=True)
    assert all(slope.isfinite().all() for slope in slopes)


@pytest.mark.parametrize("name", NAMES)
def test_a_right_guess_costs_less(name):
    """Down D's gradient in the guesses, the head gets better at its question."""
    told, asked = heard(name), auxiliary(name)
    paid = asked.d(told).sum()
    guesses = [told.guess_real, told.guess_fake]
    slopes = torch.autograd.grad(paid, guesses, allow_unused=True, materialize_grads=True)
    moved = [(g - 0.1 * s).detach() for g, s in zip(guesses, slopes, strict=True)]
    better = Heard(told.real, told.fake, *moved, told.prior)
    assert asked.d(better).sum() < paid
    assert sum(slope.abs().sum() for slope in slopes) > 0


@pytest.mark.parametrize("name", NAMES)
def test_weights_weigh(name):
    told, asked = heard(name), auxiliary(name)
    named = [f.name for f in dataclasses.fields(asked) if f.name.endswith("weight")]
    assert named
    twice = dataclasses.replace(asked, **{n: 2 * getattr(asked, n) for n in named})
    none = dataclasses.replace(asked, **dict.fromkeys(named, 0.0))
    for side in (lambda a: a.d(told), lambda a: a.g(told.fake, told.guess_fake, told.prior)):
        assert torch.allclose(side(twice), 2 * side(asked))
        assert side(none).abs().sum() == 0
    for field in named:
        with pytest.raises(ValueError, match=field):
            dataclasses.replace(asked, **{field: -1.0})


def game(name: str, *overrides: str) -> GAN:
    config = composed("model=mlp", "model.width=16", f"auxiliary={name}", *overrides)
    made = build.parts(config)
    reseed("auxiliary")
    kit = session.kit(config, made, ITS_SPACE[name], 100, torch.device("cpu"))
    gan = made.method.make(kit)
    assert isinstance(gan, GAN)
    return gan


def batch(name: str, n: int = 8) -> Batch:
    generator = torch.Generator().manual_seed(1)
    c = torch.arange(n) % len(NAMED)
    if not (ITS_SPACE[name].classes or ITS_SPACE[name].kinds):
        return Batch(torch.rand(n, *SHAPE, generator=generator) * 2 - 1)
    if ITS_SPACE[name].kinds:
        c = torch.where(torch.arange(n) % 2 == 0, c, -1)
    return Batch(torch.rand(n, *SHAPE, generator=generator) * 2 - 1, c)


@pytest.mark.parametrize("name", NAMES)
def test_g_moves_alone_and_d_with_its_head(name):
    gan, real = game(name), batch(name)
    assert isinstance(gan.D.net, Headed)
    for mine, other, move in [(gan.D, gan.G, gan.d_step), (gan.G, gan.D, gan.g_step)]:
        before = [p.detach().clone() for p in (*mine.weights, *other.weights)]
        facts = move(real)
        after = [*mine.weights, *other.weights]
        moved = [not torch.equal(a, b) for a, b in zip(before, after, strict=True)]
        assert moved == [True] * len(mine.weights) + [False] * len(other.weights)
        side = "d" if mine is gan.D else "g"
        assert facts[f"auxiliary/{name}/{side}"].isfinite()


@pytest.mark.parametrize("name", NAMES)
def test_every_weight_of_d_and_its_head_matters(name):
    gan = game(name)
    gradient, _ = gan.D.gradient(gan.d_loss, batch(name))
    assert all(slope.abs().sum() > 0 for slope in gradient)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "semi"])
def test_g_hears_of_it(name):
    """G's gradient is another than in the game alone; of a GAN for few labels it is not."""
    gan, real = game(name), batch(name)
    reseed(1)
    paid, _ = gan.G.gradient(gan.g_loss, real)
    gan.auxiliaries = {}
    reseed(1)
    alone, _ = gan.G.gradient(gan.g_loss, real)
    assert not any(torch.allclose(a, b) for a, b in zip(paid, alone, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_in_parts_is_the_same_step(name):
    gradients = []
    for parts in (1, 4):
        gan = game(name, "model.d_norm=none")
        gan.fake = _fakes
        gradients.append(gan.D.gradient(gan.d_loss, batch(name), parts)[0])
    for whole, parted in zip(*gradients, strict=True):
        assert torch.allclose(whole, parted, atol=1e-6)


def _fakes(like: Batch) -> Batch:
    """A fake for each real sample, and a code that is a function of it."""
    labels = (like.x.flatten(1).sum(1) * 100).long().abs() % 10
    z = torch.cat([torch.eye(10)[labels], like.x.flatten(1)[:, :4]], 1)
    return Batch(-like.x, like.c, z)


@pytest.mark.parametrize("name", NAMES)
def test_several_heads_do_not_disturb_each_other(name):
    if name in ("semi", "infogan"):
        return
    alone, both = game(name), game(name, f"auxiliary=[{name},infogan]")
    assert list(both.D.net.heads) == [name, "infogan"]
    assert both.d_step(batch(name))[f"auxiliary/{name}/d"].isfinite()
    assert alone.D.net.heads.keys() == {name}


# What is refused

WANTS = {
    "acgan": "task=label",
    "tac": "task=label",
    "adc": "task=label",
    "infogan": "prior=codes",
    "semi": "task=semi",
}


def test_no_auxiliary_is_forgotten():
    assert set(WANTS) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_refused_where_it_has_nothing_to_ask(name):
    asked = auxiliary(name)
    assert asked.refuses(ITS_SPACE[name], ITS_PRIOR[name]) is None
    assert WANTS[name] in asked.refuses(BARE, NORMAL)
    assert (asked.refuses(LABELLED, NORMAL) is None) == (WANTS[name] == "task=label")


@pytest.mark.parametrize("name", NAMES)
def test_the_refusal_reaches_the_user(name):
    config = composed("dataset=digits", "model=mlp", f"auxiliary={name}", "prior=normal")
    with pytest.raises(UserMistake, match=f"auxiliary.{name}: .*{WANTS[name]}"):
        session.make(config, build.parts(config), torch.device("cpu"))


@pytest.mark.parametrize("override", ["pack=2", "model=autoencoder"])
@pytest.mark.parametrize("name", NAMES)
def test_a_d_without_features_is_refused(name, override):
    with pytest.raises(UserMistake, match="needs the features of a sample"):
        game(name, override)


# Each its own


def test_infogan_brings_its_codes_and_few_labels_bring_their_head():
    assert composed("auxiliary=infogan")["prior"]["_target_"].endswith("codes.Codes")
    assert composed("auxiliary=infogan", "prior=normal")["prior"]["_target_"].endswith("Normal")
    assert list(composed("task=semi")["auxiliary"]) == ["semi"]


def test_q_can_guess_how_sure_it_is():
    """A Gaussian of the mean and the log variance that Q gives."""
    asked = auxiliary("infogan", variance=None)
    assert asked.guesses(BARE, CODES) == 14
    z = CODES(5, 20, generator=torch.Generator().manual_seed(0)).double()
    guess = torch.randn(5, 14, generator=torch.Generator().manual_seed(1)).double()
    guess[0, 12:] = -1e3  # certain, and wrong
    code = CODES.split(z)
    sure = (guess[1:, 12:] / 2).exp()
    density = torch.distributions.Normal(guess[1:, 10:12], sure).log_prob(code.continuous[1:])
    expected = surprise(guess[1:, :10], code.categories[1:, 0]) - 0.1 * density.sum(1)
    paid = asked.g(Batch(torch.zeros(5), None, z), guess, CODES)
    assert torch.allclose(paid[1:], expected, rtol=1e-4)
    assert paid.isfinite().all()
    with pytest.raises(ValueError, match="variance"):
        auxiliary("infogan", variance=0.0)


@pytest.mark.parametrize(("categories", "continuous"), [((3, 4), 0), ((), 2), ((2, 2), 1)])
def test_infogan_takes_any_codes(categories, continuous):
    prior = dataclasses.replace(CODES, categories=categories, continuous=continuous)
    asked = auxiliary("infogan", weight=0.5, continuous_weight=2.0)
    width = sum(categories) + continuous
    assert asked.guesses(BARE, prior) == width
    z = prior(5, 20)
    paid = asked.g(Batch(torch.zeros(5), None, z), torch.zeros(5, width), prior)
    of_zero = (z[:, sum(categories) : width].square() + math.log(2 * math.pi)).sum(1) / 2
    expected = 0.5 * sum(math.log(size) for size in categories) + 2 * of_zero
    assert torch.allclose(paid, expected * torch.ones(5), atol=1e-5)
    assert asked.guesses(BARE, part("prior", "categorical")) == 10


def test_d_of_few_labels_is_a_classifier_of_one_class_more():
    """The odds of real: the classes together, against a fake whose logit is -D(x)."""
    own, logits = torch.randn(7), torch.randn(7, 4)
    probabilities = torch.cat([logits, -own[:, None]], 1).softmax(1)
    of_real = probabilities[:, :4].sum(1)
    out = auxiliary("semi").answer(own, logits)
    assert torch.allclose(out.sigmoid(), of_real)
    D, x = game("semi").D.net, torch.randn(3, *SHAPE)
    h = D.features(x)
    assert torch.allclose(D(x), D.D.answer(h) + D.heads["semi"](h).logsumexp(1))


@pytest.mark.parametrize("name", ["acgan", "tac", "adc", "infogan"])
def test_the_others_leave_d_its_own_answer(name):
    own = torch.randn(7)
    assert torch.equal(auxiliary(name).answer(own, torch.randn(7, 20)), own)


@pytest.mark.parametrize("name", ["acgan", "tac"])
def test_the_classifier_learns_from_fakes_or_not(name):
    told, k = heard(name), len(NAMED)
    for fakes in (True, False):
        paid = auxiliary(name, fakes=fakes).d(told).sum()
        (slope,) = torch.autograd.grad(
            paid, told.guess_fake, allow_unused=True, materialize_grads=True
        )
        assert (slope[:, :k].abs().sum() > 0) == fakes


def test_a_twin_that_agrees_takes_all_the_push_away():
    """Where both classifiers of fakes are the same, G pays nothing for its class."""
    told = heard("tac")
    same = torch.cat([told.guess_fake[:, :4], told.guess_fake[:, :4]], 1)
    assert auxiliary("tac").g(told.fake, same, told.prior).abs().max() < 1e-12


def test_of_a_perfect_fake_the_discriminative_classifier_says_nothing():
    """Where p = q of a class, C(c⁺) = C(c⁻), and G pays 0; else the log ratio of the densities."""
    p, q = torch.tensor([0.2, 0.7]), torch.tensor([0.2, 0.1])
    best = torch.stack([p, q], 1).log()[:, [0, 1]]  # of one class, real and fake
    space = Space((2,), ("a",))
    assert auxiliary("adc").guesses(space, NORMAL) == 2
    fake = Batch(torch.zeros(2, 2), torch.zeros(2, dtype=torch.int64))
    paid = auxiliary("adc").g(fake, best, NORMAL)
    assert torch.allclose(paid, (q / p).log())
