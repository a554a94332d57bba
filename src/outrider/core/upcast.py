"""Versions of a type's body: reading a version's name, and lifting an old body to the newest version.

Invariant: the value that is lifted is a copy; the stored bytes and the caller's value never change. Source: OB-73.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from outrider.core.errors import InvalidMessage, Undecodable, UnknownVersion

VERSION_MAX: Final = 32_767
Upcaster = Callable[[dict[str, Any]], dict[str, Any]]
"""Pure: takes a body of version n, returns one of version n + 1."""
_VERSION: Final = re.compile(r"v?([1-9][0-9]{0,4})", re.ASCII).fullmatch


def read_version(value: object) -> int:
    """The version 1…32767 that `"v1"`, `"1"` or `1` names; all three are one version. Raises InvalidMessage."""
    if isinstance(value, str):
        found = _VERSION(value)
        version = int(found.group(1)) if found else 0
    else:
        version = value if isinstance(value, int) and not isinstance(value, bool) else 0
    if not 1 <= version <= VERSION_MAX:
        shown = ascii(value)[:40] if isinstance(value, str | int) else type(value).__name__
        raise InvalidMessage("version", "", f"must be 1…{VERSION_MAX}, as 3, '3' or 'v3', not {shown}")
    return version


def upcast(
    type: str,  # noqa: A002  the field's name in the spec
    data: dict[str, Any],
    *,
    version: int,
    newest: int,
    upcasters: Mapping[int, Upcaster],
) -> dict[str, Any]:
    """A copy of `data`, lifted from `version` to `newest` by the upcaster of each version in turn.

    Raises UnknownVersion where no path leads there (`version` newer than `newest`, or a gap), and Undecodable where an
    upcaster fails or does not return a dict.
    """
    if version > newest or any(step not in upcasters for step in range(version, newest)):
        raise UnknownVersion(type, version, newest)
    lifted: dict[str, Any] = copy_json(data)
    for step in range(version, newest):
        lifted = _one_step(step, upcasters[step], lifted)
    return lifted


def _one_step(step: int, upcaster: Upcaster, data: dict[str, Any]) -> dict[str, Any]:
    try:
        lifted: object = upcaster(data)
    except Exception as error:
        raise Undecodable(f"the upcaster from version {step} failed: {error.__class__.__name__}") from error
    if not isinstance(lifted, dict):
        raise Undecodable(f"the upcaster from version {step} gave {lifted.__class__.__name__}, not a dict")
    return lifted


def copy_json(value: Any) -> Any:  # noqa: ANN401  JSON is any value
    """A deep copy of a JSON value."""
    if isinstance(value, dict):
        return {key: copy_json(member) for key, member in value.items()}
    if isinstance(value, list):
        return [copy_json(member) for member in value]
    return value
