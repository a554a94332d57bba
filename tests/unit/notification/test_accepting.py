"""What a request is, when two are the same, where it goes, and when it waits."""

from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

import pytest

from outrider.core.canonical import canonical_json
from outrider.core.errors import ConfigurationError, Undecodable
from outrider.core.notification.codes import Code
from outrider.core.notification.content import Priority
from outrider.core.notification.request import Route, as_json
from outrider.core.notification.traits import ChannelTraits, SendPolicy
from outrider.notification.dedupe import Judged, judge, request_hash, scope_hash, scope_until
from outrider.notification.digest import Joins, OpenDigest, Opens, lines, placing
from outrider.notification.policy import BreakerPolicy, DigestPolicy, NotificationPolicy
from outrider.notification.reopening import ReplayMode, may_reopen, may_replay
from outrider.notification.request import parse_request
from outrider.notification.route import Preference, Step, falls_back, next_step, order, resolve
from outrider.notification.states import Status
from tests.unit.notification.builders import HOUR, KEYED, KEYLESS, MINUTE, NOW, ONCE, record, request

ID = UUID(int=8)
BODY = {"recipient_id": "anna", "kind": "reminder", "requested_at": "2026-11-20T08:07:00Z"}


def parse(**changes: Any) -> Any:  # noqa: ANN401  any field
    return parse_request(canonical_json({**BODY, **changes}), ID, NOW)


def test_a_request_reads_back_as_it_was_written() -> None:
    """NT-2: every field."""
    whole = request(
        notification_id="n", correlation_id="c", causation_id="z", dedupe_key="k ü", target_url="/a", title="t",
        summary_text="s", fallback_text="f", data={"a": 1, "b": None}, priority=Priority.URGENT, locale="en",
        route=Route(("inbox",), ("bot",)), deliver_at=NOW + HOUR, expires_at=NOW + 2 * HOUR, trace_id="t1",
    )  # fmt: skip
    assert parse_request(canonical_json(as_json(whole)), ID, NOW) == whole
    assert parse(surprise=1).kind == "reminder"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("recipient_id", None), ("recipient_id", ""), ("recipient_id", "a b"), ("recipient_id", "ü"),
        ("recipient_id", "a" * 65), ("recipient_id", 7), ("kind", None), ("kind", "k" * 65), ("requested_at", None),
        ("requested_at", "2026-11-20T08:00:00"), ("requested_at", "2026-13-20T08:00:00Z"), ("requested_at", 1),
        ("requested_at", "9999-12-31T23:59:59-23:59"),
        ("dedupe_key", "k" * 192), ("dedupe_key", "a\u0000"), ("target_url", "/" + "a" * 2048), ("title", 1), ("data", [1]),
        ("data", {"a": {"b": 1}}), ("priority", "now"), ("priority", 1), ("route", {}), ("route", {"always": ["in box"]}),
        ("route", {"first_of": ["bot", "bot"]}), ("deliver_at", "2026-12-25T00:00:00Z"), ("trace_id", "t" * 129),
    ],
)  # fmt: skip
def test_a_field_that_breaks_its_rule_is_named(field: str, value: object) -> None:
    """NT-2: nothing is cut to fit."""
    with pytest.raises(Undecodable) as refused:
        parse(**{field: value})
    assert refused.value.path.partition(".")[0] == field
    assert refused.value.code == "body.invalid"


@pytest.mark.parametrize(
    "body", [b"[]", b"nonsense", b'{"a":NaN}', b'{"a":' + b"[" * 20 + b"]" * 20 + b"}", b" " * 32_769]
)
def test_what_is_no_request_is_refused(body: bytes) -> None:
    """NT-2: §11, not JSON, NaN, too deep, too large."""
    with pytest.raises(Undecodable):
        parse_request(body, ID, NOW)


def test_kind_and_subject_are_always_part_of_the_scope() -> None:
    """NT-3: a coarse key swallows no other target, and no clock is in it."""
    base = scope_hash(request(dedupe_key="k"), "bot")
    assert base == scope_hash(request(dedupe_key="k", requested_at=NOW + HOUR, request_id=UUID(int=9)), "bot")
    others = [
        scope_hash(request(dedupe_key="k", subject_id="2"), "bot"),
        scope_hash(request(dedupe_key="k", kind="other"), "bot"),
        scope_hash(request(dedupe_key="k", recipient_id="bob"), "bot"),
        scope_hash(request(dedupe_key="K"), "bot"),
        scope_hash(request(), "bot"),
        scope_hash(request(dedupe_key="k"), "inbox"),
    ]
    assert len({base, *others}) == len(others) + 1
    alone = request(subject_type=None, subject_id=None)
    assert scope_hash(alone, "bot") != scope_hash(
        request(subject_type=None, subject_id=None, request_id=UUID(int=9)), "bot"
    )


