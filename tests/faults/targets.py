"""What is mutated, how, and which verbs meet it, each as often as its number says."""

from __future__ import annotations

from dataclasses import dataclass

from tests.faults import mutate
from tests.faults.mutate import Mutation


@dataclass(frozen=True)
class Target:
    """Files of a kind. blind: the share of mutations that know nothing of the kind; sealed: whether
    a file that was changed so has to be refused."""

    kind: str
    files: tuple[str, ...]
    mutation: Mutation
    verbs: dict[str, float]
    weight: float = 1.0
    blind: float = 0.5
    sealed: bool = False


GENERATORS = (
    "digits.safetensors",
    "pets.safetensors",
    "sharper.safetensors",
    "trained.safetensors",
)
LOOK = {"list": 3.0, "compare": 3, "compare runs": 1, "compare reach": 1, "report": 3, "doctor": 3}
LOOK |= {"compare curves": 0.05, "doctor advice": 0.03, "doctor plot": 0.05}
USE = {"sample run": 1.0, "export run": 0.3, "evaluate run": 0.2, "resume": 0.1}
ROWS = ("metrics", "evaluations", "diagnosis", "clock")

TARGETS = (
    Target(
        "checkpoint",
        GENERATORS,
        mutate.checkpoint,
        {"sample": 10, "serve": 4, "export": 2, "invert": 0.5, "evaluate": 0.4, "init_from": 0.1},
        weight=8,
        sealed=True,
    ),
    Target("run.json", ("run/run.json",), mutate.json_file, LOOK | USE, 3, 0.3),
    Target("status.json", ("run/status.json",), mutate.json_file, LOOK | USE, 2, 0.3),
    *(Target(name, (f"run/{name}.jsonl",), mutate.rows_file, LOOK, 1.5, 0.3) for name in ROWS),
    Target("rewinds.json", ("run/rewinds.json",), mutate.json_file, LOOK | USE, 1, 0.3),
    Target("config.yaml", ("run/config.yaml",), mutate.yaml_file, LOOK | USE, 0.5, 0.3),
    Target(
        "run weights", ("run/checkpoints/step-00000012.safetensors",), mutate.checkpoint, USE, 1
    ),
    Target("evaluations/", ("run/evaluations/scores.json",), mutate.json_file, LOOK | USE, 2, 0.3),
    Target("samples/", ("run/samples/step-00000012.png",), mutate.png_file, {"report": 1.0}, 1),
    Target(
        "ledger.json",
        ("sweep/ledger.json",),
        mutate.json_file,
        {"list sweep": 3, "compare sweep": 3, "report sweep": 3},
        2,
        0.3,
    ),
    Target(
        "images",
        ("made/a/0.png", "made/b/1.png", "made/a/5.jpg"),
        mutate.png_file,
        {"evaluate made": 1.0},
        1,
    ),
    Target("archive", ("made.npz",), mutate.archive, {"evaluate npz": 1.0}, 0.5),
    Target(
        "an input",
        ("made/a/0.png", "made/a/5.jpg"),
        mutate.png_file,
        {"reply": 1.0, "upload": 2},
        1,
    ),
    Target("judge", ("judge.safetensors",), mutate.checkpoint, {"judge": 1.0}, 0.5, 0.5),
    Target(
        "configuration",
        ("conf/loss/mine.yaml", "conf/model/mine.yaml", "conf/mine.yaml"),
        mutate.yaml_file,
        {"explain": 1.0, "list entries": 0.5, "train --cfg": 1.0, "check": 0.3},
        0.5,
        0.3,
    ),
)
