"""Domains and links in untrusted text: chat programs make links of them by themselves, so they are taken apart.

Invariant: what is defanged is not changed by being defanged again. Source: spec/notification.md NT-40.
"""

import re
from functools import cache
from importlib.resources import files
from typing import Final
from unicodedata import normalize

LABEL_MAX: Final = 63
_DOT: Final = re.compile(
    rf"(?<=[^\W_])([.\uff0e\u2024\ufe52]|(?<=[0-9A-Za-z])[\u3002\uff61](?=[a-z]))(?=([^\W_][\w-]{{0,{LABEL_MAX - 1}}}))"
)
_SCHEME_END: Final = re.compile(r"(?<!\[)://")
_ASCII_RUN: Final = re.compile(r"[a-z0-9-]*", re.ASCII)


def defang(text: str) -> str:
    """`text` with the dot before each top-level domain in brackets: `evil.com` becomes `evil[.]com`.

    So are the signs after a scheme, for a link needs no domain: `http[://]10.0.0.1/x`.
    """
    return _SCHEME_END.sub("[://]", _DOT.sub(_apart, text))


def _apart(match: re.Match[str]) -> str:
    return f"[{match.group(1)}]" if _begins_with_domain(match.group(2)) else match.group(1)


def _begins_with_domain(label: str) -> bool:
    """Whether a link maker could read a top-level domain here, which need not be followed by a blank in Chinese."""
    folded = normalize("NFKC", label).casefold()
    ascii_run = _ASCII_RUN.match(folded)
    start = ascii_run.group().rstrip("-") if ascii_run is not None else ""
    if start:
        return start in top_level_domains() or start.partition("-")[0] in top_level_domains()
    return any(folded[:length] in top_level_domains() for length in _foreign_lengths())


@cache
def top_level_domains() -> frozenset[str]:
    """The shipped list, lower case, each internationalised one in both of its forms."""
    lines = files("outrider.notification").joinpath("top_level_domains.txt").read_text(encoding="utf-8").splitlines()
    names = {line.strip() for line in lines if line and not line.startswith("#")}
    return frozenset(names | {name.encode().decode("idna") for name in names if name.startswith("xn--")})


@cache
def _foreign_lengths() -> tuple[int, ...]:
    return tuple(sorted({len(name) for name in top_level_domains() if not name.isascii()}))
