"""Who came late, by memory alone."""

from datetime import UTC, datetime
from uuid import uuid4

from outrider.consumer.item import Item
from outrider.consumer.order_watch import OrderWatch
from outrider.core.envelope import make_envelope


def item(key: str | None, sequence: int | None, source: str = "urn:orders") -> Item:
    envelope = make_envelope(
        message_id=uuid4(), source=source, type="order.placed", version=1, time=datetime.now(UTC), key=key, body=b"",
        sequence=sequence,
    )  # fmt: skip
    return Item(envelope.message_id, str(envelope.message_id), 0, "orders", key, envelope, None)


def test_a_message_below_its_keys_last_is_late() -> None:
    """OB-63: each key by itself, each source by itself; the last stays the highest."""
    watch = OrderWatch()
    assert [watch.handled(item("a", n)) for n in (5, 3, 4, 5, 6)] == [None, 5, 5, None, None]
    assert watch.handled(item("b", 1)) is None
    assert watch.handled(item("a", 2, source="urn:billing")) is None


def test_what_has_no_key_or_no_sequence_is_never_late() -> None:
    """OB-63: nothing is asked of messages without order."""
    watch = OrderWatch()
    assert [watch.handled(item(None, n)) for n in (5, 3)] == [None, None]
    assert [watch.handled(item("a", n)) for n in (5, None)] == [None, None]


def test_keys_seen_lately_are_remembered_and_others_forgotten() -> None:
    """OB-63: the memory is bounded, and a key in use stays in it."""
    watch = OrderWatch(keys_max=10)
    for n in range(200):
        assert watch.handled(item(f"key-{n}", 100)) is None
        assert watch.handled(item("steady", 1_000 + n)) is None
    assert len(watch._new) + len(watch._old) <= 20
    assert watch.handled(item("steady", 1)) == 1_199
    assert watch.handled(item("key-1", 1)) is None
