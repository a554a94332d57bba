"""Untrusted text made fit to show: cleaned, cut, without links but our own.

Invariant: every function takes any `str` and never raises; what is cleaned is storable on every database, and cleaning it
again changes nothing. People and language models write this text. Source: spec/notification.md NT-36, NT-37, NT-40.
"""

import re
from typing import Final, NamedTuple
from unicodedata import normalize

from outrider.core.action_link import split_at_link
from outrider.notification.domains import defang
from outrider.notification.graphemes import cut

SUMMARY_MAX: Final = 180

_NEWLINES: Final = re.compile("\r\n?|[\u2028\u2029]")
_REMOVED: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 and C1; newline stays, tab was a space before
    "\xad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0"  # invisible, though not all are called zero-width
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # bidirectional controls
    "\u200b\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff]"  # halves of a pair
)
_PICTURE: Final = "\u00a9\u00ae\u203c-\u3299\U0001f000-\U0001faff"
_FOLLOWED_BY: Final = "\ufe0f\U0001f3fb-\U0001f3ff"
_JOINED_SCRIPTS: Final = "\u0600-\u08ff\u0900-\u0dff\u1000-\u109f\u1780-\u18af"
_STRAY: Final = re.compile(
    f"(?<![{_PICTURE}{_FOLLOWED_BY}{_JOINED_SCRIPTS}])[\u200c\u200d]"
    f"|(?<=[{_PICTURE}{_FOLLOWED_BY}])(?:\u200c|\u200d(?![{_PICTURE}]))"
    f"|(?<=[{_JOINED_SCRIPTS}])[\u200c\u200d](?![{_JOINED_SCRIPTS}])"
    "|(?<![\U000e0020-\U000e007e\U0001f3f4])[\U000e0001-\U000e007f]+"  # tags spell the flags of regions, nothing else
    "|(?<![^\\W_])[\U000e0100-\U000e01ef]+"
)
_MANY_NEWLINES: Final = re.compile(r"\n(?:[^\S\n]*\n){2,}")
_LINKS: Final = ("://", "www.", "mailto:", "](")


class Summary(NamedTuple):
    """A summary as it is stored; `fallback_used` where it may not be shown."""

    text: str
    fallback_used: bool


def clean(text: str) -> str:
    """`text` without what hides or reorders: controls, bidirectional and zero-width characters, half pairs.

    NFC; a tab is a space, U+2028/9 and carriage returns are newlines, of which at most two follow one another; joiners
    stay inside clusters. Source: NT-40.
    """
    text = _REMOVED.sub("", _NEWLINES.sub("\n", text).replace("\t", " "))
    previous = ""
    while text != previous:  # what is taken away may leave a neighbour without its hold
        previous = text
        text = normalize("NFC", _STRAY.sub("", text))
    return _MANY_NEWLINES.sub("\n\n", text)


def safe(text: str, link: str | None = None) -> str:
    """`text` cleaned, trimmed and with bare domains taken apart, but in our own `link`: what may be shown. Source: NT-40."""
    cleaned = clean(text).strip()
    return link.join(map(defang, split_at_link(cleaned, link))) if link else defang(cleaned)


def has_link(text: str) -> bool:
    """Whether cleaned text holds an explicit link, after NFKC and case folding. Source: NT-37."""
    folded = normalize("NFKC", text).casefold()
    return any(link in folded for link in _LINKS)


def summary(text: str | None, limit: int = SUMMARY_MAX) -> Summary:
    """The summary as it is stored: empty where there is none or it holds a link, else of at most `limit` characters.

    Source: NT-37.
    """
    cleaned = clean(text or "").strip()
    if not cleaned or has_link(cleaned):
        return Summary("", fallback_used=True)
    kept = cut(cleaned, limit).strip()
    return Summary(kept, fallback_used=not kept)


def enveloped(envelope: str, text: str) -> str:
    """`text` opened by the channel's envelope, which keyword filters look for; once. Source: NT-36."""
    return text if not envelope or text.startswith(envelope) else f"{envelope} {text}"
