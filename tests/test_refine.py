"""Refining by D: with a D that is exactly log p/q, samples of G become samples of p."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gan_cli import cli, container, critics
from gan_cli.errors import BadFile, UserMistake
from gan_cli.model import Generator
from gan_cli.prior.normal import Normal
from gan_cli.prior.uniform import Uniform
from gan_cli.refine import WAYS, Langevin, Refined, Rejection, Way, named, refined
from gan_cli.rejection import Rejecting
from gan_cli.sampler import Sampler
from gan_cli.space import Space
from tests.conftest import entries
from tests.games import part

MEAN, STD = 0.6, 0.7


class Same(Generator):
    """G(z) = z, moved by a tenth of the label."""

    def __init__(self, dim: int = 1):
        super().__init__()
        self.z_dim = dim
        self.nothing = nn.Parameter(torch.zeros(()), requires_grad=False)

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        return z if c is None else z + 0.1 * c[:, None]


class Ratio(nn.Module):
    """log p/q, up to a constant, of p = N(MEAN, STD²) and q = N(0, 1), both in one dimension."""

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        return (x[:, 0] ** 2 - ((x[:, 0] - MEAN) / STD) ** 2) / 2 + 3.0


class Flat(nn.Module):
    """A D that can't tell."""

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        return 0 * x.flatten(1).sum(1)


class Rising(nn.Module):
    """A D that likes large numbers."""

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        return 2 * x[:, 0]


def by(way: Way, D: nn.Module, sampler: Sampler | None = None) -> Refined:
    sampler = sampler or Sampler(Same(), Space((1,)))
    return Refined(sampler, way.over(sampler, D))


def normal_cdf(x: Tensor, mean: float = 0.0, std: float = 1.0) -> Tensor:
    return (1 + torch.erf((x - mean) / (std * math.sqrt(2)))) / 2


def kolmogorov(x: Tensor, mean: float, std: float) -> float:
    """√n times the greatest gap of distribution functions: above 1.95 once in a thousand times."""
    ranked = x.double().sort().values
    n, expected = len(x), normal_cdf(ranked, mean, std)
    steps = torch.arange(n + 1) / n
    return math.sqrt(n) * float(torch.max(expected - steps[:-1], steps[1:] - expected).max())


def test_exact_rejection_gives_samples_of_the_data():
    x = by(Rejection(percentile=None), Ratio()).sample(8192, 1)[:, 0]
    assert kolmogorov(x, MEAN, STD) < 1.95
    assert kolmogorov(by(Rejection(percentile=None), Flat()).sample(8192, 1)[:, 0], MEAN, STD) > 20


def test_exact_rejection_keeps_one_code_in_m():
    """M, the greatest p/q, is reached at x = MEAN/(1 - STD²)."""
    refined = by(Rejection(percentile=None, burn_in=20_000), Ratio())
    refined.sample(8192, 1)
    refiner = refined.refiner
    assert isinstance(refiner, Rejecting)
    assert refiner.kept == 8192
    m = math.exp(MEAN**2 / (2 * (1 - STD**2))) / STD
    assert refiner.kept / refiner.proposed == pytest.approx(1 / m, rel=0.03)


def test_a_walk_gives_samples_of_the_data():
    """Up to the bias of its steps: a variance of s² (1 - step/4s²)⁻¹ for the Gaussian p."""
    way = Langevin(steps=30, step_size=0.5, adjusted=False)
    x = by(way, Ratio()).sample(4096, 1)[:, 0]
    assert kolmogorov(x, MEAN, STD / math.sqrt(1 - way.step_size / (4 * STD**2))) < 1.95
    assert kolmogorov(x, MEAN, STD) > 2.4


def test_an_adjusted_walk_gives_samples_of_the_data_however_long_its_steps():
    for step in (0.3, 0.8):
        x = by(Langevin(steps=25, step_size=step), Ratio()).sample(2048, 1)[:, 0]
        assert kolmogorov(x, MEAN, STD) < 1.95


def test_noise_is_a_temperature():
    """The law is exp(-E/noise²): of a Gaussian p, its deviation times the noise."""
    x = by(Langevin(steps=50, step_size=0.2, noise=0.5), Ratio()).sample(2048, 1)[:, 0]
    assert kolmogorov(x, MEAN, STD / 2) < 1.95


