"""Files changed at random, in ways that reach each layer of what reads them; a function of `draw`.

A mutation takes the bytes of a sound file and a generator of random numbers, and gives other bytes.
"""

from __future__ import annotations

import copy
import io
import json
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import safetensors.torch

from tests.hostile import forge, pack

Random = random.Random
Mutation = Callable[[bytes, Random], bytes]

EDGES = (0, 1, 2, 7, 127, 128, 255, 2**15, 2**16, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**40)
EDGES += (2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1)
"""Whole numbers at which something changes."""

ESCAPES = (
    *("\x1b[2J\x1b[31m", "\x1b]52;c;ZXZpbA==\x07", "\x1b]8;;file:///etc/passwd\x07x\x1b]8;;\x07"),
    *("[link=file:///etc/passwd]x[/link]", "[bold red]x", "{0.__class__}", "%s%n", "a\nerror: b"),
    *("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</script><script>alert(2)"),
    *(
        "javascript:alert(1)",
        "&lt;&#x3c;",
        "../../../etc/passwd",
        "/etc/passwd",
        "-rf",
        "~/x",
        "\0",
    ),
    *(
        "${oc.env:HOME}",
        "${oc.create:{}}",
        "os.system",
        "__class__",
        "CON",
        "\u202egpj.exe",
        "é" * 99,
    ),
    *(
        "\x9b31m",
        "\u2028",
        "\ufeff",
        "x" * 5000,
        "=",
        "a=b",
        "*",
        "",
        " ",
        "nan",
        "inf",
        "-1",
        "1e999",
    ),
    *("`id`", "$(id)", "'; id; '", "|id", "\\", "'", '"', "|a|b|", "\\input{x}", "𝒳", "\ud800"),
)
"""Texts that somebody might obey: terminals, markup, browsers, shells, file systems, tables."""

VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, -(2**63), 2**63, 10**25, 10**400, 1.5, -0.0, 1e308, 1e-320),
    *(float("nan"), float("inf"), -float("inf"), [], {}, [[]], [None], [1, "a", {}], {"": 0}),
    *({"_target_": "os.system", "command": "touch canary"}, {"a": {"b": {"c": []}}}, ["x"] * 300),
)


def mutated(data: bytes, draw: Random) -> bytes:
    """One to four changes that know nothing of what the bytes mean."""
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        data = draw.choice(_BLIND)(data, draw)
    return data


def _place(data: bytes, draw: Random) -> int:
    """Near the beginning as often as anywhere."""
    near = min(len(data), draw.choice((16, 200, 4000, len(data))))
    return draw.randrange(near) if near else 0


def _flip(data: bytes, draw: Random) -> bytes:
    made = bytearray(data)
    for _ in range(draw.choice((1, 1, 8)) if data else 0):
        made[_place(data, draw)] ^= 1 << draw.randrange(8)
    return bytes(made)


def _insert(data: bytes, draw: Random) -> bytes:
    at = _place(data, draw)
    return data[:at] + draw.randbytes(draw.choice((1, 2, 8, 600))) + data[at:]


def _drop(data: bytes, draw: Random) -> bytes:
    at = _place(data, draw)
    return data[:at] + data[at + draw.choice((1, 2, 8, 600)) :]


def _cut(data: bytes, draw: Random) -> bytes:
    return data[: _place(data, draw)]


def _edge(data: bytes, draw: Random) -> bytes:
    at = _place(data, draw)
    width, order = draw.choice((1, 2, 4, 8)), draw.choice(("little", "big"))
    number = draw.choice(EDGES) % 256**width
    return data[:at] + number.to_bytes(width, order) + data[at + width :]  # type: ignore[arg-type]


def _swap(data: bytes, draw: Random) -> bytes:
    a, b, c, d = sorted(_place(data, draw) for _ in range(4))
    return data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:]


