"""The verbs that open a file or a run of somebody else's, each as a command on one of them."""

from __future__ import annotations

import asyncio
import copy
import os
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.global_hydra import GlobalHydra

from gan_cli import cli, record, serve
from gan_cli.dataset.folder import Folder
from gan_cli.metric.judge import Judge
from gan_cli.page.app import application
from gan_cli.page.guard import Guard
from gan_cli.page.studio import Studio
from gan_cli.sampler import Sampler

Command = Callable[[str], list[str]]
SIZE = ("--metrics", "frechet", "-n", "20", "--extractor", "raw")
GREY = ("dataset.channels=1", "dataset.cache=null")

COMMANDS: dict[str, Command] = {
    "sample": lambda file: ["sample", "--ckpt", file, "-n", "4", "--out", "out.png", *_given(file)],
    "evaluate run": lambda file: ["evaluate", "--ckpt", "run", *SIZE],
    "sample run": lambda file: ["sample", "--ckpt", "run", "-n", "4", "--out", "out.npz"],
    "export": lambda file: ["export", "--ckpt", file, "--out", "out"],
    "export run": lambda file: ["export", "--ckpt", "run", "--out", "out"],
    "invert": lambda file: ["invert", "made/a/1.png", "--ckpt", file, *_QUICK],
    "evaluate": lambda file: ["evaluate", "--ckpt", file, "dataset=digits", *SIZE],
    "evaluate made": lambda file: ["evaluate", "real", "made", *SIZE, *GREY],
    "evaluate npz": lambda file: ["evaluate", "real", file, *SIZE, *GREY],
    "reply": lambda file: [
        *("sample", "--ckpt", "sharper.safetensors", "--input", file, "--out", "out.png"),
    ],
    "serve": lambda file: ["serve", "--ckpt", file],
    "upload": lambda file: [file],
    "init_from": lambda file: ["train", *_SMALL, f"init_from={file}", "run_dir=new"],
    "resume": lambda file: ["train", "resume=run", "steps=13"],
    "judge": lambda file: [file],
    "list": lambda file: ["list", "."],
    "compare": lambda file: ["compare", "run", "other"],
    "compare runs": lambda file: ["compare", "run", "other", "--runs", "--at", "best"],
    "compare reach": lambda file: ["compare", "run", "--reach", "frechet<=60", "--at", "6"],
    "compare curves": lambda file: ["compare", "run", "--curves", "c.png", "--grids", "g.png"],
    "report": lambda file: ["report", "run"],
    "doctor": lambda file: ["doctor", "run", "--no-advice"],
    "doctor advice": lambda file: ["doctor", "run", "--format", "json"],
    "doctor plot": lambda file: ["doctor", "run", "--no-advice", "--plot", "out.png"],
    "list sweep": lambda file: ["list", "sweep", "--format", "csv"],
    "compare sweep": lambda file: ["compare", "sweep", "--format", "html"],
    "report sweep": lambda file: ["report", "sweep", "--runs"],
    "explain": lambda file: ["explain", f"{_group(file)}=mine", "--config-dir", "conf"],
    "list entries": lambda file: ["list", _group(file), "--config-dir", "conf"],
    "train --cfg": lambda file: [*_CONF, *_named(file), "--cfg", "job"],
    "check": lambda file: ["check", f"{_group(file)}=mine", "--config-dir", "conf"],
}

HEAVY = ("doctor advice", "doctor plot", "compare curves", "check", "train --cfg")
SLOW = dict.fromkeys((*HEAVY, "init_from", "resume", "train"), 9.0)
"""Seconds that those take which compose a configuration, or draw with matplotlib."""

LIGHT = tuple(name for name in COMMANDS if name not in HEAVY)
"""Those that take a moment."""

_QUICK = ("--steps", "2", "--restarts", "2", "--out", "out.png")
_CONF = ("train", "--config-dir", "conf", "loss=mine", "model=mine")
_SMALL = ("dataset=digits", "model=mlp", "model.width=8", "model.depth=1", "batch_size=8")
_SMALL += ("steps=1", "tensorboard=false", "hardware.threads=1", "hardware.device=cpu")

BESIDE = {
    **dict.fromkeys(("digits.safetensors", "pets.safetensors"), ("made",)),
    **dict.fromkeys(("sharper.safetensors", "trained.safetensors"), ("made",)),
    "run": ("other",),
    "sweep": ("run", "other"),
    "made": ("real", "sharper.safetensors", "digits.safetensors"),
    "made.npz": ("real",),
    "judge.safetensors": ("real",),
}
"""What lies beside a file that is mutated."""

ENDS = {name: frozenset({1}) for name in COMMANDS if name.startswith("doctor")}
ENDS["check"] = frozenset({1})
"""Exit codes of a verb besides the usual: 1 is what it found."""


def _given(file: str) -> list[str]:
    return ["--input", "made/a/1.png"] if "sharper" in file else []


def _named(file: str) -> list[str]:
    return ["--config-name", "mine"] if file == "conf/mine.yaml" else []


def _group(file: str) -> str:
    return "model" if "model" in file else "loss"


