"""Refusals that only HTTP knows, in the tree of Steward's. Source: spec/scheduling.md ST-55."""

from typing import ClassVar

from steward.domain.errors import StewardError


class PayloadTooLarge(StewardError):
    """The body has more than `size_max` bytes."""

    code: ClassVar[str] = "payload_too_large"

    def __init__(self, size_max: int) -> None:
        super().__init__(size_max)
        self.size_max = size_max

    def __str__(self) -> str:
        return f"at most {self.size_max} bytes"


class UnsupportedMediaType(StewardError):
    """The body is of a kind that is not taken here."""

    code: ClassVar[str] = "unsupported_media_type"


class MethodNotAllowed(StewardError):
    """The address is there, but not for this method."""

    code: ClassVar[str] = "method_not_allowed"


class NoSuchPage(StewardError):
    """There is nothing at this address."""

    code: ClassVar[str] = "not_found"


class InvalidFields(StewardError):
    """Fields of the body have a form that is not taken; `problems` are pairs of field and reason."""

    code: ClassVar[str] = "validation_failed"

    def __init__(self, problems: tuple[tuple[str, str], ...]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        return "; ".join(f"{field}: {reason}" for field, reason in self.problems)
