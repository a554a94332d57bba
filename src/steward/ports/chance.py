"""Ids and chance, handed in so that a test can say what they are."""

from typing import Protocol
from uuid import UUID


class Chance(Protocol):
    """Where new ids, secrets and jitter come from."""

    def uuid7(self) -> UUID:
        """A new UUIDv7: ids made one after the other sort so."""
        ...

    def fraction(self) -> float:
        """Even between 0 and 1."""
        ...

    def secret(self, count: int) -> bytes:
        """So many bytes that nobody can guess."""
        ...
