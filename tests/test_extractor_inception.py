"""Inception: torch-fidelity's network and file, and what is told where there is none."""

from __future__ import annotations

import hashlib
import pickle
import time
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from gan_cli.dataset import fetch
from gan_cli.dataset.source import Resident
from gan_cli.errors import BadFile, UserMistake
from gan_cli.extractor import inception
from gan_cli.extractor.inception import Inception
from gan_cli.metric import Extractor

CPU = torch.device("cpu")


def pictures(channels: int, n: int = 3) -> Resident:
    images = torch.randint(
        0, 256, (n, channels, 12, 10), generator=torch.Generator().manual_seed(n)
    )
    return Resident.of(images.to(torch.uint8), None, ())


def images(source: Resident) -> Tensor:
    return source.images.float() / 127.5 - 1


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file as theirs is, with numbers of our own: of the size that keeps the scale."""
    made = object.__new__(FeatureExtractorInceptionV3)
    path = tmp_path_factory.mktemp("weights") / "mine.pth"
    with pytest.MonkeyPatch.context() as patch, torch.random.fork_rng():
        torch.manual_seed(0)
        patch.setattr(torch, "load", lambda *_, **__: {})
        patch.setattr(FeatureExtractorInceptionV3, "load_state_dict", lambda *_: None)
        made.__init__("inception", ["2048"], "none")  # type: ignore[misc]
        for name, parameter in made.named_parameters():
            if parameter.ndim == 4:
                fan_in = parameter[0].numel()
                parameter.data.normal_(0, (2 / fan_in) ** 0.5)
            elif name.endswith("bn.bias"):
                parameter.data.normal_(0, 0.1)
    torch.save(made.state_dict(), path)
    return path


@pytest.fixture
def known(weights: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same file, which is taken for theirs."""
    sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
    monkeypatch.setattr(inception, "SHA256", sha256)
    return weights


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of torch's."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    return tmp_path / "hub" / "checkpoints"


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two images at a time, for it takes long."""
    monkeypatch.setattr(inception, "BATCH", 16)


def theirs(weights: Path, x: Tensor) -> tuple[Tensor, Tensor]:
    net = FeatureExtractorInceptionV3("theirs", ["2048", "logits_unbiased"], str(weights))
    h, logits = net(x)
    return h, logits


def test_features_and_probabilities_are_those_of_torch_fidelity(known: Path):
    source = pictures(3)
    extractor = Inception(str(known)).of(source, CPU)
    h, logits = theirs(known, source.images)
    assert float(h.std()) > 0.01
    assert torch.allclose(extractor.features(images(source)), h, rtol=1e-4, atol=1e-6)
    p = extractor.probabilities(images(source))
    assert p.shape == (3, len(extractor.classes))
    assert torch.allclose(p, logits.softmax(1), rtol=1e-4, atol=1e-7)


def test_gray_is_repeated_to_colour(known: Path):
    source = pictures(1, 1)
    extractor = Inception(str(known)).of(source, CPU)
    h, _ = theirs(known, source.images.repeat(1, 3, 1, 1))
    assert torch.allclose(extractor.features(images(source)), h, rtol=1e-4, atol=1e-6)


def test_what_was_just_seen_is_not_looked_at_again(known: Path, monkeypatch: pytest.MonkeyPatch):
    source = pictures(3, 1)
    extractor, x = Inception(str(known)).of(source, CPU), images(source)
    h = extractor.features(x)
    monkeypatch.setattr(inception, "through", None)  # would fail
    extractor.probabilities(x)
    assert torch.equal(extractor.features(x), h)
    monkeypatch.undo()
    x.neg_()
    assert not torch.equal(extractor.features(x), h)


def test_global_random_numbers_are_left_alone(known: Path):
    before = torch.random.get_rng_state()
    inception.network(known)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("name", [inception.FILE, inception.ALIKE])
def test_torchs_cache_is_looked_into(name: str, known: Path, home: Path):
    home.mkdir(parents=True)
    (home / name).symlink_to(known)
    assert of(None).sha256 == inception.SHA256


class Trap:
    """What runs when it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (Path("sprung"),)


@pytest.mark.parametrize("content", [b"", b"weights", pickle.dumps(Trap())])
def test_any_other_file_is_refused_unread(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / inception.FILE
    path.write_bytes(content)
    with pytest.raises(BadFile, match="not torch-fidelity's"):
        of(str(path))
    assert not Path("sprung").exists()
    with pytest.raises(BadFile, match=r"missing\.pth: No such file"):
        of(str(tmp_path / "missing.pth"))


def test_the_digest_is_that_of_the_name():
    assert inception.FILE.endswith(f"{inception.SHA256[:8]}.pth")
    assert inception.ALIKE.endswith(f"{inception.SHA256[:8]}.pth")


def test_without_network_one_line_says_where_to_get_them(
    home: Path, monkeypatch: pytest.MonkeyPatch
):
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody answers there
    monkeypatch.setattr(fetch, "PATIENCE", 2.0)
    began = time.monotonic()
    with pytest.raises(UserMistake, match=r"extractor\.weights=FILE") as told:
        of(None)
    assert time.monotonic() - began < 10
    said = str(told.value)
    assert "\n" not in said
    assert all(word in said for word in (inception.FILE, "GitHub", str(home), "extractor=judge"))


def test_a_download_of_something_else_is_not_kept(home: Path, monkeypatch: pytest.MonkeyPatch):
    def download(url: str, target: str, sha256: str, progress: bool) -> None:
        assert url.endswith(inception.FILE)
        assert sha256 == inception.SHA256
        Path(target).write_bytes(b"something else")
        raise RuntimeError("invalid hash value")

    monkeypatch.setattr(fetch, "_reach", lambda _: None)
    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    with pytest.raises(UserMistake, match="invalid hash"):
        of(None)
    assert not (home / inception.FILE).exists()


def test_what_is_downloaded_is_kept(known: Path, home: Path, monkeypatch: pytest.MonkeyPatch):
    def download(_: str, target: str, sha256: str, progress: bool) -> None:
        Path(target).write_bytes(known.read_bytes())

    monkeypatch.setattr(fetch, "_reach", lambda _: None)
    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    of(None)
    assert (home / inception.FILE).read_bytes() == known.read_bytes()


def of(weights: str | None) -> Extractor:
    return Inception(weights).of(pictures(3), CPU)
