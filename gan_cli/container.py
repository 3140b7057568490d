"""The checkpoint file: one valid safetensors file with strict JSON metadata and a SHA-256.

Its metadata holds `format` (this layout and its version), `json` (canonical JSON: names and
numbers, nothing that is obeyed) and `sha256`, over the JSON and over every tensor's name, dtype,
shape and bytes, in the order of their names. Nothing here can run code: a pickle is refused.
The digest finds accidents; it is no signature.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import torch
from torch import Tensor

from gan_cli import disk, header, strict
from gan_cli.errors import BadFile, NumericalFailure

FORMAT = "gan-ckpt/1"
MAX_JSON = 1 << 20

_CHUNK = 1 << 18  # what stays in a processor's cache
_PICKLES = re.compile(rb"PK|\x80|\(?c[\w.]+\n[\w.]+\n|\([dl]p\d|(?s:.{257})ustar")
_PICKLE = "a pickle file (PyTorch .pt); not loaded, because opening one can run code"


@dataclass(frozen=True)
class Checkpoint:
    """What a file held: tensors by name, on the CPU; plain JSON metadata; the digest of both."""

    tensors: dict[str, Tensor]
    meta: dict[str, Any]
    sha256: str


class Sealed(NamedTuple):
    """A file that is to be written, in parts that are the tensors' own memory, and its SHA-256."""

    parts: tuple[memoryview, ...]
    sha256: str

    def stands(self, path: Path) -> bool:
        """Whether the file at the path is this one, byte for byte."""
        try:
            with disk.opened(path) as file:
                same = all(_next_is(file, part) for part in self.parts)
                return same and not file.read(1)
        except (OSError, ValueError):
            return False


def _next_is(file: BinaryIO, part: memoryview) -> bool:
    """Whether what is read next are these bytes."""
    pieces = (part[at : at + _CHUNK].tobytes() for at in range(0, part.nbytes, _CHUNK))
    return all(file.read(len(piece)) == piece for piece in pieces)


def write(path: str | Path, tensors: dict[str, Tensor], meta: dict[str, Any]) -> str:
    """Write the file whole or not at all, and return its SHA-256.

    Raises DiskFailure when it can't be written, and what `seal` raises.
    """
    sealed = seal(tensors, meta)
    disk.replace(Path(path), sealed.parts)
    return sealed.sha256


def seal(tensors: dict[str, Tensor], meta: dict[str, Any]) -> Sealed:
    """The file of these tensors, which are not to change until it is written.

    Raises NumericalFailure when a tensor holds NaN or an infinity; ValueError for what the format
    has no room for (see `read`'s limits).
    """
    strict.check(meta)
    text = strict.canonical(meta)
    plain = _detached(tensors)
    if bad := _not_finite(plain):
        raise NumericalFailure(f"not saved, because it is NaN or infinite somewhere: {bad}")
    names, entries = header.describe(plain)
    digest = _digest(text, plain)
    raw = header.encode(entries, {"format": FORMAT, "json": text, "sha256": digest})
    _metadata(header.check(raw, sum(plain[name].nbytes for name in names))[0])
    start = len(raw).to_bytes(8, "little") + raw
    return Sealed((memoryview(start), *(_bytes(plain[name]) for name in names)), digest)


def read(path: str | Path, max_bytes: int = header.MAX_BYTES) -> Checkpoint:
    """Read and verify the file; no more than `max_bytes` of it.

    Raises BadFile, in one line, for everything that is not exactly such a file: missing, torn,
    foreign, a pickle, of another version, or with a digest, header or number that can't be right.
    """
    try:
        with _open(path, max_bytes) as file:
            return _decode(file, os.fstat(file.fileno()).st_size)
    except OSError as error:
        reason = error.strerror or str(error)
    except MemoryError:
        reason = "larger than this machine's memory"
    except ValueError as error:
        reason = str(error)
    raise BadFile(f"{strict.clean(path)}: {strict.clean(reason)}")


