"""The original's message, field by field: NT-48, NT-49."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from outrider.core.errors import Undecodable
from outrider.core.notification.content import Priority
from outrider.core.notification.request import NotificationRequest, Route
from outrider.notification.original import check_original_version, original_fields, parse_original

REQUEST_ID = UUID("0192f0c1-2b7a-7cc0-8000-0000000000bb")
NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
ROUTE = ("feishu_flow", "feishu_bot", "feishu_app")
PAYLOAD: dict[str, Any] = {
    "notification_id": 12,
    "user_id": 42,
    "preview_id": " prev-1 ",
    "trigger_id": "trig-1",
    "trigger_type": "important_urgent_task",
    "target_type": "task",
    "target_id": 7,
    "dedupe_key": "u42:t7:1",
    "target_url": "/assistant/7",
    "summary_text": " 明天 ",
    "fallback_text": "请查看",
    "trace_id": "tr-1",
    "requested_at": "2026-11-20T16:30:00.1234567+08:00",
    "something_new": {"x": 1},
}
REQUEST: dict[str, Any] = {
    "notification_id": "12",
    "recipient_id": "42",
    "correlation_id": "prev-1",
    "causation_id": "trig-1",
    "kind": "important_urgent_task",
    "subject_type": "task",
    "subject_id": "7",
    "dedupe_key": "u42:t7:1",
    "target_url": "/assistant/7",
    "summary_text": "明天",
    "fallback_text": "请查看",
    "trace_id": "tr-1",
    "requested_at": datetime(2026, 11, 20, 8, 30, 0, 123_456, UTC),
    "route": {"always": [], "first_of": list(ROUTE)},
    "priority": "normal",
}


def test_original_event_field_by_field() -> None:
    """NT-48: every field of the table in its place, unknown ones ignored (OB-71), the instant cut to microseconds."""
    assert original_fields(PAYLOAD, ROUTE) == REQUEST


@pytest.mark.parametrize("absent", [None, 0, "", "  "])
@pytest.mark.parametrize(("there", "here"), [("notification_id", "notification_id")])
def test_nothing_blank_and_zero_are_absent(there: str, here: str, absent: object) -> None:
    """NT-48: blank text, 0 and null are absent."""
    assert here not in original_fields(PAYLOAD | {there: absent}, ROUTE)


def test_ids_may_come_as_text() -> None:
    """NT-48: an integer becomes its decimal text, an id that comes as text is taken as it is."""
    request = original_fields(PAYLOAD | {"user_id": "u-0042", "target_id": "0", "notification_id": 2**70}, ROUTE)
    assert (request["recipient_id"], request["subject_id"]) == ("u-0042", "0")
    assert request["notification_id"] == str(2**70)


def test_a_target_is_whole_or_none() -> None:
    """NT-48: subject type and id, both or neither."""
    bare = original_fields(PAYLOAD | {"target_type": "", "target_id": 0}, ROUTE)
    assert not {"subject_type", "subject_id"} & bare.keys()
    for half in ({"target_id": 0}, {"target_type": None}):
        with pytest.raises(Undecodable) as caught:
            original_fields(PAYLOAD | half, ROUTE)
        assert (caught.value.code, caught.value.path) == ("body.invalid", next(iter(half)))


@pytest.mark.parametrize(
    "field",
    ["user_id", "preview_id", "trigger_type", "dedupe_key", "target_url", "requested_at"],
)
def test_a_required_field_that_is_absent_quarantines(field: str) -> None:
    """NT-48, OB-52: `body.invalid` with the field's name."""
    for payload in (PAYLOAD | {field: None}, {key: value for key, value in PAYLOAD.items() if key != field}):
        with pytest.raises(Undecodable) as caught:
            original_fields(payload, ROUTE)
        assert (caught.value.code, caught.value.path) == ("body.invalid", field)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("user_id", 1.0), ("user_id", True), ("user_id", -3), ("user_id", [1]), ("user_id", 0), ("notification_id", -1),
        ("target_id", 7.5), ("preview_id", 5), ("trigger_type", {}), ("dedupe_key", 5), ("summary_text", 1),
        ("target_url", "https://evil.example"), ("trace_id", False), ("requested_at", "2026-11-20T16:30:00"),
        ("requested_at", "2026-11-20"), ("requested_at", 1763627400), ("requested_at", "2026-02-30T00:00:00Z"),
        ("requested_at", "2026-11-20T16:30:60Z"), ("requested_at", "2026-W47-5T16:30:00Z"),
    ],
)  # fmt: skip
def test_another_type_quarantines(field: str, value: object) -> None:
    """NT-48: fraction, boolean, negative id, instant without zone: `body.invalid` with the field's name."""
    with pytest.raises(Undecodable) as caught:
        original_fields(PAYLOAD | {field: value}, ROUTE)
    assert (caught.value.code, caught.value.path) == ("body.invalid", field)


@pytest.mark.parametrize("payload", [None, [], "x", 3])
def test_what_is_no_object_quarantines(payload: object) -> None:
    """NT-48: and what is no object at all."""
    with pytest.raises(Undecodable):
        original_fields(payload, ROUTE)


def test_version_one_has_three_spellings() -> None:
    """NT-48: `""`, `"1"` and `"v1"` are 1; an unknown version is quarantined as `version.unknown`."""
    for version in ("", "1", "v1", 1):
        check_original_version(version)
    for unknown in ("2", "v2", "1.0", 2):
        with pytest.raises(Undecodable) as caught:
            check_original_version(unknown)
        assert caught.value.code == "version.unknown"


def test_the_whole_message_becomes_a_request() -> None:
    """NT-48, NT-49: with the message's id, on the Feishu channels alone, in a scope that is kept as long as its record."""
    body = json.dumps(PAYLOAD).encode()
    request = parse_original(body, "v1", REQUEST_ID, NOW, ROUTE)
    assert request == NotificationRequest(
        **REQUEST
        | {"request_id": REQUEST_ID, "route": Route((), ROUTE), "priority": Priority.NORMAL, "permanent_scope": True}
    )


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"dedupe_key": "x" * 192}, "dedupe_key"), ({"user_id": "x" * 65}, "user_id"), ({"user_id": "a b"}, "user_id"),
        ({"preview_id": "日"}, "preview_id"), ({"trigger_type": "a b"}, "trigger_type"),
        ({"trace_id": "x" * 129}, "trace_id"), ({"target_url": "/" + "x" * 2_048}, "target_url"),
        ({"target_id": 10**70}, "target_id"),
    ],
)  # fmt: skip
def test_what_breaks_a_rule_is_named_as_the_original_names_it(change: dict[str, Any], field: str) -> None:
    """NT-48, §11: refused, never cut, under the name that its sender knows."""
    with pytest.raises(Undecodable) as caught:
        parse_original(json.dumps(PAYLOAD | change).encode(), "1", REQUEST_ID, NOW, ROUTE)
    assert (caught.value.code, caught.value.path) == ("body.invalid", field)


def test_an_unknown_version_is_not_even_read() -> None:
    """NT-48: a rolling deploy may bring it; what its body holds is not ours to judge."""
    with pytest.raises(Undecodable) as caught:
        parse_original(b"not even json", "2", REQUEST_ID, NOW, ROUTE)
    assert caught.value.code == "version.unknown"
