"""`gan report`: what its page says, that it fetches nothing, and how a browser sees it."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import math
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from gan_cli import cli
from gan_cli.doctor.history import seen
from gan_cli.plot import overlaid, plane
from gan_cli.plot.overlaid import Trace
from gan_cli.record import Record
from gan_cli.report import pictures
from gan_cli.report.asked import different
from gan_cli.report.columns import table
from gan_cli.report.lights import looks, strips
from gan_cli.scores import Measured, Protocol, Scores
from gan_cli.status import Status
from gan_cli.study.brief import brief
from gan_cli.study.folder import Folder
from gan_cli.study.leaderboard import Group
from gan_cli.study.ledger import Job, Ledger
from gan_cli.train import launch
from tests.conftest import ROOT
from tests.games import composed

EVIL = "<img src=x onerror='window.pwned=1'></script><script>window.pwned=1</script>&amp;"
PROTOCOL = Protocol("digits", "f" * 64, "all", 30, 30, "raw", "", "none", "averaged", "none", {})


def png(path: Path, side: int = 24, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (side, side, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def measured(step: int, value: float, name: str = "frechet") -> dict[str, Any]:
    figure = Measured(value, value - 1, value + 1, 0.5, "frechet", "Fréchet distance", -1)
    scores = Scores(PROTOCOL, {name: figure}, {}, "jackknife", 0, {"step": step})
    return {"step": step, "scores": json.loads(scores.to_json())}


def written(path: Path, *overrides: str, steps: int = 60, word: str = "", **more: Any) -> Path:
    """A run directory that nobody trained; `word` stands wherever a text can."""
    config = composed(*overrides)
    choices = {"loss": "nonsaturating", "model": "dcgan", "dataset": "digits"}
    choices |= dict(o.split("=") for o in overrides if "." not in o and o.split("=")[0] in choices)
    record = Record(
        command=f"gan train {' '.join(overrides)} {word}",
        overrides=list(overrides),
        choices=choices,
        config_dir=None,
        config_name=None,
        versions={"torch": "2", word or "python": word},
        git={"revision": word, "dirty": True},
        machine={"platform": word, "cpus": 2, "devices": [word]},
        config=config | ({"note": word} if word else {}),
        sessions=[{"started": word or "2026-01-02T03:04:05+00:00", "command": ""}],
    )
    path.mkdir(parents=True)
    (path / "run.json").write_text(record.to_json())
    status = {"step": steps, "steps": steps, "reason": word, "seconds": 12.0} | more
    Status(**{"state": "done", "started": "2026-01-02T03:04:05+00:00"} | status).write(path)
    rows = range(1, steps + 1)
    lines(path / "metrics.jsonl", [row(step) | ({word: 1.5} if word else {}) for step in rows])
    lines(path / "clock.jsonl", [{"step": s, "seconds": s / 5} for s in range(10, steps + 1, 10)])
    for step in range(20, steps + 1, 20):
        png(path / "samples" / f"step-{step:08d}.png", seed=step)
    return path


def row(step: int) -> dict[str, Any]:
    return {
        "step": step,
        "images": 64 * step,
        "loss/d": 1 / step,
        "loss/g": math.sin(step / 9),
        "D/real": 1.0,
        "D/fake": -1.0,
    }


def report(*words: str | Path) -> str:
    """The text of the page that the command writes."""
    assert cli.main(["report", *map(str, words)]) == 0
    names = [Path(word) for word in words if not str(word).startswith("--")]
    return (names[-1] if "--out" in words else names[0] / "report.html").read_text()


class Parts(HTMLParser):
    """The elements of a page, their attributes, and the text outside of scripts."""

    def __init__(self, text: str):
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text = ""
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside in ("script", "style"):
            self.scripts.append(data)
        else:
            self.text += data


def facts(page: str) -> dict[str, Any]:
    """What the page's script is given."""
    return json.loads(re.search(r'id="facts">(.*?)</script>', page, re.DOTALL)[1])


# columns


