"""What the extractors are told apart by, and which samples they learn from."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from gan_cli.dataset.digits import Digits
from gan_cli.dataset.source import Resident
from gan_cli.dataset.stacked_mnist import Stacked
from gan_cli.errors import UserMistake
from gan_cli.extractor import teaching
from gan_cli.extractor.judge import Judge
from gan_cli.extractor.looks import Untrained
from gan_cli.extractor.random import Random
from gan_cli.extractor.raw import Raw
from gan_cli.metric.frechet import distance

CPU = torch.device("cpu")


def images(source: Resident) -> torch.Tensor:
    return source.images.float() / 127.5 - 1


def test_whichever_split_is_examined_the_training_split_teaches():
    train = Digits("train").load()
    assert teaching(Digits("train")).fingerprint == train.fingerprint
    assert teaching(Digits("test")).fingerprint == train.fingerprint
    assert teaching(Digits("all")).fingerprint == Digits("all").load().fingerprint


def test_the_judge_tells_how_good_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    source = Digits("train").load()
    assert source.labels is not None
    some = Resident.of(source.images[:60], source.labels[:60], source.classes)
    about = Judge().of(some, CPU).about
    assert "% right on 6 images that it has not learnt from" in about
    (tmp_path / "gan" / "judge").rename(tmp_path / "elsewhere")
    (tmp_path / "gan" / "judge").write_text("in the way")
    assert "not kept" in Judge().of(some, CPU).about


def test_stacked_digits_are_read_colour_by_colour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    light = torch.arange(20) % 2
    digits = Resident.of(
        (light * 200).to(torch.uint8).expand(1, 6, 6, 20).permute(3, 0, 1, 2),
        light,
        ("dark", "light"),
    )
    pairs = torch.cartesian_prod(light[:2], light[:2])
    images_of = digits.images[:, 0][pairs]
    source = Stacked(
        images_of, pairs @ torch.tensor([2, 1]), ("00", "01", "10", "11"), "x", digits=digits
    )
    seen, single = Judge().of(source, CPU), Judge().of(digits, CPU)
    assert torch.equal(seen.probabilities(images(source)).argmax(1), torch.arange(4))
    assert seen.features(images(source)).shape == (4, 128)
    assert seen.about == single.about
    assert seen.sha256 != single.sha256
    with pytest.raises(ValueError, match="expected"):
        seen.features(images(digits))


def test_large_images_are_shrunk_for_the_judge_which_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    large = torch.zeros(12, 1, 4, 130, dtype=torch.uint8)
    large[::2] = 200
    source = Resident.of(large, torch.arange(12) % 2, ("light", "dark"))
    assert Judge().of(source, CPU).resize == "2x64 by area"


def test_random_features_rank_what_is_plainly_worse_lower():
    """Real digits, the same with noise upon them, one digit again and again, and noise alone."""
    x = images(Digits("all").load())
    real, other = x[::2], x[1::2]
    draw = torch.Generator().manual_seed(0)
    noise = torch.rand(other.shape, generator=draw) * 2 - 1
    worse = [other, other.lerp(noise, 0.3), other[:1].expand_as(other), noise]
    for seed in range(3):
        see = Random(seed).of(Digits("all").load(), CPU).features
        floor, *others = (distance(see(real), see(fake)) for fake in worse)
        assert floor * 3 < min(others)
        assert others[0] == min(others)


def test_weights_of_a_random_network_are_pinned():
    """They are a function of the seed, on this machine and the next one."""
    weights = Untrained.of(Digits("test").load(), 0, 2, CPU).weights
    assert [tuple(w.shape) for w in weights] == [(32, 1, 3, 3), (2, 512)]
    drawn = [-0.021998669, -0.106732823, -0.421136827]
    assert weights[0].flatten()[:3].tolist() == pytest.approx(drawn)
    assert float(weights[0].square().mean()) == pytest.approx(2 / 1.04 / 9, rel=0.3)


def test_raw_features_are_the_samples():
    source = Digits("test").load()
    x = images(source)
    assert torch.equal(Raw().of(source, CPU).features(x), x.flatten(1))


def test_large_samples_have_no_raw_features():
    source = Resident.of(torch.zeros(2, 3, 64, 64, dtype=torch.uint8), None, ())
    with pytest.raises(UserMistake, match="extractor=auto"):
        Raw().of(source, CPU)


def test_a_width_of_nothing_is_refused():
    with pytest.raises(ValueError, match="width must be 1 or more, not 0"):
        Random(width=0)
