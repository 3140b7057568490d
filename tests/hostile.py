"""Files that a stranger might send, each with words that its refusal must hold.

`FILES` are refused by the container itself, `REQUESTS` are sound files whose metadata asks for
something that must not be given, and `PLACES` are paths where there is no file to read.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import signal
import socket
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor

from gan_cli import container
from gan_cli.build import component

MODEL: dict[str, Any] = {"z_dim": 4, "width": 8, "depth": 1, "g_norm": "none", "d_norm": "none"}
META: dict[str, Any] = {
    "kind": "generator",
    "step": 7,
    "images": 448,
    "model": {"name": "mlp", "args": MODEL},
    "space": {"shape": [1, 4, 4], "classes": []},
    "versions": {"gan": "0.1.0"},
}
CANARY = "canary"


@contextmanager
def within(seconds: int) -> Iterator[None]:
    """Fails where it takes longer, such as for ever."""

    def late(*_: object) -> None:
        pytest.fail(f"not done in {seconds} s")  # no Exception, which might be caught

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def weights(prefix: str = "G_ema/", args: dict[str, Any] = MODEL) -> dict[str, Tensor]:
    """Tensors of the generator that META describes."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        generator = component("model", "mlp", args).generator((1, 4, 4))
    return {prefix + name: value for name, value in generator.state_dict().items()}


def forge(text: str, tensors: dict[str, Tensor], **changes: str) -> bytes:
    """A file with a right digest over whatever text, or with other metadata altogether."""
    metadata = {
        "format": container.FORMAT,
        "json": text,
        "sha256": container._digest(text, tensors),
    }
    return safetensors.torch.save(tensors, metadata | changes)


def pack(header: dict[str, Any] | bytes, data: bytes = b"", length: int | None = None) -> bytes:
    """A file with that header, whatever it says."""
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(raw) if length is None else length).to_bytes(8, "little") + raw + data


def asking(**changes: Any) -> bytes:
    """A sound file of a generator, but for what its metadata says."""
    return forge(json.dumps(META | changes), weights())


def _one(**changes: Any) -> bytes:
    entry = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} | changes
    return pack({"a": entry}, bytes(8))


class _Payload:
    """Runs a command when it is unpickled."""

    def __init__(self, function: Callable[..., Any], argument: str):
        self.call = function, (argument,)

    def __reduce__(self) -> Any:
        return self.call


_SHELL = _Payload(os.system, f"touch {CANARY}")


def _saved(value: Any, zipped: bool = True) -> bytes:
    file = io.BytesIO()
    torch.save(value, file, _use_new_zipfile_serialization=zipped)
    return file.getvalue()