@pytest.mark.parametrize(
    ("expired", "status", "begun", "same", "judged"),
    [
        (True, "sent", True, True, Judged.FREE),
        (False, "dead", True, True, Judged.FREE),
        (False, "canceled", False, True, Judged.FREE),
        (False, "sent", True, False, Judged.DUPLICATE),
        (False, "pending", False, True, Judged.DUPLICATE),
        (False, "pending", False, False, Judged.REPLACE),
        (False, "failed", True, False, Judged.DUPLICATE),
        (False, "skipped", True, False, Judged.REPLACE),
        (False, "merged", False, False, Judged.DUPLICATE),
        (False, "unknown", True, False, Judged.DUPLICATE),
        (False, "sending", True, False, Judged.DUPLICATE),
    ],
)
def test_a_holder_is_judged(expired: bool, status: str, begun: bool, same: bool, judged: Judged) -> None:
    """NT-4, NT-5: free when its window passed or it ended dead or canceled; an untold one takes newer content."""
    wanted = request_hash(request(target_url="/new"))
    holder = wanted if same else request_hash(request(target_url="/old"))
    assert judge(expired=expired, status=status, has_begun=begun, holder_hash=holder, wanted_hash=wanted) is judged


def test_an_original_event_keeps_its_scope_as_long_as_its_record() -> None:
    """NT-49: and any other for the window of its kind."""
    assert scope_until(request(), NOW, MINUTE, HOUR) == NOW + MINUTE
    assert scope_until(request(permanent_scope=True), NOW, MINUTE, HOUR) == NOW + HOUR


TRAITS = {
    "inbox": ChannelTraits(SendPolicy.EXACTLY_ONCE, MINUTE, local=True, pushes=False),
    "bot": KEYED,
    "mail": ONCE,
}
ROUTE = Route(("inbox",), ("bot", "mail"))


@pytest.mark.parametrize(
    ("preference", "usable", "steps"),
    [
        (Preference(), {"bot", "mail"}, [Step("inbox"), Step("bot")]),
        (Preference(), {"mail"}, [Step("inbox"), Step("mail", 1)]),
        (Preference(), set(), [Step("inbox"), Step("bot")]),
        (Preference(order=("mail",)), {"bot", "mail"}, [Step("inbox"), Step("mail")]),
        (Preference(muted_channels=frozenset({"bot"})), {"bot"}, [Step("inbox"), Step("mail", 1)]),
        (Preference(muted_kinds=frozenset({"reminder"})), {"bot"}, [Step("inbox"), Step("bot", muted=True)]),
    ],
)
def test_a_route_is_resolved(preference: Preference, usable: set[str], steps: list[Step]) -> None:
    """NT-7: every `always`, of `first_of` the first usable in the recipient's order; the inbox is never muted."""
    assert resolve(order(ROUTE, preference), preference, "reminder", usable, TRAITS) == steps


def test_the_next_channel_follows_one_that_did_not_tell() -> None:
    """NT-28: dead and skipped, unknown under at_least_once; not muted, not of `always`, not after the last."""
    assert falls_back(Status.DEAD, Code.PROVIDER_5XX, SendPolicy.AT_MOST_ONCE)
    assert falls_back(Status.SKIPPED, Code.RECIPIENT_MISSING, SendPolicy.AT_LEAST_ONCE)
    assert falls_back(Status.UNKNOWN, None, SendPolicy.AT_LEAST_ONCE)
    assert not falls_back(Status.UNKNOWN, None, SendPolicy.AT_MOST_ONCE)
    assert not falls_back(Status.SKIPPED, Code.MUTED, SendPolicy.AT_LEAST_ONCE)
    assert not falls_back(Status.SENT, None, SendPolicy.AT_LEAST_ONCE)
    assert next_step(ROUTE, "bot", 0) == Step("mail", 1)
    assert next_step(ROUTE, "mail", 1) is None
    assert next_step(ROUTE, "inbox", 0) is None


