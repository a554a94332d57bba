"""What people may look at and change, on the memory store."""

from typing import Any

import pytest

from outrider.channels.webhook.channel import WebhookChannel
from outrider.core.audit import AuditFilter, list_audit
from outrider.core.errors import (
    NotificationNotFound,
    OperationRefused,
    SettingsRefused,
    StateConflict,
    VersionMismatch,
)
from outrider.core.events.notifying import NotificationCanceled, NotificationReplayed, NotificationResolved
from outrider.core.notification.codes import Code, Outcome
from outrider.core.notification.traits import ChannelTraits, SendPolicy
from outrider.notification.opening import opened
from outrider.notification.operations.operations import NotificationOperations
from outrider.notification.policy import DigestPolicy
from outrider.notification.reopening import ReplayMode
from outrider.notification.states import Status
from outrider.notification.store import people, rows
from outrider.notification.store.listing import RecordFilter
from outrider.ports.http import HttpAnswer, HttpFailure, HttpRequest
from outrider.runtime.sessions import SessionPool
from outrider.testing.clock import ManualClock
from outrider.testing.mock_channel import TRAITS, MockChannel
from tests.unit.notification.desk import START, Office

URL = "https://hook.example/services/T0123456789abcdef"
SIGN = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER_SIGN = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"


class Client:
    """A guarded client that says of a host what it is told to."""

    def __init__(self) -> None:
        self.refused: str | None = None

    def problem(self, url: str) -> str | None:
        return None if url.startswith("https://hook.example/") else "must be https"

    def is_exempt(self, url: str) -> bool:  # noqa: ARG002  none is
        return False

    async def check(self, url: str) -> str | None:  # noqa: ARG002  as told
        return self.refused

    async def exchange(self, request: HttpRequest, timeout_seconds: float) -> HttpAnswer | HttpFailure:  # noqa: ARG002
        return HttpFailure("connect", written=False)

    async def close(self) -> None:
        return None