@given(
    st.lists(st.floats(-1e9, 1e9) | st.just(math.nan) | st.none(), min_size=1, max_size=300),
    st.integers(1, 20),
)
def test_few_blocks_hold_the_extremes_and_the_mean_of_all_rows(values, blocks):
    rows = []
    for step, value in enumerate(values, 1):
        told = "nan" if value is not None and math.isnan(value) else value
        rows.append({"step": step} | ({} if value is None else {"x": told}))
    found = table(rows, blocks)
    assert len(found.steps) < 2 * blocks or len(rows) <= 1
    assert found.steps[-1] == found.rows == len(rows)
    finite = [v for v in values if v is not None and math.isfinite(v)]
    if "x" not in found.columns:
        assert all(value is None for value in values)
        return
    column = found.columns["x"]
    assert len(column.mean) == len(found.steps)
    assert min((v for v in column.low if v is not None), default=None) == min(finite, default=None)
    assert max((v for v in column.high if v is not None), default=None) == max(finite, default=None)
    pairs = [(m, n) for m, n in zip(column.mean, column.counts, strict=True) if m is not None]
    assert sum(n for _, n in pairs) == len(finite)
    assert sum(m * n for m, n in pairs) == pytest.approx(sum(finite), rel=1e-9, abs=1e-3)
    broken = [s for s, v in enumerate(values, 1) if v is not None and math.isnan(v)]
    assert column.broke == (broken[0] if broken else None)


def test_few_rows_stand_as_they_are():
    found = table([row(step) for step in range(1, 200)])
    assert found.each == 1
    assert found.columns["loss/d"].mean == [1 / step for step in range(1, 200)]


def test_a_spike_between_the_points_is_in_the_shade(tmp_path):
    rows = [{"step": s, "loss/g": 40.0 if s == 2777 else 0.1} for s in range(1, 5001)]
    path = written(tmp_path / "run")
    lines(path / "metrics.jsonl", rows)
    (series,) = facts(report(path))["charts"][0]["series"]
    assert max(series["high"]) == 40
    assert max(series["y"]) < 10


@given(st.integers(0, 60), st.integers(1, 50))
def test_pictures_are_evenly_spread_and_keep_both_ends(there, count):
    kept = pictures.spread(range(there), count)
    assert len(kept) == min(there, count)
    assert kept == sorted(set(kept))
    if there:
        assert kept[-1] == there - 1
        assert kept[0] == 0 or len(kept) == 1
        gaps = np.diff(kept)
        assert gaps.size == 0 or gaps.max() - gaps.min() <= 1


