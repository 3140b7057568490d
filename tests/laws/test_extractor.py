"""The laws of extractors: what they see in a sample is a function of it and of their settings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from torch import Tensor

from gan_cli import build
from gan_cli.dataset.mixture import Mixture
from gan_cli.dataset.source import Resident, Source
from gan_cli.errors import UserMistake
from gan_cli.extractor import Recipe
from gan_cli.extractor import inception as inceptions
from gan_cli.metric import Extractor
from tests.conftest import entries
from tests.games import composed, spec

CPU = torch.device("cpu")
NAMES = entries("extractor")


def colours(n: int = 40, seed: int = 0, labelled: bool = True) -> Resident:
    """Small colour images, of two classes that anything can tell apart."""
    draw = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 2
    images = torch.randint(0, 100, (n, 3, 9, 12), generator=draw)
    images[labels == 1, :, :4] += 150
    kinds = ("dark", "light") if labelled else ()
    return Resident.of(images.to(torch.uint8), labels if labelled else None, kinds)


SOURCES: dict[str, Source] = {
    "points": Mixture().load(),
    "labelled": colours(),
    "unlabelled": colours(labelled=False),
}
FOR = {  # what each is for; the others it refuses
    "auto": {"points": "raw", "labelled": "judge", "unlabelled": "random"},
    "judge": {"labelled": "judge"},
    "inception": {"labelled": "inception", "unlabelled": "inception"},
    "random": {"labelled": "random", "unlabelled": "random"},
    "raw": {"points": "raw", "labelled": "raw", "unlabelled": "raw"},
}
SEEDED = [name for name in NAMES if "seed" in spec("extractor", name)]
PAIRS = [(name, kind) for name in NAMES for kind in FOR[name]]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where judges are kept while these tests run: each is trained once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def home(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of its own, and Inception's network without the time that it takes."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.setattr(inceptions, "network", lambda _: Small())
    monkeypatch.setattr(inceptions, "_found", lambda _: Path())


class Small(torch.nn.Module):
    """What Inception gives, of images as it gets them."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        assert x.dtype == torch.uint8
        assert x.shape[1] == 3
        mean, top = (
            f(x.float() / 255).flatten(1) for f in (lambda y: y.mean(-1), lambda y: y[:, :, 0])
        )
        return mean.repeat(1, 76)[:, :2048], top.repeat(1, 28)[:, :1008]


def recipe(name: str, *overrides: str) -> Recipe:
    return build.parts(composed(f"extractor={name}", *overrides)).extractor


def made(name: str, kind: str, *overrides: str) -> tuple[Extractor, Tensor]:
    """An extractor, and samples for it."""
    source = SOURCES[kind]
    return recipe(name, *overrides).of(source, CPU), source.open(30, 1, CPU)(0).x


@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_features_are_rows_of_finite_numbers(name: str, kind: str):
    extractor, x = made(name, kind)
    h = extractor.features(x)
    assert (h.ndim, h.dtype, h.device, len(h)) == (2, torch.float32, CPU, 30)
    assert bool(h.isfinite().all())
    assert not h.requires_grad
    assert float(h.std(0).max()) > 0
    assert len(extractor.features(x[:0])) == 0


@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_what_is_seen_in_a_sample_does_not_depend_on_the_others(name: str, kind: str):
    extractor, x = made(name, kind)
    looks = [extractor.features, *[extractor.probabilities] * bool(extractor.classes)]
    for look in looks:
        whole = look(x)
        assert torch.equal(torch.cat([look(part) for part in x.split([1, 22, 7])]), whole)
        assert torch.equal(look(x.flip(0)).flip(0), whole)


@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_it_is_a_function_of_data_and_settings_and_leaves_random_numbers_alone(
    name: str, kind: str
):
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    first, x = made(name, kind)
    h = first.features(x)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(4)
    again, _ = made(name, kind)
    assert torch.equal(again.features(x), h)
    assert torch.equal(again.features(x), first.features(x))
    assert (again.sha256, again.about) == (first.sha256, first.about)


@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_it_says_what_it_is(name: str, kind: str):
    extractor, _ = made(name, kind)
    assert extractor.name == FOR[name][kind]
    assert extractor.name in NAMES
    assert re.fullmatch(r"[0-9a-f]{64}", extractor.sha256)
    assert extractor.resize
    assert extractor.about
    assert "\n" not in extractor.about


@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_probabilities_are_those_of_its_classes_or_refused(name: str, kind: str):
    extractor, x = made(name, kind)
    if not extractor.classes:
        with pytest.raises(ValueError, match="extractor=judge"):
            extractor.probabilities(x)
        return
    p = extractor.probabilities(x)
    assert p.shape == (30, len(extractor.classes))
    assert (p.dtype, p.device) == (torch.float32, CPU)
    assert torch.allclose(p.sum(1), torch.ones(30), atol=1e-5)
    assert float(p.min()) >= 0


@pytest.mark.parametrize(
    ("name", "kind"),
    [(name, kind) for name in SEEDED for kind in sorted({*FOR[name]} - {"points"})],
)
def test_another_seed_is_another_extractor(name: str, kind: str):
    first, x = made(name, kind)
    other, _ = made(name, kind, "extractor.seed=1")
    assert other.sha256 != first.sha256
    assert not torch.equal(other.features(x), first.features(x))


@pytest.mark.parametrize(
    ("name", "kind"),
    [(name, kind) for name in NAMES for kind in sorted(SOURCES.keys() - FOR[name])],
)
def test_what_it_is_not_for_is_refused_with_a_way_out(name: str, kind: str):
    with pytest.raises(UserMistake, match="extractor=") as told:
        made(name, kind)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(("name", "kind"), [pair for pair in PAIRS if pair[0] != "inception"])
def test_samples_of_another_shape_are_refused(name: str, kind: str):
    extractor, x = made(name, kind)
    with pytest.raises(ValueError, match=re.escape(str(tuple(x.shape[1:])))):
        extractor.features(torch.zeros(2, *x.shape[1:-1], x.shape[-1] + 1))


@pytest.mark.parametrize("shape", [(1, 1, 1), (4, 3, 50), (2, 33, 17), (3, 70, 64), (1, 8, 8)])
@pytest.mark.parametrize("name", ["auto", "random"])
def test_images_of_any_shape_have_features(name: str, shape: tuple[int, ...]):
    images = torch.randint(0, 256, (5, *shape), generator=torch.Generator().manual_seed(0))
    source = Resident.of(images.to(torch.uint8), None, ())
    h = recipe(name).of(source, CPU).features(source.open(5, 0, CPU)(0).x)
    assert h.shape == (5, 64)
    assert bool((h.std(0) > 1e-4).all())


def test_every_extractor_is_known_to_these_laws():
    assert set(FOR) == set(NAMES)
