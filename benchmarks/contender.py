"""One contender of a race (`race.py`): it makes steps when a line on stdin asks for them.

    python benchmarks/contender.py KIND ARGUMENTS

Kinds: `ours` is a whole `gan train`, with everything that it does between its steps; `bare` is
gan's step alone, `kernels` the products and convolutions of a step; `reference` is the plain loop;
`peak` multiplies and convolves; `sampling`, `plain_sampling`, `reading` and `plain_reading` make
one whole job a step.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

Notes = Callable[[], dict[str, Any]]


class Turns:
    """Steps as they are asked for: told after each, it waits where none is wanted for now.

    An order is a line of JSON: `warm` steps that are not timed and `steps` that are; or `keep`, a
    file for the weights of G; or `tally`, for the memory of all and, where it is true, the
    operations of the next step. True once nobody asks any more.
    """

    def __init__(self, note: Notes = dict):
        self.note, self.device = note, "cpu"
        self.keep: Callable[[str], None] = lambda path: None
        self._told = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)  # what else is said goes to the log
        self._course = self._taken()
        next(self._course)

    def __call__(self) -> bool:
        """A step has been made."""
        return next(self._course, "over") is not None

    def _taken(self) -> Iterator[None]:
        yield
        self._tell({"first": True})
        for line in sys.stdin:
            order = json.loads(line)
            if "tally" in order:
                yield from self._tallied(order["tally"])
            elif "keep" in order:
                self.keep(order["keep"])
                self._tell({"kept": True})
            else:
                yield from self._timed(order["warm"], order["steps"])

    def _timed(self, warm: int, steps: int) -> Iterator[None]:
        for _ in range(warm):
            yield
        self._wait()
        began = time.perf_counter()
        for _ in range(steps):
            yield
        self._wait()
        self._tell({"seconds": time.perf_counter() - began, "steps": steps})

    def _tallied(self, counting: bool) -> Iterator[None]:
        told = {"memory": memory(self.device)} | self.note()
        if counting:
            from gan_cli.bench.work import Counted

            with Counted() as counted:
                yield
            told["flops"] = counted.flops
        self._tell(told)

    def _wait(self) -> None:
        if self.device.startswith("cuda"):
            import torch

            torch.cuda.synchronize()

    def _tell(self, what: dict[str, Any]) -> None:
        self._told.write(f"{json.dumps(what)}\n")
        self._told.flush()


def memory(device: str) -> dict[str, float]:
    """Megabytes: the most this process ever held, and what its workers hold for themselves."""
    told = {"peak_mb": peak_mb(), "workers_mb": sum(map(own_mb, children()))}
    if device.startswith("cuda"):
        import torch

        told["device_mb"] = torch.cuda.max_memory_allocated() / 2**20
        told["reserved_mb"] = torch.cuda.max_memory_reserved() / 2**20
    return {name: round(value, 1) for name, value in told.items()}


def peak_mb() -> float:
    """Megabytes that this process held at most; where the system tells it only so, with what the
    one that started it held then."""
    with suppress(OSError):
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def children() -> list[int]:
    """The processes that this one started, where the system tells."""
    path = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
    return [int(number) for number in path.read_text().split()] if path.is_file() else []


def own_mb(process: int) -> float:
    """Megabytes that a process shares with nobody."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024


class Beside:
    """Goes along with a run of gan, step by step."""

    def __init__(self, turns: Turns):
        self.turns = turns

    def begins(self, fingerprint: str) -> None:
        """Told which data it trains on, which is nothing to a contender."""

    def __call__(self, step: int) -> str:
        """A step has been made; a text ends the run."""
        return "measured" if self.turns() else ""


def ours(words: list[str]) -> None:
    """`gan train WORDS` as it is, but that its steps wait for their turn."""
    from gan_cli import cli

    turns = Turns()
    cli.main(["version"])  # what the command line sets before torch is there
    from gan_cli import train

    place = tempfile.mkdtemp(dir=os.environ.get("XDG_CACHE_HOME"))
    turns.note = partial(circumstances, Path(place))
    turns.device = device_of(words)
    train.launch = partial(train.launch, beside=Beside(turns))  # type: ignore[assignment]
    sys.exit(cli.main(["train", *words, "steps=1000000000", f"outputs={place}"]))


def circumstances(outputs: Path) -> dict[str, Any]:
    """What the run picked, as it wrote it down: threads, precision, layout and so on."""
    found = next(outputs.glob("*/run.json"))
    told = json.loads(found.read_text())["sessions"][-1]["circumstances"]
    return {"picked": {key: told[key] for key in PICKED if key in told}}


PICKED = ("precision", "channels_last", "products", "compile", "cuda_graphs", "threads")


def device_of(words: list[str]) -> str:
    """The device that the words of a command name, or the processor."""
    named = [word.partition("=")[2] for word in words if word.startswith("hardware.device=")]
    return named[-1] if named else "cpu"


def bare(words: list[str]) -> None:
    """gan's step without what is around it: no average, no log, no looks."""
    turns = Turns()
    from gan_cli import cli

    cli.main(["version"])  # what the command line sets before torch is there
    from benchmarks.stepping import stepping

    turns.device = device_of(words)
    _, play = stepping(*words, "ema.half_life=0")
    while True:
        play()
        if turns():
            return


def kernels(words: list[str]) -> None:
    """The products and convolutions of gan's step alone."""
    turns = Turns()
    from gan_cli import cli

    cli.main(["version"])  # what the command line sets before torch is there
    from benchmarks.kernels import Kernels
    from benchmarks.stepping import stepping
    from gan_cli.fast import computing

    made, play = stepping(*words, "hardware.compile=false", "hardware.cuda_graphs=false")

    play()
    noted = Kernels(lambda: computing(made.speed))
    with noted:
        play()
    turns.note = noted.told
    while True:
        noted()
        if turns():
            return


def reference(words: list[str]) -> None:
    """The plain loop: GAME DATA WORKERS DEVICE PRECISION."""
    game, data, workers, device, precision = words
    turns = Turns()
    from benchmarks.reference import GAMES, nets, steps, torch

    turns.device = device
    turns.note = lambda: {"threads": torch.get_num_threads()}
    if precision == "float32":
        torch.backends.cudnn.allow_tf32 = False
    both = nets(GAMES[game], device)
    turns.keep = lambda path: torch.save(both[0].state_dict(), path)
    for _ in steps(GAMES[game], both, data, int(workers), device):
        if turns():
            return


def peak(words: list[str]) -> None:
    """The most operations a second that products and convolutions reach: DEVICE."""
    turns = Turns()
    from benchmarks.peak import Peak

    made = Peak(words[0])
    turns.device = words[0]
    turns.note = lambda: {"peak": made.best}
    while not turns():
        made()


def jobs(words: list[str], kind: str) -> None:
    """A whole job a step."""
    turns = Turns()
    from benchmarks import jobs

    job = getattr(jobs, kind)(*words)
    turns.note = lambda: {"jobs": jobs.told}
    while not turns():
        job()


KINDS: dict[str, Callable[[list[str]], None]] = {
    "ours": ours,
    "bare": bare,
    "kernels": kernels,
    "reference": reference,
    "peak": peak,
} | {
    kind: partial(jobs, kind=kind)
    for kind in ("sampling", "plain_sampling", "reading", "plain_reading")
}

if __name__ == "__main__":
    KINDS[sys.argv[1]](sys.argv[2:])
