"""The benchmarks compare what they say: the same networks, the same losses, ratios of pairs."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from benchmarks import chart, growth, photos, quality_time, race, reference, speed, speed_page
from benchmarks.kernels import Kernels
from benchmarks.race import Entry, Ratio
from benchmarks.reference import GAMES, NETS, Game
from benchmarks.speed_cases import CASES
from benchmarks.speed_training import TRAININGS, ema_mb
from gan_cli import build, session
from gan_cli.batch import Batch
from gan_cli.bench.work import Counted, flops
from gan_cli.method.gan import GAN
from tests.laws.test_convolution import Seen

LAYERS = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm2d)
NAMES = sorted(TRAININGS)


def nets(words: str, game: Game) -> tuple[nn.Module, nn.Module]:
    """gan's networks of that command, for the same images."""
    kept = [word for word in words.split() if not word.startswith("dataset")]
    model = build.parts(build.compose(*kept)).model
    return model.generator(game.shape), model.discriminator(game.shape)


def size(net: nn.Module) -> int:
    return sum(weight.numel() for weight in net.parameters())


def counted(net: nn.Module, *shape: int) -> int:
    """Operations of a forward pass."""
    return flops(lambda: net.eval()(torch.zeros(2, *shape)))


def layers(net: nn.Module) -> list[int]:
    """How many there are of each kind that has weights."""
    return [sum(isinstance(m, kind) for m in net.modules()) for kind in LAYERS]


@pytest.mark.parametrize("name", NAMES)
def test_the_plain_networks_are_those_of_gan(name):
    case = TRAININGS[name]
    game = GAMES[case.game]
    plain, own = NETS[game.family](game), nets(case.words, game)
    for shape, a, b in zip(((game.nz,), game.shape), plain, own, strict=True):
        assert size(a) == size(b) > 0
        assert counted(a, *shape) == counted(b, *shape) > 0
        assert layers(a) == layers(b)
    held = [*plain[0].parameters(), *plain[0].buffers()]
    assert ema_mb(case.game) == pytest.approx(4e-6 * sum(t.numel() for t in held), rel=0.06)


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_is_as_large_in_both(name):
    case = TRAININGS[name]
    config = build.compose(*case.words.split())
    assert config["batch_size"] == GAMES[case.game].batch
    assert config["n_critic"] == {"wgan_gp": reference.CRITIC}.get(GAMES[case.game].rules, 1)


def as_in(own: nn.Module, plain: nn.Module) -> None:
    """Give the plain network the weights of the other."""
    for kind in LAYERS:
        pairs = ([m for m in net.modules() if isinstance(m, kind)] for net in (own, plain))
        for mine, other in zip(*pairs, strict=True):
            other.load_state_dict(mine.state_dict())


def game_of(name: str, place: Any) -> tuple[GAN, Tensor]:
    """gan's game of that case on a few images, and a batch of them."""
    case = TRAININGS[name]
    channels, side, _ = GAMES[case.game].shape
    words = [word for word in case.words.split() if not word.startswith(("dataset", "batch"))]
    data = f"dataset=folder dataset.size={side} dataset.channels={channels} dataset.cache=null"
    typed = [*words, *data.split(), f"dataset.path={place}", "batch_size=8"]
    config = build.compose(*typed, "hardware.precision=float32", "hardware.device=cpu")
    made = session.make(config, build.parts(config), torch.device("cpu"))
    return made.game, made.feed(0).x


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    return photos.folder(tmp_path_factory.mktemp("photos"), 8)


@pytest.mark.parametrize("name", NAMES)
def test_from_the_same_weights_and_batch_both_have_the_same_losses(name, few, monkeypatch):
    game = replace(GAMES[TRAININGS[name].game], batch=8)
    own, real = game_of(name, few)
    plain = NETS[game.family](game)
    as_in(own.G.net, plain[0])
    as_in(own.D.net, plain[1])
    z = torch.randn(8, game.nz)
    own.prior = lambda n, dim, device: z
    share = torch.rand(8, 1, 1, 1)
    monkeypatch.setattr(torch, "randn", lambda *_, **__: z)
    monkeypatch.setattr(torch, "rand", lambda *_, **__: share)
    course = reference.TRAIN[game.rules](*plain, [(real, 0)], torch.device("cpu"), game)
    other = next(course)
    monkeypatch.setattr(torch, "rand", lambda *_, **__: 1 - share)  # from the other end
    batch = Batch(real)
    for _ in range(own.turns.critic):
        d = own.d_step(batch)
    g = own.g_step(batch)
    paid = d.get("penalty/gp", torch.zeros(()))
    assert float(d["loss/d"] + paid) == pytest.approx(other["d"], rel=2e-4, abs=2e-4)
    assert float(g["loss/g"]) == pytest.approx(other["g"], rel=2e-3, abs=2e-3)
    if "penalty" in other:
        assert float(paid) == pytest.approx(reference.LAMBDA * other["penalty"], rel=1e-3)


def test_the_plain_r1_is_that_of_gan():
    """γ/2 of the squared norm: of a linear D it is known."""
    weight = torch.tensor([3.0, 4.0])
    x = torch.randn(5, 2, requires_grad=True)
    assert torch.allclose(reference.squared_slope(x @ weight, x), torch.full((5,), 25.0))


