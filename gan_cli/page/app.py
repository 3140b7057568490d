"""The server of the page: what is answered at which address. One request is drawn at a time."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gan_cli.errors import BadFile, GanError, UserMistake
from gan_cli.page.guard import Guard
from gan_cli.page.order import Order
from gan_cli.page.studio import Studio
from gan_cli.strict import clean

LARGEST = 16 << 20
"""Bytes of a picture that is sent, at most."""

Made = TypeVar("Made")
Asgi = Any


def application(studio: Studio, guard: Guard) -> Asgi:
    """The ASGI application: the page at /, and what it asks for under /api. `close` ends it."""
    desk = _Desk(studio)
    routes = [
        Route("/", desk.page),
        Route("/api/about", desk.about),
        Route("/api/codes", desk.codes),
        Route("/api/draw", desk.draw),
        Route("/api/file", desk.file),
        Route("/api/given", desk.give, methods=["POST"]),
        Route("/api/given", desk.given),
    ]
    told = {GanError: _mistake, HTTPException: _refused, Exception: _bug}
    pages = Starlette(routes=routes, exception_handlers=told)
    return _Guarded(pages, guard, _policy(desk.html), desk.close)


class _Desk:
    """Takes requests, and lets one of them at a time draw, in a thread of its own."""

    def __init__(self, studio: Studio):
        self.studio = studio
        self.html = Path(__file__).with_name("page.html").read_text("utf-8")
        self._turn = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, "draw")

    def close(self) -> None:
        """End the thread, once what is being drawn is done."""
        self._thread.shutdown(cancel_futures=True)

    async def page(self, request: Request) -> Response:
        """The page; nothing else is ever read from the disk."""
        return Response(self.html, media_type="text/html")

    async def about(self, request: Request) -> Response:
        """What the generator is and what can be asked of it."""
        _order(request)
        return _json(await self._made(request, self.studio.about))

    async def codes(self, request: Request) -> Response:
        """The latent code of a sample."""
        order = _order(request)
        return _json({"z": await self._made(request, lambda: self.studio.codes(order))})

    async def draw(self, request: Request) -> Response:
        """Samples: images as a PNG, points as numbers."""
        order = _order(request)
        if not self.studio.image:
            return _json({"points": await self._made(request, lambda: self.studio.points(order))})
        return _png(await self._made(request, lambda: self.studio.picture(order)))

    async def file(self, request: Request) -> Response:
        """Samples as a picture to be kept."""
        order = _order(request)
        if not self.studio.image:
            raise UserMistake("points are drawn by the page")
        response = _png(await self._made(request, lambda: self.studio.keepsake(order)))
        name = f"sample-step{self.studio.sampler.step}-seed{order.seed}.png"
        response.headers["content-disposition"] = f'attachment; filename="{name}"'
        return response

    async def give(self, request: Request) -> Response:
        """Take a picture to be answered, and say by which name it is known from now on."""
        whole = request.url.query == "whole=1"
        if not whole and request.url.query:
            raise UserMistake("there is no such way to send a picture: whole=1, or nothing")
        picture = await _body(request)
        name = await self._made(request, lambda: self.studio.give(picture, whole))
        shares = await self._made(request, lambda: self.studio.shares(name))
        return _json({"given": name, "shares": shares})

    async def given(self, request: Request) -> Response:
        """The input that a picture became."""
        order = _order(request)
        return _png(await self._made(request, lambda: self.studio.seen(order.given)))

    async def _made(self, request: Request, make: Callable[[], Made]) -> Made:
        """What `make` gives, in turn; who has gone away is passed over."""
        async with self._turn:
            if await request.is_disconnected():
                raise HTTPException(408, "nobody waits for it any more")
            return await asyncio.get_running_loop().run_in_executor(self._thread, make)


class _Guarded:
    """Refuses requests of other sites before anything is read, and says what the page may do."""

    def __init__(self, app: Asgi, guard: Guard, policy: str, close: Callable[[], None]):
        self._app, self._guard, self.close = app, guard, close
        self._headers = {
            "content-security-policy": policy,
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            "cross-origin-resource-policy": "same-origin",
            "cross-origin-opener-policy": "same-origin",
            "cache-control": "no-store",
        }

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer, or refuse, one request."""

        async def with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._headers)
            await send(message)

        heads = Headers(scope=scope)
        hosts, origin = heads.getlist("host"), heads.get("origin")
        site, page = heads.get("sec-fetch-site"), scope["path"] == "/"
        refusal = self._guard.refuses(hosts, origin, site, page)
        app = _error(403, refusal) if refusal else self._app
        await app(scope, receive, with_headers)


def _order(request: Request) -> Order:
    return Order.of(request.query_params.multi_items())


async def _body(request: Request) -> bytes:
    """The picture that is sent, if it is not too large."""
    said = request.headers.get("content-length", "0")
    too_large = HTTPException(413, f"a picture of over {LARGEST >> 20} MB")
    if not (said.isascii() and said.isdigit()) or len(said) > 12 or int(said) > LARGEST:
        raise too_large
    found = bytearray()
    async for chunk in request.stream():
        found += chunk
        if len(found) > LARGEST:
            raise too_large
    if not found:
        raise UserMistake("no picture was sent")
    return bytes(found)


def _policy(html: str) -> str:
    """What the page may load: its own script and style, by their digests, and its own answers."""

    def digests(tag: str) -> str:
        found = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()) for text in found]
        return " ".join(f"'sha256-{text.decode()}'" for text in hashes)

    return (
        f"default-src 'none'; script-src {digests('script')}; style-src {digests('style')}; "
        "img-src 'self' blob: data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _json(value: object, status: int = 200) -> Response:
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return Response(text, status, media_type="application/json")


def _png(data: bytes) -> Response:
    return Response(data, media_type="image/png")


def _error(status: int, text: str) -> Response:
    return _json({"error": clean(text, 400)}, status)


async def _mistake(request: Request, error: GanError) -> Response:
    return _error(400 if isinstance(error, UserMistake | BadFile) else 422, str(error))


async def _refused(request: Request, error: HTTPException) -> Response:
    response = _error(error.status_code, error.detail)
    if error.status_code == 413:  # or what is still to come would be read, and thrown away
        response.headers["connection"] = "close"
    return response


async def _bug(request: Request, error: Exception) -> Response:
    return _error(500, "a bug in gan: its traceback is where gan serve runs")
