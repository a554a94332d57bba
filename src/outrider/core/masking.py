"""What is shown of a credential in its place.

Invariant: a mask tells two credentials apart for their owner, and gives nobody else the means to use one. Source:
spec/notification.md NT-45.
"""

import re
from typing import Final
from urllib.parse import urlsplit

MASKED: Final = "****"
_SHOWN: Final = 4
_SHOWN_FROM: Final = 9
_WEB: Final = frozenset({"http", "https"})
_SPECIAL: Final = re.compile(r"[^\x21-\x7e]|[\"'<>\\]")


def mask_url(url: str) -> str:
    """`url` for reading: scheme, host and port, `/…/`, the last segment's ends; no user, query or fragment.

    A segment of up to eight characters is `****`. Of what is neither http nor https the scheme alone is shown: there the
    host may be the credential. What is no URL is `****`.

    >>> mask_url("https://open.feishu.cn/open-apis/bot/v2/hook/0123456789abcdef?x=1")
    'https://open.feishu.cn/…/0123...cdef'
    """
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname or "", parts.port if parts.scheme in _WEB else None
    except ValueError:
        return MASKED
    if not url.isprintable() or not parts.scheme:
        return MASKED
    if parts.scheme not in _WEB or not host or _SPECIAL.search(host) is not None:
        return f"{parts.scheme}://{MASKED}" if "://" in url else MASKED
    shown = f"[{host}]" if ":" in host else host
    place = f"{parts.scheme}://{shown}" + (f":{port}" if port is not None else "")
    segment = parts.path.rstrip("/").rpartition("/")[2]
    return f"{place}/…/{mask_text(segment)}" if segment else place


def mask_text(text: str) -> str:
    """The first and last four characters of a longer text, else `****`."""
    return f"{text[:_SHOWN]}...{text[-_SHOWN:]}" if len(text) >= _SHOWN_FROM else MASKED
