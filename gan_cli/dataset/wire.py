"""What comes over the network: soon, steadily, and no more than a data set."""

from __future__ import annotations

import http
import http.client
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any
from urllib.parse import urlsplit

LARGEST = 1 << 28
"""Bytes of one file, at most; the largest that is asked for has 170,498,071."""

SLOWEST = 1024
"""Bytes a second, at least."""

_PIECE = 1 << 16


class Broken(http.client.HTTPException):
    """A server that does what none should."""


class Closed(Broken):
    """A server that closed the connection too soon; it may do better the next time."""


@contextmanager
def guarded(patience: float, mirrors: Collection[str]) -> Iterator[None]:
    """Meanwhile, whatever urllib asks for has so many seconds to answer, and then to go on.

    Only those mirrors that are named so are asked in the clear: torchvision asks again without
    encryption where it failed with it. Raises Broken, or an OSError.
    """
    clear = {urlsplit(url).netloc for url in mirrors if url.startswith("http:")}
    opener, limit = getattr(urllib.request, "_opener", None), socket.getdefaulttimeout()
    urllib.request.install_opener(urllib.request.build_opener(_Clear(clear), _Encrypted()))
    socket.setdefaulttimeout(patience)
    try:
        yield
    finally:
        socket.setdefaulttimeout(limit)
        urllib.request.install_opener(opener)  # None makes a new one


class _Response(http.client.HTTPResponse):
    """An answer that has to come, and to keep coming."""

    def __init__(
        self,
        sock: socket.socket,
        debuglevel: int = 0,
        method: str | None = None,
        url: str | None = None,
    ):
        super().__init__(sock, debuglevel, method, url)
        self._wire, self._patience = sock, sock.gettimeout() or 0.0
        self._since, self._then, self._came = time.monotonic(), 0, 0

    def begin(self) -> None:
        """Read the head, which may drip in no longer than a silence may last."""
        self._in_time(super().begin)
        if self.length is not None and self.length > LARGEST:
            raise Broken(f"it wants to send {self.length / 1e9:,.1f} GB, more than any data set")
        if self.status >= http.HTTPStatus.MULTIPLE_CHOICES:
            self.close()  # nobody reads what comes with a refusal, or remembers to close it

    def read(self, amt: int | None = None) -> bytes:
        """What has come, at most so many bytes; all where none are said."""
        if amt is None:
            return b"".join(iter(partial(self.read, _PIECE), b""))
        if self.isclosed():
            return b""
        owed = self.length
        piece = self._in_time(partial(self.read1, amt)) if self.chunked else self.read1(amt)
        if amt and owed and not piece:
            raise Closed(f"the server closed the connection {owed:,} bytes before the end")
        self._check(len(piece))
        return piece

    def _check(self, count: int) -> None:
        self._came += count
        if self._came > LARGEST:
            raise Broken(f"after {LARGEST / 1e9:.1f} GB there was no end to it")
        now = time.monotonic()
        if now - self._since > self._patience:
            if self._came - self._then < SLOWEST * (now - self._since):
                raise Broken(f"it comes at less than {SLOWEST:,} bytes a second")
            self._since, self._then = now, self._came

    def _in_time(self, work: Callable[[], Any]) -> Any:
        late = threading.Event()

        def hang_up() -> None:
            late.set()
            with suppress(OSError):
                self._wire.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(self._patience, hang_up)
        timer.daemon = True
        timer.start()
        try:
            return work()
        finally:
            timer.cancel()
            if late.is_set():
                raise TimeoutError(f"no answer within {self._patience:.0f} seconds")


class _ClearConnection(http.client.HTTPConnection):
    response_class = _Response


class _EncryptedConnection(http.client.HTTPSConnection):
    response_class = _Response


class _Clear(urllib.request.HTTPHandler):
    def __init__(self, hosts: Collection[str]):
        super().__init__()
        self._hosts = hosts

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        if urlsplit(req.full_url).netloc not in self._hosts:
            raise Broken("it was to be asked again without encryption, which is not done")
        return self.do_open(_ClearConnection, req)


class _Encrypted(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_EncryptedConnection, req)
