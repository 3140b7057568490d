"""What a web server may do instead of sending a file."""

from __future__ import annotations

import socket
import struct

from tests.faults.served import Handler, Reply, whole


def hang(handler: Handler, data: bytes) -> None:
    handler.server.owner.over.wait(30)


def drip_head(handler: Handler, data: bytes) -> None:
    for letter in b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000:
        handler.wfile.write(bytes([letter]))
        if handler.server.owner.over.wait(0.05):
            return


def drip(handler: Handler, data: bytes) -> None:
    handler.head(200, {"Content-Length": str(len(data))})
    for letter in data:
        handler.wfile.write(bytes([letter]))
        if handler.server.owner.over.wait(0.05):
            return


def drip_chunks(handler: Handler, data: bytes) -> None:
    handler.protocol_version = "HTTP/1.1"
    handler.head(200, {"Transfer-Encoding": "chunked"})
    for _ in range(1000):
        handler.wfile.write(b"0")  # of a length that never ends
        if handler.server.owner.over.wait(0.05):
            return


def half(handler: Handler, data: bytes) -> None:
    handler.head(200, {"Content-Length": str(len(data))})
    handler.wfile.write(data[: len(data) // 2])


def half_and_silence(handler: Handler, data: bytes) -> None:
    half(handler, data)
    hang(handler, data)


def slam(handler: Handler, data: bytes) -> None:
    linger = struct.pack("ii", 1, 0)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)  # a reset
    handler.connection.close()


def wrong(handler: Handler, data: bytes) -> None:
    whole(handler, data[:-1] + b"x")


def error(handler: Handler, data: bytes) -> None:
    handler.head(500, {})


def missing(handler: Handler, data: bytes) -> None:
    handler.head(404, {})


def circle(handler: Handler, data: bytes) -> None:
    handler.head(302, {"Location": handler.server.owner.url + "again"})


def spiral(handler: Handler, data: bytes) -> None:
    handler.head(302, {"Location": handler.path + "x"})


def to_a_file(handler: Handler, data: bytes) -> None:
    handler.head(302, {"Location": "file:///etc/passwd"})


def elsewhere(handler: Handler, data: bytes) -> None:
    port = handler.server.server_address[1]
    handler.head(302, {"Location": f"http://localhost:{port}/train-images-idx3-ubyte.gz"})


def huge(handler: Handler, data: bytes) -> None:
    handler.head(200, {"Content-Length": str(100 * 10**9)})
    endless(handler, data)


def endless(handler: Handler, data: bytes) -> None:
    handler.close_connection = True
    while not handler.server.owner.over.is_set():
        handler.wfile.write(bytes(1 << 16))


def without_a_length(handler: Handler, data: bytes) -> None:
    handler.head(200, {})
    endless(handler, data)


def gibberish(handler: Handler, data: bytes) -> None:
    handler.wfile.write(b"\x16\x03\x01 this is no HTTP\r\n\r\n")


def nothing(handler: Handler, data: bytes) -> None:
    whole(handler, b"")


FAULTS: dict[str, tuple[Reply, str]] = {
    "never answers": (hang, "no answer within|timed out"),
    "sends its first line letter by letter": (drip_head, "no answer within"),
    "sends a byte now and then": (drip, "less than 1,024 bytes a second"),
    "sends the length of a chunk for ever": (drip_chunks, "no answer within"),
    "closes in the middle": (half, "closed the connection"),
    "falls silent in the middle": (half_and_silence, "timed out"),
    "resets the connection": (slam, "reset|closed|Remote end"),
    "sends other contents": (wrong, "corrupted|other contents"),
    "answers 500": (error, "500"),
    "answers 404": (missing, "404"),
    "redirects in a circle": (circle, "redirect"),
    "redirects ever on": (spiral, "redirect"),
    "redirects to a file of this machine": (to_a_file, "not allowed"),
    "redirects to a server nobody named": (elsewhere, "without encryption"),
    "announces 100 GB": (huge, "100.0 GB, more than any data set"),
    "sends without end": (without_a_length, "there was no end to it"),
    "speaks no HTTP": (gibberish, "HTTP"),
    "sends nothing": (nothing, "corrupted|other contents"),
}


"""What a server can do, and words of what is told of it."""

SLOW = {hang, drip_head, drip, drip_chunks, half_and_silence}
"""What it takes patience to notice."""

NO_HEAD = {drip, drip_chunks, half, half_and_silence, wrong, nothing, huge, without_a_length}
NO_HEAD |= {circle, spiral}
"""What can't be done in answer to HEAD, which has no contents and is redirected to GET."""
