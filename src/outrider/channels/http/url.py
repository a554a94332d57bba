"""A URL that a user set, read strictly: https, a public host, an allowed port, nothing that can be read in two ways.

Invariant: what passes has one meaning: its host is lower-case ASCII (IDNA) or an address in its one usual form, so the host
that was checked is the host that is called. No text of a refusal repeats the URL, which may be a credential. Source: NT-43.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

import idna

from outrider.channels.http.address import is_global

URL_MAX: Final = 2_048
_PORTS: Final = {"https": 443, "http": 80}
_PORT_MAX: Final = 65_535
_HOST_MAX: Final = 253
_IS_URL: Final = re.compile(r"(https?)://([^/?#@\\]+)(/[^?#]*)?(\?[^#]*)?", re.IGNORECASE).fullmatch
_IS_AUTHORITY: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]%]+)(?::([0-9]{1,5}))?").fullmatch
_IS_VISIBLE: Final = re.compile(r"[\x21-\x7e]*").fullmatch
_IS_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?").fullmatch
_LOOKS_NUMERIC: Final = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)").fullmatch


class UrlRefused(ValueError):
    """This URL may not be called; the text says which rule it breaks."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a URL leads. `host` has no brackets, `path` is what is sent, with its query; `exempt` as the port says."""

    scheme: str
    host: str
    port: int
    path: str
    exempt: bool

    @property
    def address(self) -> IPv4Address | IPv6Address | None:
        """The host where it is an address."""
        return _address(self.host)


def read_url(url: str, *, ports: Collection[int], allow: Collection[str]) -> Target:
    """Read a URL, or raise UrlRefused. `allow` holds `host:port` of servers that are exempt from every rule but form."""
    if len(url) > URL_MAX:
        raise UrlRefused(f"longer than {URL_MAX} characters")
    parts = _IS_URL(url)
    if parts is None:
        raise UrlRefused("not an https URL without user, fragment and backslash")
    scheme, authority, path, query = parts[1].lower(), parts[2], parts[3] or "/", parts[4] or ""
    if not _IS_VISIBLE(path + query):
        raise UrlRefused("path and query must be visible ASCII: percent-encode them")
    split = _IS_AUTHORITY(authority)
    if split is None:
        raise UrlRefused("not a host and a port")
    host = _host(split[1])
    port = int(split[2]) if split[2] else _PORTS[scheme]
    if not 0 < port <= _PORT_MAX:
        raise UrlRefused("no such port")
    exempt = f"{host}:{port}" in allow
    if not exempt:
        _check(scheme, host, port, ports)
    return Target(scheme, host, port, path + query, exempt)


def _check(scheme: str, host: str, port: int, ports: Collection[int]) -> None:
    if scheme != "https":
        raise UrlRefused("not https")
    if port not in ports:
        raise UrlRefused(f"port {port} is not allowed")
    address = _address(host)
    if address is None and "." not in host:
        raise UrlRefused("not a public host name")
    if address is not None and not is_global(address):
        raise UrlRefused("not a public address")


def _host(text: str) -> str:
    """The host in its one form: an address as Python writes it, or a lower-case ASCII name."""
    if text.startswith("["):
        address = _address(text[1:-1])
        if not isinstance(address, IPv6Address):
            raise UrlRefused("not an address")
        return str(address)
    try:
        name = text.lower() if text.isascii() else idna.encode(text, uts46=True).decode().lower()
    except (idna.IDNAError, UnicodeError):
        raise UrlRefused("not a host name") from None
    if _LOOKS_NUMERIC(name):
        # short, octal and hexadecimal forms of IPv4 are names to some readers and addresses to others
        if not isinstance(_address(name), IPv4Address):
            raise UrlRefused("not an address in its usual form")
        return name
    if len(name) > _HOST_MAX or not all(_IS_LABEL(label) for label in name.split(".")):
        raise UrlRefused("not a host name")
    return name


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None