class Bureau:
    """An office, and what olga may do there."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401  any of the policy
        clock = ManualClock(START)
        self.client = Client()
        self.mock = MockChannel(clock, "mock", settings.pop("traits", TRAITS))
        hook = WebhookChannel(self.client, clock)
        self.office = Office({"mock": self.mock, "webhook": hook}, clock, **settings)
        sessions = SessionPool(self.office.storage)
        self.can = NotificationOperations(self.office.desk, sessions, "olga", self.client)

    async def dead(self, **changes: Any) -> Any:  # noqa: ANN401
        """A record that its provider refused."""
        await self.office.give_address("mock")
        record = await self.office.ask("mock", **changes)
        self.mock.answer(Outcome.PERMANENT_FAIL, Code.RECIPIENT_REFUSED)
        await self.office.notifier.sweep()
        await self.office.give_address("mock")
        return await self.office.read(record)

    async def audited(self) -> list[tuple[str, str, int]]:
        lines = await self.office.run(list_audit(AuditFilter(), None, 50))
        return [(one.actor, one.verb, one.affected) for one in lines]


@pytest.fixture
def bureau() -> Bureau:
    return Bureau()


async def test_a_record_is_shown_with_its_attempts_and_without_its_texts(bureau: Bureau) -> None:
    """NT-45, §12: texts and bodies only where they are asked for."""
    dead = await bureau.dead(title="Secret title")
    shown = await bureau.can.records.get(dead.id)
    assert (shown.status, shown.priority, shown.last_error_code) == ("dead", "normal", "recipient_refused")
    assert [one.outcome for one in shown.attempts or ()] == ["permanent_fail"]
    assert "Buy milk" not in repr(shown)
    assert "Secret title" not in repr(shown)
    whole = await bureau.can.records.get(dead.id, texts=True)
    assert (whole.title, whole.summary_text) == ("Secret title", "Buy milk")
    assert "Buy milk" in (whole.sent_text or "")
    with pytest.raises(NotificationNotFound):
        await bureau.can.records.get(dead.request_id)


async def test_records_are_listed_a_page_at_a_time(bureau: Bureau) -> None:
    """NT-47: newest first, with a cursor."""
    made = [await bureau.office.ask("mock") for _ in range(3)]
    first = await bureau.can.records.search(RecordFilter(recipient_id="anna"), limit=2)
    assert [one.id for one in first.items] == [made[2].id, made[1].id]
    rest = await bureau.can.records.search(RecordFilter(recipient_id="anna"), limit=2, cursor=first.next_cursor)
    assert ([one.id for one in rest.items], rest.next_cursor) == ([made[0].id], None)
    with pytest.raises(OperationRefused):
        await bureau.can.records.search(cursor="nonsense")


async def test_replay_cancel_and_resolve_are_audited_and_told(bureau: Bureau) -> None:
    """NT-47, T12, T15, T16: who, what, how many; a second click is refused."""
    dead = await bureau.dead()
    seen = (await bureau.can.records.get(dead.id)).version
    again = await bureau.can.records.replay(dead.id, ReplayMode.RESEND, seen=seen)
    assert (again.status, again.generation) == ("pending", 2)
    with pytest.raises(VersionMismatch):
        await bureau.can.records.replay(dead.id, ReplayMode.RESEND, seen=seen)
    canceled = await bureau.can.records.cancel(dead.id, "not wanted")
    assert canceled.status == "canceled"
    with pytest.raises(StateConflict):
        await bureau.can.records.resolve(dead.id, Status.SENT, "she has it")
    with pytest.raises(NotificationNotFound):
        await bureau.can.records.cancel(dead.request_id)
    assert await bureau.audited() == [("olga", "notify cancel", 1), ("olga", "notify replay resend", 1)]
    sink = bureau.office.sink
    assert [one.mode for one in sink.of(NotificationReplayed)] == ["resend"]
    assert len(sink.of(NotificationCanceled)) == 1


async def test_an_unknown_end_is_resolved() -> None:
    """T16: by a person, with a note."""
    bureau = Bureau(traits=ChannelTraits(SendPolicy.AT_MOST_ONCE, TRAITS.timeout))
    await bureau.office.give_address("mock")
    record = await bureau.office.ask("mock")
    bureau.mock.answer(Outcome.UNKNOWN)
    await bureau.office.notifier.sweep()
    shown = await bureau.can.records.resolve(record.id, Status.DEAD, "she has nothing")
    assert (shown.status, shown.last_error) == ("dead", "she has nothing")
    assert [one.status for one in bureau.office.sink.of(NotificationResolved)] == ["dead"]


async def test_a_filter_is_replayed_or_counted(bureau: Bureau) -> None:
    """NT-47: a dry run counts and changes nothing; a replay of everything is refused."""
    dead = [await bureau.dead() for _ in range(2)]
    wanted = RecordFilter(status="dead")
    counted = await bureau.can.records.replay_matching(wanted, ReplayMode.RESUME, dry_run=True)
    assert (counted.count, counted.left, counted.next_cursor) == (2, 0, None)
    assert (await bureau.office.read(dead[0])).status == "dead"
    done = await bureau.can.records.replay_matching(wanted, ReplayMode.RESUME)
    assert (done.count, done.next_cursor) == (2, None)
    assert (await bureau.can.records.replay_matching(wanted, ReplayMode.RESUME)).count == 0
    assert await bureau.audited() == [("olga", "notify replay resume", 2)]
    with pytest.raises(OperationRefused):
        await bureau.can.records.replay_matching(RecordFilter(), ReplayMode.RESUME)


async def test_mask_forms_of_settings(bureau: Bureau) -> None:
    """NT-44, NT-45, §12: what is secret is written and comes back masked; null clears, left out keeps."""
    can = bureau.can.channels
    assert (await can.get("anna", "webhook")).configured is False
    saved = await can.put(
        "anna",
        "webhook",
        {"webhook_url": URL, "auth_type": "bearer", "bearer_token": "tok-secret", "sign_secret": SIGN},
    )
    assert saved.webhook_url_mask == "https://hook.example/…/T012...cdef"
    assert (saved.auth_type, saved.has_bearer_token, saved.has_sign_secret) == ("bearer", True, True)
    assert not any(secret in repr(saved) for secret in (URL, "tok-secret", SIGN))
    row = await bureau.office.run(people.read_address("anna", "webhook"))
    assert not any(secret in repr(row) for secret in (URL, "tok-secret", SIGN))
    kept = await can.put("anna", "webhook", {"enabled": False, "sign_secret": None})
    assert (kept.enabled, kept.auth_type, kept.has_bearer_token, kept.has_sign_secret) == (False, "bearer", True, False)
    assert (kept.webhook_url_mask, kept.version) == (saved.webhook_url_mask, 2)
    assert [one.channel for one in await can.search("anna")] == ["mock", "webhook"]
    assert (await can.get("bob", "webhook")).configured is False
    assert await can.delete("anna", "webhook")
    assert not await can.delete("anna", "webhook")
    verbs = [verb for _, verb, _ in await bureau.audited()]
    assert verbs == ["notify channels rm", "notify channels set", "notify channels set"]


async def test_bad_settings_are_refused_whole(bureau: Bureau) -> None:
    """NT-43, §11: by field, and nothing is saved; what is no channel, or takes no settings, is not there."""
    can = bureau.can.channels
    wrong: list[tuple[dict[str, Any], str, str]] = [
        ({"webhook_url": "http://hook.example/x"}, "webhook_url", "unsafe_url"),
        ({"webhook_url": ""}, "webhook_url", "validation_failed"),
        ({}, "webhook_url", "validation_failed"),
        ({"webhook_url": URL, "auth_type": "basic"}, "auth_type", "validation_failed"),
        ({"webhook_url": URL, "auth_type": "bearer"}, "bearer_token", "validation_failed"),
        ({"webhook_url": URL, "auth_type": 3}, "auth_type", "validation_failed"),
        ({"webhook_url": URL, "bearer_tokn": "x"}, "bearer_tokn", "validation_failed"),
        ({"webhook_url": URL, "enabled": "yes"}, "enabled", "validation_failed"),
    ]
    for said, field, code in wrong:
        with pytest.raises(SettingsRefused) as refused:
            await can.put("anna", "webhook", said)
        assert (field, code) in [one[:2] for one in refused.value.problems], said
    bureau.client.refused = "resolves to an address of this machine"
    with pytest.raises(SettingsRefused) as refused:
        await can.put("anna", "webhook", {"webhook_url": URL})
    assert refused.value.problems[0][:2] == ("webhook_url", "unsafe_url")
    assert URL not in str(refused.value)
    assert (await can.get("anna", "webhook")).configured is False
    for name in ("pager", "inbox"):
        with pytest.raises(NotificationNotFound):
            await can.get("anna", name)


async def test_settings_are_saved_over_the_version_that_was_seen(bureau: Bureau) -> None:
    """§12: If-Match; 0 is nothing set."""
    can = bureau.can.channels
    await can.put("anna", "webhook", {"webhook_url": URL}, seen=0)
    for seen in (0, 7):
        with pytest.raises(VersionMismatch):
            await can.put("anna", "webhook", {"webhook_url": URL}, seen=seen)
    assert (await can.put("anna", "webhook", {"webhook_url": URL}, seen=1)).version == 2


async def test_an_exchanged_signing_secret_signs_on(bureau: Bureau) -> None:
    """NT-46: the old one is kept with the time of the exchange; the same one again is no exchange."""
    can, codec = bureau.can.channels, bureau.office.codec
    for secret in (SIGN, SIGN):
        await can.put("anna", "webhook", {"webhook_url": URL, "auth_type": "sign", "sign_secret": secret})
    row = await bureau.office.run(people.read_address("anna", "webhook"))
    assert "sign_secret_old" not in opened(row, codec).settings.secrets
    await can.put("anna", "webhook", {"sign_secret": OTHER_SIGN})
    row = await bureau.office.run(people.read_address("anna", "webhook"))
    settings = opened(row, codec).settings
    assert settings.secrets["sign_secret_old"].reveal() == SIGN
    assert settings.values["sign_rotated_at"] == START.isoformat()


async def test_a_test_send_says_how_it_went_and_switches_on(bureau: Bureau) -> None:
    """§12, NT-27: fixed words, no record; its result stays; a success opens what was switched off."""
    can = bureau.can.channels
    nothing = await can.test("anna", "mock")
    assert (nothing.status, nothing.skipped, bureau.mock.calls) == ("skipped", True, [])
    await can.put("anna", "mock", {})
    bureau.mock.answer(Outcome.PERMANENT_FAIL, Code.PROVIDER_AUTH_FAILED)
    failed = await can.test("anna", "mock")
    assert (failed.status, failed.outcome) == ("failed", "permanent_fail")
    shown = await can.get("anna", "mock")
    assert (shown.last_test_status, shown.last_test_error) == ("failed", "provider_auth_failed")
    record = await bureau.office.ask("mock")
    bureau.mock.answer(Outcome.PERMANENT_FAIL, Code.DESTINATION_GONE)
    await bureau.office.notifier.sweep()
    assert [one.state for one in await bureau.can.destinations.search()] == ["disabled"]
    assert (await can.test("anna", "mock")).status == "success"
    assert [one.state for one in await bureau.can.destinations.search()] == ["closed"]
    shown = await can.get("anna", "mock")
    assert (shown.state, shown.last_test_status, shown.last_test_error) == ("ok", "success", None)
    call = bureau.mock.calls[-1]
    assert (call.notification_id, call.kind) == (None, "test")
    await bureau.office.notifier.sweep()
    assert (await bureau.office.read(record)).status == "sent", "it was taken up again (NT-30)"


async def test_saving_settings_opens_what_answers_closed_and_no_pause_of_a_person(bureau: Bureau) -> None:
    """NT-26, NT-27: a person's pause stays."""
    await bureau.can.channels.put("anna", "mock", {})
    await bureau.office.ask("mock")
    bureau.mock.answer(Outcome.PERMANENT_FAIL, Code.DESTINATION_GONE)
    await bureau.office.notifier.sweep()
    await bureau.can.channels.put("anna", "mock", {})
    (there,) = await bureau.can.destinations.search()
    assert there.state == "closed"
    await bureau.can.destinations.pause(there.key, "a move")
    await bureau.can.channels.put("anna", "mock", {})
    assert [(one.state, one.reason) for one in await bureau.can.destinations.search()] == [("paused", "a move")]


