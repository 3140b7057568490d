"""What a terminal, a browser, Hydra and Python itself would do for a stranger, if they were let."""

from __future__ import annotations

import html.parser
import json
import os
import pty
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gan_cli import cli
from tests import hostile
from tests.faults import fuzz, malice, opened
from tests.faults.guarded import Watch, apart
from tests.faults.mutate import ESCAPES

Times = Callable[[int, int], int]
Tally = Callable[[int, int, str], None]

OWN = "\x1b["
"""How gan's own colours begin; what else a terminal obeys begins otherwise, or ends otherwise."""


@pytest.fixture(autouse=True)
def garden() -> Path:
    """The sound files: made once, here, and not by each child for itself."""
    return fuzz.shared()


def here() -> Path:
    """A copy of the sound files, as the working directory of a forked child."""
    root = fuzz.shared()
    opened.settle(root.parent, pytest.MonkeyPatch())
    place = root.parent / f"doors-{os.getpid()}"
    shutil.copytree(root, place)
    os.chdir(place)
    return place


def shown(command: list[str]) -> bytes:
    """What a terminal gets of a command: all that a real one is sent."""
    child, terminal = pty.fork()
    if not child:
        os.environ |= {"TERM": "xterm-256color", "COLUMNS": "100"}
        os.environ.pop("NO_COLOR", None)
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
        cli.main(command)
        sys.stdout.flush()
        os._exit(0)
    told = b""
    while True:
        try:
            data = os.read(terminal, 1 << 16)
        except OSError:  # nobody holds the other end any more
            break
        if not data:
            break
        told += data
    os.close(terminal)
    os.waitpid(child, 0)
    return told


def obeyed(told: bytes) -> list[bytes]:
    """The controls in a text for a terminal that are not colours."""
    import re

    plain = re.sub(rb"\x1b\[[0-9;]*m", b"", told).replace(b"\r\n", b"")
    text = plain.decode("utf-8", "replace")
    found = [sign for sign in text if sign != "\n" and (sign < " " or "\x7f" <= sign < "\xa0")]
    return [sign.encode() for sign in found] + [sign.encode() for sign in text if sign == "\u202e"]


@pytest.mark.fault(
    "H6", "texts that a terminal obeys, on a terminal", "a pseudo-terminal reads along"
)
def test_a_terminal_is_told_nothing_by_a_stranger(times: Times, tally: Tally) -> None:
    def work() -> list[object]:
        place = here()
        every = "".join(one for one in ESCAPES[:8] if "\ud800" not in one)[:900]
        for file, told in (
            ("status.json", {"state": "failed", "reason": every}),
            ("run.json", {"command": every, "overrides": [f"loss={every}"]}),
            ("evaluations/scores.json", {"refused": {every: every}, "command": every}),
        ):
            malice.edited(file, **told)(place / "run")
        malice.more("metrics.jsonl", malice._row(**{every: 1.0}))(place / "run")
        commands = [
            *(["list", "."], ["compare", "run", "other"], ["doctor", "run", "--no-advice"]),
            *(["compare", "run", "other", "--runs"], ["report", "run"], ["list", "sweep"]),
            ["sample", "--ckpt", "run", "--out", "x.png"],
        ]
        told = [(command, shown(command)) for command in commands]
        assert any(OWN.encode() in text for _, text in told), "no colours: was it a terminal?"
        return [[command, str(obeyed(text))] for command, text in told if obeyed(text)] + [
            len(told)
        ]

    *bad, tried = apart(work)
    assert not bad
    tally(tried, tried, "gan's own colours, and ? for each control of the text")


