"""The body of an answer, read up to a limit and no further.

Invariant: neither a body without end nor one that unpacks into gigabytes takes more memory than the limit and one chunk.
Source: spec/notification.md §11, NT-42.
"""

import zlib
from typing import Final

_GZIP_OR_ZLIB: Final = 32 + zlib.MAX_WBITS
_PACKED: Final = frozenset({"gzip", "x-gzip", "deflate"})


class Body:
    """Collects chunks. `data` is what is known of the body, `whole` whether it is all of it."""

    def __init__(self, encoding: str, limit: int) -> None:
        self._limit = limit
        self._unpack = zlib.decompressobj(_GZIP_OR_ZLIB) if encoding in _PACKED else None
        self._readable = not encoding or encoding == "identity" or self._unpack is not None
        self._data = bytearray()
        self._ended = False

    def add(self, chunk: bytes) -> bool:
        """Take a chunk; False when no more is wanted."""
        if not self._readable:
            return False
        room = self._limit + 1 - len(self._data)
        try:
            self._data += chunk[:room] if self._unpack is None else self._unpack.decompress(chunk, room)
        except zlib.error:
            self._readable = False
        return self._readable and len(self._data) <= self._limit

    def end(self) -> None:
        """No more will come, and nothing is missing."""
        self._ended = True

    @property
    def data(self) -> bytes:
        """At most `limit` bytes."""
        return bytes(self._data[: self._limit])

    @property
    def whole(self) -> bool:
        """Whether the body came to its end, within the limit, and could be unpacked."""
        unpacked = self._unpack is None or self._unpack.eof or not self._data
        return self._ended and self._readable and unpacked and len(self._data) <= self._limit
