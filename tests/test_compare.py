"""`gan compare`: nothing in the table that isn't in the files, and what differences are worth."""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
import os
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy import stats

from gan_cli import cli_compare
from gan_cli.errors import UserMistake
from gan_cli.plot.grid import gap_of
from gan_cli.record import Record
from gan_cli.study.averaged import Course, averaged
from gan_cli.study.folder import Folder
from gan_cli.study.leaderboard import board
from gan_cli.study.ledger import Job, Ledger
from gan_cli.study.paired import ONE, SAME, UNSHARED, Spread, difference
from gan_cli.study.reach import between
from gan_cli.study.result import read
from gan_cli.study.settings import natural, telling
from gan_cli.study.where import Condition
from gan_cli.tail import row_at
from gan_cli.train import launch
from tests.games import composed

PROTOCOL: dict[str, Any] = dict(
    zip(
        ("data", "fingerprint", "split", "extractor", "features", "resize", "weights"),
        ("ring", "f" * 64, "all", "raw", "0" * 64, "none", "averaged"),
        strict=True,
    )
)
PROTOCOL |= {"real": 500, "fake": 500, "conditions": "unconditional"}
PROTOCOL |= {"settings": {"frechet": {}, "modes": {}}}
BETTER = {"frechet": -1, "modes": 1, "share": 0}
STEPS = 100


def scores(step: int, figures: dict[str, float], **protocol: Any) -> dict[str, Any]:
    """A row of evaluations.jsonl."""
    measured = {
        name: {"value": value, "low": None, "high": None, "floor": None, "metric": metric(name),
               "words": "", "better": BETTER[name]}
        for name, value in figures.items()
    }  # fmt: skip
    told = {"protocol": PROTOCOL | protocol, "figures": measured, "refused": {}, "interval": "",
            "seed": 0, "checkpoint": {"step": step}, "format": "gan-evaluation/1"}  # fmt: skip
    return {"step": step, "scores": told}


def metric(name: str) -> str:
    return name if name in PROTOCOL["settings"] else "modes"