def test_without_noise_a_walk_climbs_to_what_d_likes_most():
    x = by(Langevin(steps=200, step_size=0.1, noise=0.0), Ratio()).sample(64, 1)
    assert torch.allclose(x, torch.full_like(x, MEAN), atol=1e-3)


@pytest.mark.parametrize("adjusted", [True, False])
@pytest.mark.parametrize("name", entries("prior"))
def test_a_d_that_cannot_tell_leaves_codes_to_their_prior(name: str, adjusted: bool):
    """In distribution, though every code has moved: this is the law of `energy` and `fold`."""
    prior = part("prior", name)
    sampler = Sampler(Same(20), Space((20,)), prior)
    way = Langevin(steps=25, step_size=0.01, adjusted=adjusted)
    walked = by(way, Flat(), sampler).sample(2048, 3)
    fresh = sampler.sample(2048, 4)
    hot = {"categorical": 10, "codes": 10}.get(name, 0)
    assert torch.equal(walked[:, :hot], sampler.sample(2048, 3)[:, :hot])
    for k in {hot, hot + 1, 19}:
        pooled = torch.cat([walked[:, k], fresh[:, k]]).sort().indices < 2048
        gaps = torch.where(pooled, 1.0, -1.0).cumsum(0).abs().max() / 2048
        assert float(gaps) * math.sqrt(1024) < 1.95, k
    moved = (walked - sampler.sample(2048, 3))[:, hot:]
    assert float(moved.square().mean()) > 0.003


@pytest.mark.parametrize("way", [Rejection(), Langevin(steps=5)], ids=["rejection", "langevin"])
@pytest.mark.parametrize("classes", [(), ("a", "b", "c")])
def test_refined_samples_are_a_function_of_the_seed_alone(way: Way, classes: tuple[str, ...]):
    sampler = Sampler(Same(), Space((1,), classes))
    x = by(way, Ratio(), sampler).sample(200, 5)
    refined = by(way, Ratio(), sampler)
    assert torch.equal(refined.sample(77, 5, batch=8), x[:77])
    assert torch.equal(refined.sample(200, 5, batch=130), x)
    assert not torch.equal(refined.sample(200, 6), x)
    assert not torch.equal(sampler.sample(200, 5), x)


def test_a_class_that_is_asked_for_is_refined_as_such():
    sampler = Sampler(Same(), Space((1,), ("a", "b", "c")))
    refined = by(Rejection(percentile=None), Ratio(), sampler)
    for label in (0, 2):
        x = refined.sample(4096, 1, c=torch.full((4096,), label))[:, 0]
        # N(label/10, 1) times e^D is Gaussian again
        shift = 0.1 * label
        precision = 1 / STD**2
        assert kolmogorov(x, (shift + MEAN * precision) / precision, STD) < 1.95


def test_the_percentile_says_how_choosy_rejection_is():
    kept = {}
    for percentile in (20.0, 80.0, 99.0):
        refined = by(Rejection(percentile=percentile), Rising())
        refined.sample(512, 0)
        assert isinstance(refined.refiner, Rejecting)
        kept[percentile] = refined.refiner.kept / refined.refiner.proposed
    assert 1 > kept[20.0] > kept[80.0] > kept[99.0] > 0
    assert kept[80.0] > 0.1


def test_a_d_that_rejects_everything_is_told_in_a_line():
    class Needle(nn.Module):
        def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
            return -1000 * (x[:, 0] - 3.5).square()

    with pytest.raises(UserMistake, match="rejects all of 20 codes.*--refine rejection"):
        by(Rejection(percentile=None, attempts=20), Needle()).sample(64, 0)
    assert len(by(Rejection(), Needle()).sample(64, 0)) == 64


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Rejection(percentile=101.0), "percentile"),
        (lambda: Rejection(burn_in=1), "burn_in"),
        (lambda: Rejection(epsilon=0.0), "epsilon"),
        (lambda: Langevin(steps=0), "steps"),
        (lambda: Langevin(step_size=0.0), "step_size"),
        (lambda: Langevin(noise=-1.0), "noise"),
    ],
)
def test_impossible_settings_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