async def test_a_paused_destination_holds_and_ends_nothing(bureau: Bureau) -> None:
    """NT-26: what waits is due again when it is resumed."""
    await bureau.can.channels.put("anna", "mock", {})
    await bureau.office.ask("mock")
    await bureau.office.notifier.sweep()
    (there,) = await bureau.can.destinations.search()
    await bureau.can.destinations.pause(there.key)
    record = await bureau.office.ask("mock")
    await bureau.office.notifier.sweep()
    assert ((await bureau.office.read(record)).status, (await bureau.office.read(record)).hold) == ("pending", "paused")
    assert await bureau.can.destinations.resume(there.key, "moved") == 1
    await bureau.office.notifier.sweep()
    assert (await bureau.office.read(record)).status == "sent"
    for key in ("zz", "00" * 32):
        with pytest.raises(NotificationNotFound):
            await bureau.can.destinations.pause(key)
    verbs = {verb for _, verb, _ in await bureau.audited()}
    assert {"notify destinations pause", "notify destinations resume"} <= verbs


async def test_preferences_are_checked_and_versioned(bureau: Bureau) -> None:
    """NT-31, §11, §12: whole or not at all."""
    can = bureau.can.preferences
    assert (await can.get("anna")).version == 0
    said = {
        "zone": "Europe/Berlin", "locale": "en", "quiet": [{"weekday": 0, "start": "22:00", "end": "07:00"}],
        "order": ["webhook", "mock"], "muted": {"channels": ["mock"], "kinds": ["reminder"]},
    }  # fmt: skip
    saved = await can.put("anna", said, seen=0)
    assert (saved.zone, saved.quiet, saved.order, saved.muted, saved.version) == (
        "Europe/Berlin", said["quiet"], said["order"], said["muted"], 1,
    )  # fmt: skip
    with pytest.raises(VersionMismatch):
        await can.put("anna", said, seen=0)
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"zone": "Mars/Base"}, "zone"), ({"locale": 5}, "locale"), ({"quiet": [{"weekday": 7}]}, "quiet"),
        ({"quiet": "always"}, "quiet"), ({"order": ["pager"]}, "order"), ({"muted": {"kinds": "x"}}, "muted"),
        ({"muted": ["mock"]}, "muted"), ({"colour": "red"}, "colour"), ({"order": ["mock", "mock"]}, "order"),
    ]  # fmt: skip
    for one, field in wrong:
        with pytest.raises(SettingsRefused) as refused:
            await can.put("anna", one)
        assert [problem[0] for problem in refused.value.problems] == [field]
    assert (await can.put("anna", {})).zone == "Asia/Shanghai"


