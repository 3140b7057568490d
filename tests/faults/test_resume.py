"""Stopped anywhere and continued, in the same circumstances and in others."""

from __future__ import annotations

import contextlib
import gc
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gan_cli import container, state
from gan_cli.cli import main
from gan_cli.dataset import folder as folder_module
from gan_cli.errors import Stopped
from tests import watched
from tests.laws.test_resume import GAMES, final, run

pytestmark = pytest.mark.training

POINTS = (1, 4, 5, 6, 7, 19)
"""Steps after which it is stopped: of 20, of which each takes 2 of the 12 batches of an epoch, and
every third of D's updates pays a penalty."""

SEES = "resuming RUN at step N of M; the same bits as if it had not been stopped"


def same(a: Path, b: Path) -> bool:
    """Whether checkpoint, rows and pictures are the same."""
    one, other = final(a), final(b)
    alike = one.keys() == other.keys() and all(one[name].equal(other[name]) for name in one)
    files = ("metrics.jsonl", "samples/step-00000020.png")
    return alike and all((a / name).read_bytes() == (b / name).read_bytes() for name in files)


def stopped(tmp_path: Path, game: str, points: tuple[int, ...], monkeypatch: Any) -> bool:
    """Whether a run that is stopped after each of these steps comes to what a whole one does."""
    straight = run(tmp_path, "straight", game, monkeypatch)
    for at in points:
        with contextlib.suppress(Stopped):  # and let go of: workers would stay as long as it does
            run(tmp_path, "stopped", game, monkeypatch, stop_at=at)
        assert state.steps(tmp_path / "stopped" / "checkpoints")[0] == at
        gc.collect()
    return same(straight, run(tmp_path, "stopped", game, monkeypatch))


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.fault(
    "R1",
    "stopped at the first step, within a round of lazy penalties, around the end of an epoch, last",
    "SIGTERM during that step, of a run on streamed images read by 0 and by 2 workers",
)
def test_stopped_anywhere(workers, tmp_path, monkeypatch, tally, times):
    for number in range(96):
        pixels = np.random.default_rng(number).integers(0, 256, (8, 8), np.uint8)
        (tmp_path / "data").mkdir(exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "data" / f"{number}.png")
    monkeypatch.setattr(folder_module, "fits_host", lambda size: False)
    game = (
        f"dataset=folder dataset.path={tmp_path / 'data'} dataset.size=8 dataset.channels=1 "
        f"dataset.workers={workers} dataset.cache=null model=mlp n_critic=2 penalty=r1 "
        "penalty.r1.every=3 dataset.mirror=true diagnose.every=null tensorboard=false"
    )
    points = POINTS if workers == 0 else POINTS[-times(1, 6) :]
    tally(len(points), len(points) * stopped(tmp_path, game, points, monkeypatch), SEES)


@pytest.mark.fault(
    "R1",
    "stopped at any two steps, of every loss, optimiser, schedule, experiment and so on",
    "SIGTERM during two steps of 20 chosen at random",
)
def test_every_game_stopped_anywhere(tmp_path, monkeypatch, tally, times, request):
    chosen = random.Random(0)
    games = GAMES if times(0, 1) else ["penalty=lecam"]  # the law of resumption has them all
    tried = survived = 0
    for number, game in enumerate(games):
        if game.endswith("_mnist"):
            request.getfixturevalue("mnist_root")
        points = tuple(sorted(chosen.sample(range(1, 20), 2)))
        tried += 2
        survived += 2 * stopped(tmp_path / str(number), game, points, monkeypatch)
    tally(tried, survived, SEES)


HALF = ("dataset=digits", "diagnose.every=null", "steps=8", "checkpoint_every=8")


@pytest.fixture
def half(tmp_path: Path) -> Path:
    """A run that was stopped after 4 steps of 8."""
    with pytest.raises(Stopped):
        watched.run(tmp_path / "run", *HALF, stop_after=4)
    return tmp_path / "run"


def rewritten(half: Path, told: dict[str, Any] | None) -> None:
    """Its checkpoint, as if written in these circumstances; None: by a gan that told none."""
    path = state.path_of(half / "checkpoints", 4)
    found = container.read(path)
    meta = {name: value for name, value in found.meta.items() if name != "circumstances"}
    container.write(path, found.tensors, meta | ({} if told is None else {"circumstances": told}))


def written(half: Path) -> dict[str, Any]:
    """The circumstances that its checkpoint tells of."""
    return dict(container.read(state.path_of(half / "checkpoints", 4)).meta["circumstances"])


OTHERS: list[dict[str, object]] = [
    {"torch": "2.0.1"},
    {"threads": 3},
    {"CPU capability": "AVX2"},
    {"ranks": 4},
    {"precision": "bfloat16"},
    {"MKL_CBWR": "COMPATIBLE"},
]


@pytest.mark.fault(
    "E1",
    "continued with another torch, thread count, processor, precision or number of ranks",
    "the checkpoint says so; and really, threads 1 → 2",
)
def test_other_circumstances_are_told(half, tally, capsys):
    here, survived = written(half), 0
    for other in OTHERS:
        rewritten(half, here | other)
        watched.run(half, *HALF, "steps=4")  # nothing to do, but to say so
        (name, before), *_ = other.items()
        lines = [line for line in capsys.readouterr().out.splitlines() if "same bits" in line]
        survived += [f"stop: {name} {before} → " in line for line in lines] == [True]
    rewritten(half, here)
    watched.run(half, *HALF, "hardware.threads=2")
    told = "from here on not the same bits as without the stop: threads 1 → 2"
    survived += told in capsys.readouterr().out
    tally(len(OTHERS) + 1, survived, f"{told}; it goes on")


@pytest.mark.fault("E1", "continued with another setting", "resume=RUN optimizer.lr=0.5, and so on")
def test_another_setting_is_refused(half, tally, capsys):
    asked = ("optimizer.lr=0.5", "seed=3", "loss=wgan", "model.width=16", "batch_size=16")
    survived = 0
    for word in asked:
        code = main(["train", f"resume={half}", word])
        told = capsys.readouterr().err
        survived += code == 2 and f"{word.partition('=')[0]}: " in told and "→" in told
    tally(len(asked), survived, "exit 2: can't be resumed with other settings: KEY: WAS → ASKED")


def test_a_checkpoint_of_before_says_nothing(half, capsys):
    rewritten(half, None)
    capsys.readouterr()
    watched.run(half, *HALF)
    assert "same bits" not in capsys.readouterr().out
    assert json.loads((half / "run.json").read_text())["sessions"][-1]["from"] == 4