RATIOS = set(
    """fgan_gan fgan_js fgan_kl fgan_reverse_kl maximum_likelihood minimax nonsaturating r3gan
    rsgan""".split()
)


@pytest.mark.parametrize("name", entries("loss"))
def test_only_a_density_ratio_is_rejected_by(name: str):
    loss = part("loss", name)
    refusal = WAYS["rejection"].refuses(loss, name, Normal())
    if name in RATIOS:
        assert refusal is None
        assert WAYS["langevin"].refuses(loss, name, Normal()) is None
    else:
        assert refusal is not None
        assert f"loss={name}" in refusal
    if name.startswith("wgan"):
        assert "--refine langevin" in str(refusal)
        assert WAYS["langevin"].refuses(loss, name, Normal()) is None
    if name in {"hinge", "lsgan", "began"}:
        assert "loss=nonsaturating" in str(WAYS["langevin"].refuses(loss, name, Normal()))


def test_codes_of_an_unknown_density_do_not_walk():
    class Own:
        def __call__(self, *_: object) -> None: ...

        def refuses(self, dim: int) -> None: ...

    assert "energy(z)" in str(Langevin().refuses(part("loss", "minimax"), "minimax", Own()))  # type: ignore[arg-type]


TINY = """model=mlp model.width=8 model.z_dim=4 steps=2 log_every=1 sample_every=2
checkpoint_every=2 batch_size=8 tensorboard=false hardware.threads=1 hardware.device=cpu""".split()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory):
    """The directory of a run of a moment, by its overrides."""
    made: dict[tuple[str, ...], Path] = {}

    def run(*overrides: str) -> Path:
        if overrides not in made:
            made[overrides] = tmp_path_factory.mktemp("run") / "run"
            assert cli.main(["train", *TINY, *overrides, f"run_dir={made[overrides]}"]) == 0
        return made[overrides]

    return run


KINDS = [
    (),
    ("task=label", "condition=projection"),
    ("task=label", "auxiliary=acgan", "condition=unseen"),
    ("task=semi", "auxiliary=semi"),
    ("auxiliary=infogan", "model.z_dim=16"),
    ("constraint=spectral", "critic_norm=none"),
    ("constraint=weight_norm",),
    ("discriminator=sngan",),
    ("loss=wgan_gp",),
    ("constraint=lipschitz", "critic_norm=none"),
]


@pytest.mark.parametrize("overrides", KINDS, ids=lambda k: " ".join(k) or "plain")
def test_d_is_read_back_as_it_was(trained, overrides: tuple[str, ...]):
    """The weights, and so the answers; with labels, heads and constraints."""
    run = trained(*overrides)
    sampler = Sampler.load(run)
    critic = critics.load(run, sampler.space, sampler.prior, sampler.sha256)
    tensors = container.read(sampler.origin.path).tensors
    for name, tensor in critic.D.state_dict().items():
        assert torch.equal(tensor, tensors[f"D/{name}"])
    walked = refined(sampler, run, Langevin(steps=2)).sample(20, 0)
    assert walked.shape == (20, *sampler.space.shape)
    assert not torch.equal(walked, sampler.sample(20, 0))


def test_a_run_is_refined_by_name(trained):
    run = trained()
    sampler = Sampler.load(run)
    for name in WAYS:
        assert refined(sampler, run, name).sample(9, 0).isfinite().all()
    assert refined(sampler, sampler.origin.path, "rejection").sha256 == sampler.sha256
    with pytest.raises(UserMistake, match="rejection, exact, langevin, not magic"):
        refined(sampler, run, "magic")


@pytest.mark.parametrize(
    ("overrides", "how", "words"),
    [
        (("pack=2", "critic_norm=none"), "langevin", "pack=1"),
        (("model.minibatch_std=4",), "langevin", "model.minibatch_std=0"),
        (("loss=hinge",), "langevin", "loss=nonsaturating"),
        (("loss=wgan_gp",), "rejection", "--refine langevin"),
        (("model=dcgan", "model.width=4", "discriminator=patch"), "langevin", "discriminator=same"),
    ],
)
def test_a_d_that_cannot_serve_is_refused_with_what_could(trained, overrides, how, words):
    run = trained(*overrides)
    with pytest.raises(UserMistake, match=words) as caught:
        refined(Sampler.load(run), run, how)
    assert "\n" not in str(caught.value)