class Page(html.parser.HTMLParser):
    """What a browser would run or fetch of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts = 0
        self.bad: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        if tag in ("iframe", "object", "embed", "base", "form", "frame", "applet"):
            self.bad.append(tag)
        for name, value in attrs:
            where = (value or "").strip().lower()
            if name.startswith("on") or (name == "http-equiv" and "refresh" in where):
                self.bad.append(f"{tag} {name}")
            fetched = name in ("href", "src", "action", "srcset", "data", "formaction", "poster")
            own = where.startswith(("data:image/", "#"))
            if fetched and not own and (":" in where or where.startswith("//")):
                self.bad.append(f"{tag} {name}={where[:60]}")


@pytest.mark.fault(
    "H6", "markup in all that a report shows", "the page is read as browsers read it"
)
def test_a_report_runs_nothing_of_a_stranger(times: Times, tally: Tally) -> None:
    def work() -> list[object]:
        place = here()
        markup = [one for one in ESCAPES if any(sign in one for sign in "<>\"'&\u2028`")]
        bad: list[object] = []

        def page(of: str) -> Page:
            assert cli.main(["report", of]) == 0
            made = Page()
            made.feed((place / of / "report.html").read_text())
            return made

        usual = {of: page(of).scripts for of in ("run", "sweep")}
        for text in markup:
            shutil.rmtree("run")
            shutil.copytree(fuzz.shared() / "run", "run")
            malice.edited("status.json", state="failed", reason=text)(place / "run")
            told = {"command": text, "overrides": [f"loss={text}"], "config__model__g_norm": text}
            malice.edited("run.json", **told, choices__loss=text)(place / "run")
            malice.edited("evaluations/scores.json", refused={text: text}, command=text)(
                place / "run"
            )
            malice.more("metrics.jsonl", malice._row(**{text: 1.0}))(place / "run")
            for of in ("run", "sweep"):
                found = page(of)
                if found.bad or found.scripts != usual[of]:
                    bad.append([of, text, found.bad, found.scripts])
        return [*bad, 2 * len(markup)]

    *bad, tried = apart(work)
    assert not bad
    tally(tried, tried, "the text itself: no script, no link and no handler but the page's own")


DOORS = {
    "a pickle of Hydra's": ["--experimental-rerun", "evil.pickle"],
    "a launcher": ["hydra/launcher=evil"],
    "a sweeper": ["hydra/sweeper=evil"],
}
"""What can be typed after `gan train` that nobody may want."""


@pytest.mark.fault(
    "H5", "Hydra's own doors", "a pickle to rerun, plug-ins beside a run, a search path"
)
def test_the_doors_of_hydra_are_shut(tally: Tally) -> None:
    def work() -> list[str]:
        import pickle

        from tests.hostile import _SHELL

        place = here()
        (place / "evil.pickle").write_bytes(pickle.dumps(_SHELL))
        malice.modules(place)
        (place / "evil" / "loss").mkdir(parents=True)
        (place / "evil" / "loss" / "bad.yaml").write_text(malice.CONFIGURATIONS["system"])
        watch, bad = Watch(), list[str]()
        small = [*opened._SMALL, "run_dir=out"]
        commands = [["train", *small, *words] for words in DOORS.values()]
        commands.append(["train", *small, f"hydra.searchpath=[file://{place}/evil]", "loss=bad"])
        for command in commands:
            outcome = watch.run(lambda: opened._main(command), place)  # noqa: B023
            trouble = outcome.trouble(frozenset({2, 4}), 5, 300)
            if trouble or (place / "canary").exists():
                bad.append(f"{command}: {trouble} {outcome.err[-500:]}")
        return [*bad, str(len(commands))]

    *bad, tried = apart(work)
    assert not bad
    tally(int(tried), int(tried), "exit code 2, and what to type instead")


@pytest.mark.fault("H5", "Python files beside a run", "modules and .env, without asserts (-O)")
def test_no_module_beside_a_run_is_imported(times: Times, tally: Tally) -> None:
    """A new process, as a user starts it: nothing has been imported yet."""
    import subprocess

    place = fuzz.shared().parent / "modules"
    shutil.copytree(fuzz.shared(), place)
    malice.modules(place)
    malice.modules(place / "run")
    (place / "evil").mkdir()
    evil = {**hostile.FILES, **hostile.REQUESTS}
    for name, (make, _) in evil.items():
        (place / "evil" / f"{name}.safetensors").write_bytes(make())
    commands = [
        ["evaluate", "--ckpt", "run", "--metrics", "frechet", "-n", "20", "--extractor", "raw"],
        *[["train", *opened._SMALL, "run_dir=new"], ["report", "run"], ["doctor", "run"]]
        * times(0, 1),
    ]
    commands += [["sample", "--ckpt", f"evil/{n}.safetensors", "--out", "x.png"] for n in evil]
    program = (
        "import json, sys; from gan_cli.cli import main; sys.path.remove(''); "
        "print([main(command) for command in json.loads(sys.argv[1])])"
    )
    done = subprocess.run(
        [sys.executable, "-O", "-c", program, json.dumps(commands)],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.endswith("]\n"), done.stderr
    assert not list(place.rglob("canary"))
    codes = json.loads(done.stdout.splitlines()[-1])
    assert {*codes[: -len(evil)]} <= {0, 1}, done.stderr
    assert {*codes[-len(evil) :]} == {4}, done.stderr
    assert not (place / "x.png").exists()
    tally(len(commands), len(commands), "nothing: they are not looked at")