def _zip(entries: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return file.getvalue()


def _tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        data = pickle.dumps(_SHELL)
        entry = tarfile.TarInfo("storages")
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    return file.getvalue()


def _two(first: list[int], second: list[int], room: int) -> bytes:
    def entry(span: list[int]) -> dict[str, Any]:
        return {"dtype": "U8", "shape": [span[1] - span[0]], "data_offsets": span}

    return pack({"a": entry(first), "b": entry(second)}, bytes(room))


def _twice() -> bytes:
    entry = '{"dtype":"U8","shape":[1],"data_offsets":[0,1]}'
    return pack(f'{{"a":{entry},"a":{entry}}}'.encode(), bytes(1))


def _many(count: int) -> bytes:
    empty = {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}
    return pack({f"{number:x}": empty for number in range(count)})


_PICKLE = "a pickle file"
_NAN = torch.tensor([1.0, torch.nan])
_PLAIN = json.dumps(META)
_BARE = {"a": torch.zeros(2)}

FILES: dict[str, tuple[Callable[[], bytes], str]] = {
    "os-system": (lambda: _saved(_SHELL), _PICKLE),
    "eval": (lambda: _saved(_Payload(eval, f"open({CANARY!r}, 'w')")), _PICKLE),
    "raw-pickle": (lambda: pickle.dumps(_SHELL), _PICKLE),
    "raw-pickle-2": (lambda: pickle.dumps(_SHELL, protocol=2), _PICKLE),
    "raw-pickle-0": (lambda: pickle.dumps(_SHELL, protocol=0), _PICKLE),
    "legacy-torch": (lambda: _saved({"a": torch.zeros(2)}, zipped=False), _PICKLE),
    "whole-module": (lambda: _saved(torch.nn.Linear(2, 2)), _PICKLE),
    "torchscript": (lambda: _zip({"m/code/__torch__.py": b"", "m/data.pkl": b"."}), _PICKLE),
    "legacy-tar": (_tar, _PICKLE),
    "numpy-load": (lambda: b"\x80\x02cnumpy\nload\nX\x01\0\0\0x\x85R.", _PICKLE),
    "getattr": (lambda: b"\x80\x02cbuiltins\ngetattr\n.", _PICKLE),
    "zip-bomb": (lambda: _zip({"a/data.pkl": b".", "a/data/0": bytes(30 << 20)}), _PICKLE),
    "opcode-bomb": (lambda: _zip({"a/data.pkl": b"\x80\x02" + b"N0" * (5 << 20)}), _PICKLE),
    "reference-bomb": (lambda: b"\x80\x02]q\0(h\0h\0e" * 100, _PICKLE),
    "deep-list": (lambda: b"\x80\x02" + b"(" * 200_000 + b"l" * 200_000 + b".", _PICKLE),
    "length-lie": (lambda: b"\x80\x02X\xff\xff\xff\x7f", _PICKLE),
    "long4": (lambda: b"\x80\x02\x8b\xff\xff\xff\x7f", _PICKLE),
    "zip-slip": (lambda: _zip({"../../evil": b"x"}), _PICKLE),
    "zip-in-zip": (lambda: _zip({"a.pt": _saved(_SHELL)}), _PICKLE),
    "zip-appended": (lambda: forge(_PLAIN, _BARE) + _saved(_SHELL), "added to"),
    "zip-prepended": (lambda: _saved(_SHELL) + forge(_PLAIN, _BARE), _PICKLE),
    "empty": (lambda: b"", "cut short"),
    "text": (lambda: b"Dear reader, this is a letter and no checkpoint.", "no checkpoint"),
    "only-length": (lambda: b"\x10\0\0\0\0\0\0\0", "cut short"),
    "header-2^63": (lambda: pack(b"{}", length=2**63), "no checkpoint"),
    "header-past-end": (lambda: pack(b"{}", length=4096), "cut short"),
    "header-101-mb": (lambda: pack(b"{" + bytes(1 << 10), length=101 << 20), "no checkpoint"),
    "overlap": (lambda: _two([0, 8], [4, 12], 12), "overlap"),
    "hole": (lambda: _two([0, 8], [9, 12], 12), "hole"),
    "trailing": (lambda: forge(_PLAIN, _BARE) + b"more", "added to"),
    "past-the-end": (lambda: _one(data_offsets=[800, 808]), "hole"),
    "shape-mismatch": (lambda: _one(shape=[3]), "do not fill"),
    "product-overflow": (lambda: _one(shape=[2**33, 2**33]), "impossible shape"),
    "negative": (lambda: _one(shape=[-2]), "impossible shape"),
    "fraction": (lambda: _one(shape=[2.0]), "impossible shape"),
    "bool": (lambda: _one(shape=[True, 2]), "impossible shape"),
    "duplicate": (_twice, "same key twice"),
    "metadata-number": (lambda: pack({"__metadata__": 1}), "metadata is no object"),
    "metadata-values": (lambda: pack({"__metadata__": {"format": 1}}), "not one of gan's"),
    "unknown-dtype": (lambda: _one(dtype="F4"), "unknown dtype"),
    "dtype-list": (lambda: _one(dtype=["F32"]), "unknown dtype"),
    "deep": (lambda: pack(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"), "deeply"),
    "invalid-utf-8": (lambda: pack(b'{"\xff":1}'), "utf-8"),
    "bom": (lambda: pack(b"\xef\xbb\xbf{}"), "no checkpoint"),
    "leading-space": (lambda: pack(b" {}"), "no checkpoint"),
    "not-json": (lambda: pack(b"{'a': 1}"), "no JSON"),
    "nan-in-header": (lambda: pack(b'{"a": NaN}'), "isn't finite"),
    "many-tensors": (lambda: _many(20_001), "20,001 tensors"),
    "too-many-tensors": (lambda: _many(80_000), "far more than"),
    "million-lists": (lambda: pack(b'{"a":[' + b"[]," * 2_600_000 + b"0]}"), "far more than"),
    "100k-dims": (lambda: _one(shape=[1] * 100_000), "impossible shape"),
    "empty-but-huge": (lambda: _one(shape=[0, 2**60], data_offsets=[0, 0]), "impossible shape"),
    "end-before-begin": (lambda: _one(data_offsets=[8, 0]), "do not fill"),
    "three-offsets": (lambda: _one(data_offsets=[0, 4, 8]), "do not fill"),
    "extra-key": (lambda: _one(stride=[0]), "not described"),
    "entry-list": (lambda: pack({"a": []}), "not described"),
    "name-dots": (lambda: forge(_PLAIN, {"../../x": torch.zeros(1)}), "impossible name"),
    "name-nul": (lambda: forge(_PLAIN, {"a\0b": torch.zeros(1)}), "impossible name"),
    "name-long": (lambda: forge(_PLAIN, {"x" * 1_000_000: torch.zeros(1)}), "impossible name"),
    "name-lookalike": (lambda: forge(_PLAIN, {"G/а": torch.zeros(1)}), "impossible name"),
    "name-escape": (lambda: forge(_PLAIN, {"\x1b]8;;x": torch.zeros(1)}), "impossible name"),
    "nan-weights": (lambda: forge(_PLAIN, {"a": _NAN}), "NaN or infinite"),
    "inf-weights": (lambda: forge(_PLAIN, {"a": -1 / torch.zeros(1)}), "NaN or infinite"),
    "wrong-digest": (lambda: forge(_PLAIN, _BARE, sha256="0" * 64), "SHA-256"),
    "other-json": (lambda: forge(_PLAIN, _BARE, json="{}"), "SHA-256"),
    "foreign": (lambda: safetensors.torch.save(_BARE), "not one of gan's"),
    "foreign-format": (lambda: safetensors.torch.save(_BARE, {"format": "pt"}), "not one of gan's"),
    "version-999": (lambda: forge(_PLAIN, _BARE, format="gan-ckpt/999"), "gan-ckpt/999"),
    "version-0": (lambda: forge(_PLAIN, _BARE, format="gan-ckpt/0"), "gan-ckpt/0"),
    "version-1e1": (lambda: forge(_PLAIN, _BARE, format="gan-ckpt/1e1"), "gan-ckpt/1e1"),
    "extra-metadata": (lambda: forge(_PLAIN, _BARE, more="x"), "exactly"),
    "json-list": (lambda: forge("[]", _BARE), "no object"),
    "json-duplicate": (lambda: forge('{"model":1,"model":2}', _BARE), "same key twice"),
    "json-nan": (lambda: forge('{"step":NaN}', _BARE), "isn't finite"),
    "json-1e999": (lambda: forge('{"step":1e999}', _BARE), "isn't finite"),
    "json-digits": (lambda: forge('{"step":' + "9" * 5000 + "}", _BARE), "past 64 bits"),
    "json-65-bits": (lambda: forge('{"step":18446744073709551616}', _BARE), "past 64 bits"),
    "json-deep": (lambda: forge('{"a":' * 40 + "1" + "}" * 40, _BARE), "nested"),
    "json-deeper": (lambda: forge("[" * 90_000 + "]" * 90_000, _BARE), "nested"),
    "json-string": (lambda: forge(json.dumps({"a": "x" * 5000}), _BARE), "characters"),
    "json-surrogate": (lambda: forge('{"a":"\\ud800"}', _BARE), "Unicode"),
    "json-large": (lambda: forge(json.dumps({"a": [0] * 500_000}), _BARE), "characters"),
}


def _model(**changes: Any) -> bytes:
    return asking(model={"name": "mlp", "args": MODEL | changes})


def _named(name: Any) -> bytes:
    return asking(model={"name": name, "args": MODEL})


def _part(group: str, name: str, **args: Any) -> bytes:
    return asking(**{group: {"name": name, "args": args}})


def _pictures(task: str, given: Any = (1, 4, 4), classes: Any = (), **args: Any) -> bytes:
    space = {"shape": [1, 4, 4], "classes": classes, "given": given, "data": [1, 4, 4]}
    return asking(space=space, task={"name": task, "args": args})


def _space(shape: Any, classes: Any = ()) -> bytes:
    return asking(space={"shape": shape, "classes": classes})


REQUESTS: dict[str, tuple[Callable[[], bytes], str]] = {
    "other-weights": (lambda: forge(_PLAIN, weights(args=MODEL | {"width": 9})), "the model"),
    "missing-weight": (lambda: forge(_PLAIN, dict(list(weights().items())[1:])), "is missing"),
    "spare-weight": (lambda: forge(_PLAIN, weights() | {"G_ema/x": torch.zeros(1)}), "G_ema/x"),
    "double-weights": (
        lambda: forge(_PLAIN, {k: v.double() for k, v in weights().items()}),
        "float64",
    ),
    "no-weights": (lambda: forge(_PLAIN, {"D/a": torch.zeros(1)}), "no generator"),
    "kind": (lambda: asking(kind="optimizer"), "kind optimizer"),
    "kind-markup": (lambda: asking(kind="[link=file:///etc/passwd]x\x1b]52;c;eA\x07"), "kind ("),
    "no-space": (lambda: forge('{"kind":"generator"}', weights()), "no space"),
    "no-model": (
        lambda: forge(json.dumps({k: v for k, v in META.items() if k != "model"}), weights()),
        "no model",
    ),
    "null-space": (lambda: asking(space=None), "no space"),
    "target": (lambda: _model(_target_="os.system"), "impossible argument"),
    "target-name": (lambda: asking(model={"_target_": "os.system", "args": {}}), "no model"),
    "interpolation": (lambda: _model(g_norm="${oc.env:HOME}"), "impossible argument"),
    "name-path": (lambda: _named("../../evil"), "impossible name"),
    "name-class": (lambda: _named("__class__"), "impossible name"),
    "name-unknown": (lambda: _named("biggest"), "biggest"),
    "name-module": (lambda: _named("os.system"), "os"),
    "name-torch": (lambda: _named("torch.load"), "torch"),
    "name-list": (lambda: _named(["mlp"]), "impossible name"),
    "name-newline": (lambda: _named("mlp\nerror: all is well"), "impossible name"),
    "unknown-argument": (lambda: _model(speed=1), "speed"),
    "z-2^40": (lambda: _model(z_dim=2**40), "impossible argument"),
    "width-1e9": (lambda: _model(width=10**9), "impossible argument"),
    "width-65536": (lambda: _model(width=65536), "the model"),
    "depth-65536": (lambda: _model(depth=65536), "far larger"),
    "z-0": (lambda: _model(z_dim=0), "z_dim"),
    "z-fraction": (lambda: _model(z_dim=4.5), "evil"),
    "z-text": (lambda: _model(z_dim="4"), "evil"),
    "z-none": (lambda: _model(z_dim=None), "evil"),
    "z-dict": (lambda: _model(z_dim={"_target_": "os.system"}), "impossible argument"),
    "norm-escape": (lambda: _model(g_norm="\x1b[31m[link=x]"), "g_norm"),
    "norm-list": (lambda: _model(g_norm=["none"]), "evil"),
    "huge-image": (lambda: _space([3, 10**6, 10**6]), "impossible shape"),
    "large-image": (lambda: _space([64, 4096, 4096]), "impossible shape"),
    "flat-image": (lambda: _space([1, 0, 4]), "impossible shape"),
    "no-shape": (lambda: _space([]), "impossible shape"),
    "shape-text": (lambda: _space("8x8"), "impossible shape"),
    "shape-bool": (lambda: _space([True, 4, 4]), "impossible shape"),
    "two-dims": (lambda: _space([4, 4]), "impossible shape"),
    "condition-module": (lambda: _part("condition", "os.system"), "os"),
    "condition-own": (lambda: _part("condition", "gan_cli.disk.replace"), "gan_cli"),
    "condition-way": (lambda: _part("condition", "concat", g="__class__"), "g is one of"),
    "condition-null": (lambda: asking(condition=None), "no condition"),
    "prior-module": (lambda: _part("prior", "builtins.eval"), "builtins"),
    "prior-huge": (lambda: _part("prior", "normal", std=1e30), "impossible argument"),
    "prior-text": (lambda: _part("prior", "normal", std="1"), "evil"),
    "prior-codes": (lambda: _part("prior", "codes"), "prior"),
    "task-of-nothing": (lambda: _pictures("label"), "images from images"),
    "task-shapes": (lambda: _pictures("superres", factor=3), "evil"),
    "task-module": (lambda: _pictures("os.system"), "os"),
    "given-huge": (lambda: _pictures("denoise", given=[3, 4096, 4096]), "evil"),
    "given-point": (lambda: _pictures("denoise", given=[3]), "given"),
    "given-and-classes": (lambda: _pictures("denoise", classes=["a", "b"]), "given"),
    "class-million": (lambda: _space([1, 4, 4], ["a"] * 100_000), "classes"),
    "class-numbers": (lambda: _space([1, 4, 4], [1, 2]), "classes"),
}


def _fifo(path: Path) -> Path:
    os.mkfifo(path)
    return path


def _loop(path: Path) -> Path:
    path.symlink_to(path)
    return path


def _sparse(path: Path) -> Path:
    with path.open("wb") as file:
        file.write(pack(b"{}"))
        file.truncate(20 << 30)
    return path


def _hollow(path: Path) -> Path:
    """Five gigabytes of nothing that a small header pretends to describe."""
    entry = {"dtype": "U8", "shape": [5 << 30], "data_offsets": [0, 5 << 30]}
    raw = pack({"a": entry})
    with path.open("wb") as file:
        file.write(raw)
        file.truncate(len(raw) + (5 << 30))
    return path


def _socket(path: Path) -> Path:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
    return path


def _empty_directory(path: Path) -> Path:
    path.mkdir()
    return path


PLACES: dict[str, tuple[Callable[[Path], str | Path], str]] = {
    "fifo": (_fifo, "not a file"),
    "dev-zero": (lambda path: Path("/dev/zero"), "not a file"),
    "socket": (_socket, "evil"),
    "symlink-loop": (_loop, "symbolic links"),
    "sparse": (_sparse, "not opened"),
    "hollow": (_hollow, "not one of gan's"),
    "nothing": (lambda path: path, "No such file"),
    "empty-directory": (_empty_directory, "holds no checkpoints"),
    "nul": (lambda path: "evil\0", "null"),
    "long": (lambda path: "x" * 5000, "too long"),
    "newline": (lambda path: "no\nsuch\x1b[31mfile", "No such file"),
    "url": (lambda path: "https://example.org/g.safetensors", "a URL"),
    "file-url": (lambda path: "file:///etc/passwd", "a URL"),
}
