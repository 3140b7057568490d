"""The checkpoint file: what goes in comes out, and nothing else ever does."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open

from gan_cli import container, disk, header
from gan_cli.errors import BadFile, DiskFailure, NumericalFailure

DTYPES = list(header.NAMES)
TENSORS = {"G/w": torch.arange(6.0).reshape(2, 3), "count": torch.tensor([1, 2])}

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)
names = st.from_regex(r"[A-Za-z0-9_-][A-Za-z0-9_/-]{0,20}", fullmatch=True)


@st.composite
def tensors(draw: st.DrawFn) -> torch.Tensor:
    dtype = draw(st.sampled_from(DTYPES))
    shape = draw(st.lists(st.integers(0, 3), max_size=4))
    values = torch.randint(0, 2 if dtype is torch.bool else 100, shape)
    return values.to(dtype)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "RETRY_AFTER", 0)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.dictionaries(names, tensors(), max_size=4), st.dictionaries(words, plain, max_size=4))
def test_what_goes_in_comes_out(
    tmp_path: Path, wanted: dict[str, torch.Tensor], meta: dict[str, Any]
) -> None:
    path = tmp_path / "a.safetensors"
    digest = container.write(path, wanted, meta)
    found = container.read(path)
    assert found.sha256 == digest
    assert found.meta == meta
    assert found.tensors.keys() == wanted.keys()
    for name, tensor in wanted.items():
        assert found.tensors[name].dtype is tensor.dtype
        assert torch.equal(found.tensors[name], tensor)


def test_it_is_a_valid_safetensors_file(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    digest = container.write(path, TENSORS, {"step": 3, "b": 1})
    with safe_open(path, "pt") as file:
        assert file.metadata() == {
            "format": "gan-ckpt/1",
            "json": '{"b":1,"step":3}',
            "sha256": digest,
        }
        assert torch.equal(file.get_tensor("G/w"), TENSORS["G/w"])


def test_the_digest_is_of_contents_and_not_of_their_order(tmp_path: Path) -> None:
    backwards = dict(reversed(TENSORS.items()))
    first = container.write(tmp_path / "a", TENSORS, {"a": 1, "b": 2})
    assert container.write(tmp_path / "b", backwards, {"b": 2, "a": 1}) == first
    assert container.write(tmp_path / "c", TENSORS, {"a": 1, "b": 3}) != first
    assert (
        container.write(tmp_path / "d", TENSORS | {"x": torch.zeros(0)}, {"a": 1, "b": 2}) != first
    )
    flat = {name: tensor.flatten() for name, tensor in TENSORS.items()}
    assert container.write(tmp_path / "e", flat, {"a": 1, "b": 2}) != first


def test_views_and_shared_memory_are_written_out(tmp_path: Path) -> None:
    base = torch.arange(12.0).reshape(3, 4)
    views = {"a": base, "b": base, "c": base.t(), "d": base[1:], "e": base[0].expand(5, 4)}
    container.write(tmp_path / "a", views, {})
    found = container.read(tmp_path / "a").tensors
    assert all(torch.equal(found[name], view) for name, view in views.items())
    found["a"].zero_()
    assert torch.equal(found["b"], base)


@pytest.mark.parametrize(
    ("extra", "meta"),
    [
        ({"a": torch.zeros(1).to_sparse()}, {}),
        ({"a": torch.zeros(1, dtype=torch.complex64)}, {}),
        ({"a/../b": torch.zeros(1)}, {}),
        ({"a b": torch.zeros(1)}, {}),
        ({"a": torch.zeros([1] * 9)}, {}),
        ({}, {"a": float("nan")}),
        ({}, {"a": 2**63}),
        ({}, {"a": {1: 2}}),
        ({}, {"a": object()}),
        ({}, {"a": "x" * 5000}),
        ({}, {"a": "\udcff"}),
    ],
)
def test_what_could_not_be_read_is_not_written(
    tmp_path: Path, extra: dict[str, torch.Tensor], meta: dict[str, Any]
) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        container.write(tmp_path / "a", TENSORS | extra, meta)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_nan_and_infinity_are_not_written(tmp_path: Path, bad: float, dtype: torch.dtype) -> None:
    sick = {"G/a": torch.zeros(3), "G/b": torch.tensor([0, bad, 1], dtype=dtype)}
    with pytest.raises(NumericalFailure, match="G/b"):
        container.write(tmp_path / "a", sick, {})
    assert not list(tmp_path.iterdir())


def test_what_is_written_is_the_tensors_own_memory() -> None:
    first, *parts = container.seal(TENSORS, {}).parts
    places = {np.frombuffer(part, np.uint8).ctypes.data for part in parts}
    assert places == {tensor.data_ptr() for tensor in TENSORS.values()}
    assert len(first) % 8 == 0


@pytest.mark.parametrize("small", [1, 8, 20, 1 << 20])
def test_parts_follow_each_other_in_the_file(
    tmp_path: Path, small: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "_SMALL", small)
    parts = [memoryview(bytes([n] * size)) for n, size in enumerate((0, 3, 30, 5, 9, 0, 20, 2))]
    disk.replace(tmp_path / "a", parts)
    assert (tmp_path / "a").read_bytes() == b"".join(parts)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_a_file_stands_only_where_every_byte_is_right(tmp_path: Path, data: st.DataObject) -> None:
    path, sealed = tmp_path / "a", container.seal(TENSORS, {"step": 3})
    whole = b"".join(sealed.parts)
    at = data.draw(st.integers(0, len(whole) - 1))
    flipped = whole[:at] + bytes([whole[at] ^ 1 << data.draw(st.integers(0, 7))]) + whole[at + 1 :]
    for wrong in (flipped, whole[:at], whole + whole[:1]):
        path.write_bytes(wrong)
        assert not sealed.stands(path)
    path.write_bytes(whole)
    assert sealed.stands(path)
    path.unlink()
    assert not sealed.stands(path)


# ── writing ─────────────────────────────────────────────────────────────────────────────────────


def test_an_interrupt_leaves_no_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", interrupt)
        with pytest.raises(KeyboardInterrupt):
            container.write(tmp_path / "a", TENSORS, {})
    assert not list(tmp_path.iterdir())


def test_a_directory_that_cannot_be_synced_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync, calls = os.fsync, list[int]()

    def refuse(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 2:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", refuse)
    container.write(tmp_path / "a", TENSORS, {})
    assert len(calls) == 2


def test_a_directory_that_is_gone_is_a_disk_failure(tmp_path: Path) -> None:
    with pytest.raises(DiskFailure, match="No such file or directory"):
        container.write(tmp_path / "gone" / "a", TENSORS, {})


# ── reading ─────────────────────────────────────────────────────────────────────────────────────


def test_every_length_of_header_is_told_from_a_pickle(tmp_path: Path) -> None:
    """One in 32 has 0x80, the first byte of a pickle, as the first byte of its length."""
    first = set()
    for length in range(0, 400, 4):
        container.write(tmp_path / "a", TENSORS, {"a": "x" * length})
        first.add((tmp_path / "a").read_bytes()[0])
        assert container.read(tmp_path / "a").meta["a"] == "x" * length
    assert 0x80 in first


def test_a_file_that_changes_while_it_is_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    container.write(path, TENSORS, {"a": 1})
    check = container._metadata

    def meddle(change: Callable[[bytes], bytes]) -> Callable[[dict[str, Any]], dict[str, Any]]:
        def meddling(metadata: dict[str, Any]) -> dict[str, Any]:
            path.write_bytes(change(path.read_bytes()))
            return check(metadata)

        return meddling

    for change in (lambda d: d[:-1], lambda d: d + b"x", lambda d: d.replace(b"sha256", b"sha255")):
        container.write(path, TENSORS, {"a": 1})
        with monkeypatch.context() as patch:
            patch.setattr(container, "_metadata", meddle(change))
            with pytest.raises(BadFile, match="changed while"):
                container.read(path)


def test_no_more_is_read_than_was_asked_for(tmp_path: Path) -> None:
    container.write(tmp_path / "a", TENSORS, {})
    with pytest.raises(BadFile, match="not opened"):
        container.read(tmp_path / "a", max_bytes=100)


def test_too_large_for_the_memory_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise MemoryError

    container.write(tmp_path / "a", TENSORS, {})
    monkeypatch.setattr(container, "_digest", full)
    with pytest.raises(BadFile, match="memory"):
        container.read(tmp_path / "a")


def test_no_file_stays_open(tmp_path: Path) -> None:
    container.write(tmp_path / "a", TENSORS, {})
    (tmp_path / "b").write_text("no checkpoint at all")
    before = len(os.listdir("/proc/self/fd")) if Path("/proc").exists() else 0
    for _ in range(5):
        container.read(tmp_path / "a")
        for bad in (tmp_path, tmp_path / "b", tmp_path / "c"):
            with pytest.raises(BadFile):
                container.read(bad)
    assert before == (len(os.listdir("/proc/self/fd")) if Path("/proc").exists() else 0)


def test_the_limits_are_those_of_the_json_in_it_too(tmp_path: Path) -> None:
    container.write(tmp_path / "a", TENSORS, {"a": ["x" * 4096] * 200})
    with pytest.raises(ValueError, match="characters of metadata"):
        container.write(tmp_path / "b", TENSORS, {"a": ["x" * 4096] * 300})
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
