"""The script that does everything that needs a GPU, as far as it goes without one."""

from __future__ import annotations

import json
import sys
import time
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from benchmarks import cuda
from benchmarks.cuda import Job, Place
from tests.conftest import entries


@pytest.fixture
def place(tmp_path: Path) -> Place:
    for name in ("scratch", "results"):
        (tmp_path / name).mkdir()
    until = time.monotonic() + 600
    return Place("cpu", tmp_path / "scratch", tmp_path / "results", True, until, {})


def python(text: str) -> list[str]:
    return [sys.executable, "-S", "-c", text]


@pytest.mark.training
def test_a_training_stage_leaves_samples_and_figures_and_is_not_done_again(tmp_path, capsys):
    call = ["--stage", "train-label", "--device", "cpu", "--quick"]
    call += ["--results", str(tmp_path / "results"), "--scratch", str(tmp_path / "scratch")]
    assert cuda.main(call) == 0
    results = tmp_path / "results"
    jobs = json.loads((results / "cuda.json").read_text())["jobs"]
    assert list(jobs) == ["train-label/run", "train-label/sample", "train-label/evaluate"]
    assert all(job["done"] and job["code"] == 0 for job in jobs.values())
    with Image.open(results / "cuda_train-label.png") as picture:
        assert picture.size[0] > 8
    assert "frechet" in (results / "cuda_train-label.json").read_text()
    capsys.readouterr()
    assert cuda.main(call) == 0
    assert capsys.readouterr().out.count("done before") == 3


def test_what_fails_or_leaves_nothing_is_not_done_and_what_comes_after_waits(
    place, monkeypatch, capsys
):
    counted = f"open({str(place.scratch / 'n')!r}, 'a').write('x')"
    jobs = [
        Job("a", python(counted)),
        Job("b", python("raise SystemExit('no')")),
        Job("c", python(counted), after="b"),
        Job("d", python("pass"), leaves="picture.png"),
    ]
    monkeypatch.setitem(cuda.STAGES, "some", lambda _: iter(jobs))
    for _ in range(2):
        assert not cuda.stage(["some"], place, again=False)
    kept = json.loads((place.results / "cuda.json").read_text())["jobs"]
    assert {name: job["done"] for name, job in kept.items()} == {"a": True, "b": False, "d": False}
    assert (place.scratch / "n").read_text() == "x"
    assert "b: failed" in capsys.readouterr().out
    cuda.stage(["some"], place, again=True)
    assert (place.scratch / "n").read_text() == "xx"


def test_a_late_job_is_asked_to_stop_and_goes_on_in_the_next_call(place, monkeypatch):
    monkeypatch.setattr(cuda, "LEAST", 0.5)
    monkeypatch.setattr(cuda, "SPARE", 20.0)
    place.until = time.monotonic() + 0.1
    kept = place.scratch / "kept"
    ready = f"open({str(kept)!r}, 'w')"
    text = f"import signal, time\nsignal.signal(15, lambda *_: {ready}.write('saved') and exit(7))"
    found = cuda.done(Job("late", python(f"{text}\ntime.sleep(60)")), place)
    assert not found["done"]
    assert found["code"] is None
    assert kept.read_text() == "saved"
    assert found["seconds"] < 20


def test_no_job_is_begun_when_no_time_is_left(place, monkeypatch, capsys):
    place.until = time.monotonic() + 1
    monkeypatch.setitem(cuda.STAGES, "some", lambda _: iter([Job("a", python("1/0"))]))
    assert not cuda.stage(["some"], place, again=False)
    assert "no time is left" in capsys.readouterr().out
    assert not (place.results / "cuda.json").exists()


def test_figures_of_another_machine_are_dropped(place, monkeypatch):
    monkeypatch.setitem(cuda.STAGES, "some", lambda _: iter([Job("a", python("pass"))]))
    old = {"machine": {"torch": "0"}, "jobs": {"z": {"done": True}}}
    (place.results / "cuda.json").write_text(json.dumps(old))
    assert cuda.stage(["some"], place, again=False)
    kept = json.loads((place.results / "cuda.json").read_text())
    assert list(kept["jobs"]) == ["a"]
    assert kept["machine"] == cuda.machine("cpu")


def test_wheels_are_unpacked_beside_the_run(tmp_path):
    with zipfile.ZipFile(tmp_path / "gan_cuda_nothing-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("gan_cuda_nothing.py", "x = 1")
    path = cuda.unpacked(tmp_path, tmp_path / "scratch")
    assert (Path(path[0]) / "gan_cuda_nothing.py").read_text() == "x = 1"
    assert cuda.unpacked(None, tmp_path) == []


def test_what_is_lacking_is_named_by_what_to_install(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setitem(cuda.NEEDED, "gan_cuda_nothing", "gan-cuda-nothing")
    words = ["--scratch", str(tmp_path), "--results", str(tmp_path), "--device", "cpu"]
    assert cuda.main(["--stage", "tests", *words]) == 2
    assert "lacks gan-cuda-nothing: --wheels" in capsys.readouterr().err


@pytest.mark.parametrize("quick", [True, False])
@pytest.mark.parametrize("stage", list(cuda.STAGES))
def test_every_job_names_what_there_is(stage, quick, place):
    place.quick = quick
    jobs = list(cuda.STAGES[stage](place))
    names = [job.name for job in jobs]
    assert len(set(names)) == len(names)
    for job in jobs:
        assert job.after in ("", *names)
        for word in job.command:
            key, _, value = word.partition("=")
            if key in ("experiment", "model", "dataset"):
                assert value in entries(key)
            if word.endswith(".py"):
                assert (cuda.ROOT / word).is_file()