def _repeat(data: bytes, draw: Random) -> bytes:
    a, b = sorted((_place(data, draw), _place(data, draw)))
    return data[:b] + data[a:b] * draw.choice((1, 2, 50)) + data[b:]


def _blank(data: bytes, draw: Random) -> bytes:
    at, filler = _place(data, draw), draw.choice((b"\0", b"\xff", b" ", b"\n"))
    return data[:at] + filler * len(data[at : at + draw.choice((4, 64, 4096))]) + data[at + 4096 :]


def _word(data: bytes, draw: Random) -> bytes:
    at = _place(data, draw)
    return data[:at] + draw.choice(ESCAPES).encode("utf-8", "surrogatepass") + data[at:]


_BLIND: tuple[Mutation, ...] = (
    *(_flip, _insert, _drop, _cut, _edge, _swap, _repeat, _blank, _word),
)


def spliced(other: bytes) -> Mutation:
    """The beginning of a file and the end of another."""

    def splice(data: bytes, draw: Random) -> bytes:
        return data[: _place(data, draw)] + other[_place(other, draw) :]

    return splice


def value(draw: Random) -> Any:
    """A value that is rarely what is wanted."""
    kind = draw.randrange(5)
    if kind == 0:
        return draw.choice(EDGES) * draw.choice((1, -1))
    if kind == 1:
        return draw.choice(ESCAPES)
    if kind == 2 and not draw.randrange(4):
        return _deep(draw.choice((33, 200, 400)))
    return copy.deepcopy(draw.choice(VALUES))


def _deep(depth: int) -> Any:
    made: Any = 1
    for _ in range(depth):
        made = [made]
    return made


def edited(found: Any, draw: Random) -> Any:
    """A plain value with one or more of its parts changed, removed, renamed or doubled."""
    made = json.loads(json.dumps(found))
    for _ in range(draw.choice((1, 1, 2, 6))):
        places = list(_places(made))
        if not places:
            return value(draw)
        held, key = draw.choice(places)
        kind = draw.randrange(8)
        if kind == 0:
            del held[key]
        elif kind == 1 and isinstance(held, dict):
            held[str(draw.choice(ESCAPES))] = held.pop(key)
        elif kind == 2:
            held[key] = _twin(held[key], draw)
        elif kind == 3 and isinstance(held[key], list):
            held[key] = held[key] * draw.choice((2, 50))
        else:
            held[key] = value(draw)
    return made


def _places(found: Any, depth: int = 0) -> Iterator[tuple[Any, Any]]:
    inner = found.items() if isinstance(found, dict) else enumerate(found)
    for key, one in list(inner):
        yield found, key
        if isinstance(one, dict | list) and depth < 20:
            yield from _places(one, depth + 1)


def _twin(one: Any, draw: Random) -> Any:
    """Something of the same type."""
    if isinstance(one, bool):
        return not one
    if isinstance(one, int):
        return draw.choice((*EDGES, one + 1, -one, one * 1000))
    if isinstance(one, float):
        return draw.choice((0.0, -one, one * 1e300, 1e-300, -1e308, 0.5))
    if isinstance(one, str):
        return draw.choice((*ESCAPES, one + "x", one.upper(), one * 40, one[::-1]))
    return one


def text(found: Any, draw: Random) -> str:
    """JSON as Python writes it, now and then with a key twice."""
    try:
        told = json.dumps(
            found, indent=draw.choice((None, None, 1)), ensure_ascii=draw.random() < 0.5
        )
    except RecursionError:
        told = "[" * 5000 + "]" * 5000
    if not draw.randrange(12) and told.startswith('{"'):
        told = '{"format": 1, ' + told[1:]
    return told


def _encoded(told: str) -> bytes:
    return told.encode("utf-8", "surrogatepass")


def json_file(data: bytes, draw: Random) -> bytes:
    """A file of JSON with other values."""
    return _encoded(text(edited(json.loads(data), draw), draw))


