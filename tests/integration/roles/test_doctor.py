"""What doctor says to each role, and what an operator mends in a consumer's rows."""

import pytest

from outrider.core.privileges import DUTIES
from tests.integration.roles.conftest import RoledShop


@pytest.mark.parametrize("role", DUTIES)
def test_each_role_is_told_its_duty(roled: RoledShop, role: str) -> None:
    """OB-94, OB-79: by what is granted; rows that it may not read are not judged, and all else is."""
    answer = roled.ask(roled.user(role), "doctor", "--json")
    assert answer.out, answer.err
    checks = {check["check"]: check for check in answer.json["checks"]}
    duties = checks["privileges"]["seen"].split(";")[0].removeprefix("may ").split(", ")
    assert role in duties
    assert checks["privileges"]["verdict"] == "ok"
    assert "owner" not in checks["privileges"]["seen"]
    if role in {"add", "operate"}:
        assert ("tables" in checks) == (role == "add"), checks
    assert checks["sessions"]["verdict"] == "warn", "it may not see who holds a snapshot"
    assert answer.code == 0, answer.out


def test_operate_replays_and_discards_what_a_consumer_set_aside(roled: RoledShop) -> None:
    """OB-79, OB-94: the consumer's row is locked for it, and nothing else of it can be written."""
    roled.shop.add(2)
    roled.shop.sql(
        "INSERT INTO orders_inbox_consumer (id, name) VALUES (1, 'billing')",
        "INSERT INTO orders_inbox_delivery (consumer_id, message_id, origin, topic, message_key, key_hash, fingerprint,"
        " type, version, content_type, body, status, cause, max_retry) SELECT 1, message_id, 'x', topic, message_key,"
        " key_hash, 1, type, 1, 'x', payload, 'dead', 'handler', 20 FROM orders_outbox_message",
    )
    user = roled.user("operate")
    replayed = roled.ask(user, "dead", "replay", "--id", "1", "--reason", "x", "--yes")
    assert replayed.code == 0, replayed.err
    discarded = roled.ask(user, "dead", "discard", "--id", "2", "--reason", "x", "--yes")
    assert discarded.code == 0, discarded.err
    assert roled.shop.sql("SELECT status FROM orders_inbox_delivery ORDER BY id") == [("retrying",), ("done",)]
