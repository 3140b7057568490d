"""Run directories, configurations and places of a stranger's, each made of a sound one.

`RUNS` change a copy of a run directory; `CONFIGURATIONS` are texts of a YAML under `--config-dir`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.faults.mutate import ESCAPES, YAML

Change = Callable[[Path], None]

BAIT = "bait"
"""A directory beside that of all, with a file in it, that nothing may touch."""


def bait(place: Path) -> Path:
    """The file in it, made anew."""
    (place / BAIT).mkdir(exist_ok=True)
    made = place / BAIT / "file"
    made.write_text('{"step": 1}\n' * 20)
    return made


def _row(**told: Any) -> str:
    return json.dumps({"step": 14, "loss/g": 1.0} | told) + "\n"


def text(name: str, made: str | bytes) -> Change:
    """Another text in place of a file."""

    def change(run: Path) -> None:
        (run / name).unlink(missing_ok=True)
        (run / name).write_bytes(made if isinstance(made, bytes) else made.encode())

    return change


def more(name: str, made: str) -> Change:
    """Text at the end of a file."""

    def change(run: Path) -> None:
        before = (run / name).read_bytes()
        (run / name).unlink()
        (run / name).write_bytes(before + made.encode("utf-8", "surrogatepass"))

    return change


def edited(name: str, **told: Any) -> Change:
    """Other values in a file of JSON, by dotted key with `__` for the dots."""

    def change(run: Path) -> None:
        found = json.loads((run / name).read_text())
        for key, value in told.items():
            *path, last = key.split("__")
            place = found
            for part in path:
                place = place[part]
            place[last] = value
        text(name, json.dumps(found))(run)

    return change


def fifo(name: str) -> Change:
    """A pipe that nobody writes to."""

    def change(run: Path) -> None:
        (run / name).unlink(missing_ok=True)
        os.mkfifo(run / name)

    return change


def link(name: str, target: str) -> Change:
    """A link in place of what was there."""

    def change(run: Path) -> None:
        place = run / name
        if place.is_dir():
            place.rename(run / f"old-{place.name}")
        place.unlink(missing_ok=True)
        place.symlink_to(target.replace(BAIT, str(run.parents[1] / BAIT)))

    return change


def sparse(name: str, size: int) -> Change:
    """A file of nothing, of that many bytes."""

    def change(run: Path) -> None:
        (run / name).unlink(missing_ok=True)
        with (run / name).open("wb") as file:
            file.truncate(size)

    return change


def many(name: str, line: str, count: int) -> Change:
    """So many rows."""
    return text(name, line * count)


def modules(run: Path) -> None:
    """Python files that would be imported if the directory were searched for modules."""
    (run / "hydra_plugins" / "planted").mkdir(parents=True)
    names = ("conftest", "sitecustomize", "usercustomize", "gan_plugin", "cupy", "torch_xla")
    places = [run / f"{name}.py" for name in names]
    for place in (
        *places,
        run / "hydra_plugins/planted/__init__.py",
        run / "hydra_plugins/evil.py",
    ):
        place.write_text("open('canary', 'w').close()\n")
    (run / ".env").write_text("LD_PRELOAD=canary\n")


def bomb(name: str, side: int) -> Change:
    """A PNG of a few bytes that is that many pixels wide and high."""

    def change(run: Path) -> None:
        import struct
        import zlib

        head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
        data = zlib.compress(bytes(min((side // 8 + 1) * side, 1 << 22)), 9)
        made = [b"\x89PNG\r\n\x1a\n"]
        for kind, body in ((b"IHDR", head), (b"IDAT", data), (b"IEND", b"")):
            crc = struct.pack(">I", zlib.crc32(kind + body))
            made.append(struct.pack(">I", len(body)) + kind + body + crc)
        text(name, b"".join(made))(run)

    return change


_DEEP = "[" * 50_000 + "]" * 50_000
_KEYS = json.dumps({"step": 14} | {f"k{number}": 1 for number in range(60_000)}) + "\n"
_WIDE = json.dumps({"step": 14} | {f"k{number}": 1 for number in range(900)}) + "\n"
_LIES = dict.fromkeys(("run.json", "status.json", "rewinds.json", "metrics.jsonl", "clock.jsonl"))
_LIES |= dict.fromkeys(("evaluations.jsonl", "diagnosis.jsonl", "evaluations/scores.json"))
PARTS = tuple(_LIES)
"""The files of a run that verbs read, but for its weights."""

METADATA: dict[str, Change] = {
    "target": edited("run.json", config__loss={"_target_": "os.system", "command": "touch canary"}),
    "target typed": edited("run.json", overrides=["loss._target_=os.system", "steps=1"]),
    "interpolation": edited("run.json", overrides=["loss=${oc.env:HOME}"]),
    "hydra typed": edited("run.json", overrides=["hydra.run.dir=/tmp/canary"]),
    "searchpath": edited("run.json", overrides=["hydra.searchpath=[file:///canary]"]),
    "config dir": edited("run.json", config_dir="/", config_name="../../etc/passwd"),
    "long names": edited("run.json", command="x" * 10_000),
    "duplicate keys": text("run.json", '{"format": "gan-run/1", "format": "gan-run/1"}'),
    "list": text("run.json", "[]"),
    "deep": text("run.json", f'{{"format": {_DEEP}}}'),
    "nan": more("status.json", "NaN"),
    "huge numbers": edited("run.json", config__seed=10**18, config__steps=10**18),
    "digits": text("status.json", '{"step": ' + "9" * 5000 + "}"),
    "huge network": edited(
        "run.json", overrides=["model=mlp", "model.width=60000", "model.depth=9"]
    ),
    "huge data": edited("run.json", overrides=["dataset=ring", "dataset.modes=900000000"]),
    "wrong types": edited("run.json", choices={"loss": 1}),
    "steps": edited("status.json", step=-1, steps="many"),
    "state": edited("status.json", state="__class__"),
    "seconds": edited("status.json", seconds=1e308),
    "figures": edited("evaluations/scores.json", seconds="1", figures={"a": 1}),
    "protocol": edited("evaluations/scores.json", protocol__real=[1], seed="x"),
    "returns": text("rewinds.json", '{"format":"gan-rewinds/1","pending":false,"returns":[1]}'),
}
"""What the files of a run might say."""

DATA: dict[str, Change] = {
    "yaml bomb": text("config.yaml", YAML[0]),
    "yaml object": text("config.yaml", YAML[1]),
    "yaml deep": text("config.yaml", "x: " + _DEEP),
    "yaml large": sparse("config.yaml", 100 << 20),
    "rows deep": more("metrics.jsonl", f'{{"step": 14, "a": {_DEEP}}}\n'),
    "rows nul": more("diagnosis.jsonl", "\0" * 5000),
    "rows many keys": more("metrics.jsonl", _KEYS),
    "rows wide": many("metrics.jsonl", _WIDE, 3000),
    "rows of another": many("diagnosis.jsonl", '{"step":1,"a":{"b":{}}}\n', 60_000),
    "rows without end": sparse("metrics.jsonl", 2 << 30),
    "clock without end": sparse("clock.jsonl", 2 << 30),
    "evaluations many": many("evaluations.jsonl", '{"step":1}\n', 200_000),
    "numbers past all": more("metrics.jsonl", _row(**{"loss/g": 10**400})),
    "status large": sparse("status.json", 2 << 30),
    "events planted": text("events.out.tfevents.1.evil", b"\xff" * 4096),
    "sample bomb": bomb("samples/step-00000012.png", 20_000),
    "sample large": bomb("samples/step-00000012.png", 8_000),
    "sample none": text("samples/step-00000012.png", b"<script>alert(1)</script>"),
    "modules": modules,
}
"""What the files of a run might do to who reads them."""

PATHS: dict[str, Change] = {
    **{f"pipe {name}": fifo(name) for name in PARTS},
    **{f"zero {name}": link(name, "/dev/zero") for name in PARTS},
    **{f"loop {name}": link(name, Path(name).name) for name in PARTS},
    **{f"out {name}": link(name, f"{BAIT}/file") for name in PARTS},
    "samples out": link("samples", BAIT),
    "sample out": link("samples/step-00000012.png", f"{BAIT}/file"),
    "sample pipe": fifo("samples/step-00000012.png"),
    "sample zero": link("samples/step-00000012.png", "/dev/zero"),
    "evaluations out": link("evaluations", BAIT),
    "checkpoints out": link("checkpoints", BAIT),
    "checkpoint pipe": fifo("checkpoints/step-00000099.safetensors"),
    "lock pipe": fifo(".lock"),
    "lock out": link(".lock", f"{BAIT}/file"),
    "report out": link("report.html", f"{BAIT}/file"),
}
"""What may stand where a file of a run is expected."""

TEXTS: dict[str, Change] = {
    f"{place} {number}": change
    for number, told in enumerate(one for one in ESCAPES if "\ud800" not in one and "\0" not in one)
    for place, change in {
        "reason": edited("status.json", state="failed", reason=told[:900]),
        "override": edited("run.json", overrides=[f"loss={told[:900]}", "seed=1"]),
        "setting": edited("run.json", config__model__g_norm=told[:900], command=told[:900]),
        "figure": edited(
            "evaluations/scores.json", command=told[:900], refused={told[:90]: told[:90]}
        ),
        "column": more("metrics.jsonl", _row(**{told[:900]: 2.0})),
    }.items()
}
"""What a terminal, a page or a shell might obey, in every place where a run is described."""


def swept(run: Any, **told: Any) -> dict[str, Any]:
    """A ledger whose one job has that run."""
    job = {"name": "seed=0", "overrides": ["seed=0"], "run": run, "state": "done", **told}
    return {"format": "gan-ledger/1", "command": "gan train -m", "jobs": [job]}


LEDGERS: dict[str, Any] = {
    "absolute": swept("/etc"),
    "far above": swept("../" * 40 + "etc"),
    "dash": swept("-rf", name="-rf"),
    "nul": swept("a\0b"),
    "long": swept("x" * 4000),
    "itself": swept("."),
    "number": swept(1),
    "escape": swept("\x1b[2J", name="\x1b]52;c;eA==\x07", reason="[link=file:///etc]x"),
    "figures": swept("../run", figures="none"),
    "config": swept("../run", config=["a"]),
    "state": swept("../run", state="[bold]"),
    "jobs": swept("../run") | {"jobs": {"a": 1}},
    "many": swept("../run") | {"jobs": [[]] * 900_000},
    "twice": swept("../run") | {"jobs": [swept("../run")["jobs"][0]] * 2},
}
"""What the ledger of a sweep might name."""

CONFIGURATIONS: dict[str, str] = {
    **{f"piece {number}": piece for number, piece in enumerate(YAML)},
    "system": "_target_: os.system\ncommand: touch canary\n",
    "popen": "_target_: subprocess.Popen\nargs: [touch, canary]\n",
    "open": "_target_: builtins.open\nfile: canary\nmode: w\n",
    "load": "_target_: torch.load\nf: evil.pt\nweights_only: false\n",
    "hub": "_target_: torch.hub.load\nrepo_or_dir: .\nmodel: evil\nsource: local\n",
    "touch": "_target_: pathlib.Path.touch\nself: canary\n",
    "nested": "_target_: gan_cli.loss.hinge.Hinge\n"
    "x: {_target_: builtins.open, file: canary, mode: w}\n",
    "callback": "# @package _global_\n"
    "hydra: {callbacks: {x: {_target_: os.system, command: touch canary}}}\n",
    "logging": "# @package _global_\nhydra: {job_logging: {version: 1, handlers: {a: "
    "{class: logging.FileHandler, filename: canary}}, root: {handlers: [a]}}}\n",
    "run dir": "# @package _global_\nhydra: {run: {dir: canary}}\n",
    "output": "# @package _global_\nhydra: {output_subdir: canary}\n",
    "environment": "# @package _global_\nhydra: {job: {env_set: {LD_PRELOAD: canary}}}\n",
    "launcher": "# @package _global_\n"
    "hydra: {launcher: {_target_: os.system, command: touch canary}}\n",
    "many": "a: [" + "1," * 200_000 + "1]\n",
}
"""What a file under `--config-dir` might say."""

FEW = ("piece 0", "system", "nested", "logging")
"""Those of them that the suite tries."""
