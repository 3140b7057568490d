"""Mutated files of every kind, and the verbs that open them: see fuzz.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults import fuzz, guarded


@pytest.mark.fault(
    "H7",
    "a file that was mutated at random",
    "bits, bytes, chunks, values and headers of sound files of 18 kinds are changed, and a verb "
    "opens each in a process that is watched",
)
def test_no_mutated_file_does_harm(
    times: Callable[[int, int], int], tally: Callable[[int, int, str], None]
) -> None:
    cases, seed = times(150, 20_000), times(28, 0)
    root = fuzz.shared()

    def work() -> list[str]:
        fuzz.opened.settle(root.parent, pytest.MonkeyPatch())
        fuzz.warm(root, fuzz.verbs(seed, cases) & {*fuzz.opened.HEAVY})
        every = [*fuzz.campaign(seed, cases, root, 1)]
        assert len(every) == cases
        return [f"{one.number}: {one.trouble}: {one.last}" for one in every if one.trouble]

    bad = guarded.apart(work)
    assert not bad, "\n".join(bad)
    tally(
        cases, cases - len(bad), "what is still sound is used; else one line, and exit code 2 or 4"
    )


def test_the_fuzzer_sees_what_it_looks_for(tmp_path: Path) -> None:
    """Each kind of harm, done by hand, is trouble."""

    def work() -> list[str]:
        import socket
        import time

        watch = guarded.Watch()

        def touch() -> int:
            (tmp_path.parent / "elsewhere").touch()
            return 0

        def look_up() -> int:
            socket.getaddrinfo("localhost", 80)
            return 0

        def fill() -> int:
            return len(bytearray(400 << 20)) * 0

        def wait() -> int:
            while True:
                time.process_time()

        def talk() -> int:
            print("\x1b[2J")
            return 0

        def run() -> int:
            exec(compile("canary = 1", str(tmp_path / "x.py"), "exec"))
            return 0

        harms = (touch, look_up, fill, wait, talk, run)
        found = [watch.run(harm, tmp_path, 1) for harm in harms]
        found.append(watch.run(["sample", "--ckpt", "nothing"], tmp_path))
        return [one.trouble(fuzz.CODES, 5, 300) for one in found]

    told = guarded.apart(work)
    words = ("open", "socket", "MB", "nothing, after", "obeys", "x.py")
    assert all(word in one for word, one in zip(words, told, strict=False)), told
    assert told[-1] == ""