def test_operations_are_those_of_products_and_convolutions():
    x, net = torch.randn(4, 8), nn.Linear(8, 16)
    with Counted() as counted_:
        net(x).sum().backward()
    assert counted_.flops == 2 * (2 * 4 * 8 * 16)  # forward, and the slope in the weights
    with Counted() as counted_:
        nn.Conv2d(3, 5, 3, padding=1)(torch.randn(2, 3, 6, 6))
    assert counted_.flops == 2 * 2 * 36 * 3 * 5 * 9


def test_a_penalty_that_differentiates_twice_can_be_counted():
    net = nn.Sequential(nn.Flatten(), nn.Linear(4, 1))
    with Counted() as counted_:
        reference.gradient_penalty(net, torch.zeros(2, 1, 2, 2), torch.ones(2, 1, 2, 2)).backward()
    assert counted_.flops > 0


def test_ratios_are_of_neighbours():
    """A slow moment that meets both leaves the ratio alone."""
    told = Ratio.of([10.0, 100.0, 20.0, 10.0, 11.0], [5.0, 50.0, 10.0, 5.0, 5.0])
    assert (told.median, told.low, told.high) == (2.0, 2.0, 2.0)
    assert told.pairs == [2.0, 2.0, 2.0, 2.0, 2.2]
    assert Ratio.of([3.0], [2.0]) == Ratio(1.5, 1.5, 1.5, [1.5])
    assert race.quartiles([1, 2, 3, 4, 5]) == (2, 3, 4)
    with pytest.raises(ValueError, match="no pair"):
        Ratio.of([], [])
    with pytest.raises(ValueError, match="zip"):
        Ratio.of([1.0], [])


def test_an_entry_tells_milliseconds_a_step():
    entry = Entry([], blocks=[{"seconds": 0.5, "steps": 10}, {"seconds": 1.0, "steps": 10}])
    assert entry.ms == [50, 100]


def test_results_are_kept_case_by_case_and_dropped_on_another_machine(tmp_path, monkeypatch):
    path = tmp_path / "speed.json"
    race.kept(path, "a", {"x": 1})
    race.kept(path, "b", {"x": 2})
    race.kept(path, "a", {"x": 3})
    found = json.loads(path.read_text())
    assert {name: case["x"] for name, case in found["cases"].items()} == {"a": 3, "b": 2}
    assert found["machine"]["torch"] == torch.__version__
    monkeypatch.setattr(race, "machine", lambda device: {"processor": "another"})
    race.kept(path, "c", {"x": 4})
    assert [*json.loads(path.read_text())["cases"]] == ["c"]


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_photos_are_the_same_each_time_and_cost_what_photographs_do(few):
    paths = sorted(few.rglob("*.jpg"))
    assert len(paths) == 8
    assert {pixels(path).shape for path in paths} == {(photos.HEIGHT, photos.WIDTH, 3)}
    assert 4_000 < np.mean([path.stat().st_size for path in paths]) < 12_000
    again = few.parent / "again.jpg"
    photos.photo(5).save(again, quality=photos.QUALITY)
    assert again.read_bytes() == paths[5].read_bytes()
    assert len({path.read_bytes() for path in paths}) == 8
    assert photos.folder(few.parent, 8) == few
    assert [len(part) for part in photos.chunks(600)] == [250, 250, 100]


@pytest.mark.training
def test_contenders_take_turns_and_are_counted(tmp_path):
    (tmp_path / "cache").mkdir()
    words = ["dataset=digits", "model=mlp", "batch_size=8"]
    entries = {
        "ours": Entry(["ours", *words], steps=3),
        "bare": Entry(["bare", *words], steps=2),
        "peak": Entry(["peak", "cpu"], warm=0, steps=1, counts=False),
    }
    env = race.environment(tmp_path, 1) | {"GAN_DATA": str(tmp_path)}
    race.race(entries, env, tmp_path, pairs=2, seconds=0.01)
    whole, bare = entries["ours"], entries["bare"]
    assert [block["steps"] for block in whole.blocks] == [3, 3]
    assert min(whole.ms + bare.ms) > 0
    assert whole.tally["flops"] == bare.tally["flops"] > 1e6
    assert whole.tally["memory"]["peak_mb"] > 100
    assert whole.tally["picked"]["precision"] == "float32"
    assert whole.tally["picked"]["threads"] == 1
    assert entries["peak"].tally["peak"]["float32"] > 1e9
    with pytest.raises(RuntimeError, match="there is no"):
        race.race({"a": Entry(["ours", "loss=none_such"])}, env, tmp_path, 1, 0.01)


def test_a_quick_case_goes_into_the_file(tmp_path, capsys):
    speed.main(
        ["saving", "--quick", "--json", str(tmp_path / "x.json"), "--scratch", str(tmp_path)]
    )
    found = json.loads((tmp_path / "x.json").read_text())
    case = found["cases"]["saving"]
    assert case["seconds"]["gan, a checkpoint"] > 0
    assert len(case["ratio"]["against torch.save"]["pairs"]) == 2 * speed.QUICK["pairs"]
    assert "saving" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        speed.main(["none_such"])
    assert "there is no such case" in capsys.readouterr().err