def rows_file(data: bytes, draw: Random) -> bytes:
    """A file of rows: one with other values, others doubled, out of order or left out."""
    lines = data.splitlines(keepends=True)
    for _ in range(draw.choice((1, 1, 3))):
        at = draw.randrange(len(lines))
        row = _encoded(text(edited(json.loads(data.splitlines()[-1]), draw), draw))
        kind = draw.randrange(6)
        if kind == 0:
            lines.insert(at, lines[draw.randrange(len(lines))])
        elif kind == 1:
            draw.shuffle(lines)
        elif kind == 2:
            lines += lines[-1:] * draw.choice((3, 300))
        elif kind == 3:
            lines.insert(
                at, draw.choice((b"\n", b"{}\n", b"[]\n", b"null\n", b"\xff\xfe\n", b"{" * 999))
            )
        else:
            lines[at] = row.replace(b"\n", b" ") + draw.choice((b"\n", b"\n", b"\n", b""))
    return b"".join(lines)


LAUGHS = "\n".join(
    [f"l0: &l0 [{','.join('x' * 9)}]"]
    + [f"l{n}: &l{n} [{','.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 9)]
)
"""A few hundred bytes that become a billion values."""

YAML = (
    f"{LAUGHS}\n",
    "x: !!python/object/apply:os.system ['touch canary']\n",
    "x: !!python/name:os.system\n",
    "x: " + "[" * 3000 + "]" * 3000 + "\n",
    "x: " + "{a: " * 400 + "1" + "}" * 400 + "\n",
    "_target_: os.system\ncommand: touch canary\n",
    "defaults: [/loss: ../../../etc/passwd]\n",
    "x: ${oc.env:HOME}\n",
    "x: ${x}\n",
    "x: ${oc.create:${x}}\n",
    "<<: *nothing\n",
    "? [a, b]\n: c\n",
    "- a\n- b\n",
    "hydra: {callbacks: {x: {_target_: os.system, command: touch canary}}}\n",
    "hydra: {run: {dir: /tmp/elsewhere}}\n",
    "# @package hydra\n",
    "\t: x\n",
    "%YAML 9.9\n---\n",
    "x: 1\nx: 2\n",
    "---\na: 1\n---\nb: 2\n",
)
"""Pieces of YAML that readers stumble over."""


def yaml_file(data: bytes, draw: Random) -> bytes:
    """YAML with lines removed, doubled, indented anew, changed in value, or of a stranger."""
    lines = data.decode().splitlines(keepends=True)
    for _ in range(draw.choice((1, 1, 2, 4))):
        at = draw.randrange(len(lines) or 1)
        line = lines[at] if lines else ""
        kind = draw.randrange(6)
        if kind == 0:
            lines[at : at + 1] = []
        elif kind == 1:
            lines.insert(at, line)
        elif kind == 2:
            lines[at : at + 1] = [" " * draw.randrange(5) + line]
        elif kind == 3:
            lines.insert(draw.choice((0, at, len(lines))), draw.choice(YAML))
        else:
            key = line.partition(":")[0]
            lines[at : at + 1] = [f"{key}: {text(value(draw), draw)}\n"]
    return _encoded("".join(lines))


def checkpoint(data: bytes, draw: Random) -> bytes:
    """A safetensors file of gan's with other metadata or tensors, and the digest that they have."""
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    kind = draw.randrange(4)
    if kind == 0:  # the header itself, as no writer of safetensors would write it
        return pack(_encoded(text(edited(header, draw), draw)), data[8 + length :])
    tensors = safetensors.torch.load(data)
    told = header["__metadata__"]["json"]
    if kind == 1:
        _other_tensors(tensors, draw)
    else:
        told = text(edited(json.loads(told), draw), draw)
    try:
        return forge(told, tensors)
    except (ValueError, UnicodeError, KeyError, RuntimeError):
        return pack(header, b"")


def _other_tensors(tensors: dict[str, Any], draw: Random) -> None:
    name = draw.choice(sorted(tensors))
    one = tensors.pop(name)
    kind = draw.randrange(8)
    if kind == 0:
        return
    new = draw.choice((name + "x", "G_ema/x", "D/y", name.upper(), "../" + name))
    changes = (
        (name, one.double),
        (name, one.flatten),
        (name, lambda: one.unsqueeze(0)),
        (name, lambda: one.new_zeros(0)),
        (name, lambda: one * draw.choice((0, 1e30, -1, float("nan")))),
        (name, one.int),
        (new, lambda: one),
    )
    where, make = changes[kind - 1]
    tensors[where] = make().contiguous()


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at + 8 <= len(data):
        size = struct.unpack(">I", data[at : at + 4])[0]
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        at += 12 + size


def png_file(data: bytes, draw: Random) -> bytes:
    """A PNG with chunks changed, doubled, left out, out of order or added; their CRCs are right."""
    chunks = list(_chunks(data))
    for _ in range(draw.choice((1, 1, 2))):
        at = draw.randrange(len(chunks) or 1)
        kind = draw.randrange(6)
        if not chunks or kind == 0:
            chunks.insert(at, draw.choice(_ADDED))
        elif kind == 1:
            del chunks[at]
        elif kind == 2:
            chunks.insert(at, chunks[draw.randrange(len(chunks))])
        elif kind == 3:
            draw.shuffle(chunks)
        else:
            name, body = chunks[0 if kind == 4 else at]
            chunks[0 if kind == 4 else at] = name, mutated(body, draw)
    made = [data[:8]]
    for name, body in chunks:
        crc = zlib.crc32(name + body)
        made.append(
            struct.pack(">I", len(body) & 0x7FFFFFFF) + name + body + struct.pack(">I", crc)
        )
    return b"".join(made)


def _head(width: int, height: int, bits: int = 8, colour: int = 0) -> bytes:
    return struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)


