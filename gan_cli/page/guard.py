"""Who may ask: the page itself, by a name of this machine, and no other site."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass

HERE = ("localhost", "localhost.localdomain", "ip6-localhost")
"""Names of every machine for itself."""

FOREIGN = {"cross-site", "same-site"}
"""What browsers say of requests that another page made (`Sec-Fetch-Site`)."""

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[0-9a-z._-]+)(:\d{1,5})?", re.ASCII)


@dataclass(frozen=True)
class Guard:
    """Tells requests of the page from those of other sites, for a server that listens on `host`.

    A page of another site can give itself a name that leads to this machine (DNS rebinding:
    Jackson et al. 2007, Protecting Browsers from DNS Rebinding Attacks). Its requests then count
    as its own, but they carry that name in Host. An address in numbers can't be made to lead
    elsewhere. The port is not asked about: a tunnel may have changed it.
    """

    host: str

    @property
    def public(self) -> bool:
        """Whether other machines can reach it."""
        address = _address(self.host)
        return self.host.lower() not in HERE if address is None else not address.is_loopback

    def refuses(
        self, hosts: Sequence[str], origin: str | None, site: str | None, page: bool
    ) -> str | None:
        """Why a request is refused; None if it isn't.

        `hosts` are its Host headers, `origin` and `site` those called Origin and Sec-Fetch-Site;
        `page` says that it is for the page itself, to which other sites may link.
        """
        if len(hosts) != 1 or not self.goes_by(hosts[0].lower()):
            return "this server has another name: open the address that gan serve printed"
        if origin is not None and origin.lower() not in _origins(hosts[0].lower()):
            return "asked for by a page of another origin"
        if site in FOREIGN and not page:
            return "asked for by a page of another site"
        return None

    def goes_by(self, host: str) -> bool:
        """Whether a Host header, `name` or `name:port`, means this server."""
        parts = _HOST.fullmatch(host)
        name = parts[1].strip("[]") if parts else ""
        address = _address(name)
        if address is not None:
            return self.public or address.is_loopback
        own = socket.gethostname().lower()
        others = {own, f"{own}.local"} if self.public else set()
        return name in {self.host.lower(), *HERE, *others}


def _origins(host: str) -> set[str]:
    return {f"http://{host}", f"https://{host}"}


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None