def run(
    path: Path,
    seed: int = 0,
    figures: dict[str, float] | None = None,
    state: str = "done",
    protocol: dict[str, Any] | None = None,
    **settings: Any,
) -> Path:
    """A run directory whose figures fall to their values in ten evaluations."""
    path.mkdir(parents=True)
    config = {"seed": seed, "steps": STEPS, "outputs": str(path.parent), "optimizer": {"lr": 1e-4}}
    choices = {"loss": settings.pop("loss", "hinge"), "dataset": "ring"}
    for key, value in settings.items():
        root, _, leaf = key.partition("__")
        config[root] = {leaf: value} if leaf else value
    typed = [f"loss={choices['loss']}", f"seed={seed}", *(k.replace("__", ".") for k in settings)]
    record = Record.make(config, choices, typed, ["gan", "train", *typed])
    (path / "run.json").write_text(record.to_json())
    steps = range(10, STEPS + 1, 10)
    lines = [{"step": s, "images": 64 * s, "loss/d": 1 / s, "loss/g": s} for s in steps]
    write_rows(path / "metrics.jsonl", lines)
    write_rows(path / "clock.jsonl", [{"step": s, "seconds": s / 4} for s in steps])
    if figures is not None:
        told = [{n: v * STEPS / s for n, v in figures.items()} for s in steps]
        rows = [scores(s, one, **protocol or {}) for s, one in zip(steps, told, strict=True)]
        write_rows(path / "evaluations.jsonl", rows)
    status = {"format": "gan-status/1", "state": state, "step": STEPS, "steps": STEPS}
    (path / "status.json").write_text(json.dumps(status | {"reason": "x" * (state == "failed")}))
    return path


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def study(tmp_path, monkeypatch) -> Path:
    """Two losses and three seeds: wgan is better by 2 with every seed, and seeds differ by more."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    for loss, seed in itertools.product(("hinge", "wgan"), range(3)):
        value = 20 + 10 * seed + 0.1 * seed**2 - 2 * (loss == "wgan") * (1 + 0.1 * seed)
        run(tmp_path / "outputs" / f"{loss}-{seed}", seed, {"frechet": value}, loss=loss)
    return tmp_path / "outputs"


def told(capsys, *arguments: str | Path) -> str:
    assert cli_compare.main([*map(str, arguments)]) == 0
    return capsys.readouterr().out


def table(capsys, *arguments: str | Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(told(capsys, *arguments, "--format", "csv"))))


def test_means_deviations_and_paired_intervals_are_those_of_scipy(study, capsys):
    rows = {row["loss"]: row for row in table(capsys, study)}
    values = {
        loss: [read(Folder(study / f"{loss}-{s}")).figures["frechet"].value for s in range(3)]
        for loss in ("hinge", "wgan")
    }
    for loss, each in values.items():
        assert float(rows[loss]["frechet"]) == pytest.approx(np.mean(each), rel=1e-14)
        assert float(rows[loss]["frechet deviation"]) == pytest.approx(np.std(each, ddof=1))
        assert rows[loss]["frechet n"] == "3"
    paired = stats.ttest_rel(values["hinge"], values["wgan"]).confidence_interval(0.95)
    hinge = rows["hinge"]
    got = float(hinge["frechet low"]), float(hinge["frechet high"])
    assert got == pytest.approx((paired.low, paired.high), rel=1e-12)
    # seeds differ by more than losses do: unpaired nothing could be told
    assert stats.ttest_ind(values["hinge"], values["wgan"]).pvalue > 0.5
    assert (hinge["frechet which is"], rows["wgan"]["frechet which is"]) == ("worse", "reference")


PAIRS = st.lists(st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)), min_size=2, max_size=20)


@given(PAIRS)
def test_the_interval_of_pairs_is_scipys(pairs):
    mine, other = (dict(enumerate(each)) for each in zip(*pairs, strict=True))
    found = difference(mine, other, 1)
    gaps = np.array([a - b for a, b in pairs])
    assert found.n == len(pairs)
    if np.ptp(gaps) < 1e-6:
        return
    wanted = stats.ttest_rel(*zip(*pairs, strict=True)).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high), rel=1e-6, abs=1e-6)


def test_what_cannot_be_told_is_said():
    assert Spread.of([]) is None
    assert Spread.of([3.0]) == Spread(1, 3.0, None)
    assert Spread.of([0.1] * 3) == Spread(3, 0.1, 0.0)
    assert difference({0: 1.0}, {0: 2.0}, 1).words == ONE
    assert difference({0: 1.0, 1: 2.0}, {2: 1.0, 3: 2.0}, 1).words == UNSHARED
    assert difference({0: 1.0, 1: 2.0}, {0: 2.0, 1: 1.0}, 1).words == SAME
    assert math.isnan(Spread.of([1.0, math.nan]).mean)


@pytest.mark.parametrize("better", [-1, 0, 1])
def test_better_and_worse_are_a_matter_of_the_figure(better):
    found = difference({0: 1.0, 1: 2.1, 2: 3.0}, {0: 9.0, 1: 10.0, 2: 11.1}, better)
    assert found.words == {-1: "better", 0: "differs", 1: "worse"}[better]


def test_the_order_of_runs_and_of_what_is_named_changes_nothing(study, capsys):
    runs = sorted(study.iterdir())
    wanted = told(capsys, *runs)
    for seed in range(5):
        random.Random(seed).shuffle(runs)
        assert told(capsys, *runs) == wanted
    assert told(capsys, study) == wanted
    assert told(capsys, study, runs[0], runs[0]) == wanted


def test_what_the_columns_are_is_no_matter_of_order_either(tmp_path, capsys):
    run(tmp_path / "a", 0, {"frechet": 1.0}, optimizer__lr=1e-3, n_critic=2)
    run(tmp_path / "b", 0, {"modes": 1.0, "frechet": 2.0}, n_critic=5, optimizer__lr=1e-4)
    run(tmp_path / "c", 0, {"share": 1.0, "modes": 2.0}, loss="wgan", pack=2)
    every = [told(capsys, *order) for order in itertools.permutations(sorted(tmp_path.iterdir()))]
    assert len(set(every)) == 1


def test_every_number_of_a_run_is_in_its_files(study, capsys):
    for row in table(capsys, study, "--runs", "--figures", "frechet,loss/d"):
        lines = (Path(row["path"]) / "evaluations.jsonl").read_text().splitlines()
        last = json.loads(lines[-1])["scores"]["figures"]["frechet"]["value"]
        assert float(row["frechet"]) == last
        assert float(row["loss/d"]) == 1 / STEPS
        assert row["path"] == f"{study}/{row['loss']}-{row['seed']}"


def test_a_group_of_one_seed_has_no_deviation_and_is_no_reference(study, capsys):
    run(study / "lucky", 7, {"frechet": 1.0}, loss="lucky")
    rows = table(capsys, study)
    assert [row["loss"] for row in rows] == ["lucky", "wgan", "hinge"]  # the best first
    assert rows[0]["frechet deviation"] == ""
    assert rows[0]["frechet which is"] == UNSHARED
    assert rows[1]["frechet which is"] == "reference"
    line = told(capsys, study).splitlines()[2]
    assert line.startswith("lucky")
    assert "±" not in line


def test_only_what_differs_is_a_column(tmp_path, capsys):
    for seed, lr in itertools.product(range(2), (1e-4, 1e-3)):
        where = tmp_path / f"{seed}-{lr}" / "here"
        run(where, seed, {"frechet": 1.0}, optimizer__lr=lr, run_dir=str(where), log_every=seed)
    text = told(capsys, tmp_path)
    assert text.splitlines()[0].split()[:2] == ["optimizer.lr", "frechet"]
    (row,) = table(capsys, tmp_path / "0-0.0001")
    assert row["settings"] == "the same"


def test_what_a_choice_brings_along_is_no_column_of_its_own():
    runs = [
        {"loss": "hinge", "n_critic": 1, "optimizer.lr": 1e-4, "new": 1},
        {"loss": "wgan", "n_critic": 5, "optimizer.lr": 1e-4},
        {"loss": "wgan", "n_critic": 5, "optimizer.lr": 1e-3},
        {"loss": "hinge", "n_critic": 1, "optimizer.lr": 1e-4},  # of an earlier version
    ]
    assert telling(runs, [["loss"]] * 4) == ["loss", "optimizer.lr"]
    assert telling(runs, [[]] * 4) == ["loss", "optimizer.lr"]
    assert telling(runs, [["n_critic"]] * 4)[0] == "n_critic"
    assert telling(runs, [["new"], [], [], []]) == ["new", "loss", "optimizer.lr"]
    assert telling(runs[:1] * 2, [["loss"]] * 2) == []


def test_a_seed_that_is_there_twice_counts_once(study, capsys):
    again = run(study / "again", 0, {"frechet": 999.0})
    (again / "status.json").unlink()
    write_rows(again / "metrics.jsonl", [{"step": 50}])
    rows = {row["loss"]: row for row in table(capsys, study)}
    assert rows["hinge"]["frechet n"] == "3"
    assert float(rows["hinge"]["frechet"]) < 100
    assert "1 run of a seed that another has trained as long, or longer" in told(capsys, study)


def test_figures_of_unlike_protocols_are_not_compared_but_told(study, capsys):
    run(study / "other", 3, {"frechet": 0.1}, protocol={"fake": 50}, loss="hinge")
    rows = {row["loss"]: row for row in table(capsys, study)}
    assert (rows["hinge"]["runs"], rows["hinge"]["frechet n"]) == ("4", "3")
    assert "as 1 run measured otherwise (fake: 50, 500): frechet" in told(capsys, study)
    changed = {"settings": {"frechet": {"n": 1}, "modes": {}}}
    run(study / "third", 4, {"frechet": 0.1, "modes": 2.0}, protocol=changed, loss="hinge")
    rows = {row["loss"]: row for row in table(capsys, study)}
    assert (rows["hinge"]["frechet n"], rows["hinge"]["modes n"]) == ("3", "1")


def test_runs_that_came_to_no_good_are_shown_and_counted(study, capsys):
    run(study / "failed", 5, None, "failed", loss="wgan")
    run(study / "broken").joinpath("run.json").write_text("{" * 99)
    text = told(capsys, study)
    assert "8 runs in 2 groups: 6 done, 1 failed, 1 unreadable" in text
    assert "failed: loss=wgan seed=5: x" in text
    assert "3 done, 1 failed" in text
    assert "broken" in text


def test_jobs_of_a_sweep_without_a_run_are_counted(study, capsys):
    known = Job("loss=hinge seed=0", ["loss=hinge"], str(study / "hinge-0"), "done")
    refused = Job("loss=nope", ["loss=nope"], str(study / "none"), "failed", "no such loss")
    waiting = Job("loss=wgan seed=9", ["loss=wgan"], str(study / "wgan-9"))
    place = study / "sweeps" / "mine"
    Ledger.open(place, "gan train -m loss=hinge", [known, refused, waiting])
    text = told(capsys, place)
    assert "1 run in 1 group: 1 done" in text
    assert "jobs without a run: 1 pending, 1 failed" in text
    assert "failed: loss=nope: no such loss" in text
    (place / "ledger.json").write_text("{")
    assert "6 runs in 2 groups" in told(capsys, study)


END = ['{"step": 110, "sco', "\x00\x00", '{"step": 110, "scores": {"format": "x"}}\n', "[]\n"]


@pytest.mark.parametrize("end", END)
def test_a_run_that_is_being_written_is_read_as_far_as_it_is(study, capsys, end):
    wanted = table(capsys, study)
    for name in ("evaluations.jsonl", "metrics.jsonl", "clock.jsonl"):
        with (study / "hinge-1" / name).open("a") as file:
            file.write(end)
    assert table(capsys, study, "--reach", "frechet<=40")[0]["frechet<=40 reached"] == "3"
    assert [row["frechet"] for row in table(capsys, study)] == [row["frechet"] for row in wanted]


def test_files_and_directories_may_vanish_or_wait_for_a_writer(study, capsys, monkeypatch):
    for name in ("evaluations.jsonl", "metrics.jsonl", "clock.jsonl", "status.json"):
        (study / "hinge-2" / name).unlink()
    os.mkfifo(study / "hinge-2" / "metrics.jsonl")
    assert "6 runs in 2 groups" in told(capsys, study)
    found = cli_compare.find

    def vanishing(paths):
        folders = found(paths)
        shutil.rmtree(study / "wgan-1")
        return folders

    monkeypatch.setattr(cli_compare, "find", vanishing)
    assert "1 unreadable" in told(capsys, study, "--reach", "frechet<=40")


def test_what_strangers_wrote_is_shown_and_does_nothing(tmp_path, capsys):
    bad = "=cmd|' /C calc'!A0 <script>\x1b[31m"
    run(tmp_path / "a", 0, {"frechet": 1.0}, loss=bad)
    run(tmp_path / "b", 0, {"frechet": 2.0})
    for form in ("table", "csv", "markdown", "latex", "html"):
        text = told(capsys, tmp_path, "--format", form)
        assert "\x1b" not in text
    assert "<script>" not in told(capsys, tmp_path, "--format", "html")
    assert table(capsys, tmp_path)[0]["loss"].startswith("'=cmd")


@pytest.mark.parametrize(
    ("condition", "left"),
    [
        ("loss=hinge", 3),
        ("loss!=hinge", 3),
        ("loss=hinge,wgan", 6),
        ("seed<2", 4),
        ("optimizer.lr=1e-4", 6),
        ("frechet<30", 3),
        ("state=done", 6),
        ("step>=100", 6),
    ],
)
def test_conditions_choose_runs(study, capsys, condition, left):
    assert len(table(capsys, study, "--runs", "--where", condition)) == left


def test_conditions_of_numbers_words_and_nothing():
    assert Condition.read("a.b <= 1e-3") == Condition("a.b", "<=", "1e-3")
    assert Condition.read("x=true").holds({"x": True})
    assert Condition.read("x=null").holds({"x": None})
    assert not Condition.read("x<3").holds({"x": None})
    assert not Condition.read("x=3").holds({})
    assert Condition.read("x!=3").holds({})


WRONG = [
    (["--where", "los=hinge"], "did you mean loss"),
    (["--where", "loss"], "no condition"),
    (["--where", "loss=hing"], "loss is hinge, wgan"),
    (["--where", "seed<two"], "no number"),
    (["--figures", "frechett"], "did you mean frechet"),
    (["--against", "dataset=ring"], "2 groups"),
    (["--against", "loss=no"], "no group"),
    (["--sort", "fid"], "column"),
    (["--by", "lr"], "setting"),
    (["--reach", "recall<1"], "figure"),
    (["--at", "soon"], "whole number"),
    (["--out", "x.pdf"], "ends in"),
    (["--curves", "x.pdf"], "png"),
    (["nowhere"], "gan train"),
]


@pytest.mark.parametrize(("arguments", "words"), WRONG)
def test_mistakes_are_told_with_a_way_out(study, arguments, words):
    where = [] if arguments == ["nowhere"] else [str(study)]
    with pytest.raises(UserMistake, match=words):
        cli_compare.main([*where, *arguments])


def test_time_to_a_quality_in_steps_images_and_seconds(study, capsys):
    rows = table(capsys, study, "--reach", "frechet<=40", "frechet<=19")
    hinge = next(row for row in rows if row["loss"] == "hinge")
    came = [60, 80, 100]  # 20, 30.1 and 40.4 at step 100, as 1 / step: where each is at most 40
    came = [s for s, v in zip(came, (20, 30.1, 40.4), strict=True) if v <= 40]
    steps = [next(s for s in range(10, 101, 10) if v * STEPS / s <= 40) for v in (20, 30.1)]
    assert hinge["frechet<=40 reached"] == "2"
    assert float(hinge["frechet<=40 steps"]) == np.mean(steps)
    assert float(hinge["frechet<=40 images"]) == 64 * np.mean(steps)
    assert float(hinge["frechet<=40 seconds"]) == np.mean(steps) / 4
    assert hinge["frechet<=19 reached"] == "0"
    assert hinge["frechet<=19 steps"] == ""
    assert "never" in told(capsys, study, "--reach", "frechet<=19")
    assert "2 of 3" in told(capsys, study, "--reach", "frechet<=40")


def test_between_rows_time_goes_in_a_straight_line():
    assert between([10, 20], [1.0, 3.0], 15) == 2.0
    assert between([10, 20], [1.0, 3.0], 5) == 0.5
    assert between([10, 20], [1.0, 3.0], 21) is None
    assert between([], [], 1) is None


def test_runs_that_are_not_at_their_end_are_told_apart(study, capsys):
    assert "short of the end" not in told(capsys, study)
    status = study / "hinge-0" / "status.json"
    status.write_text(status.read_text().replace('"step": 100', '"step": 50'))
    assert "1 run short of the end" in told(capsys, study)


def test_at_a_step_or_at_its_best(study, capsys):
    rows = table(capsys, study, "--runs", "--at", "55", "--figures", "frechet,loss/d")
    first = next(row for row in rows if row["path"].endswith("hinge-0"))
    assert (float(first["frechet"]), float(first["loss/d"])) == (40.0, 1 / 50)
    worse = scores(110, {"frechet": 500.0})
    with (study / "hinge-0" / "evaluations.jsonl").open("a") as file:
        file.write(json.dumps(worse) + "\n")
    found = {at: table(capsys, study, "--runs", "--at", at) for at in ("last", "best")}
    value = {
        at: next(row["frechet"] for row in rows if row["path"].endswith("hinge-0"))
        for at, rows in found.items()
    }
    assert value == {"last": "500.0", "best": "20.0"}


def test_averaging_over_a_setting_pairs_by_it_too(study, capsys):
    for loss, seed in itertools.product(("hinge", "wgan"), range(2)):
        run(study / f"lr-{loss}-{seed}", seed, {"frechet": 90.0 + seed - (loss == "wgan")},
            loss=loss, optimizer__lr=1e-3)  # fmt: skip
    rows = {row["loss"]: row for row in table(capsys, study, "--by", "loss")}
    assert (rows["hinge"]["frechet n"], rows["hinge"]["frechet pairs"]) == ("5", "5")
    assert len(table(capsys, study)) == 4


def test_sorting_and_writing(study, capsys, tmp_path):
    wanted = [row["loss"] for row in table(capsys, study)]
    assert wanted == ["wgan", "hinge"]
    assert [row["loss"] for row in table(capsys, study, "--sort", "loss")] == wanted[::-1]
    assert [row["loss"] for row in table(capsys, study, "--reverse")] == wanted[::-1]
    runs = table(capsys, study, "--runs", "--sort", "frechet")
    assert sorted(runs, key=lambda row: float(row["frechet"])) == runs
    assert told(capsys, study, "--out", tmp_path / "new" / "t.md") == ""
    assert (tmp_path / "new" / "t.md").read_text().startswith("| loss |")
    assert natural("x-2") < natural("x-10")
    assert natural("1e-4") < natural("0.001")


def test_without_evaluations_the_last_losses_are_told_and_nothing_is_best(tmp_path, capsys):
    run(tmp_path / "a", 0)
    run(tmp_path / "b", 0, loss="wgan")
    head = told(capsys, tmp_path).splitlines()[0]
    assert head.split()[:3] == ["loss", "loss/d", "n"]
    assert "loss/g" in head
    assert "which is" not in head


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_table_fits_the_terminal(study, capsys, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    run(study / "failed", 5, None, "failed", loss="wgan_gp")
    lines = told(capsys, study, "--reach", "frechet<=40").splitlines()
    assert max(map(len, lines)) <= width
    assert "failed" in "".join(lines)


@given(
    st.lists(st.tuples(st.integers(1, 50), st.integers(0, 300)), max_size=30), st.integers(0, 60)
)
def test_the_row_of_a_step_is_found_without_reading_all(tmp_path_factory, rows, step):
    path = tmp_path_factory.getbasetemp() / "rows.jsonl"
    steps = sorted({number for number, _ in rows})
    pads = dict(rows)
    write_rows(path, [{"step": number, "pad": "x" * pads[number]} for number in steps])
    with path.open("a") as file:
        file.write('{"step": 51, "pad')  # being written
    wanted = [number for number in steps if number <= step]
    assert row_at(path, step).get("step") == (wanted[-1] if wanted else None)


def test_a_mean_curve_is_where_all_its_runs_are():
    first = Course((0.0, 10.0, 20.0), (0.0, 10.0, 20.0))
    other = Course((5.0, 15.0), (15.0, 25.0))
    found = averaged([first, other])
    assert found.at == [5.0, 10.0, 15.0]
    assert found.mean == [10.0, 15.0, 20.0]
    assert found.deviation == pytest.approx([math.sqrt(50)] * 3)
    assert averaged([other, first]) == found
    broken = Course((0.0, 1.0, 2.0), (1.0, math.nan, 3.0))
    assert averaged([broken]).at == [0.0]
    assert averaged([]).n == 0
    assert averaged([first, Course((30.0,), (1.0,))]).at == []


@pytest.mark.parametrize("over", ["step", "images", "seconds"])
def test_curves_are_drawn(study, capsys, tmp_path, over):
    out = tmp_path / "c.png"
    told(capsys, study, "--curves", out, "--over", over, "--figures", "frechet,loss/g")
    with Image.open(out) as image:
        assert image.width > 800
        assert len(np.unique(np.asarray(image.convert("RGB")).reshape(-1, 3), axis=0)) > 10


def test_what_was_measured_once_has_no_curve(tmp_path):
    one = run(tmp_path / "a", 0, {"frechet": 1.0})
    write_rows(one / "evaluations.jsonl", [scores(100, {"frechet": 1.0})])
    with pytest.raises(UserMistake, match="--curves"):
        cli_compare.main([str(tmp_path), "--curves", str(tmp_path / "c.png")])


@pytest.mark.parametrize("dataset", ["dataset=ring", "dataset=digits"])
def test_generators_are_shown_the_same_noise(tmp_path, capsys, dataset):
    model = {"dataset=ring": "model=mlp_toy", "dataset=digits": "model=mlp"}[dataset]
    quick = ["steps=1", "batch_size=4", "sample_every=1", "tensorboard=false", dataset, model]
    config = composed(*quick, f"run_dir={tmp_path / 'runs' / 'a'}")
    launch(config, {"loss": "hinge"}, quick, ["gan", "train"])
    shutil.copytree(tmp_path / "runs" / "a", tmp_path / "runs" / "b")
    record = tmp_path / "runs" / "b" / "run.json"
    record.write_text(record.read_text().replace('"hinge"', '"wgan"'))
    run(tmp_path / "runs" / "c", loss="none")  # nothing to draw from
    out = tmp_path / "g.png"
    assert cli_compare.main([str(tmp_path / "runs"), "--grids", str(out)]) == 0
    said = capsys.readouterr().err
    assert "loss=none: " in said
    assert "samples of 2 of 3 groups" in said
    with Image.open(out) as image:
        pixels = np.asarray(image.convert("L"), np.float64)
    if dataset == "dataset=digits":  # a row each, of the same generator and codes
        gap = gap_of(64, 64)
        tall, right = (len(pixels) - gap) // 2, pixels[:, pixels.shape[1] // 2 :]
        assert np.array_equal(right[:tall], right[tall : 2 * tall])
    assert pixels.std() > 1


def test_the_board_does_not_mind_where_results_come_from(study):
    results = [read(Folder(path)) for path in sorted(study.iterdir())]
    assert board(results).groups == board(results[::-1]).groups