def test_a_generator_file_has_no_d(trained):
    path = trained() / "generator.safetensors"
    with pytest.raises(UserMistake, match="run's directory"):
        refined(Sampler.load(path), path, "rejection")


def changed(run: Path, path: Path, **game: object) -> Path:
    """The run's checkpoint, with other words about its D."""
    found = container.read(Sampler.load(run).origin.path)
    meta = found.meta | {"game": found.meta["game"] | game}
    container.write(path, found.tensors, {key: v for key, v in meta.items() if v is not None})
    return path


HUGE: dict[str, Any] = {"name": "mlp", "args": {"width": 60_000, "depth": 40, "z_dim": 4}}


@pytest.mark.parametrize(
    ("game", "words"),
    [
        ({"D": {"name": "os.system", "args": {}}}, "not part of gan"),
        ({"D": {"name": "../x", "args": {}}}, "impossible name"),
        ({"D": HUGE}, "of [0-9,]+ numbers"),
        ({"D": HUGE | {"args": HUGE["args"] | {"depth": 60_000}}}, "larger network"),
        ({"constraint": {"name": "spectral", "args": {}}}, "missing"),
        ({"D": None}, "no model"),
        ({"family": "loss"}, "of which family"),
        ({"family": ["model"]}, "of which family"),
        ({"loss": {"name": "biggest", "args": {}}}, "biggest"),
        ({"loss": {"name": "nonsaturating", "args": {"a": 1}}}, "has no a"),
        ({"constraint": {"name": "clip", "args": {"bound": -1.0}}}, "bound"),
        ({"constraint": {"name": "spectral", "args": {"iterations": 60_000}}}, "beyond 64"),
        ({"auxiliary": [1]}, "what else"),
        ({"auxiliary": {"a": {"name": "acgan", "args": {}}}}, "task=label"),
        ({"auxiliary": {str(k): 1 for k in range(100)}}, "what else"),
        ({"kinds": [1]}, "list of names"),
    ],
)
def test_a_strangers_word_about_d_is_checked(trained, tmp_path: Path, game, words):
    path = changed(trained(), tmp_path / "x.safetensors", **game)
    with pytest.raises(BadFile, match=words) as caught:
        refined(Sampler.load(path), path, "langevin")
    assert "\n" not in str(caught.value)


def test_a_strangers_pack_is_no_number(trained, tmp_path: Path):
    path = changed(trained(), tmp_path / "x.safetensors", pack="1\n2")
    with pytest.raises(UserMistake, match="pack") as caught:
        refined(Sampler.load(path), path, "langevin")
    assert "\n" not in str(caught.value)


def test_a_file_from_before_is_told_so(trained, tmp_path: Path):
    found = container.read(Sampler.load(trained()).origin.path)
    path = tmp_path / "x.safetensors"
    container.write(path, found.tensors, {k: v for k, v in found.meta.items() if k != "game"})
    with pytest.raises(UserMistake, match="older gan"):
        refined(Sampler.load(path), path, "langevin")


def test_another_file_than_the_generators_is_not_taken(trained):
    sampler = Sampler.load(trained())
    with pytest.raises(UserMistake, match="once more"):
        refined(sampler, trained("loss=wgan_gp"), "langevin")


def test_generators_of_answers_are_refused():
    sampler = Sampler(Same(), Space((1, 8, 8), given=(1, 8, 8)))
    with pytest.raises(UserMistake, match="given no image"):
        refined(sampler, "nowhere", "rejection")


def test_settings_are_typed_by_name():
    assert named("langevin", 7) == Langevin(steps=7)
    assert named("exact") == dataclasses.replace(Rejection(), percentile=None)
    with pytest.raises(UserMistake, match="--refine langevin"):
        named("rejection", 7)


def test_codes_are_reflected_at_the_border():
    assert Uniform().fold(torch.tensor([[1.25, -3.5]])).tolist() == [[0.75, 0.5]]