def test_the_page_is_written_between_its_marks(tmp_path):
    page, results = tmp_path / "page.md", tmp_path / "speed.json"
    race.kept(results, "overhead-mlp", OVERHEAD)
    race.kept(results, "mlp", GAME)
    page.write_text("a\n<!-- training: begin -->\nold\n<!-- training: end -->\nb\n")
    speed_page.write(page, results)
    shown = page.read_text()
    assert (shown[:2], shown[-2:]) == ("a\n", "b\n")
    assert "old" not in shown
    rows = speed_page.marked(shown, "training").splitlines()[2:]
    assert (
        "| `mlp` | defaults | 6.0 | 2.0 | 3.0× (2.5 to 3.5) | 5.0× | no | 6.0× | 50 % | 1.5 |"
        in rows
    )
    assert speed_page.marked(shown, "training") == speed_page.trainings({"mlp": GAME})
    assert "+1.5 % (+1.0 to +2.0 %)" in speed_page.others({"overhead-mlp": OVERHEAD})


GAME = {
    "ms": {"reference": 6.0, "ours": 2.0},
    "ratio": {"ours": {"median": 3.0, "low": 2.5, "high": 3.5}},
    "bars": {"ours": 5},
    "roofline": {
        "ours": {
            "precision": "float32",
            "least_ms": 1.0,
            "largest_ratio": 6.0,
            "share_of_peak": 0.5,
            "kernels_ms": 1.5,
            "largest_by_kernels": 4.0,
        }
    },
    "flops": {"ours": 5e8},
    "picked": {"ours": {"threads": 2}},
    "memory": {
        "reference": {"peak_mb": 700, "workers_mb": 0},
        "ours": {"peak_mb": 800, "workers_mb": 0},
    },
    "ema_mb": 1.4,
    "data_mb": 45,
    "peak": {"float32": 5e11},
}
OVERHEAD = {
    "what": "log",
    "ms": {"ours": 2.1, "bare": 2.0},
    "percent": {"median": 1.5, "low": 1, "high": 2},
}


def test_the_page_shows_what_was_found():
    page = speed_page.PAGE.read_text()
    for name, text in speed_page.sections().items():
        assert speed_page.marked(page, name) == text, "python benchmarks/speed.py --write"


@pytest.mark.skipif(not speed_page.RESULTS.exists(), reason="needs what benchmarks/speed.py found")
def test_every_case_was_measured():
    assert {*json.loads(speed_page.RESULTS.read_text())["cases"]} == {*CASES}


def test_a_bar_that_was_missed_is_told_with_what_the_machine_allows():
    told = speed_page.missed({"mlp": GAME})
    assert "`mlp`, defaults: 3.0× where 5.0× was asked for" in told
    assert "more than 6.0× is not to be had. gan reaches 50 % of that" in told
    assert "alone take 1.5 ms" in told
    assert "more than 4.0× is not to be had" in told
    reached = GAME | {"bars": {"ours": 2}}
    assert speed_page.missed({"mlp": reached}) == "All of them are reached."


def test_kernels_are_the_products_and_convolutions_of_a_step():
    linear, conv = nn.Linear(5, 3), nn.Conv2d(2, 4, 3)
    x, image = torch.randn(7, 5), torch.randn(2, 2, 8, 8)
    with Kernels(nullcontext) as noted:
        (linear(x).relu().sum() + conv(image).sin().sum()).backward()
    noted()
    assert noted.told()["kernels"] == 2 + 2  # forward; the images ask for no gradient
    assert 0 < noted.told()["kernels_ms"] < 1000
    with Seen() as seen:
        noted()
    calls = Counter(seen.names)
    twice = {"addmm": 2, "convolution": 2, "convolution_backward": 2, "mm": 2}
    assert {name: calls[name] for name in twice} == twice
    assert "relu" not in calls


def test_charts_are_pictures(tmp_path):
    case = {"x": "a", "y": "b", "at": [1, 2, 4], "lines": {"MLP": [1, 2, 3], "DCGAN": [3, 2, 1]}}
    drawn = [*growth.pictures({"batch": case, "length": case}, tmp_path)]
    assert [path.name for path in drawn] == ["growth-batch.png", "growth-length.png"]
    for path in drawn:
        assert pixels(path).shape == (chart.HEIGHT, chart.WIDTH, 3)
        assert pixels(path).std() > 1


def test_the_pieces_of_a_run_are_timed():
    beside = growth.Growing(2)
    beside.begins("")
    assert [beside(step) for step in range(1, 7)] == [""] * 6
    assert len(beside.rates) == len(beside.held) == 3
    assert min(beside.rates + beside.held) > 0


def test_a_level_is_reached_when_it_is_first_met():
    told = quality_time.reached([1.0, 2.0, 3.0, 4.0], [60.0, 18.0, 30.0, 9.0])
    assert told == {"50": 2.0, "20": 2.0, "10": 4.0, "5": None}