_ADDED = (
    (b"IHDR", _head(20000, 20000)),
    (b"IHDR", _head(2**31 - 1, 2**31 - 1)),
    (b"IHDR", _head(0, 0)),
    (b"IHDR", _head(8, 8, 16, 6)),
    (b"zTXt", b"a\0\0" + zlib.compress(bytes(20 << 20), 9)),
    (b"iCCP", b"a\0\0" + zlib.compress(bytes(20 << 20), 9)),
    (b"tEXt", b"Comment\0\x1b[2J<script>"),
    (b"PLTE", bytes(7)),
    (b"acTL", struct.pack(">II", 2**31 - 1, 0)),
    (b"eXIf", b"Exif\0\0MM\0*" + b"\xff" * 64),
    (b"IDAT", zlib.compress(bytes(4 << 20), 9)),
)


def archive(data: bytes, draw: Random) -> bytes:
    """An .npz with other arrays in it: shapes that lie, objects, other names."""
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        entries = {name: packed.read(name) for name in packed.namelist()}
    name = draw.choice(sorted(entries))
    body = entries.pop(name)
    head = draw.choice(
        (
            b"(99999999999, 8, 8, 1)",
            b"(2, 8, 8)",
            b"(-1, 8, 8, 1)",
            b"(4611686018427387904, 4, 1, 1)",
        )
    )
    changes: tuple[Callable[[], bytes], ...] = (
        lambda: mutated(body, draw),
        lambda: body.replace(b"|u1", draw.choice((b"|O ", b"<f8", b"<U9", b"|V8", b"<m8"))),
        lambda: body[: body.find(b"(")] + head + body[body.find(b")") + 1 :],
        lambda: body[:200],
        lambda: b"",
    )
    entries[draw.choice((name, name, name, "x.npy", "../x.npy", "labels.npy"))] = draw.choice(
        changes
    )()
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as packed:
        for key, one in entries.items():
            packed.writestr(key, one)
    return made.getvalue()
