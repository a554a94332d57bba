"""`outrider verify` on histories that are wrong, on SQLite and PostgreSQL."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.acceptance.cli.conftest import Shop

pytestmark = pytest.mark.timeout(120)


def found(shop: "Shop") -> set[tuple[str, str]]:
    answer = shop.run("verify", "--json")
    return {(one["invariant"], one["found"].split(",")[0]) for one in answer.json["findings"]}


def long_ago(shop: "Shop") -> str:
    return "1000000" if shop.url.startswith("sqlite") else "clock_timestamp() - interval '1 day'"


def now(shop: "Shop") -> str:
    if shop.url.startswith("sqlite"):
        return "CAST(strftime('%s', 'now') AS INTEGER) * 1000000"
    return "clock_timestamp()"


def test_what_rests_too_long_is_found_unless_it_is_paused(shop: "Shop") -> None:
    """OB-5: no message rests without a reason in a row (I5); a person's pause is one."""
    shop.init()
    shop.add(6)
    shop.run("relay", "--once", "-q")
    shop.kill([1], "retrying")
    shop.kill([2], "parked", "key")
    shop.sql(f"UPDATE orders_outbox_delivery SET next_retry_at = {long_ago(shop)}, updated_at = {long_ago(shop)}")
    assert found(shop) == {("I5", "due for long"), ("I5", "parked with nothing in front of it")}
    shop.run("pause", "destination", "outrider.orders.outbox", "--reason", "x")
    assert shop.run("verify").code == 0


def test_effects_out_of_order_or_without_receipt_are_found(shop: "Shop") -> None:
    """OB-3, OB-4: effects follow the log within a key (I3), each with its receipt (I4); dead is not consumed (I6)."""
    shop.init()
    shop.add(6)
    shop.run("relay", "--once", "-q")
    shop.sql("INSERT INTO orders_inbox_consumer (id, name) VALUES (1, 'billing')")
    for log_id, at in ((1, now(shop)), (4, long_ago(shop))):  # both of key order-0
        shop.sql(
            "INSERT INTO orders_inbox_receipt (consumer_id, message_id, fingerprint, consumed_at)"
            f" SELECT 1, message_id, 1, {at} FROM orders_outbox_message WHERE id = {log_id}"
        )
    assert found(shop) == {("I3", "an effect that came before an earlier message's of its key")}
    for log_id, status in ((1, "dead"), (2, "done")):
        shop.sql(
            "INSERT INTO orders_inbox_delivery (consumer_id, message_id, origin, topic, key_hash, fingerprint, type, version,"
            " content_type, body, received_at, status, cause, max_retry, error_code, updated_at, done_at)"
            f" SELECT 1, message_id, 'x', topic, 1, 1, type, 1, 'x', payload, {now(shop)}, '{status}', 'x', 20, 'x',"
            f" {now(shop)}, {now(shop)} FROM orders_outbox_message WHERE id = {log_id}"
        )
    assert ("I4", "handled") in found(shop)
    assert ("I6", "dead although its receipts are there") in found(shop)


def test_a_published_message_that_nobody_consumed_is_found(shop: "Shop") -> None:
    """OB-1: published and expected here, and for long neither consumed nor set aside (I1)."""
    shop.init()
    shop.add(2)
    shop.run("relay", "--once", "-q")
    shop.sql(f"UPDATE orders_outbox_message SET created_at = {long_ago(shop)}")
    assert found(shop) == set(), "nobody is expected here"
    assert shop.run("routes", OUTRIDER_SWEEP__CONSUMERS_HERE="billing").code == 0
    assert found(shop) == {("I1", "published long ago")}


def test_a_later_message_that_may_overtake_a_parked_one_is_found(shop: "Shop") -> None:
    """OB-4: order per key (I3)."""
    shop.init()
    shop.add(6)
    shop.run("relay", "--once", "-q")
    shop.kill([1], "parked", "key")
    shop.kill([4], "retrying")
    assert ("I3", "a parked message that a later one of its key may overtake") in found(shop)


def test_more_passed_than_there_ever_was_is_found(shop: "Shop") -> None:
    """OB-3, OB-79: what went by twice without a fault shows in the count of a subscription (I8)."""
    shop.init()
    shop.add(3)
    shop.run("relay", "--once", "-q")
    assert found(shop) == set()
    shop.sql("UPDATE orders_outbox_cursor SET passed = 4")
    assert found(shop) == {("I8", "more messages passed than the log ever had: some went out twice without a fault")}