# a run


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run as `gan train` leaves it."""
    path = tmp_path_factory.mktemp("trained") / "run"
    asked = ["model=mlp", "steps=12", "batch_size=8", "log_every=2", "sample_every=4"]
    asked += ["metric=[frechet]", "extractor=raw", "evaluate_every=4", "evaluate_n=40"]
    chosen = {"loss": "nonsaturating", "model": "mlp", "dataset": "digits", "extractor": "raw"}
    launch(composed(*asked, f"run_dir={path}"), chosen, asked, ["gan", "train", *asked])
    return path


def test_a_trained_run_tells_everything(trained, tmp_path):
    text = report(trained, "--out", tmp_path / "a.html")
    told = Parts(text)
    for word in (
        "nonsaturating · mlp · digits",
        "done",
        "gan train model=mlp",
        "frechet",
        "Protocol",
    ):
        assert word in told.text, word
    known = facts(text)
    assert [one["step"] for one in known["samples"]] == [4, 8, 12]
    assert len(known["axes"]["rows"]["x"]) == 12
    assert known["axes"]["evaluations"]["x"] == [4, 8, 12]
    value = Folder(trained).scores.figures["frechet"].value
    assert f"{value:.4g}" in told.text


def test_what_differs_says_what_was_typed_and_what_came_along(tmp_path):
    path = written(tmp_path / "run", "loss=wgan_gp", "optimizer.lr=0.01", "steps=5000")
    record = Folder(path).record
    choices = record.choices | {"optimizer": "adam_wgan_gp"}
    (path / "run.json").write_text(Record(**vars(record) | {"choices": choices}).to_json())
    told = {one.key: one for one in different(Folder(path))}
    assert (told["loss"].value, told["loss"].why) == ("wgan_gp", "typed")
    assert (told["optimizer"].default, told["optimizer"].why) == ("adam", "with loss=wgan_gp")
    assert (told["penalty"].value, told["penalty"].why) == ("gp", "with loss=wgan_gp")
    assert (told["n_critic"].value, told["n_critic"].default) == ("5", "1")
    assert (told["optimizer.lr"].value, told["optimizer.lr"].default) == ("0.01", "0.0001")
    assert "steps" not in told  # typed, and the default
    assert not any("_target_" in key for key in told)


def test_a_run_at_its_defaults_differs_in_nothing(tmp_path):
    assert different(Folder(written(tmp_path / "run"))) == []


def test_what_is_not_finite_is_said_and_not_drawn(tmp_path):
    path = written(tmp_path / "run", state="failed", reason="step 31: loss/g is nan")
    rows = [row(s) | ({"loss/g": "nan", "loss/d": "inf"} if s > 30 else {}) for s in range(1, 61)]
    lines(path / "metrics.jsonl", rows)
    text = report(path)
    assert "at step 31 loss/g is nan" in Parts(text).text
    losses = facts(text)["charts"][0]["series"]
    assert [one["broke"] for one in losses] == [31, 31]


def test_half_written_and_damaged_files_cost_only_what_they_hold(tmp_path):
    path = written(tmp_path / "run")
    with (path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 61, "loss/d": 0.')
    (path / "evaluations.jsonl").write_text('{"step": 3, "scores": {"format": 1e999}}\n[]\n')
    (path / "diagnosis.jsonl").write_text('{"step": 5, "light": "mauve", "signs": 7}\n')
    (path / "clock.jsonl").write_text('{"step": 5, "seconds": 1e999}\n{"step": 1}\n')
    (path / "samples" / "step-00000060.png").write_bytes(b"\x89PNG\r\n\x1a\nnot quite")
    os.mkfifo(path / "samples" / "step-00000070.png")
    secret = png(tmp_path / "secret.png", seed=9)
    (path / "samples" / "step-00000080.png").symlink_to(secret)
    known = facts(report(path))
    assert [one["step"] for one in known["samples"]] == [20, 40]
    assert known["axes"]["rows"]["x"][-1] == 60


def test_a_run_before_its_first_row_has_a_page(tmp_path):
    path = written(tmp_path / "run")
    for name in ("metrics.jsonl", "clock.jsonl", "status.json"):
        (path / name).unlink()
    shutil.rmtree(path / "samples")
    assert "Curves" not in Parts(report(path)).text


def looked(*lights: str) -> list[dict[str, Any]]:
    """Rows of a diagnosis, every ten steps, with these lights of one sign."""
    sign = {"value": 0.5, "limit": 0.6, "words": "samples are alike"}
    rows = [{"light": one, "signs": {"classes": sign | {"light": one}}} for one in lights]
    return [{"step": 10 * at, "measured": {}} | one for at, one in enumerate(rows, 1)]


def test_lights_leave_no_gap_and_are_no_curve(tmp_path):
    path = written(tmp_path / "run")
    lines(path / "diagnosis.jsonl", looked("green", "yellow", "yellow", "red", "red"))
    lines(path / "metrics.jsonl", [row(s) | {"diagnosis/light": 1.0} for s in range(1, 61)])
    known = facts(report(path))
    assert known["lights"] == [[20, 40, "yellow"], [40, 50, "red"]]
    assert "diagnosis" not in [chart["title"] for chart in known["charts"]]


def test_a_strip_changes_halfway_between_looks_and_what_passed_is_not_on(tmp_path):
    path = written(tmp_path / "run")
    lines(path / "diagnosis.jsonl", looked("yellow", "yellow", "yellow", "green", "green"))
    page = Parts(report(path))
    assert "classes was yellow from step 10 to 30, and is green since" in page.text
    assert "on since" not in page.text
    lights = strip("classes", path)
    assert lights == [("yellow", 0.0, 625.0), ("green", 625.0, 375.0)]


def strip(name: str, path: Path) -> list[tuple[str, float, float]]:
    """The lights of a sign's strip: where each begins, and how wide it is, of 1000."""
    told = str(strips(looks(seen(Folder(path))[0])))
    svg = re.search(rf"<span>{name}</span><svg.*?</svg>", told, re.DOTALL)
    assert svg is not None
    bars = re.findall(r'<rect class="fill (\w+)" x="([\d.]+)".*?width="([\d.]+)"', svg[0])
    return [(light, float(x), float(width)) for light, x, width in bars]


def test_a_sign_is_on_since_it_left_green(tmp_path):
    """Not red since then: the strip beside it shows that."""
    path = written(tmp_path / "run")
    lines(path / "diagnosis.jsonl", looked("green", "yellow", "yellow", "red", "red"))
    assert "red, on since step 20" in Parts(report(path)).text


