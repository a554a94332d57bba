"""The one link that a notification carries: to a page of ours, made absolute.

Invariant: what passes leads to `public_base_url` or to a listed host, by https where it names a host. Source:
spec/notification.md NT-39, §11.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

from outrider.core.errors import InvalidMessage

URL_MAX: Final = 2_048
FIELD: Final = "target_url"
_FORBIDDEN: Final = re.compile("[\x00-\x20\x7f-\xa0\u2028\u2029\ud800-\udfff\"'<>`{}|^\\\\]")
_HTTPS: Final = 443


@dataclass(frozen=True, slots=True)
class LinkPolicy:
    """Where links may lead: our own pages, and hosts that the deployer names."""

    public_base_url: str = ""
    action_paths: Sequence[str] = ("/",)
    link_hosts: Sequence[str] = ()


def checked_target_url(url: str, policy: LinkPolicy) -> str:
    """`url` as it is stored: a path of ours, or https on a listed host. Raises InvalidMessage with the reason."""
    if len(url) > URL_MAX:
        raise InvalidMessage(FIELD, "", f"has {len(url)} characters, more than {URL_MAX}")
    if _FORBIDDEN.search(url) is not None:
        raise InvalidMessage(FIELD, "", "holds a character that no link of ours needs")
    if not url.startswith("/"):
        _check_absolute(url, policy.link_hosts)
    else:
        _check_path(url, policy.action_paths)
    return url


def action_url(target_url: str | None, policy: LinkPolicy) -> str | None:
    """The absolute URL of a checked `target_url`; None where there is none or no page of ours has an address."""
    if not target_url:
        return None
    if not target_url.startswith("/"):
        return target_url
    return policy.public_base_url.rstrip("/") + target_url if policy.public_base_url else None


def _check_path(url: str, prefixes: Sequence[str]) -> None:
    place = url.partition("?")[0].partition("#")[0]
    path, decoded = place, unquote(place)
    while decoded != path:  # written twice in percent signs, it is still the same page
        path, decoded = decoded, unquote(decoded)
    if any(part in form for part in ("//", "\\", "..", "://") for form in (url, path)):
        raise InvalidMessage(FIELD, "", "must be a plain path with one leading slash")
    if _FORBIDDEN.search(path.replace(" ", "")) is not None:
        raise InvalidMessage(FIELD, "", "hides a character behind percent signs")
    if not any(_under(place, prefix) for prefix in prefixes):
        raise InvalidMessage(FIELD, "", "leads to no page of action_paths")


def _under(path: str, prefix: str) -> bool:
    stem = prefix.rstrip("/")
    return path == stem or path.startswith(stem + "/")


def _check_absolute(url: str, hosts: Sequence[str]) -> None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InvalidMessage(FIELD, "", "is no URL") from None
    if parts.scheme != "https" or not url.startswith("https://"):
        raise InvalidMessage(FIELD, "", "must be a path with one leading slash, or https on a host of link_hosts")
    if parts.username is not None or parts.password is not None or "@" in parts.netloc or port not in {None, _HTTPS}:
        raise InvalidMessage(FIELD, "", "names a user or a port")
    if (parts.hostname or "") not in {host.lower() for host in hosts}:
        raise InvalidMessage(FIELD, "", "leads to a host that link_hosts does not list")
