"""The local page: who may ask, how much, and how many at a time; asked over real sockets."""

from __future__ import annotations

import http.client
import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest
from PIL import Image

from gan_cli import serve
from gan_cli.page.guard import Guard
from gan_cli.sampler import Sampler
from tests.faults import fuzz
from tests.faults.guarded import most

pytest.importorskip("uvicorn", reason="pip install 'gan-cli[serve]'")
pytest.importorskip("starlette", reason="pip install 'gan-cli[serve]'")

Tally = Callable[[int, int, str], None]
Times = Callable[[int, int], int]


@contextmanager
def running() -> Iterator[int]:
    """The page of a generator of images from images, as `gan serve` runs it; its port."""
    import uvicorn

    from gan_cli.page.app import application
    from gan_cli.page.studio import Studio

    sampler = Sampler.load(fuzz.shared() / "sharper.safetensors")
    door = serve.listening("127.0.0.1", 0)
    app = application(Studio(sampler, "sharper"), Guard("127.0.0.1"))
    server = uvicorn.Server(serve.settings(app))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [door]})
    thread.start()
    try:
        yield door.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with running() as found:
        yield found


def ask(
    port: int, path: str = "/api/about", method: str = "GET", body: bytes = b"", **heads: str
) -> tuple[int, dict[str, str]]:
    """The status and the headers of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        named = {key.replace("_", "-"): value for key, value in heads.items()}
        connection.request(method, path, body, named)
        answer = connection.getresponse()
        answer.read()
        return answer.status, {key.lower(): value for key, value in answer.getheaders()}
    finally:
        connection.close()


SMUGGLED = b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /api/about HTTP/1.1\r\n\r\n"
"""A second request within the first, for who believes its length."""


def raw(port: int, data: bytes) -> bytes:
    """What comes back for these bytes, as far as anything does."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as line:
        line.sendall(data)
        try:
            return line.recv(65536)
        except OSError:
            return b""


@pytest.mark.fault("H8", "a page of another site asks the local page", "Host, Origin, rebinding")
def test_other_sites_are_refused(port: int, tally: Tally) -> None:
    hosts = ("evil.example", "127.0.0.1.evil.example", "localhost.evil", "[::1].evil", "0x7f.1", "")
    origins = ("http://evil.example", "null", f"http://localhost:{port + 1}", "file://", "")
    asked = [{"Host": host} for host in hosts]
    asked += [{"Origin": origin} for origin in origins]
    asked += [{"Sec_Fetch_Site": site} for site in ("cross-site", "same-site")]
    for method, path in (("GET", "/api/draw"), ("POST", "/api/given"), ("OPTIONS", "/api/given")):
        for heads in asked:
            status, told = ask(port, path, method, **heads)
            assert status in (400, 403), (heads, method, path, status)
            assert not [name for name in told if name.startswith("access-control")], told
    assert (
        raw(port, b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n").split()[1] != b"200"
    )
    assert ask(port)[0] == 200
    tally(3 * len(asked) + 1, 3 * len(asked) + 1, "403, asked for by a page of another origin")


@pytest.mark.fault("H8", "the page is asked for what it has not", "paths, methods, sizes, nonsense")
def test_nothing_else_is_given(port: int, tally: Tally) -> None:
    paths = ("/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd", "/api/../page.html")
    paths += ("/api/draw?n=999999", "/api/draw?seed=-1", "/api/draw?x=1", "/api/draw?n=1&n=2")
    for path in paths:
        assert ask(port, path)[0] in (400, 404), path
    methods = ("PUT", "DELETE", "TRACE", "CONNECT", "PATCH", "X" * 50)
    for method in methods:
        assert ask(port, "/", method)[0] in (400, 405), method
    nonsense = (
        *(
            b"\x16\x03\x01\x02\0\x01\0",
            b"GET /" + b"a" * (1 << 17),
            b"\0" * 1000,
            b"GET / HTTP/9\r\n\r\n",
        ),
        b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 20_000,
        b"POST /api/given HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST /api/given HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n" + SMUGGLED,
    )
    for data in nonsense:
        assert b" 200 " not in raw(port, data)[:40], data[:60]
    assert ask(port)[0] == 200
    tried = len(paths) + len(methods) + len(nonsense)
    tally(tried, tried, "400, 404 or 405, and the page goes on")


def picture(side: int) -> bytes:
    """A PNG of one colour, of few bytes."""
    made = io.BytesIO()
    Image.new("1", (side, side)).save(made, "PNG")
    return made.getvalue()


@pytest.mark.fault("H8", "pictures that are bombs are sent to the page", "all at once, and endless")
def test_uploads_are_bounded(port: int, times: Times, tally: Tally) -> None:
    bombs = [picture(8), b"x" * 1000, b"", picture(13_000), picture(13_000)[:200]] * times(2, 10)
    assert ask(port, "/api/given", "POST", bombs[0])[0] == 200
    before = most()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda body: ask(port, "/api/given", "POST", body)[0], bombs))
    assert {*found} <= {200, 400, 413, 422}, found
    assert found[:: len(bombs[:5])] == [200] * (len(bombs) // 5)
    assert most() - before < 200
    head = b"POST /api/given HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=30) as line:
        try:
            line.sendall(head)
            for _ in range(40):
                line.sendall(b"100000\r\n" + bytes(1 << 20) + b"\r\n")
        except OSError:
            pass  # it hung up
        assert most() - before < 200
    assert ask(port)[0] == 200
    tally(len(bombs) + 1, len(bombs) + 1, "400 or 413, and what is wrong with the picture")


@pytest.mark.fault("H8", "visitors who never end their request", "slow, one byte at a time, many")
def test_slow_visitors_keep_nobody_out(port: int, tally: Tally) -> None:
    with ExitStack() as stack:
        lines = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
            for _ in range(40)
        ]
        for _ in range(3):
            for line in lines:
                line.sendall(b"G")
            time.sleep(0.01)
            assert ask(port)[0] == 200
        more = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
            for _ in range(60)
        ]
        assert len(more) == 60
        assert ask(port)[0] in (200, 503), "too many, and said so"
    deadline = time.monotonic() + 30
    while ask(port)[0] != 200 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert ask(port)[0] == 200
    tally(100, 100, "the page is there for others; beyond 64 at a time, 503")


def test_the_page_is_for_this_machine_alone() -> None:
    with serve.listening("127.0.0.1", 0) as door:
        assert door.getsockname()[0] == "127.0.0.1"
    assert serve.parser().parse_args(["--ckpt", "x"]).host == "127.0.0.1"
