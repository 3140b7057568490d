"""A file of rows ends after a whole row, wherever its writer died."""

from __future__ import annotations

from pathlib import Path

import pytest

from gan_cli.rows import Appended, rows

ROWS = [f'{{"step": {step}, "loss/d": {1 / step}}}\n'.encode() for step in range(1, 7)]
WHOLE = b"".join(ROWS)


def kept(path: Path, content: bytes, step: int) -> bytes:
    path.write_bytes(content)
    rows(path, step).close()
    return path.read_bytes()


@pytest.mark.parametrize("step", range(8))
def test_rows_up_to_a_step_are_kept(tmp_path: Path, step: int) -> None:
    assert kept(tmp_path / "rows", WHOLE, step) == b"".join(ROWS[:step])


@pytest.mark.parametrize(
    "junk", [b"", b"\0" * 9, b'{"step": "7"}\n', b"[]\n", b"{}\n", b"\xff\xfe\n"]
)
def test_any_torn_end_is_cut_off(tmp_path: Path, junk: bytes) -> None:
    ends = [0, *(i + 1 for i, byte in enumerate(WHOLE) if byte == ord("\n"))]
    for cut in range(len(WHOLE) + 1):
        whole = max(end for end in ends if end <= cut)
        assert kept(tmp_path / "rows", WHOLE[:cut] + junk, 9) == WHOLE[:whole]


def test_a_step_out_of_order_ends_the_rows(tmp_path: Path) -> None:
    assert kept(tmp_path / "rows", WHOLE + WHOLE, 9) == WHOLE


def test_what_is_appended_follows_what_was_kept(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    path.write_bytes(WHOLE[:-3])
    file = rows(path, 4)
    file.append(ROWS[4])
    file.append(b"")
    file.append(ROWS[5])
    file.close()
    assert path.read_bytes() == WHOLE


def test_a_new_file_begins_empty(tmp_path: Path) -> None:
    rows(tmp_path / "rows", 100).close()
    assert (tmp_path / "rows").read_bytes() == b""


def test_a_failed_piece_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    signal = pytest.importorskip("signal")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    file = Appended(tmp_path / "rows")
    file.append(ROWS[0])
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(ROWS[0]) + 5, before[1]))
        with pytest.raises(OSError, match="No space left on device"):
            file.append(ROWS[1])
        with pytest.raises(OSError, match="No space left on device"):
            file.append(ROWS[1])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert (tmp_path / "rows").read_bytes() == ROWS[0]
    file.append(ROWS[1])
    file.close()
    assert (tmp_path / "rows").read_bytes() == ROWS[0] + ROWS[1]
