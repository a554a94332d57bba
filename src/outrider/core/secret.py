"""A secret: a text that shows itself only where it is asked for by name.

Invariant: no repr, text, format, JSON or pickle of it, or of a value that holds it, has the secret in it. Source:
spec/notification.md NT-44, NT-45.
"""

from typing import Any, Never, Self, final

SHOWN = "***"


@final
class Secret:
    """A webhook URL, token, key or password. Equal to another with the same text; true if it is not empty."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The secret itself: only for the one who sends, seals or masks it."""
        return self._text

    def __repr__(self) -> str:
        return f"Secret({SHOWN!r})"

    def __str__(self) -> str:
        return SHOWN

    def __format__(self, spec: str) -> str:
        return format(SHOWN, spec)

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __reduce__(self) -> Never:
        raise TypeError("a secret is not pickled")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self