def test_a_digest_gathers_what_follows() -> None:
    """NT-34: leading sends the first at once, trailing none; urgent and unpushed never wait."""
    found = OpenDigest(ID, NOW + MINUTE)
    trailing, leading = DigestPolicy("trailing"), DigestPolicy("leading")
    assert placing(trailing, Priority.NORMAL, None, NOW, pushes=True) == Opens(NOW + 30 * MINUTE, waits=True)
    assert placing(leading, Priority.NORMAL, None, NOW, pushes=True) == Opens(NOW + 30 * MINUTE, waits=False)
    assert placing(leading, Priority.LOW, found, NOW, pushes=True) == Joins(found)
    assert placing(leading, Priority.LOW, found, NOW + MINUTE, pushes=True) == Opens(NOW + 31 * MINUTE, waits=False)
    assert placing(trailing, Priority.URGENT, found, NOW, pushes=True) is None
    assert placing(trailing, Priority.NORMAL, found, NOW, pushes=False) is None
    assert placing(DigestPolicy(), Priority.NORMAL, found, NOW, pushes=True) is None
    assert len(lines(["x"] * 60, "and {count} more")) == 50
    assert lines(["x"] * 60, "and {count} more")[-1] == "and 11 more"
    assert lines(["a", "b"], "-") == ("a", "b")


def test_skipped_for_want_of_something_is_reopened() -> None:
    """NT-30: younger than the window, not expired, told nowhere else, something changed; never a possible double."""
    want = record(status="skipped", last_error_code=Code.RECIPIENT_MISSING, ended_at=NOW)
    policy = NotificationPolicy()

    def reopens(one: Any, changed: bool = True, told: bool = False, now: datetime = NOW) -> bool:  # noqa: ANN401
        return may_reopen(one, policy, now, changed=changed, told_elsewhere=told)

    assert reopens(want)
    assert not reopens(want, changed=False)
    assert not reopens(want, told=True)
    assert not reopens(want, now=NOW + timedelta(hours=24))
    assert not reopens(record(status="skipped", last_error_code=Code.MUTED, ended_at=NOW))
    assert not reopens(record(status="dead", last_error_code=Code.RECIPIENT_MISSING, ended_at=NOW))
    unclear = record(status="skipped", last_error_code=Code.DESTINATION_GONE, ended_at=NOW, ambiguous_since=NOW)
    assert not reopens(unclear)


@pytest.mark.parametrize(
    ("status", "since", "traits", "resume", "resend"),
    [
        ("pending", None, KEYED, False, False),
        ("sending", None, KEYED, False, False),
        ("sent", None, KEYED, False, True),
        ("dead", None, KEYED, True, True),
        ("unknown", NOW, KEYED, True, True),
        ("unknown", NOW - HOUR, KEYED, False, True),
        ("unknown", NOW, KEYLESS, False, True),
        ("failed", NOW, KEYLESS, False, True),
    ],
)
def test_replay_resumes_only_what_cannot_double(
    status: str,
    since: datetime | None,
    traits: ChannelTraits,
    resume: bool,
    resend: bool,
) -> None:
    """NT-47, T15: an ambiguous record only on a keyed channel inside its window; `sent` only as a second message."""
    one, policy = record(status=status, ambiguous_since=since), NotificationPolicy()
    assert may_replay(one, ReplayMode.RESUME, policy, traits, NOW) is resume
    assert may_replay(one, ReplayMode.RESEND, policy, traits, NOW) is resend


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"max_attempts": 0}, "max_attempts"),
        ({"max_attempts": 4}, "breaker.failures"),
        ({"breaker": BreakerPolicy(failures=6)}, "breaker.failures"),
        ({"retry_base": timedelta(0)}, "retry_base"),
        ({"default_zone": "Mars/Olympus"}, "default_zone"),
        ({"digest": DigestPolicy(cast("Any", "sometimes"))}, "digest.*.mode"),
        ({"window_margin": -MINUTE}, "window_margin"),
        ({"lease": timedelta(days=1)}, "lease"),
        ({"route": Route((), ())}, "route"),
    ],
)
def test_a_bad_setting_names_its_key(changes: dict[str, Any], key: str) -> None:
    """NT-18: `breaker.failures` ≤ `max_attempts`, and every other bound of the settings."""
    with pytest.raises(ConfigurationError, match=f"notification.{key.replace('*', '.')}"):
        NotificationPolicy(**changes)


def test_channels_must_fit_the_policy() -> None:
    """NT-10: a lease holds two calls of the slowest and a sixth of itself; routes name channels that are there."""
    NotificationPolicy().check_channels({"inbox": ChannelTraits(SendPolicy.AT_MOST_ONCE, 25 * timedelta(seconds=1))})
    with pytest.raises(ConfigurationError, match=r"notification\.lease"):
        NotificationPolicy().check_channels({"inbox": TRAITS["inbox"]})
    with pytest.raises(ConfigurationError, match="bot"):
        NotificationPolicy(routes={"k": Route((), ("bot",))}).check_channels({"inbox": KEYED})