def settle(place: Path, patch: pytest.MonkeyPatch) -> None:
    """Make this process one that tries cases: nothing of the user's is read, and nothing is
    composed twice."""
    place.mkdir(parents=True, exist_ok=True)
    for name, value in (("HOME", place), ("XDG_CACHE_HOME", place / "cache"), ("TERM", "dumb")):
        patch.setenv(name, str(value))
    torch.set_num_threads(1)
    patch.setattr(record, "_git", lambda: None)
    load, known = ConfigLoaderImpl.load_configuration, {}

    def loaded(self: ConfigLoaderImpl, *given: Any, **named: Any) -> Any:
        where = tuple(str(found.path) for found in self.config_search_path.get_path())
        if any(str(place) in path for path in where):  # what is mutated
            return load(self, *given, **named)
        key = repr((where, given, named))
        if key not in known:
            known[key] = load(self, *given, **named)
        return copy.deepcopy(known[key])

    patch.setattr(ConfigLoaderImpl, "load_configuration", loaded)


def _main(command: list[str]) -> int:
    GlobalHydra.instance().clear()
    return cli.main(command)


class _Door:
    """Stands for a socket that listens."""

    def __enter__(self) -> _Door:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def getsockname(self) -> tuple[str, int]:
        return "127.0.0.1", 8000


def _served(command: list[str]) -> int:
    """`gan serve`, with a visitor in place of the server."""
    import uvicorn

    answers: list[int] = []

    def visit(server: uvicorn.Server, sockets: list[Any]) -> None:
        paths = ("/", "/api/about", "/api/codes", "/api/draw", "/api/draw?n=4&seed=1", "/api/file")
        answers.extend(ask(server.config.app, path)[0] for path in paths)

    run, listening = uvicorn.Server.run, serve.listening
    uvicorn.Server.run = visit  # type: ignore[method-assign, assignment]
    serve.listening = lambda host, port: _Door()  # type: ignore[assignment, return-value]
    try:
        code = _main(command)
    finally:
        uvicorn.Server.run, serve.listening = run, listening  # type: ignore[method-assign]
    return 99 if any(status >= 500 for status in answers) else code


def ask(app: Any, path: str, body: bytes = b"", method: str = "GET") -> tuple[int, bytes]:
    """One request of an ASGI application, and its answer."""
    name, _, query = path.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "path": name,
        "raw_path": name.encode(),
        "query_string": query.encode(),
        "headers": [(b"host", b"localhost"), (b"content-length", str(len(body)).encode())],
        "scheme": "http",
        "server": ("localhost", 80),
        "client": ("localhost", 1),
    }
    told: list[dict[str, Any]] = []
    sent = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> Any:
        message = next(sent, None)
        return message or await asyncio.sleep(3600)

    async def send(message: Any) -> None:
        told.append(message)

    asyncio.run(app(scope, receive, send))
    return told[0]["status"], b"".join(one.get("body", b"") for one in told[1:])


@cache
def _page(process: int) -> Any:
    """The page of a process: threads don't survive a fork."""
    sampler = Sampler.load(Path(os.environ["HOME"]) / "garden" / "sharper.safetensors")
    return application(Studio(sampler, "sharper"), Guard("127.0.0.1"))


def _uploaded(command: list[str]) -> int:
    """A picture that is sent to the page."""
    body = Path(command[0]).read_bytes()
    answers = [
        ask(_page(os.getpid()), path, body, "POST")[0]
        for path in ("/api/given", "/api/given?whole=1")
    ]
    return 0 if {200, 400, 413, 422}.issuperset(answers) else 99


def _resumed(command: list[str]) -> int:
    rewinds = Path("run/rewinds.json")
    if rewinds.is_file() and rewinds.stat().st_nlink > 1:  # sound: it would ask for its policy
        rewinds.unlink()
    for path in Path("run").rglob("*"):
        if path.is_file() and path.stat().st_nlink > 1:  # the same as that of the garden
            held = path.read_bytes()
            path.unlink()
            path.write_bytes(held)
    return _main(command)


def _judged(command: list[str]) -> int:
    """The judge that is kept of some data: it is trained again where the file is none."""
    source = Folder("real", 8, channels=1, min_size=1, cache=None).load()
    kept = Path("judges")
    kept.mkdir()
    with _Untrained():
        Judge.of(source, cache=kept)
        (found,) = kept.glob("*.safetensors")
        shutil.copy(command[0], found)
        Judge.of(source, cache=kept)
    return 0


class _Untrained:
    """A judge is drawn, not trained."""

    def __enter__(self) -> None:
        self._train = Judge.train
        Judge.train = classmethod(_drawn)  # type: ignore[assignment, method-assign]

    def __exit__(self, *_: object) -> None:
        Judge.train = self._train  # type: ignore[method-assign]


def _drawn(kind: type[Judge], images: Any, seed: int = 0) -> Judge:
    from gan_cli.metric import judge_net
    from gan_cli.metric.judge import digest

    net = judge_net.fresh(images, seed)
    judge_net.settle(net)
    return kind(net, images.shape, images.classes, 0.5, 2, digest(net))


def judge(place: Path) -> None:
    """Keep a judge of the images in `real`, as a file of that name."""
    source = Folder("real", 8, channels=1, min_size=1, cache=None).load()
    with _Untrained():
        Judge.of(source, cache=Path("judges"))
    (found,) = Path("judges").glob("*.safetensors")
    shutil.move(found, place)
    shutil.rmtree("judges")


RUNNERS: dict[str, Callable[[list[str]], int]] = {
    "serve": _served,
    "upload": _uploaded,
    "resume": _resumed,
    "judge": _judged,
    **dict.fromkeys(("init_from", "train --cfg", "check"), _main),
    **dict.fromkeys(("evaluate", "evaluate run", "evaluate made", "evaluate npz"), _main),
}
"""Those that are more than a command."""