def _detached(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors on the CPU, contiguous, no two of them in the same memory."""
    plain: dict[str, Tensor] = {}
    taken = set()
    for name, tensor in tensors.items():
        if tensor.layout != torch.strided or tensor.dtype not in header.NAMES:
            raise ValueError(f"a checkpoint can't hold {name}: {tensor.dtype}, {tensor.layout}")
        dense = tensor.detach().cpu().contiguous()
        memory = dense.untyped_storage().data_ptr()
        plain[name] = dense.clone() if memory in taken else dense
        taken.add(memory)
    return plain


def _open(path: str | Path, max_bytes: int) -> BufferedReader:
    """The file, once it is known to be a plain file of a sane size; a FIFO doesn't block."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise ValueError("a directory, not a file")
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("a device, pipe or socket, not a file")
        if status.st_size > max_bytes:
            raise ValueError(f"{status.st_size:,} bytes; files over {max_bytes:,} are not opened")
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def _decode(file: BufferedReader, size: int) -> Checkpoint:
    start = file.read(512)
    length = int.from_bytes(start[:8], "little")
    _check_start(start, Path(str(file.name)).suffix)
    if length > size - 8:
        raise ValueError(f"cut short, or no checkpoint: {size:,} bytes do not hold its header")
    raw = (start[8:] + file.read(max(0, 8 + length - len(start))))[:length]
    metadata, entries = header.check(raw, size - 8 - length)
    meta = _metadata(metadata)
    data = bytearray(size)
    file.seek(0)
    if file.readinto(data) < size or file.read(1) or data[8 : 8 + length] != raw:
        raise ValueError("changed while it was being read")
    tensors = {name: _tensor(data, 8 + length, entry) for name, entry in entries.items()}
    if _digest(metadata["json"], tensors) != metadata["sha256"]:
        raise ValueError("damaged: its contents do not have the SHA-256 it was written with")
    if bad := _not_finite(tensors):
        raise ValueError(f"NaN or infinite somewhere: {bad}")
    return Checkpoint(tensors, meta, metadata["sha256"])


def _check_start(start: bytes, suffix: str) -> None:
    """A header of sane length that begins with a brace, or the best name for what it is instead."""
    if (
        len(start) > 8
        and int.from_bytes(start[:8], "little") <= header.MAX_LENGTH
        and start[8:9] == b"{"
    ):
        return
    if _PICKLES.match(start) or suffix in {".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".bin"}:
        raise ValueError(_PICKLE)
    if len(start) < 9:
        raise ValueError(f"cut short, or no checkpoint: {len(start)} bytes")
    raise ValueError("no checkpoint: it does not begin with a safetensors header")


def _tensor(data: bytearray, start: int, entry: dict[str, Any]) -> Tensor:
    """A tensor in the memory of the whole file, whose tensors start there; a copy where it is not
    aligned."""
    dtype, (begin, end) = header.DTYPES[entry["dtype"]], entry["data_offsets"]
    if begin == end:
        return torch.empty(entry["shape"], dtype=dtype)
    begin, end = start + begin, start + end
    if begin % dtype.itemsize:
        data, begin, end = data[begin:end], 0, end - begin
    flat = torch.frombuffer(data, dtype=dtype, offset=begin, count=(end - begin) // dtype.itemsize)
    return flat.reshape(entry["shape"])


def _metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    """The checkpoint's own metadata, if it is of the version that is read here."""
    version = metadata.get("format")
    if not isinstance(version, str) or not version.startswith("gan-ckpt/"):
        raise ValueError("a safetensors file, but not one of gan's: its metadata has no gan-ckpt")
    if version != FORMAT:
        raise ValueError(f"written as {strict.quote(version)}; this gan reads {FORMAT} alone")
    text = metadata.get("json")
    if metadata.keys() != {"format", "json", "sha256"} or not isinstance(text, str):
        raise ValueError("its metadata is not exactly format, json and sha256")
    if len(text) > MAX_JSON:
        raise ValueError(f"{len(text):,} characters of metadata; at most {MAX_JSON:,} are read")
    meta = strict.parse(text)
    strict.check(meta)
    if not isinstance(meta, dict):
        raise ValueError("its metadata is no object")
    return meta


def _digest(text: str, tensors: dict[str, Tensor]) -> str:
    raw = text.encode()
    sha = hashlib.sha256(f"{FORMAT}\n{len(raw)}\n".encode() + raw)
    for name in sorted(tensors):
        tensor = tensors[name]
        label = json.dumps([name, header.NAMES[tensor.dtype], list(tensor.shape)])
        sha.update(f"\n{label}\n".encode())
        sha.update(_bytes(tensor))
    return sha.hexdigest()


def _bytes(tensor: Tensor) -> memoryview:
    return tensor.reshape(-1).view(torch.uint8).numpy().data


def _not_finite(tensors: dict[str, Tensor]) -> str | None:
    """The first tensor with a NaN or an infinity in it: its extremes are not finite then."""
    floating = (name for name, tensor in tensors.items() if tensor.is_floating_point())
    return next((name for name in floating if not _finite(tensors[name])), None)


def _finite(tensor: Tensor) -> bool:
    return not tensor.numel() or bool(torch.stack(tensor.aminmax()).isfinite().all())
