"""What is said of a run that went wrong, and whether one could type what is to be tried next."""

from __future__ import annotations

import json
import math
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from gan_cli import build, cli, session
from gan_cli.cli_compose import plain
from gan_cli.cli_doctor import MOST
from gan_cli.cli_rehearse import SHAPES, Rehearsal
from gan_cli.diagnosis import Light, Look, measure
from gan_cli.diagnosis.record import row
from gan_cli.diagnosis.signs import READINGS, replay
from gan_cli.doctor import Curve, Remedy, chart, command, findings
from gan_cli.doctor.advice import ADVICE, remedies
from gan_cli.doctor.case import IMAGES, Case
from gan_cli.doctor.history import WORST
from gan_cli.errors import BadFile, UserMistake
from gan_cli.record import Record, flat
from gan_cli.study.folder import Folder
from tests.conftest import CONF, ROOT, entries
from tests.games import composed

DIGITS = ("dataset=digits", "model=mlp")
FINE = {"diversity": 1.0, "duplicates": 0.0, "classes": 1.0, "distance": 0.02, "auc": 0.8}
ALIKE = {"diversity": 0.1, "duplicates": 0.9, "classes": 0.1, "distance": 0.5, "auc": 0.8}


def run(
    path: Path, *overrides: str, looks: list[dict[str, float]] | None = None, **more: Any
) -> Path:
    """A run directory as its training would have left it, with looks of these numbers."""
    path.mkdir(parents=True, exist_ok=True)
    words = [word for word in overrides if "." not in word.partition("=")[0]]
    chosen = {"dataset": "digits"} | dict(word.split("=", 1) for word in words)
    argv = ["gan", "train", *overrides]
    record = Record.make(composed(*overrides), chosen, list(overrides), argv)
    (path / "run.json").write_text(record.to_json())
    seen = [Look(100 * n, measured) for n, measured in enumerate(looks or [], 1)]
    kept = zip(seen, replay(seen), strict=True)
    lines = [json.dumps(row(look, told)) for look, told in kept]
    if looks is not None:
        (path / "diagnosis.jsonl").write_text("".join(f"{line}\n" for line in lines))
    steps = 100 * len(looks or [1])
    rows = [{"step": s, "loss/d": 1.0, "grad_norm/g": 1.0} for s in range(1, steps + 1)]
    (path / "metrics.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    told = {"state": "done", "step": steps, "steps": steps} | more
    (path / "status.json").write_text(json.dumps({"format": "gan-status/1", **told}))
    return path


def doctor(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str]:
    """What `gan doctor` answers, and says."""
    code = cli.main(["doctor", *map(str, words)])
    said = capsys.readouterr()
    return code, said.out + said.err


def told(capsys: pytest.CaptureFixture[str], path: Path) -> dict[str, Any]:
    doctor_says = doctor(capsys, path, "--format", "json")[1]
    found: dict[str, Any] = json.loads(doctor_says)
    return found


def test_a_healthy_run_is_called_so_with_what_could_not_be_told(tmp_path, capsys):
    code, said = doctor(capsys, run(tmp_path / "a", *DIGITS, looks=[FINE] * 5))
    assert code == 0
    assert "Nothing wrong was seen" in said
    assert "looked at 5 times" in said
    assert "whether D overfits" in said
    assert "nothing was measured" in said
    assert "Try next" not in said


def test_a_sick_run_is_told_since_when_with_its_curve_and_what_to_type(tmp_path, capsys):
    path = run(tmp_path / "a", *DIGITS, looks=[*[FINE] * 5, *[ALIKE] * 3])
    code, said = doctor(capsys, path)
    assert code == 1
    assert "diversity  red, on since step 600" in " ".join(said.split(" ")).replace("\n", " ")
    assert "red 0.35" in said
    assert "█" in said
    assert "gan train dataset=digits model=mlp " in said
    assert "arXiv" in said


def test_what_has_passed_is_told_as_past(tmp_path, capsys):
    path = run(tmp_path / "a", *DIGITS, looks=[*[FINE] * 5, *[ALIKE] * 3, FINE, FINE])
    found = told(capsys, path)
    assert found["ill"] is False
    assert found["symptoms"] == []
    told_so = "diversity was on at 3 looks from step 600 to 800, red at worst, and is green since"
    assert told_so in found["passed"]


def test_a_sign_that_is_green_at_the_last_look_is_not_on(tmp_path, capsys):
    """Nor does it get advice, but where the run was lost."""
    early = [ALIKE | {"distance": 0.5}] * 3
    code, said = doctor(capsys, run(tmp_path / "a", *DIGITS, looks=[*early, FINE]))
    said = " ".join(said.split())
    assert code == 0
    assert "Every sign that could be told is green at the last look" in said
    assert "duplicates was yellow from step 100 to 300, and is green since" in said
    assert "Try next" not in said
    lost = run(tmp_path / "b", *DIGITS, looks=[*early, FINE], state="failed", reason="NaN")
    assert doctor(capsys, lost, "--no-advice")[0] == 1
    assert findings.of(Folder(lost)).remedies


def nearing(*gaps: float) -> list[dict[str, float]]:
    """Looks at samples that are alike, and so far from the data."""
    return [ALIKE | {"diversity": 0.5, "duplicates": 0.3, "distance": gap} for gap in gaps]


def test_a_run_that_still_learns_is_to_go_on_before_anything_else(tmp_path, capsys):
    path = run(tmp_path / "a b", *DIGITS, "steps=400", looks=nearing(0.5, 0.4, 0.3, 0.25))
    anew = told(capsys, path)["advice"]
    assert [one["command"] for one in anew] == ["gan train dataset=digits model=mlp steps=800"]
    (path / "checkpoints").mkdir()
    (path / "checkpoints" / "step-00000400.safetensors").write_bytes(b"")
    (one,) = told(capsys, path)["advice"]
    resume, steps = shlex.split(one["command"])[2:]
    assert (resume, steps) == (f"resume='{path}'", "steps=800")
    assert "energy distance 0.5 at step 100, 0.25 now" in one["reason"]


STILL = (
    ((0.4, 0.4, 0.4, 0.4), {}),  # stands still
    ((0.5, 0.4, 0.3, 0.31), {"step": 100, "state": "interrupted"}),  # goes on anyhow
    ((0.03, 0.04, 0.04, 0.035), {}),  # chance
)


@pytest.mark.parametrize(("gaps", "more"), STILL)
def test_a_run_at_a_standstill_or_before_its_end_gets_no_more_steps(gaps, more, tmp_path):
    path = run(tmp_path / "a", *DIGITS, "steps=400", looks=nearing(*gaps), **more)
    found = findings.of(Folder(path))
    assert not any("steps=" in " ".join(one.changes) for one in found.remedies)
    assert bool(found.remedies) is not bool(more)
    assert any("too early to tell" in note for note in found.notes) is bool(more)


def test_one_green_look_between_does_not_begin_a_sign_anew(tmp_path):
    path = run(tmp_path / "a", *DIGITS, looks=[*[FINE] * 5, *[ALIKE] * 2, FINE, *[ALIKE] * 2])
    symptom = findings.of(Folder(path)).symptoms[0]
    assert (symptom.since, symptom.light) == (600, Light.RED)


def test_causes_stand_before_what_they_cause(tmp_path):
    sure = ALIKE | {"auc": 1.0, "slope": 1e-6, "gradient/g": 1e-9, "first/g": 1.0}
    found = findings.of(Folder(run(tmp_path / "a", *DIGITS, "loss=minimax", looks=[sure] * 12)))
    names = [symptom.name for symptom in found.symptoms]
    assert names[0] == "vanishing"
    assert names.index("vanishing") < names.index("overpowering") < names.index("diversity")
    assert found.remedies[0].changes == ("loss=nonsaturating",)


def test_every_sign_has_advice_and_a_place():
    assert set(READINGS) == set(ADVICE) == set(findings.ORDER)


def test_a_nan_is_found_in_the_metrics_alone_at_its_step(tmp_path, capsys):
    path = run(tmp_path / "a", *DIGITS, "optimizer.lr=0.004", state="failed", reason="step 61: NaN")
    rows = [
        {"step": s, "loss/d": 1.0 if s < 61 else "nan", "grad_norm/d": 1.0 * s if s < 61 else "inf"}
        for s in range(1, 81)
    ]
    (path / "metrics.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    found = told(capsys, path)
    worst = found["symptoms"][0]
    assert (worst["name"], worst["since"]) == ("finite", 61)
    assert found["ill"] is True
    assert "no diagnosis.jsonl" in " ".join(found["blind"])
    assert found["advice"][0]["changes"] == ["optimizer.lr=0.0004"]


@pytest.mark.parametrize("target", WORST)
def test_ds_loss_bounds_how_often_it_is_right(target):
    """Markov's inequality over pairs of a real and a fake: what `history` reads off metrics."""
    loss = build._make({"_target_": target})
    torch.manual_seed(0)
    for scale in (0.01, 0.3, 1.0, 4.0):
        for shift in (-2.0, 0.0, 0.5, 3.0, 20.0):
            real, fake = scale * torch.randn(200) + shift, scale * torch.randn(200) - shift
            paid = torch.stack([loss.d(real, fake.roll(k)).mean() for k in range(200)]).mean()
            least = 1 - float(paid) / WORST[target]
            assert measure.auc(real, fake) >= least - 1e-6


CASES = (
    ("overpowering", DIGITS),
    ("diversity", ("dataset=mnist", "model.width=4", "task=label", "loss=hinge")),
    ("vanishing", (*DIGITS, "loss=minimax", "n_critic=10")),
    ("overfitting", (*DIGITS, "penalty=[r1_small_lazy,lecam]", "augment=diffaugment")),
    ("finite", (*DIGITS, "loss=fgan_kl", "loss.saturating=true", "optimizer.lr=0.004")),
    ("classes", ("dataset=ring", "optimizer=adam_toy", "optimizer.d_lr=0.0001")),
    ("vanishing", ("dataset=ring", "loss=wgan", "penalty=[orthogonal]")),
    ("diversity", ("dataset=mnist", "model=unet", "model.width=4", "task=superres_x4")),
    ("gradients", (*DIGITS, "method=vae")),
)
"""Signs, and ways in which runs were made."""


@pytest.mark.parametrize(("sign", "overrides"), CASES)
def test_every_command_would_begin_and_says_something_new(sign, overrides, tmp_path):
    """As they are shown: the first few that a run would begin with, asked as training asks."""
    record = Folder(run(tmp_path / "a", *overrides)).record
    chosen = {"loss": dict(word.split("=", 1) for word in overrides).get("loss", "nonsaturating")}
    ranked = remedies(Case(flat(record.config), chosen), [sign])
    rehearsal, begun = Rehearsal(record), 0
    for remedy in ranked:
        asked = command.overrides(record, remedy)
        if rehearsal.refusal(asked) is not None:
            continue
        config, begun = plain(rehearsal.composer.compose(asked)), begun + 1
        assert config != record.config, remedy.changes
        if "digits" in overrides[0] or "ring" in overrides[0]:
            session.make(config, build.parts(config), torch.device("cpu"), asked)
        if begun == MOST:
            break
    assert begun >= 2


def test_an_absurd_rate_goes_first_and_with_everything_else(tmp_path):
    path = run(tmp_path / "a", *DIGITS, "loss=minimax", "optimizer.lr=10", looks=[ALIKE] * 5)
    case = Case(flat(Folder(path).record.config), {"loss": "minimax"})
    first, *others = remedies(case, ["vanishing", "diversity", "finite"])
    assert first.changes == ("optimizer.lr=0.0002",)
    assert "50,000 times" in first.reason
    assert ("optimizer.lr=0.0002", "loss=nonsaturating") in [one.changes for one in others]
    for one in others:
        assert [change for change in one.changes if change.startswith("optimizer.lr=")] == [
            "optimizer.lr=0.0002"
        ]


def test_what_is_refused_is_not_advised(tmp_path, capsys):
    """Pictures of points can't be turned; batch norm can't stay under R1."""
    wary = run(tmp_path / "a", *DIGITS, "model.d_norm=batch", looks=[FINE | {"overfit": 1.0}] * 4)
    for one in told(capsys, wary)["advice"]:
        assert not ("[r1" in one["command"] and "d_norm=batch" in one["command"])
    points = run(tmp_path / "b", "dataset=ring", looks=[FINE | {"overfit": 1.0}] * 4)
    assert not any("augment" in one["command"] for one in told(capsys, points)["advice"])


def test_an_override_takes_the_place_of_what_it_replaces():
    record = Record.make(
        {},
        {},
        [
            *("loss=fgan_kl", "loss.saturating=true", "penalty=[r1,lecam]", "penalty.r1.gamma=3"),
            *("penalty.lecam.weight=1", "run_dir=here", "outputs=there", "seed=4"),
        ],
        ["gan", "train"],
    )
    asked = command.overrides(record, Remedy(("loss=hinge", "penalty=[r1,cr]"), "", ""))
    assert asked == [
        "penalty.r1.gamma=3",
        "outputs=there",
        "seed=4",
        "loss=hinge",
        "penalty=[r1,cr]",
    ]
    asked = command.overrides(record, Remedy(("loss=wgan_gp",), "", "", ("penalty",)))
    assert asked == ["outputs=there", "seed=4", "loss=wgan_gp"]


def test_a_command_can_be_copied_into_a_shell(tmp_path):
    record = Record.make({}, {}, ["loss=hinge", "outputs=a b;rm -r c"], ["gan"])
    said = command.typed(record, Remedy(("penalty=[r1]",), "", ""))
    assert said == "gan train loss=hinge 'outputs=a b;rm -r c' 'penalty=[r1]'"


def test_foreign_code_is_neither_made_nor_typed_again(tmp_path, capsys):
    path = run(tmp_path / "a", *DIGITS, looks=[ALIKE] * 3)
    found = json.loads((path / "run.json").read_text())
    found["overrides"].append("loss._target_=os.system")
    (path / "run.json").write_text(json.dumps(found))
    said = doctor(capsys, path)[1]
    assert "os.system" not in said
    assert "the same command with" in said


SHOUTING = (
    b'{"step": 1, "light": "red", "signs": {"diversity": {"light": "red", "value": 1, "limit": 2, '
    b'"words": "\\u001b[31mhi"}}, "measured": {}}\n'
)
GARBAGE = (
    b"",
    b"{",
    b'{"step": 1}\n',
    b'{"step": 1, "light": "blue", "signs": {"diversity": 3}, "measured": {}}\n',
    SHOUTING,
    b'{"step": 1, "light": "red", "signs": [], "measured": {"a": "nan"}}\n' * 3,
    b"\xff\xfe\x00" * 100,
    b'{"step": ' + b"[" * 5000 + b"\n",
)


@pytest.mark.parametrize("data", GARBAGE)
@pytest.mark.parametrize("name", ["diagnosis.jsonl", "metrics.jsonl", "evaluations.jsonl"])
def test_half_written_and_hostile_files_are_passed_over(name, data, tmp_path, capsys):
    path = run(tmp_path / "a", *DIGITS, looks=[FINE] * 3)
    (path / name).write_bytes(data)
    code, said = doctor(capsys, path, "--no-advice")
    assert code == (data is SHOUTING and name.startswith("diagnosis"))
    assert "\x1b" not in said
    assert "Traceback" not in said


@pytest.mark.parametrize("name", ["run.json", "status.json"])
def test_a_damaged_record_is_one_line(name, tmp_path, capsys):
    path = run(tmp_path / "a", *DIGITS, looks=[FINE] * 3)
    (path / name).write_text('{"format": "gan-status/1", "state": 3')
    code, said = doctor(capsys, path)
    assert code == BadFile.exit_code
    assert len(said.strip().splitlines()) == 1


def test_the_state_stands_there_however_long_the_name(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    path = run(tmp_path / ("long" * 30), *DIGITS, looks=[FINE] * 3, state="interrupted")
    lines = doctor(capsys, path, "--no-advice")[1].splitlines()
    assert lines[1].strip() == "interrupted"


def test_a_reason_says_its_step_once(tmp_path, capsys):
    why = "stopped and saved at step 200: diversity: samples are alike (and classes)"
    looks = [ALIKE] * 2
    path = run(tmp_path / "a", *DIGITS, "policy=stop", looks=looks, state="collapsed", reason=why)
    story = told(capsys, path)["story"]
    assert story.startswith(
        "It ended at step 200 of 200 with samples that are alike, stopped by policy=stop: samples "
        "are alike (diversity, classes)."
    )


def test_a_yellow_light_tells_the_limit_of_yellow():
    """Also where red has been crossed and is waited for."""
    (first,) = replay([Look(1, {"diversity": 0.02})])
    assert (first["diversity"].light, first["diversity"].limit) == (Light.YELLOW, 0.6)


def test_what_is_no_run_is_one_line(tmp_path, capsys):
    code, said = doctor(capsys, tmp_path)
    assert code == UserMistake.exit_code
    assert "is no run" in said


def test_the_picture_shows_the_curve_and_its_limits(tmp_path, capsys):
    path = run(tmp_path / "a", *DIGITS, looks=[*[FINE] * 5, *[ALIKE] * 2])
    assert doctor(capsys, path, "--no-advice", "--plot", tmp_path / "a.png")[0] == 1
    pixels = np.asarray(Image.open(tmp_path / "a.png").convert("RGB")).reshape(-1, 3)
    for colour in ((192, 57, 43), (181, 137, 0)):
        assert (np.abs(pixels.astype(int) - colour).max(1) < 12).any()
    assert doctor(capsys, path, "--plot", tmp_path / "a.txt")[0] == UserMistake.exit_code


def test_nothing_heavy_is_loaded_to_tell_what_happened(tmp_path):
    path = run(tmp_path / "a", *DIGITS, looks=[ALIKE] * 3)
    code = (
        "import sys; from gan_cli import cli; "
        f"cli.main(['doctor', {str(path)!r}, '--no-advice']); "
        "sys.exit(bool({'torch', 'matplotlib', 'hydra'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_chart_keeps_to_its_width_and_rises_with_its_curve(width):
    curve = Curve("x", range(0, 300, 3), [n / 100 for n in range(100)], {"red": 0.5})
    lines = chart.chart(curve, width)
    assert max(map(len, lines)) <= width
    cells = [line.partition("┤")[2] for line in lines[:-1]]
    heights = [
        sum(chart.BLOCKS.index(c) for c in column if c in chart.BLOCKS)
        for column in zip(*(c.ljust(width) for c in cells), strict=True)
    ]
    bars = heights[: next(i for i in range(len(heights), 0, -1) if heights[i - 1])]
    assert bars == sorted(bars)
    assert "╌" in "".join(cells)


@pytest.mark.parametrize(
    "values",
    [[math.nan] * 5, [1.0], [0.0, 0.0], [1.0, math.inf, -math.inf, 2.0], [1e-9, 1.0, 1e9], [-1, 2]],
)
def test_any_curve_can_be_drawn(values):
    lines = chart.chart(Curve("x", range(len(values)), values, {"red": 1.0}), 60)
    assert len(lines) == chart.ROWS + 1


def test_it_knows_which_data_are_images():
    """A data set of conf is one of these, or points, which bring a network of their own."""
    for name in entries("dataset"):
        text = (CONF / "dataset" / f"{name}.yaml").read_text()
        module = text.partition("_target_: ")[2].split()[0].split(".")[-2]
        assert (module in IMAGES) != ("mlp_toy" in text or "dirac" in text), name
    assert set(SHAPES) < IMAGES


STUDY = json.loads((ROOT / "benchmarks" / "results" / "diagnosis.json").read_text())


def lights(kept: dict[str, Any]) -> dict[str, Light]:
    """The worst light of each sign at the looks of a run of the study, under today's limits."""
    looks = [Look(int(one.pop("step")), one) for one in map(dict, kept["looks"])]
    worst: dict[str, Light] = {}
    for signs in replay(looks):
        for name, sign in signs.items():
            worst[name] = max(worst.get(name, Light.GREEN), sign.light)
    return worst


@pytest.mark.parametrize("name", STUDY["healthy"])
def test_no_light_of_a_healthy_run_is_red(name):
    assert max(lights(STUDY["healthy"][name]).values()) < Light.RED


@pytest.mark.parametrize("name", sorted(STUDY["failures"].keys() - {"clipped"}))
def test_a_provoked_failure_is_seen_as_what_it_is(name):
    """All but one: weights that are clipped too hard show in none of what is measured."""
    one = STUDY["failures"][name]
    found = lights(one["told"])
    seen = max(found.get(sign, Light.GREEN) for sign in one["expected"])
    assert seen is (Light.YELLOW if name in ("fast-d", "overfitting") else Light.RED)


@pytest.mark.parametrize("name", sorted(STUDY["failures"].keys() - {"clipped", "nan"}))
def test_the_first_advice_against_a_provoked_failure_is_the_one_that_was_tried(name, tmp_path):
    """A rate far from the usual goes first even where samples come nearer, as in fast-d."""
    one = STUDY["failures"][name]
    overrides = shlex.split(one["told"]["command"])[2:]
    path = run(tmp_path / "a", *overrides, looks=[], state=one["told"]["state"])
    looks = [Look(int(kept.pop("step")), kept) for kept in map(dict, one["told"]["looks"])]
    rows = [row(look, seen) for look, seen in zip(looks, replay(looks), strict=True)]
    (path / "diagnosis.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in rows))
    first = findings.of(Folder(path)).remedies[0]
    assert set(first.changes) <= set(shlex.split(one["then"]["command"]))
