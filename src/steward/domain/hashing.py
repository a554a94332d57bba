"""Hashes of values: SHA-256, lower hex, over the one canonical JSON text.

Invariant: two values have the same hash when they say the same; fractions, which two languages write differently, have none.
The function that writes canonical JSON is Outrider's (OB-98) and comes as an argument. Source: spec/scheduling.md ST-5.
"""

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256

from steward.domain.errors import ValidationFailed

Canonical = Callable[[object], bytes]
"""Writes the one JSON text of a value: `outrider.canonical_json`."""


def hash_of(value: object, canonical: Canonical) -> str:
    """The value's hash. Raises ValidationFailed, naming the place, where a fraction stands in it."""
    _refuse_fractions(value, "$")
    return sha256(canonical(value)).hexdigest()


def _refuse_fractions(value: object, path: str) -> None:
    if isinstance(value, float):
        raise ValidationFailed(path, "a fraction has no one text: send a whole number")
    if isinstance(value, Mapping):
        for key, member in value.items():
            _refuse_fractions(member, f"{path}.{key}")
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        for index, member in enumerate(value):
            _refuse_fractions(member, f"{path}[{index}]")