def test_a_run_that_went_back_says_so(tmp_path):
    path = written(tmp_path / "run", "policy=rewind", "diagnose.every=10")
    way = {"at": 40, "to": 20, "reason": "diversity: samples are alike"}
    told = {"format": "gan-rewinds/1", "pending": False, "returns": [way, way, way]}
    (path / "rewinds.json").write_text(json.dumps(told))
    said = Parts(report(path)).text
    assert "went back 3 times" in said
    assert "as often as policy.times lets it" in said
    assert "3 × from step 40 to 20 (diversity)" in said
    (path / "rewinds.json").write_text('{"format": "gan-rewinds/1", "returns": [7]}')
    assert "went back" not in Parts(report(path)).text


@pytest.mark.parametrize("figure", [{"value": 1e999}, {"low": 10**400}, {"words": 7}, {}])
def test_figures_of_any_kind_are_no_crash(tmp_path, figure):
    path = written(tmp_path / "run")
    one = measured(20, 5.0)
    one["scores"]["figures"]["frechet"] |= figure
    one["scores"] |= {"about": ["x"]} if not figure else {}
    (path / "evaluations.jsonl").write_text(json.dumps(one) + "\n")
    assert "Protocol" not in Parts(report(path)).text


def test_more_pictures_than_fit_are_left_out_and_counted(tmp_path):
    path = written(tmp_path / "run")
    whole = png(path / "samples" / "step-00000001.png", side=130).read_bytes()
    assert len(whole) > 50_000
    for step in range(2, 300):
        (path / "samples" / f"step-{step:08d}.png").write_bytes(whole)
    text = report(path)
    kept = [one["step"] for one in facts(text)["samples"]]
    assert len(text) < 8_000_000
    assert 50 < len(kept) < 240
    assert kept[-1] == 299
    assert f"{len(kept)} of 299 pictures" in Parts(text).text


def test_a_real_picture_stands_beside(tmp_path):
    path = written(tmp_path / "run")
    png(path / "real.png")
    assert "real samples" in Parts(report(path)).text


# a sweep


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """Two losses with two seeds each, of which one failed; and one that has not begun."""
    jobs = []
    for loss, base in (("nonsaturating", 30.0), ("hinge", 12.0)):
        for seed in (0, 1):
            path = written(tmp_path / f"{loss}-{seed}", f"loss={loss}", f"seed={seed}")
            rows = [measured(step, base + seed - step / 20) for step in (20, 40, 60)]
            lines(path / "evaluations.jsonl", rows)
            jobs.append(Job(f"loss={loss} seed={seed}", [], str(path), "done"))
    jobs.append(Job("loss=lsgan seed=0", [], str(tmp_path / "nowhere"), "pending"))
    directory = tmp_path / "sweeps" / "losses"
    Ledger.open(directory, "gan train -m loss=nonsaturating,hinge,lsgan seed=0,1", jobs)
    return directory


def test_a_sweep_tells_who_is_best_and_by_how_much(sweep):
    text = report(sweep)
    told = Parts(text).text
    assert "4 done" in told
    assert "1 pending" in told
    assert told.index("hinge", told.index("at step")) < told.index(
        "nonsaturating", told.index("at step")
    )
    for word in ("9.5", "18", "less is better", "less that of loss=hinge, the leader", "worse"):
        assert word in told, word
    (chart,) = facts(text)["charts"]
    assert [one["name"] for one in chart["series"]] == ["loss=hinge", "loss=nonsaturating"]
    assert chart["series"][0]["y"] == [11.5, 10.5, 9.5]


def test_what_was_measured_otherwise_is_said_and_left_out(sweep, tmp_path):
    one = measured(60, 1.0)
    one["scores"]["protocol"]["fake"] = 10
    lines(tmp_path / "hinge-1" / "evaluations.jsonl", [one])
    text = report(sweep)
    assert "frechet of 1 run was measured otherwise" in Parts(text).text
    assert facts(text)["charts"][0]["series"][0]["y"] == [11, 10, 9]


