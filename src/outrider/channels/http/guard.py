"""The guard: from a URL to the addresses that may be connected to, each checked for this request (NT-43).

Invariant: one address that is not global refuses the host, whichever address would have been taken; what was checked is what
is returned, so nobody resolves a second time. Source: spec/notification.md NT-43.
"""

import asyncio
import socket
from collections.abc import Collection, Sequence

from outrider.channels.http.address import is_global_text
from outrider.channels.http.url import Target, UrlRefused, read_url
from outrider.ports.http import Resolver


class SystemResolver:
    """The machine's own resolver, as `ports.http.Resolver`."""

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """Every address, in the system's order of preference. Raises OSError."""
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Guard:
    """Which URLs and addresses may be called. `allow` holds `host:port` of exempt servers."""

    def __init__(self, resolver: Resolver, *, ports: Collection[int], allow: Collection[str]) -> None:
        self._resolver = resolver
        self._ports, self._allow = frozenset(ports), frozenset(entry.lower() for entry in allow)

    def target(self, url: str) -> Target:
        """Where the URL leads; raises UrlRefused by its form alone."""
        return read_url(url, ports=self._ports, allow=self._allow)

    async def addresses(self, target: Target) -> Sequence[str]:
        """The addresses to connect to. Raises UrlRefused where one of them is not global, OSError where there is none."""
        if target.address is not None:
            return [target.host]  # `target` looked at it
        found = await self._resolver.resolve(target.host, target.port)
        if not found:
            raise OSError("the host has no address")
        if not target.exempt and not all(map(is_global_text, found)):
            raise UrlRefused("the host has an address that is not public")
        return found
