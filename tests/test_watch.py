"""Looks at a run while it trains: they change nothing, and are the same after a stop."""

from __future__ import annotations

import json
import math

import pytest
import torch

from gan_cli import build, train, watch
from gan_cli.diagnosis import Light, Look
from gan_cli.diagnosis.record import parse, row
from gan_cli.diagnosis.signs import replay
from gan_cli.errors import Stopped
from gan_cli.glance import Glance
from gan_cli.lately import Lately, failed, norms
from gan_cli.session import make
from tests.games import composed
from tests.watched import LOST, alike, rows, run, tensors

EVENTS = "tensorboard=true"


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    return run(tmp_path_factory.mktemp("watch") / "run", EVENTS)


def test_training_is_the_same_whether_it_is_looked_at_or_not(watched, tmp_path):
    plain = run(tmp_path / "plain", "diagnose.every=null")
    one, other = tensors(watched), tensors(plain)
    assert all(one[name].equal(other[name]) for name in one)
    assert not (plain / "diagnosis.jsonl").exists()
    told = [
        [
            {k: v for k, v in found.items() if k != "diagnosis/light"}
            for found in rows(d, "metrics.jsonl")
        ]
        for d in (watched, plain)
    ]
    assert told[0] == told[1]


@pytest.mark.training
@pytest.mark.parametrize(
    "game", ["task=label", "loss=wgan_gp n_critic=2", "method=vae", "task=semi"]
)
def test_that_holds_for_other_games_too(game, tmp_path):
    size = ("steps=6", "checkpoint_every=6", *game.split(), "batch_size=16")
    one = run(tmp_path / "a", *size)
    other = run(tmp_path / "b", *size, "diagnose.every=null")
    assert len(rows(one)) == 3
    assert all(v.equal(tensors(other)[name]) for name, v in tensors(one).items())


@pytest.mark.training
@pytest.mark.parametrize("stop", [1, 7, 8, 23])
def test_a_run_that_was_stopped_saw_the_same(watched, tmp_path, stop):
    with pytest.raises(Stopped):
        run(tmp_path / "b", stop_after=stop)
    run(tmp_path / "b")
    assert alike(tmp_path / "b", watched)


