"""The header of a safetensors file: names, dtypes, shapes and places of its tensors, as JSON.

The layout of Hugging Face's safetensors: the length of the header in eight bytes, the header, the
tensors' bytes one after the other.
"""

from __future__ import annotations

import json
import math
import re
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

from gan_cli import strict

MAX_BYTES = 8 << 30
MAX_LENGTH = 8 << 20
MAX_TENSORS = 20_000
MAX_DIMS = 8
MAX_MARKS = 1 << 19
"""Braces, brackets and commas in a header: what parsing it costs."""

DTYPES = {
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
NAMES = {dtype: name for name, dtype in DTYPES.items()}
_NAME = re.compile(r"[A-Za-z0-9_./-]{1,256}")


def describe(tensors: dict[str, Tensor]) -> tuple[list[str], dict[str, Any]]:
    """The names in the order of the file, wide numbers first, so that all are aligned; and what the
    header says of each."""
    names = sorted(tensors, key=lambda name: (-tensors[name].itemsize, name))
    ends = list(accumulate((tensors[name].nbytes for name in names), initial=0))
    entries: dict[str, Any] = {}
    for name, begin, end in zip(names, ends, ends[1:], strict=False):
        kind, shape = NAMES[tensors[name].dtype], list(tensors[name].shape)
        entries[name] = {"dtype": kind, "shape": shape, "data_offsets": [begin, end]}
    return names, entries


def encode(entries: dict[str, Any], metadata: dict[str, str]) -> bytes:
    """The header, a multiple of eight bytes long."""
    whole = {"__metadata__": metadata} | entries
    raw = json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode()
    return raw + b" " * (-len(raw) % 8)


def check(raw: bytes, room: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """The metadata and the tensors of a header that describes exactly `room` bytes of tensors,
    within limits."""
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
    return metadata, header


def _span(name: str, entry: Any) -> tuple[int, int, str]:
    """Where a tensor begins and ends, if its entry in the header is consistent."""
    if not _NAME.fullmatch(name) or ".." in name:
        raise ValueError(f"a tensor with an impossible name: {strict.quote(name)}")
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"tensor {name} is not described by dtype, shape and data_offsets")
    dtype, shape, span = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise ValueError(f"tensor {name} has an unknown dtype: {strict.quote(dtype)}")
    if not _counts(shape) or len(shape) > MAX_DIMS:
        raise ValueError(f"tensor {name} has an impossible shape")
    width = DTYPES[dtype].itemsize
    if math.prod(max(1, extent) for extent in shape) * width > MAX_BYTES:
        raise ValueError(f"tensor {name} has an impossible shape")
    if not _counts(span) or len(span) != 2 or span[1] - span[0] != math.prod(shape) * width:
        raise ValueError(f"tensor {name} has a shape that its bytes do not fill")
    return span[0], span[1], name


def _counts(values: Any) -> bool:
    """Whether it is a list of whole numbers, none negative (True is no number)."""
    return isinstance(values, list) and all(type(v) is int and v >= 0 for v in values)
