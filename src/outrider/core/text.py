"""Text that leaves the process: one redaction, one cleaning, one escaping.

Invariant: none of these functions ever raises, whatever it is given; recording a failure cannot fail on its text
(OB-29, OB-95).
"""

import re
from collections.abc import Callable, Iterable
from json import dumps
from typing import Final
from urllib.parse import quote

MASK: Final = "***"
TEXT_LIMIT: Final = 2_000
SECRET_SPAN: Final = 1_300
KNOWN_MIN: Final = 4
"""Shorter texts are no secrets: to take them out would tell more than they do."""

_NAMES = (
    r"pass(?:word|wd|phrase|code)|\bpwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|signing[_-]?key|account[_-]?key"
    r"|credential|signature|\bsig\b|\bauth\b"
)
_VALUE = r"""(?:"(?:[^"\\]|\\.){0,1024}(?:"|\Z)|'(?:[^'\\]|\\.){0,1024}(?:'|\Z)|[^\s,;&"'<>)\]}]{1,1024})"""
_RULES: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    (
        re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[^-]{0,8192}(?:-----END [A-Z ]{0,40}PRIVATE KEY-----)?"),
        MASK,
    ),
    (re.compile(r"(://[^\s/:@?#]{0,256}):[^\s\"'<>]{1,1024}@"), rf"\1:{MASK}@"),
    (re.compile(r"(://)[A-Za-z0-9_\-.~%+]{16,1024}@"), rf"\1{MASK}@"),
    (
        re.compile(r"((?i:/(?:[a-z]{1,32}-)?(?:web)?hooks?|hooks\.slack\.com/services)/)[^\s\"'<>]{8,1024}"),
        rf"\1{MASK}",
    ),
    (re.compile(r"\b(whsec|ntf)_[\w+/=-]{8,256}"), rf"\1_{MASK}"),
    (
        re.compile(
            r"(?i)((?:proxy-)?authorization[\"']?\s{0,4}[:=]\s{0,4}[\"']?(?:[a-z0-9-]{1,32}\s{1,4})?)[^\s\"',;]{1,2048}"
        ),
        rf"\1{MASK}",
    ),
    (re.compile(r"(?i)((?:set-)?cookie[\"']?\s{0,4}[:=]\s{0,4})[^\r\n]{1,2048}"), rf"\1{MASK}"),
    (re.compile(r"(?i)\b(bearer|basic)(\s{1,4})[a-z0-9._~+/=-]{8,2048}"), rf"\1\2{MASK}"),
    (re.compile(rf"(?i)((?:{_NAMES})[\w-]{{0,32}}[\"']?\s{{0,4}}(?:=>|[=:])\s{{0,4}}){_VALUE}"), rf"\1{MASK}"),
    (re.compile(r"\beyJ[\w-]{8,2048}\.[\w-]{2,2048}(?:\.[\w-]{0,2048})?"), MASK),
)
_MARKS: Final = ("-----", "hook", "whsec_", "ntf_", ":", "=", "bear", "bas", "eyj")
"""What no rule applies without, in folded case: most texts have none, and ten searches cost more than these."""
_UNSTORABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
_SHORT: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def redact(text: str) -> str:
    """`text` with its secrets replaced by `***`: passwords in URLs, `key=value` and `"key".

    "value"` secrets, Authorization and Cookie values, bearer tokens, JWTs, private keys, chat and flow webhooks, secrets
    of signatures. Redacting twice changes nothing. Source: OB-95, NT-45, X2.
    """
    folded = text.casefold()
    if any(mark in folded for mark in _MARKS):
        for pattern, replacement in _RULES:
            text = pattern.sub(replacement, text)
    return text


def redact_known(text: str, secrets: Iterable[str]) -> str:
    """`text` redacted, and without these secrets in whatever place, also as they stand in a URL or in JSON. Source: NT-45."""
    return redact_forms(text, forms_of(secrets))


def forms_of(secrets: Iterable[str]) -> tuple[str, ...]:
    """How these secrets may be written, the longest first; what several texts are redacted by is worked out once."""
    forms = {form for secret in secrets if len(secret) >= KNOWN_MIN for form in _written(secret)}
    return tuple(sorted(forms, key=len, reverse=True))


def redact_forms(text: str, forms: Iterable[str]) -> str:
    """`text` redacted, and without any of `forms_of` some secrets."""
    for form in forms:
        text = text.replace(form, MASK)
    return redact(text)


def _written(secret: str) -> tuple[str, ...]:
    return (
        secret,
        quote(secret, safe="", errors="replace"),
        dumps(secret)[1:-1],
        dumps(secret, ensure_ascii=False)[1:-1],
    )


def clean_text(text: object, limit: int = TEXT_LIMIT, max_bytes: int | None = None) -> str:
    """`text` fit for any column, log or page.

    Secrets redacted, NUL, other C0/C1 and lone surrogates as U+FFFD, at most `limit` characters, then at most
    `max_bytes` bytes of UTF-8 cut on a boundary. Takes bytes and any object. Source: OB-29.
    """
    whole = _as_text(text)
    window = limit * 4 + SECRET_SPAN
    # a secret cut in two by the window is no longer recognised: its stretch is dropped
    whole = redact(whole) if len(whole) <= window else redact(whole[:window])[:-SECRET_SPAN]
    cleaned = _UNSTORABLE.sub("\ufffd", whole)[: max(limit, 0)]
    if max_bytes is not None and len(cleaned) * 4 > max_bytes:
        cleaned = cleaned.encode()[: max(max_bytes, 0)].decode(errors="ignore")
    return cleaned


def escape_controls(text: str) -> str:
    """`text` on one line and without effect on a terminal.

    Control, bidirectional and invisible characters and lone surrogates as backslash escapes; everything else
    unchanged. Source: OB-95, X9.
    """
    return _UNPRINTABLE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    code = ord(character)
    return _SHORT.get(character) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")  # noqa: PLR2004  one byte


def _as_text(value: object) -> str:
    """The text of anything; objects whose own text fails are named by their class."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode(errors="replace")
    for to_text in _TO_TEXT:
        try:
            return to_text(value)
        except Exception:  # noqa: BLE001, S112  a broken __str__ must not lose the failure that it describes
            continue
    return f"<{type(value).__name__}>"


_TO_TEXT: Final[tuple[Callable[[object], str], ...]] = (str, repr)