def test_of_losses_nobody_is_the_first(tmp_path):
    """They are of different functions, so the lower one is no better."""
    for loss, low in (("nonsaturating", 0.1), ("hinge", 0.9)):
        path = written(tmp_path / "runs" / loss, f"loss={loss}")
        lines(path / "metrics.jsonl", [row(s) | {"loss/d": low + 1 / s} for s in range(1, 61)])
    text = report(tmp_path / "runs")
    told = Parts(text).text
    for word in ("leader", "Leader", "★", "#"):
        assert word not in told, word
    assert "less that of loss=hinge, the first of the table" in told
    assert "neither more nor less is better" in told


@given(st.data())
def test_names_tell_all_groups_apart(data):
    columns = data.draw(st.integers(1, 8))
    key = st.tuples(*[st.sampled_from(["", "a", "b"])] * columns)
    keys = data.draw(st.lists(key, min_size=1, max_size=12, unique=True))
    names = brief([Group(one, [], {}) for one in keys], [f"k{n}" for n in range(columns)])
    assert len({*names}) == len(keys)


def test_unlike_runs_have_short_names_and_their_figures_in_front(tmp_path):
    settings = ["steps=30", "batch_size=8", "ema.half_life=0", "n_critic=2", "optimizer.lr=0.1"]
    for at, other in enumerate(settings):
        path = written(tmp_path / "runs" / str(at), other)
        lines(path / "evaluations.jsonl", [measured(60, at)])
    table, _, pictured = report(tmp_path / "runs").partition('id="runs"')
    assert table.index(">frechet<") < table.index(">batch_size<")
    names = re.findall(r"<h3[^>]*>(.*?)</h3>", pictured)
    assert sorted(names) == sorted(settings)


def test_of_a_game_in_the_plane_its_samples_are_the_small_picture(tmp_path):
    shape = (plane.PANEL + plane.GAP, plane.PANEL + plane.FOOT)
    pixels = np.zeros((plane.HEAD + shape[1], plane.LEFT + 3 * shape[0], 3), np.uint8)
    there = (slice(plane.HEAD, plane.HEAD + plane.PANEL), slice(plane.LEFT, shape[0]))
    pixels[there] = 200
    Image.fromarray(pixels).save(tmp_path / "a.png")
    panel = pictures.first_panel(pictures.read(tmp_path / "a.png"))
    shown = np.asarray(Image.open(io.BytesIO(panel.data)).convert("L"))
    assert shown.shape == (320, 320)
    assert shown.min() > 190
    other = pictures.read(png(tmp_path / "b.png"))
    assert pictures.first_panel(other) is other


def test_a_sweep_and_its_runs_lead_to_each_other(sweep):
    text = report(sweep, "--runs")
    ways = {at["href"] for tag, at in Parts(text).elements if tag == "a" and "report" in at["href"]}
    assert len(ways) == 4
    for way in ways:
        back = [at["href"] for tag, at in Parts((sweep / way).read_text()).elements if tag == "a"]
        assert any(
            (sweep / way).parent.joinpath(to).resolve() == sweep / "report.html" for to in back
        )


def test_a_sweep_that_has_not_begun_has_a_page(tmp_path):
    directory = tmp_path / "sweep"
    Ledger.open(directory, "gan train -m", [Job("seed=0", [], str(tmp_path / "no"), "pending")])
    assert "1 pending" in Parts(report(directory)).text


def test_any_directory_of_runs_has_a_page(sweep, tmp_path):
    lines(tmp_path / "hinge-0" / "evaluations.jsonl", [])
    (tmp_path / "hinge-1" / "run.json").write_text("{")
    told = Parts(report(tmp_path)).text
    assert "1 unreadable" in told
    assert "3 done" in told


def test_large_pictures_of_a_sweep_are_made_smaller(tmp_path):
    for seed in range(3):
        path = written(tmp_path / "runs" / str(seed), f"seed={seed}")
        png(path / "samples" / "step-00000060.png", side=500)
    assert len(report(tmp_path / "runs")) < 400_000


def test_no_name_of_a_legend_is_cut_off():
    """Nor do two that differ in their middle look the same."""
    long = "optimizer.betas=[0.5,0.999] model.width=128 penalty=r1_small"
    names = [f"loss=wgan_gp dataset.std=0.{n:02} {long}" for n in range(4)]
    traces = [Trace(name, [([1, 2], [1.0, 2.0])], [1, 2], [1.0, 2.0], [0.0, 0.0]) for name in names]
    drawn = overlaid.overlaid({"loss/g": traces}, "step", "a", "b")
    assert (drawn[:, -20:] == 255).all()
    legend = drawn[:, 790:1080]
    rows = np.flatnonzero((legend < 200).any((1, 2)))
    blocks = np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)
    assert len(blocks) >= 4 * 3  # lines of text: three or four to a name
    assert rows.max() < len(drawn) - 10


