"""Our own link in a text: whether it stands there, and where it is added.

Invariant: a text leaves with the link once, as it was made, whatever the text says. Source: spec/notification.md NT-38.
"""

import re

_BEFORE = r"(?<![\w/=&?%.#@:-])"
_AFTER = r"(?![\w\-~%/?#&=+@:;!$'()*\[\]]|[.,](?=[\w/]))"


def split_at_link(text: str, url: str) -> list[str]:
    """The parts of `text` between the places where `url` stands as a whole: one part where it does not."""
    if url not in text:
        return [text]  # mostly; a pattern of its own costs more than all the rest that is done for a text
    return re.split(_BEFORE + re.escape(url) + _AFTER, text)


def with_link(text: str, url: str | None) -> str:
    """`text`, newline, `url`; `text` alone where there is no link or it holds it already."""
    if not url or len(split_at_link(text, url)) > 1:
        return text
    return f"{text}\n{url}" if text else url