def test_a_row_a_look_and_its_light_in_the_metrics_from_there_on(watched):
    told = rows(watched)
    assert [one["step"] for one in told] == list(range(2, 25, 2))
    lights = {one["step"]: float(Light.of(one["light"])) for one in told}
    for one in rows(watched, "metrics.jsonl"):
        before = 2 * ((one["step"] - 1) // 2)
        assert one.get("diagnosis/light") == lights.get(before)


def test_rows_are_read_back_and_tell_the_same_again(watched):
    found = [parse(one) for one in rows(watched)]
    assert [row(look, told) for look, told in found] == rows(watched)
    assert list(replay([look for look, _ in found])) == [told for _, told in found]


@pytest.mark.parametrize(
    "spoiled",
    [
        {},
        {"step": 1, "signs": {}, "measured": []},
        {"step": 1.5, "signs": {}, "measured": {}},
        {"step": 1, "signs": {}, "measured": {"auc": math.nan}},
        {
            "step": 1,
            "signs": {"a": {"light": "blue", "value": 1, "limit": 1, "words": ""}},
            "measured": {},
        },
        {"step": 1, "signs": {"a": 3}, "measured": {}},
    ],
)
def test_a_row_that_is_none_is_refused(spoiled):
    with pytest.raises(ValueError, match="no (look|sign|light|row)"):
        parse(spoiled)


def test_tensorboard_has_the_signs_and_the_light(watched):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = EventAccumulator(str(watched / "tensorboard"))
    board.Reload()
    tags = board.Tags()["scalars"]
    assert {"diagnosis/light", "diagnosis/diversity", "diagnosis/gradients"} <= set(tags)
    assert [one.step for one in board.Scalars("diagnosis/diversity")] == list(range(2, 25, 2))


def test_a_change_is_told_once_and_that_it_is_over(tmp_path, capsys):
    run(tmp_path / "a", *LOST)
    said = [line for line in capsys.readouterr().out.splitlines() if " red: " in line]
    names = [line.split()[3] for line in said if line.startswith("warning: step")]
    assert len(names) == len(set(names)) > 0


def test_a_light_that_flickers_is_not_told_again():
    told = watch.Watch.__new__(watch.Watch)
    told.looks, told.told, told.said = [], [], {}
    told.lights, told.known = [], set()
    values = [1.0, 0.5, 1.0, 0.5, 1.0, 0.5, 1.0, 1.0, 0.5]
    looks = [Look(step, {"diversity": value}) for step, value in enumerate(values)]
    heard = [told._note(look, signs) for look, signs in zip(looks, replay(looks), strict=True)]
    assert [worse for worse, _ in heard] == [
        [],
        ["diversity"],
        [],
        [],
        [],
        [],
        [],
        [],
        ["diversity"],
    ]
    assert [better for _, better in heard] == [[], [], [], [], [], [], [], ["diversity"], []]


def test_a_console_in_plain_lines_ends_with_the_light(watched, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("gan_cli.console.PLAIN_EVERY", 0.0)
    run(tmp_path / "a", *LOST)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("step 20/")]
    assert ["red: " in line or "yellow: " in line for line in lines] == [True]


def test_what_is_read_of_the_rows_is_what_is_new(tmp_path):
    path = tmp_path / "metrics.jsonl"
    told = [{"step": step, "grad_norm/g": 1.0 * step, "loss/g": 0.0} for step in range(1, 11)]
    path.write_text("".join(f"{json.dumps(one)}\n" for one in told[:6]))
    lately = Lately(path, 4)
    assert [one["step"] for one in lately.read()] == [5, 6]
    assert lately.read() == []
    with path.open("a") as file:
        file.write("".join(f"{json.dumps(one)}\n" for one in told[6:]) + '{"step": 11')
    new = lately.read()
    assert [one["step"] for one in new] == [7, 8, 9, 10]
    assert norms(new) == {"gradient/g": 8.5, "first/g": 8.5}
    assert failed(new) is None
    assert failed([{"step": 7.0}, {"step": 8.0, "loss/g": math.nan, "D/real": math.inf}]) == (8, 2)


def session(*overrides):
    config = composed("diagnose.n=64", "batch_size=8", "model.width=8", *overrides)
    parts = build.parts(config)
    return parts, make(config, parts, torch.device("cpu")), config


def seen(*overrides, steps=3):
    parts, made, config = session(*overrides)
    glance = Glance(made, parts, config)
    assert "diversity" not in glance()  # before G has learnt anything
    for step in range(steps):
        made.step(train.batches(made, step), step)
    return glance()


SAMPLES = {"diversity", "duplicates", "distance"}


@pytest.mark.parametrize(
    ("game", "there", "lacking"),
    [
        ("model=mlp", {"classes", "auc", "slope"}, {"overfit"}),
        ("model=mlp task=label", {"auc", "slope"}, {"classes"}),
        ("model=mlp loss=hinge pack=2 dataset.split=train", {"auc", "slope"}, set()),
        ("model=mlp loss=rahinge", {"auc", "slope", "classes"}, set()),
        ("model=autoencoder loss=began", {"auc", "slope"}, set()),
        ("model=mlp method=vae", {"classes"}, {"auc", "overfit", "slope"}),
        ("task=edges discriminator=patch", {"auc", "slope"}, {"classes"}),
        ("task=semi model=mlp auxiliary=semi", {"classes", "auc"}, set()),
        ("model=mlp_toy dataset=ring", {"classes", "auc"}, {"overfit"}),
        ("model=mlp_toy dataset=moons", {"auc"}, {"classes"}),
    ],
)
def test_of_every_kind_of_game_is_measured_what_makes_sense(game, there, lacking):
    told = seen(*game.split())
    assert SAMPLES | there <= told.keys()
    assert not lacking & told.keys()
    assert all(math.isfinite(value) for value in told.values())


def test_of_data_that_are_one_point_nothing_is_said():
    assert not SAMPLES & seen("model=mlp_toy", "dataset=dirac").keys()


def test_held_out_samples_are_shown_to_d_where_there_are_any():
    parts, made, config = session("model=mlp", "dataset.split=train")
    glance = Glance(made, parts, config)
    assert glance.halves is not None
    for step in range(60):
        made.step(train.batches(made, step), step)
    training = [module.training for module in made.game.D.net.modules()]
    assert abs(glance()["overfit"]) < 0.5
    assert training == [module.training for module in made.game.D.net.modules()]