def test_a_frame_holds_all_clouds_but_one_that_broke_down():
    cloud = np.random.default_rng(0).normal(size=(500, 2))
    middle, half = overlaid._frame([cloud, 2 * cloud, 2 * cloud + 1, 1e4 * cloud])
    for one in (cloud, 2 * cloud, 2 * cloud + 1):
        assert (abs(one - middle).max(1) < half).mean() > 0.99
    assert half < 10


# what nobody wants


def test_nothing_is_fetched_and_nothing_but_its_script_runs(trained, sweep, tmp_path):
    for text in (report(trained, "--out", tmp_path / "a.html"), report(sweep)):
        told = Parts(text)
        policy = next(at["content"] for _, at in told.elements if "http-equiv" in at)
        assert policy.startswith("default-src 'none'; img-src data:;")
        *_, script = told.scripts
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"script-src 'sha256-{digest}'" in policy
        for tag, at in told.elements:
            assert not any(name.startswith("on") or name == "style" for name in at), (tag, at)
            for name in ("src", "href", "data", "action", "srcset"):
                value = (at.get(name) or "").lower()
                assert not re.match(r"\s*(\w+:)?//|http|javascript", value), at
        assert not re.search(
            r"url\((?!#)|@import|fetch\(|XMLHttp|import\(|WebSocket|eval\(", script
        )


def test_what_a_stranger_wrote_is_text(tmp_path):
    one = written(tmp_path / "runs" / "a", word=EVIL, state="failed")
    lines(one / "evaluations.jsonl", [measured(20, 3.0, EVIL), measured(40, 2.0, EVIL)])
    sign = {"light": "red", "value": 1.0, "limit": 2.0, "words": EVIL}
    look = {"light": "red", "signs": {"diversity": sign, EVIL: sign}, "measured": {}}
    lines(one / "diagnosis.jsonl", [{"step": step} | look for step in (20, 40)])
    written(tmp_path / "runs" / "b", word=EVIL, state="interrupted")
    for text in (report(one), report(tmp_path / "runs")):
        told = Parts(text)
        assert EVIL[:20] in told.text  # it is shown
        assert [tag for tag, _ in told.elements].count("script") == 2
        assert not any("onerror" in at for _, at in told.elements)
        assert all(at["src"].startswith("data:image/") for tag, at in told.elements if "src" in at)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "a report of what? gan report"),
        (["nowhere"], "nowhere is no directory of a run"),
        (["empty"], "empty holds no run"),
        (["a.txt"], "a.txt is no directory of a run"),
        (["run", "--out", "no/such/a.html"], "there is no directory no/such"),
        (["run", "--out", "empty"], "empty is a directory"),
        (["run", "--outt", "x"], "gan report --help"),
        (["bad"], "run.json: damaged"),
        (["torn"], "ledger.json: damaged"),
    ],
)
def test_a_wrong_command_is_one_line(words, told, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "run")
    for name, file in (("empty", None), ("bad", "run.json"), ("torn", "ledger.json")):
        (tmp_path / name).mkdir()
        if file:
            (tmp_path / name / file).write_text("{")
    (tmp_path / "a.txt").write_text("")
    assert cli.main(["report", *words]) in (2, 4)
    said = capsys.readouterr()
    assert told in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""
    assert not (tmp_path / "run" / "report.html").exists()


def test_a_report_needs_no_torch(tmp_path):
    path = written(tmp_path / "run")
    code = (
        "import sys; from gan_cli import cli; code = cli.main(['report', sys.argv[1]]);"
        "sys.exit(code or 10 * ('torch' in sys.modules) or 20 * ('hydra' in sys.modules))"
    )
    told = subprocess.run([sys.executable, "-c", code, str(path)], cwd=ROOT, check=False)
    assert told.returncode == 0


# a browser


