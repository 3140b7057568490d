"""A small data set in MNIST's four files, and a web server on this machine that may misbehave."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tqdm import tqdm

from gan_cli.dataset import fetch, idx, kmnist

N = 20
ONCE = 8  # torchvision asks for the address of each of four files, and then for the file

Reply = Callable[["Handler", bytes], None]


def idx_files() -> dict[str, bytes]:
    """A tiny data set in MNIST's four files, unpacked."""
    files = {}
    for part in ("train", "t10k"):
        pixels = np.random.default_rng(len(part)).integers(1, 256, (N, 28, 28), np.uint8)
        header = np.array([N, 28, 28], ">i4").tobytes()
        files[f"{part}-images-idx3-ubyte"] = b"\0\0\x08\x03" + header + pixels.tobytes()
        labels = bytes(i % 10 for i in range(N))
        files[f"{part}-labels-idx1-ubyte"] = b"\0\0\x08\x01" + header[:4] + labels
    return files


def whole(handler: Handler, data: bytes) -> None:
    """What a server should do."""
    handler.head(200, {"Content-Length": str(len(data))})
    handler.wfile.write(data)


class Handler(BaseHTTPRequestHandler):
    """Leaves the answers to the server's `replies`: to HEAD, and to GET."""

    server: Quiet

    def do_HEAD(self) -> None:
        self.server.owner.on_head(self, b"")

    def do_GET(self) -> None:
        owner = self.server.owner
        owner.gets += 1
        owner.on_get(self, owner.files.get(self.path.removeprefix("/"), b""))

    def head(self, status: int, headers: dict[str, str]) -> None:
        """The first lines of an answer."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Nothing."""


class Quiet(ThreadingHTTPServer):
    """Says nothing of clients that are gone."""

    owner: Server
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *args: object) -> None:
        """Nothing."""


class Server:
    """A web server: `on_head` and `on_get` say what it does, `gets` how often it was asked."""

    def __init__(self, files: dict[str, bytes]):
        self.files, self.gets = files, 0
        self.on_head: Reply = whole
        self.on_get: Reply = whole
        self.over = threading.Event()
        self.http = Quiet(("127.0.0.1", 0), Handler)
        self.http.owner = self
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/"
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        """Stop, and let go of whoever waits."""
        self.over.set()
        self.http.shutdown()
        self.http.server_close()


@contextmanager
def serving(monkeypatch: pytest.MonkeyPatch, patience: float = 0.5) -> Iterator[Server]:
    """Serves a tiny KMNIST, which torchvision is told to fetch."""
    datasets = fetch.torchvision_datasets()
    packed = {f"{name}.gz": gzip.compress(data, 1) for name, data in idx_files().items()}
    sums = [(n, hashlib.md5(data, usedforsecurity=False).hexdigest()) for n, data in packed.items()]
    sha256 = {name: hashlib.sha256(data).hexdigest() for name, data in packed.items()}
    server = Server(packed)
    # its own lock is shared with forks, and one that is killed never gives it back
    monkeypatch.setattr(tqdm, "_lock", threading.RLock(), raising=False)
    monkeypatch.setattr(tqdm, "monitor_interval", 0)
    monkeypatch.setattr(fetch, "PATIENCE", patience)
    monkeypatch.setattr(fetch, "PAUSES", (0.01, 0.01))
    monkeypatch.setattr(datasets.KMNIST, "mirrors", [server.url])
    monkeypatch.setattr(datasets.KMNIST, "resources", sums)
    family = dataclasses.replace(kmnist.FAMILY, packed=sha256)
    monkeypatch.setattr(kmnist, "FAMILY", family)
    for name, (prefix, _) in idx.PARTS.items():
        monkeypatch.setitem(idx.PARTS, name, (prefix, N))
    try:
        yield server
    finally:
        server.close()


def unpacked(root: Path) -> Path:
    """The same files where they are looked for, in the directory that is returned."""
    folder = root / "KMNIST" / "raw"
    folder.mkdir(parents=True)
    for name, data in idx_files().items():
        (folder / name).write_bytes(data)
    return folder


def left(root: Path) -> list[str]:
    """The files there, but for locks."""
    return [path.name for path in root.rglob("*") if path.is_file() and path.suffix != ".lock"]


def tree(root: Path) -> dict[str, tuple[Any, ...]]:
    """What is there, with sizes and times."""
    paths = sorted(path for path in root.rglob("*"))
    return {str(p): (p.lstat().st_size, p.lstat().st_mtime_ns) for p in paths}
