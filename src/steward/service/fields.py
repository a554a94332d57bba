"""The fields of a request, each read by the one function that knows it.

Invariant: an unknown field is refused, never passed over; absent means keep, None clears where the field can be empty.
Source: spec/scheduling.md ST-6, §18.
"""

from collections.abc import Callable, Mapping

from steward.domain.errors import ValidationFailed

Reader = Callable[[object, str], object]


def read_fields(values: Mapping[str, object], readers: Mapping[str, Reader]) -> dict[str, object]:
    """The given fields, read. ValidationFailed names the first that is unknown, or what its reader refuses."""
    for name in values:
        if name not in readers:
            raise ValidationFailed(name, f"no such field; there are {', '.join(sorted(readers))}")
    return {name: readers[name](value, name) for name, value in values.items()}


def required(values: Mapping[str, object], *names: str) -> None:
    """Refuse values that lack one of these."""
    for name in names:
        if name not in values:
            raise ValidationFailed(name, "this field is required")


def or_none(reader: Reader) -> Reader:
    """A reader that also takes None, which clears the field."""
    return lambda value, field: None if value is None else reader(value, field)


def flag(value: object, field: str) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise ValidationFailed(field, "true or false")
    return value


def word(value: object, field: str) -> str:
    """Text of whatever content."""
    if not isinstance(value, str):
        raise ValidationFailed(field, "text")
    return value