async def test_digests_go_when_they_are_told_to() -> None:
    """NT-34, §13: the members are due, and go as one list."""
    bureau = Bureau(digest=DigestPolicy("trailing"))
    await bureau.office.give_address("mock")
    for _ in range(2):
        await bureau.office.ask("mock")
    assert await bureau.can.flush_digests(kind="other") == 0
    assert await bureau.can.flush_digests(dry_run=True) == 2
    assert (await bureau.office.notifier.sweep()).scanned == 0
    assert await bureau.can.flush_digests() == 2
    while (await bureau.office.notifier.sweep()).scanned:
        continue
    assert len(bureau.mock.calls) == 1


async def test_totals_are_counted(bureau: Bureau) -> None:
    """§13."""
    await bureau.dead()
    totals = await bureau.can.stats()
    assert [(one.channel, one.status, one.count) for one in totals.records] == [("mock", "dead", 1)]


async def test_one_record_is_tried_by_its_id(bureau: Bureau) -> None:
    """§1, NT-9: a call was made, or it was not its time."""
    await bureau.office.give_address("mock")
    record = await bureau.office.ask("mock")
    tried = await bureau.office.notifier.attempt(record.id)
    assert tried is not None
    assert (tried.status, tried.delivered) == ("sent", True)
    again = await bureau.office.notifier.attempt(record.id)
    assert again is not None
    assert (again.delivered, len(bureau.mock.calls)) == (False, 1)
    assert await bureau.office.notifier.attempt(record.request_id) is None
    assert await bureau.office.run(rows.read(record.id)) is not None
