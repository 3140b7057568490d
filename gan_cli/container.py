"""The checkpoint file: one valid safetensors file with strict JSON metadata and a SHA-256.

Its metadata holds `format` (this layout and its version), `json` (canonical JSON: names and
numbers, nothing that is obeyed) and `sha256`, over the JSON and over every tensor's name, dtype,
shape and bytes, in the order of their names. Nothing here can run code: a pickle is refused.
The digest finds accidents; it is no signature.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import safetensors.torch
import torch
from torch import Tensor

from gan_cli import disk, strict
from gan_cli.errors import BadFile, NumericalFailure

FORMAT = "gan-ckpt/1"
MAX_BYTES = 8 << 30
MAX_HEADER = 8 << 20
MAX_JSON = 1 << 20
MAX_TENSORS = 20_000
MAX_DIMS = 8
MAX_MARKS = 1 << 19
"""Braces, brackets and commas in a header: what parsing it costs."""

_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
_DTYPE_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
_NAME = re.compile(r"[A-Za-z0-9_./-]{1,256}")
_PICKLES = re.compile(rb"PK|\x80|\(?c[\w.]+\n[\w.]+\n|\([dl]p\d|(?s:.{257})ustar")
_PICKLE = "a pickle file (PyTorch .pt); not loaded, because opening one can run code"


@dataclass(frozen=True)
class Checkpoint:
    """What a file held: tensors by name, on the CPU; plain JSON metadata; the digest of both."""

    tensors: dict[str, Tensor]
    meta: dict[str, Any]
    sha256: str


def write(path: str | Path, tensors: dict[str, Tensor], meta: dict[str, Any]) -> str:
    """Write the file whole or not at all, and return its SHA-256.

    Raises DiskFailure when it can't be written; NumericalFailure when a tensor holds NaN or an
    infinity; ValueError for what the format has no room for (see `read`'s limits).
    """
    data, digest = _encode(tensors, meta)
    disk.replace(Path(path), data)
    return digest


def read(path: str | Path, max_bytes: int = MAX_BYTES) -> Checkpoint:
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
    except (ValueError, safetensors.SafetensorError) as error:
        reason = str(error)
    raise BadFile(f"{strict.clean(path)}: {strict.clean(reason)}")


def _encode(tensors: dict[str, Tensor], meta: dict[str, Any]) -> tuple[bytes, str]:
    strict.check(meta)
    text = strict.canonical(meta)
    plain = _detached(tensors)
    if bad := _not_finite(plain):
        raise NumericalFailure(f"not saved, because it is NaN or infinite somewhere: {bad}")
    digest = _digest(text, plain)
    metadata = {"format": FORMAT, "json": text, "sha256": digest}
    data = safetensors.torch.save(plain, metadata)
    length = int.from_bytes(data[:8], "little")
    _metadata(_check_header(data[8 : 8 + length], len(data) - 8 - length))
    return data, digest


def _detached(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors on the CPU, contiguous, no two of them in the same memory."""
    plain: dict[str, Tensor] = {}
    taken = set()
    for name, tensor in tensors.items():
        if tensor.layout != torch.strided or tensor.dtype not in _DTYPE_NAMES:
            raise ValueError(f"a checkpoint can't hold {name}: {tensor.dtype}, {tensor.layout}")
        dense = tensor.detach().cpu().contiguous()
        memory = dense.untyped_storage().data_ptr()
        plain[name] = dense.clone() if memory in taken else dense
        taken.add(memory)
    return plain


def _open(path: str | Path, max_bytes: int) -> BinaryIO:
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


def _decode(file: BinaryIO, size: int) -> Checkpoint:
    start = file.read(512)
    length = int.from_bytes(start[:8], "little")
    _check_start(start, Path(str(file.name)).suffix)
    if length > size - 8:
        raise ValueError(f"cut short, or no checkpoint: {size:,} bytes do not hold its header")
    header = start[8:] + file.read(max(0, 8 + length - len(start)))
    metadata = _check_header(header[:length], size - 8 - length)
    meta = _metadata(metadata)
    file.seek(0)
    data = file.read(size)
    if len(data) < size or file.read(1) or data[8 : 8 + length] != header[:length]:
        raise ValueError("changed while it was being read")
    tensors = safetensors.torch.load(data)
    if _digest(metadata["json"], tensors) != metadata["sha256"]:
        raise ValueError("damaged: its contents do not have the SHA-256 it was written with")
    if bad := _not_finite(tensors):
        raise ValueError(f"NaN or infinite somewhere: {bad}")
    return Checkpoint(tensors, meta, metadata["sha256"])


def _check_start(start: bytes, suffix: str) -> None:
    """A header of sane length that begins with a brace, or the best name for what it is instead."""
    if len(start) > 8 and int.from_bytes(start[:8], "little") <= MAX_HEADER and start[8:9] == b"{":
        return
    if _PICKLES.match(start) or suffix in {".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".bin"}:
        raise ValueError(_PICKLE)
    if len(start) < 9:
        raise ValueError(f"cut short, or no checkpoint: {len(start)} bytes")
    raise ValueError("no checkpoint: it does not begin with a safetensors header")


def _check_header(raw: bytes, room: int) -> dict[str, Any]:
    """The metadata of a header that describes exactly `room` bytes of tensors, within limits."""
    if sum(map(raw.count, (b"{", b"[", b","))) > MAX_MARKS:
        raise ValueError(f"a header of far more than {MAX_TENSORS:,} tensors")
    header = strict.parse(raw.decode())
    metadata = header.pop("__metadata__", {})
    if len(header) > MAX_TENSORS:
        raise ValueError(f"{len(header):,} tensors; at most {MAX_TENSORS:,} are read")
    end = 0
    for begin, stop, name in sorted(_span(name, entry) for name, entry in header.items()):
        if begin != end:
            raise ValueError(f"its tensors overlap or leave a hole at {name}")
        end = stop
    if end != room:
        raise ValueError(f"cut short or added to: {room:,} bytes of tensors instead of {end:,}")
    if not isinstance(metadata, dict):
        raise ValueError("no checkpoint: its metadata is no object")
    return metadata


def _span(name: str, entry: Any) -> tuple[int, int, str]:
    """Where a tensor begins and ends, if its entry in the header is consistent."""
    if not _NAME.fullmatch(name) or ".." in name:
        raise ValueError(f"a tensor with an impossible name: {strict.quote(name)}")
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"tensor {name} is not described by dtype, shape and data_offsets")
    dtype, shape, span = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        raise ValueError(f"tensor {name} has an unknown dtype: {strict.quote(dtype)}")
    if not _counts(shape) or len(shape) > MAX_DIMS:
        raise ValueError(f"tensor {name} has an impossible shape")
    width = _DTYPES[dtype].itemsize
    if math.prod(max(1, extent) for extent in shape) * width > MAX_BYTES:
        raise ValueError(f"tensor {name} has an impossible shape")
    if not _counts(span) or len(span) != 2 or span[1] - span[0] != math.prod(shape) * width:
        raise ValueError(f"tensor {name} has a shape that its bytes do not fill")
    return span[0], span[1], name


def _counts(values: Any) -> bool:
    """Whether it is a list of whole numbers, none negative (True is no number)."""
    return isinstance(values, list) and all(type(v) is int and v >= 0 for v in values)


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
        label = json.dumps([name, _DTYPE_NAMES[tensor.dtype], list(tensor.shape)])
        sha.update(f"\n{label}\n".encode())
        sha.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return sha.hexdigest()


def _not_finite(tensors: dict[str, Tensor]) -> str | None:
    """The first tensor with a NaN or an infinity in it."""
    floating = (name for name, tensor in tensors.items() if tensor.is_floating_point())
    return next((name for name in floating if not tensors[name].isfinite().all()), None)
