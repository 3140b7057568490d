"""What a run says of the machine, writes down of it, and goes on with; compiled networks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from gan_cli import build, container, state
from gan_cli.errors import UserMistake
from gan_cli.fast import Hardware, as_settings, processor
from gan_cli.fast.compiling import compiled, no_compiler
from gan_cli.fast.processor import Processor
from gan_cli.fast.speed import BEGAN, SAID, Speed
from gan_cli.randomness import reseed
from gan_cli.session import Session, make
from tests.games import composed
from tests.watched import run

CPU = torch.device("cpu")
TINY = (
    "model=dcgan",
    "model.width=4",
    "batch_size=8",
    "diagnose.every=null",
    "steps=4",
    "checkpoint_every=2",
)
LINE = "hardware: "

needs_a_compiler = pytest.mark.skipif(
    no_compiler(CPU) is not None, reason="needs a C++ compiler, and there is none"
)


@pytest.fixture
def able(monkeypatch):
    """A processor with bfloat16, and networks of few operations as if they had many."""
    monkeypatch.setattr(processor, "found", lambda: Processor(True, False, 1))
    monkeypatch.setattr("gan_cli.fast.speed.CONVOLVES", 1.0)


def circumstances(directory: Path) -> list[dict[str, Any]]:
    """Those of each session that trained."""
    sessions = json.loads((directory / "run.json").read_text())["sessions"]
    return [one["circumstances"] for one in sessions if "circumstances" in one]


def hardware_line(said: str) -> str:
    (line,) = [line for line in said.splitlines() if line.startswith(LINE)]
    return line


def test_a_run_says_what_was_picked_and_why(tmp_path, capsys, able):
    run(tmp_path / "run", *TINY, "hardware.compile=false")
    line = hardware_line(capsys.readouterr().out)
    assert "precision=bfloat16, channels_last=true (convolutions take 0.0" in line
    assert "MFLOP a sample)" in line
    assert "compile=false, threads=1 (as you say)" in line
    assert len(line) < 250


def test_what_a_rule_left_in_torch_s_own_way_is_not_told():
    why = {"precision": "no convolutions", "channels_last": "no convolutions", "compile": "slower"}
    assert Speed(why=why).told == ""
    assert Speed(why=why, compile=True).told == "compile=true (slower)"
    assert Speed(why=why | {"compile": SAID}).told == f"compile=false ({SAID})"
    assert Speed(why=why | {"precision": BEGAN}).told == f"precision=float32 ({BEGAN})"


def test_a_run_writes_down_how_it_computes(tmp_path, able):
    run(tmp_path / "run", *TINY)
    (told,) = circumstances(tmp_path / "run")
    wanted = {"precision": "bfloat16", "channels_last": True, "compile": False, "threads": 1}
    assert {key: told[key] for key in wanted} == wanted
    assert told["products"] == "torch"
    kept = container.read(state.path_of(tmp_path / "run" / "checkpoints", 4)).meta["circumstances"]
    assert {key: kept[key] for key in wanted} == wanted


def test_a_run_goes_on_as_it_began_whatever_would_be_picked_now(tmp_path, capsys, monkeypatch):
    run(tmp_path / "run", *TINY)
    with monkeypatch.context() as patch:
        patch.setattr(processor, "found", lambda: Processor(True, False, 1))
        patch.setattr("gan_cli.fast.speed.CONVOLVES", 1.0)
        capsys.readouterr()
        run(tmp_path / "run", *TINY, "steps=6")
    said = capsys.readouterr().out
    assert "precision=float32, channels_last=false" in hardware_line(said)
    assert "as this run began" in hardware_line(said)
    assert "same bits" not in said
    first, then = circumstances(tmp_path / "run")
    assert first["precision"] == then["precision"] == "float32"


def test_a_run_goes_on_in_bfloat16_and_says_so_where_it_cannot(tmp_path, capsys, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(processor, "found", lambda: Processor(True, False, 1))
        patch.setattr("gan_cli.fast.speed.CONVOLVES", 1.0)
        run(tmp_path / "run", *TINY)
    with monkeypatch.context() as patch:
        patch.setattr(processor, "found", lambda: Processor(True, False, 1))
        run(tmp_path / "run", *TINY, "steps=6")
    assert [one["precision"] for one in circumstances(tmp_path / "run")] == ["bfloat16"] * 2
    capsys.readouterr()
    monkeypatch.setattr(processor, "found", lambda: Processor(False, False, 1))
    run(tmp_path / "run", *TINY, "steps=8")
    said = capsys.readouterr().out
    assert "not the same bits as without the stop: precision bfloat16 → float32" in said
    assert "channels_last=true (as this run began)" in hardware_line(said)


def test_a_run_of_before_goes_on_in_float32(tmp_path, capsys, able):
    run(tmp_path / "run", *TINY, "hardware.precision=float32", "hardware.channels_last=false")
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    for one in record["sessions"]:
        one["circumstances"] = {"torch": str(torch.__version__)}
    (tmp_path / "run" / "run.json").write_text(json.dumps(record))
    capsys.readouterr()
    run(tmp_path / "run", *TINY, "steps=6")
    assert "precision=float32, channels_last=false" in hardware_line(capsys.readouterr().out)


def test_what_is_said_wins_over_what_a_run_began_with(tmp_path, capsys, able):
    run(tmp_path / "run", *TINY)
    capsys.readouterr()
    run(tmp_path / "run", *TINY, "steps=6", "hardware.precision=float32")
    said = capsys.readouterr().out
    assert "precision=float32, threads=1 (as you say)" in said
    assert "not the same bits as without the stop: precision bfloat16 → float32" in said


def test_a_run_without_its_record_goes_on_by_its_checkpoint(tmp_path, capsys, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(processor, "found", lambda: Processor(True, False, 1))
        patch.setattr("gan_cli.fast.speed.CONVOLVES", 1.0)
        run(tmp_path / "run", *TINY)
    (tmp_path / "run" / "run.json").unlink()
    capsys.readouterr()
    monkeypatch.setattr(processor, "found", lambda: Processor(True, False, 1))
    run(tmp_path / "run", *TINY, "steps=6")
    line = hardware_line(capsys.readouterr().out)
    assert "precision=bfloat16, channels_last=true" in line


def test_circumstances_are_settings_again():
    speed = Speed(dtype=torch.bfloat16, channels_last=True, threads=2)
    told = Hardware("cpu").circumstances(CPU, speed) | {"threads": 2}
    assert Hardware(**as_settings(told, threads=2)).precision in ("auto", "bfloat16")
    had = as_settings(told | {"precision": "float32"}, threads=2)
    wanted = {"device": "cpu", "precision": "float32", "channels_last": True, "threads": 2}
    assert {key: had[key] for key in wanted} == wanted
    assert Hardware(**had).said["threads"] == 2
    assert "threads" not in as_settings(told, threads=1)
    assert as_settings({}, threads=1) == {
        "precision": "float32",
        "channels_last": False,
        "compile": False,
        "cuda_graphs": False,
        "products": "torch",
    }


def session(*overrides: str) -> Session:
    config = composed("batch_size=8", "hardware.device=cpu", "model=mlp", *overrides)
    parts = build.parts(config)
    return make(config, parts, parts.hardware.claim())


@needs_a_compiler
@pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")  # torch asks for it itself
def test_compiled_networks_are_the_same_and_were_compiled():
    from torch._dynamo.utils import counters

    words = ["model.width=16", "penalty=r1", "hardware.precision=float32"]
    plain, fast = session(*words), session(*words)
    for player in fast.method.players.values():  # as on CUDA; on a CPU whole steps are compiled
        player.compiled = compiled(player.net)
    counters.clear()
    for step in range(3):
        told = []
        for one in (plain, fast):
            reseed(0, step)
            told.append(one.step([one.feed(step)], step))
        assert all(torch.allclose(told[0][k], told[1][k], rtol=1e-4, atol=1e-6) for k in told[0])
    assert counters["stats"]["unique_graphs"] >= 2  # G's and D's
    a, b = plain.method.state(), fast.method.state()
    assert a.keys() == b.keys()
    assert all(torch.allclose(a[key].double(), b[key].double(), atol=1e-4) for key in a)


def test_compiled_networks_are_not_differentiated_twice():
    config = composed("batch_size=8", "model=mlp", "dynamics=consensus", "hardware.compile=true")
    parts = build.parts(config)
    with pytest.raises(UserMistake, match="hardware.compile: compiled networks move in turn"):
        make(config, parts, torch.device("meta"))
