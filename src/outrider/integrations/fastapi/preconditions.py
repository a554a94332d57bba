"""Headers that say under which condition a call may have its effect. Source: spec/notification.md NT-54."""

import re
from collections.abc import Mapping
from typing import Final

from outrider.integrations.fastapi.problems import Problem
from outrider.notification.store.acting import Version

_KEY: Final = re.compile(r'"?([\x21\x23-\x7e]{1,191})"?')
_RECORD: Final = re.compile(r'"(\d{1,9})\.(\d{1,18})"')
_NUMBER: Final = re.compile(r'"(\d{1,18})"')


def idempotency_key(headers: Mapping[str, str]) -> str:
    """The key of 1 to 191 visible characters, quoted or not. Raises Problem where there is none."""
    said = headers.get("idempotency-key")
    if said is None:
        raise Problem("idempotency_key_required")
    found = _KEY.fullmatch(said)
    if found is None:
        raise Problem("invalid_request", "Idempotency-Key: 1 to 191 visible ASCII characters, quoted or not")
    return found[1]


def record_etag(version: Version) -> str:
    """A record's ETag."""
    return f'"{version.generation}.{version.epoch}"'


def record_seen(headers: Mapping[str, str]) -> Version:
    """The record as the caller saw it. Raises Problem where the caller does not say."""
    said = headers.get("if-match")
    if said is None:
        raise Problem("precondition_required")
    found = _RECORD.fullmatch(said.strip())
    if found is None:
        raise Problem("version_mismatch", "If-Match names no version of this record")
    return Version(int(found[1]), int(found[2]))


def version_etag(version: int) -> dict[str, str]:
    """The header of settings in this version."""
    return {"ETag": f'"{version}"'}


def version_seen(headers: Mapping[str, str]) -> int | None:
    """The version that the caller saw; None where the caller does not say."""
    said = headers.get("if-match")
    if said is None or said.strip() == "*":
        return None
    found = _NUMBER.fullmatch(said.strip())
    if found is None:
        raise Problem("version_mismatch", "If-Match names no version of these settings")
    return int(found[1])
