"""`gan serve`: a page to explore a generator with. Help is given without importing anything heavy.

The page is for the machine it runs on: it listens on 127.0.0.1 unless told otherwise, and answers
no other site.
"""

from __future__ import annotations

import argparse
import errno
import re
import socket
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_cli import options
from gan_cli.errors import UserMistake
from gan_cli.nearby import check_named
from gan_cli.strict import clean

if TYPE_CHECKING:
    import uvicorn

    from gan_cli.sampler import Sampler

PORT = 8000
"""Where the page is looked for first."""

TRIES = 20
"""Ports that are tried from there on, if none was asked for."""

HEADERS = 1 << 16
"""Bytes of a request's headers, at most."""

VISITORS = 64
"""Connections at a time, at most."""

_HOST = "who can reach the page: 127.0.0.1, this machine alone; 0.0.0.0, everyone who reaches it"


def main(args: list[str]) -> int:
    """Run `gan serve` with these arguments, until it is stopped. Raises GanError."""
    asked = parser().parse_args(args)
    check_named(asked.ckpt, "gan serve")
    try:
        import uvicorn

        from gan_cli.page.app import application
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {"uvicorn", "starlette"}:
            raise
        raise UserMistake(
            "the page needs two small libraries: pip install 'gan-cli[serve]'"
        ) from error
    from gan_cli.fast import pick_device
    from gan_cli.page.guard import Guard
    from gan_cli.page.studio import Studio
    from gan_cli.sampler import Sampler

    options.import_from_here(*asked.trust)
    device = pick_device(asked.device)
    with listening(asked.host, asked.port) as door:
        sampler = Sampler.load(asked.ckpt, device, asked.raw, tuple(asked.trust))
        for reason in sampler.origin.rejected:
            sys.stderr.write(f"passed over: {reason}\n")
        studio, guard = Studio(sampler, _name(asked.ckpt, sampler)), Guard(asked.host)
        url = _url(asked.host, door.getsockname()[1])
        tell(url, studio.name, sampler.step, guard.public)
        if asked.open:
            _show(url)
        with closing(application(studio, guard)) as app:
            uvicorn.Server(settings(app)).run(sockets=[door])
    return 0


def settings(app: Any) -> uvicorn.Config:
    """How the server runs: quiet, plain HTTP, and no more than a page of one user needs."""
    import uvicorn

    return uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=VISITORS,
        h11_max_incomplete_event_size=HEADERS,
        timeout_graceful_shutdown=2,
    )


def tell(url: str, name: str, step: int, public: bool) -> None:
    """Say where the page is, and warn where others can reach it."""
    if public:
        sys.stderr.write(
            "warning: everyone who reaches this machine can use the page, for it has no password; "
            "`ssh -L PORT:127.0.0.1:PORT MACHINE` shows a page that listens here alone\n"
        )
    sys.stdout.write(f"{url}  {clean(name)}, step {step:,}; Ctrl-C stops it\n")
    sys.stdout.flush()


def _show(url: str) -> None:
    """Open the page in a browser, if there is one."""
    import webbrowser

    if not webbrowser.open(url):
        sys.stderr.write("there is no browser here that could be opened\n")


def listening(host: str, port: int | None) -> socket.socket:
    """A socket that listens; on the next free port, unless it was asked for. UserMistake."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    ports = range(PORT, PORT + TRIES) if port is None else [port]
    for number in ports:
        try:
            door = socket.create_server((host, number), family=family, backlog=VISITORS)
            # what is accepted inherits it: else the end of an answer waits for a receipt, 40 ms
            door.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return door
        except socket.gaierror as error:
            raise UserMistake(f"--host {clean(host)}: {clean(error.strerror)}") from error
        except PermissionError as error:
            raise UserMistake(f"--port {number} is not for everyone: 1024 or more") from error
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise UserMistake(f"--host {clean(host)}: {clean(error.strerror)}") from error
    if port is None:
        raise UserMistake(f"ports {PORT} to {PORT + TRIES - 1} are all taken: --port 0 finds one")
    raise UserMistake(f"--port {port} is taken: --port 0 finds one that is free")


def _url(host: str, port: int) -> str:
    """The address to open; of a server that listens everywhere, that of this machine."""
    everywhere = not host.strip("0.:")  # 0.0.0.0, or ::
    name = "localhost" if everywhere else f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}"


def _name(ckpt: str, sampler: Sampler) -> str:
    """What the page is called: the run's directory, or else the file."""
    path = sampler.origin.path or Path(ckpt)
    folder = path.resolve().parent
    run = folder.parent if folder == folder.parent / "checkpoints" else folder
    return clean(run.name if run != folder or Path(ckpt).is_dir() else path.stem, 80)


def parser() -> argparse.ArgumentParser:
    """What can be typed after `gan serve`."""
    parser = options.Parser(
        "gan serve",
        "Explore a generator on a page of your own: sliders, seeds, classes.",
        "Needs pip install 'gan-cli[serve]'. The page works without any network.",
    )
    add = parser.add_argument
    add("--ckpt", metavar="PATH", help="run directory, training checkpoint or generator file")
    add("--port", type=_port, metavar="N", help=f"0: any that is free ({PORT}, or the next)")
    add("--host", type=_host, default="127.0.0.1", metavar="NAME", help=_HOST)
    add("--open", action="store_true", help="open the page in a browser")
    add("--raw", action="store_true", help="the weights themselves, not their average")
    options.add_device(parser)
    options.add_trust(parser)
    return parser


def _port(text: str) -> int:
    if not re.fullmatch(r"\d{1,5}", text, re.ASCII) or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: 0 to 65535")
    return int(text)


def _host(text: str) -> str:
    if not re.fullmatch(r"[0-9A-Za-z.:-]{1,253}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is no name or address of this machine")
    return text