@dataclass
class Browser:
    """A page in a real browser."""

    driver: Any

    def open(self, path: Path, width: int = 1280, dark: bool = False) -> None:
        size = {"width": width, "height": 850, "deviceScaleFactor": 1, "mobile": width < 500}
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        self.driver.get(path.as_uri())
        assert self.run("return 'ready' in document.documentElement.dataset")

    def run(self, script: str, *values: Any) -> Any:
        return self.driver.execute_script(script, *values)

    def mouse(self, css: str, kind: str, share: float, more: str = "{}") -> None:
        """A pointer over an element, at a share of its width."""
        script = (
            "const e = document.querySelector(arguments[0]), b = e.getBoundingClientRect();"
            "e.dispatchEvent(new PointerEvent(arguments[1], {bubbles: true, pointerType: 'mouse',"
            f"clientX: b.left + b.width * arguments[2], clientY: b.top + 50, ...{more}}}))"
        )
        self.run(script, css, kind, share)

    def complaints(self) -> list[str]:
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def asked(self) -> set[str]:
        """The kinds of addresses that were asked for since this was called last."""
        told = [json.loads(e["message"])["message"] for e in self.driver.get_log("performance")]
        sent = [one for one in told if one["method"] == "Network.requestWillBeSent"]
        return {one["params"]["request"]["url"].partition(":")[0] for one in sent}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser, if Chromium and its driver are installed."""
    driver = shutil.which("chromedriver")
    named = map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))
    binary = next(filter(None, named), None)
    if not driver or not binary:
        pytest.skip("needs chromium and chromedriver: apt install chromium-driver")
    webdriver = pytest.importorskip("selenium.webdriver", reason="pip install selenium")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    words = ["headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "no-first-run"]
    words += [
        "disable-background-networking",
        f"user-data-dir={tmp_path_factory.mktemp('profile')}",
    ]
    for word in words:
        options.add_argument(f"--{word}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(executable_path=driver)
    started = webdriver.Chrome(options=options, service=service)
    started.set_script_timeout(10)
    yield Browser(started)
    started.quit()


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """The page of a run with everything that can be on it."""
    path = written(
        tmp_path / "run", "loss=wgan_gp", "optimizer.lr=0.01", state="failed", reason="x"
    )
    lines(path / "evaluations.jsonl", [measured(step, 70 - step) for step in (20, 40, 60)])
    sign = {"light": "yellow", "value": 0.5, "limit": 0.6, "words": "samples are alike"}
    look = {"light": "yellow", "signs": {"diversity": sign}, "measured": {}}
    lines(path / "diagnosis.jsonl", [{"step": step} | look for step in (20, 40, 60)])
    png(path / "real.png")
    report(path)
    return path / "report.html"


TEXT = "return document.querySelector(arguments[0]).textContent"


def test_the_page_opens_offline_without_complaint(browser, page, sweep):
    browser.asked()
    report(sweep)
    for path in (page, sweep / "report.html"):
        browser.open(path)
        assert browser.run("return document.querySelectorAll('.plot svg path.line').length") > 0
        assert browser.run("return scrollX") == 0
    assert browser.asked() <= {"file", "data", "chrome"}  # the browser's own first page is chrome:
    assert browser.complaints() == []


@pytest.mark.parametrize("dark", [False, True])
def test_nothing_is_wider_than_a_phone(browser, page, sweep, dark):
    report(sweep)
    for path in (page, sweep / "report.html"):
        browser.open(path, 390, dark)
        browser.run("document.querySelectorAll('details').forEach(one => one.open = true)")
        assert browser.run("return document.documentElement.scrollWidth") <= 390
        small = (
            "return [...document.querySelectorAll('button, input')].filter(b => b.offsetParent &&"
            "!b.closest('th') && b.getBoundingClientRect().height < 24).length"
        )
        assert browser.run(small) == 0


def test_the_readout_says_what_is_under_the_pointer(browser, page):
    browser.open(page)
    browser.mouse(".plot", "pointermove", 0.5)
    told = browser.run(TEXT, ".tip")
    step = int(re.match(r"step (\d+)", told)[1])
    assert 20 < step < 40
    assert f"d{1 / step:.3f}" in told
    others = "return [...document.querySelectorAll('.plot')].map(p => !!p.querySelector('.cross'))"
    assert all(browser.run(others))  # the same step everywhere
    browser.mouse(".plot", "pointerleave", 0.5)
    assert browser.run("return document.querySelector('.tip').hidden")


def test_the_readout_follows_the_keys(browser, page):
    browser.open(page)
    press = (
        "document.querySelector('.plot').dispatchEvent(new KeyboardEvent('keydown', {key: "
        "arguments[0], bubbles: true}))"
    )
    for key, step in (("Home", 1), ("ArrowRight", 2), ("End", 60), ("ArrowLeft", 59)):
        browser.run(press, key)
        assert browser.run(TEXT, ".tip b") == f"step {step}"


def test_the_slider_changes_the_picture(browser, page):
    browser.open(page)
    source = "return document.getElementById('sample').src"
    slide = (
        "const s = document.getElementById('slider'); s.value = arguments[0];"
        "s.dispatchEvent(new Event('input', {bubbles: true}))"
    )
    seen = []
    for place, step in ((0, 20), (1, 40), (2, 60)):
        browser.run(slide, place)
        seen.append(browser.run(source))
        assert browser.run(TEXT, "#sample-step") == f"step {step}"
    assert len(set(seen)) == 3
    browser.driver.find_element("css selector", "#before").click()
    assert browser.run(source) == seen[1]
    browser.mouse(".plot", "pointerdown", 0.4)
    browser.mouse(".plot", "pointerup", 0.4)
    assert browser.run(source) == seen[0]  # a click on a curve shows the samples there


def test_curves_can_be_hidden_zoomed_smoothed_and_scaled(browser, page):
    browser.open(page)
    path = "return document.querySelector('.plot .c0 .line:last-of-type').getAttribute('d')"
    first = browser.run(path)
    seen = {first}
    for act in (
        "document.getElementById('log').click()",
        "document.getElementById('calm').click()",
        "document.getElementById('time').click()",
        "by('smooth').value = 90; by('smooth').dispatchEvent(new Event('input'))",
    ):
        browser.run(act)
        seen.add(browser.run(path))
    assert len(seen) >= 4
    browser.open(page)
    for kind, share in (("pointerdown", 0.4), ("pointermove", 0.6), ("pointerup", 0.6)):
        browser.mouse(".plot", kind, share, "{button: 0}")
    assert browser.run(path) != first
    browser.run("document.getElementById('whole').click()")
    assert browser.run(path) == first
    browser.run("document.querySelector('.legend .c1').click()")
    assert browser.run("return !document.querySelector('.plot g.c1')")
    assert browser.complaints() == []


def test_tables_are_sorted_and_searched(browser, page, sweep):
    report(sweep)
    browser.open(sweep / "report.html")
    names = (
        "return [...document.querySelectorAll('#leaderboard tbody tr')]"
        ".map(r => r.cells[1].textContent)"
    )
    assert browser.run(names) == ["hinge", "nonsaturating"]
    click = "document.querySelectorAll('#leaderboard th button')[arguments[0]].click()"
    browser.run(click, 2)
    browser.run(click, 2)
    assert browser.run(names) == ["nonsaturating", "hinge"]
    assert browser.run("return document.querySelector('[aria-sort]').ariaSort") == "descending"
    search = (
        "const f = document.querySelector('input[type=search]'); f.value = arguments[0];"
        "f.dispatchEvent(new Event('input')); return [...document.getElementById(f.dataset.rows)"
        ".tBodies[0].rows].filter(r => !r.hidden).length"
    )
    browser.open(page)
    assert 0 < browser.run(search, "optimizer lr") < 5
    assert browser.run(search, "no such thing") == 0


def test_everything_has_a_name_for_those_who_do_not_see_it(browser, page, sweep):
    report(sweep)
    for path in (page, sweep / "report.html"):
        browser.open(path)
        nameless = (
            "return [...document.querySelectorAll('button, input, a')].filter(e => !("
            "e.textContent.trim() || e.ariaLabel || e.closest('label'))).map(e => e.outerHTML)"
        )
        assert browser.run(nameless) == []
        assert browser.run("return [...document.images].every(i => i.hasAttribute('alt'))")
        assert browser.run("return document.querySelectorAll('h1').length") == 1


def test_markup_of_a_stranger_is_not_executed(browser, tmp_path):
    path = written(tmp_path / "run", word=EVIL, state="failed")
    lines(path / "evaluations.jsonl", [measured(20, 3.0, EVIL), measured(40, 2.0, EVIL)])
    report(path)
    browser.open(path / "report.html")
    browser.mouse(".plot", "pointermove", 0.5)
    assert browser.run("return window.pwned === undefined")
    assert browser.complaints() == []
