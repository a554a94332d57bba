"""What each key's last sequence was, as far as this process has seen: how a message that came late is noticed (OB-63).

Types with `late=apply` handle such a message as usual and nothing is stored for them, so the memory is the process's own:
after a start or a take-over a late message may go unnoticed, and none is ever taken for late that was not.
"""

from typing import Final

from outrider.consumer.item import Item
from outrider.core.inbox import OrderKey

KEYS_MAX: Final = 50_000
"""Keys of a generation; two are remembered."""

SourceKey = tuple[str, OrderKey]
"""Sequences are those of one source's log: two producers of a topic count apart."""


class OrderWatch:
    """Remembers the last sequence of the keys seen lately: the newest `keys_max`, and up to as many before them."""

    def __init__(self, keys_max: int = KEYS_MAX) -> None:
        self._keys_max = keys_max
        self._new: dict[SourceKey, int] = {}
        self._old: dict[SourceKey, int] = {}

    def handled(self, item: Item) -> int | None:
        """Remember a message that was handled; gives the last sequence of its key where that is higher."""
        envelope = item.envelope
        if envelope is None or envelope.sequence is None or item.order_key is None:
            return None
        key, sequence = (envelope.source, item.order_key), envelope.sequence
        last = self._new.get(key)
        if last is None:
            last = self._old.get(key, sequence)
            if len(self._new) >= self._keys_max:
                self._old, self._new = self._new, {}
        self._new[key] = max(last, sequence)
        return last if sequence < last else None
