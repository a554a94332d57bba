"""Sorting a batch, and what its outcomes become."""

from dataclasses import dataclass
from datetime import timedelta
from json import dumps
from uuid import UUID

import pytest

from outrider.core.deliveries import HOLD, Changes, Due, NewDelivery
from outrider.core.delivery import Status
from outrider.core.errors import ConfigurationError
from outrider.core.log_row import SEPARATOR, LogRow
from outrider.core.outcome import Published, PublishOutcome, Refusal, Refused, Unknown
from outrider.core.pauses import Pauses
from outrider.core.retry import RetryPolicy
from outrider.core.routing import OnDead
from outrider.relay.holds import Holds
from outrider.relay.judge import Judge
from outrider.relay.publish import BEHIND, Outcomes, Suspended, close_prefixes
from outrider.relay.settings import RelaySettings
from outrider.relay.sort import sort_due, sort_log
from outrider.relay.tell import Tell
from outrider.runtime.system_clock import SystemClock
from outrider.testing.events import EventSink

NEVER = Refused(Refusal.PERMANENT, "publish.too_large", "big")
LATER = Refused(Refusal.TRANSIENT, "publish.refused", "later")
MISSING = Refused(Refusal.CONFIGURATION, "publish.refused", "missing")
SILENT = Unknown("x", "y")


@dataclass(frozen=True)
class Rules:
    on_dead: OnDead


def row(log_id: int, key: str | None = "a", topic: str = "t", type_: str = "x", extra: str | None = None) -> LogRow:
    kind = SEPARATOR.join((type_, "1", topic, "application/json", "20"))
    return (log_id, str(UUID(int=log_id)), kind, key, b"", "2026-01-01T00:00:00.000000Z", extra)


def due(log_id: int, key: str | None = "a", status: Status = Status.RETRYING, attempts: int = 0) -> Due:
    return Due(row(log_id, key), status, attempts, "key", timedelta(0))


def holds(pauses: Pauses | None = None, blocked: tuple[tuple[str, str], ...] = (), **rules: OnDead) -> Holds:
    routes = {name: Rules(rule) for name, rule in rules.items()} if rules else None
    return Holds("relay", routes, blocked, pauses or Pauses())


def judge(held: Holds, sink: EventSink | None = None) -> Judge:
    tell = Tell(sink or EventSink(), "orders", "relay", 0, 1)
    return Judge(held, RetryPolicy(), SystemClock(), tell, 500)


def fine(_: LogRow) -> None:
    return None


def decided(changes: Changes) -> list[tuple[int, str, str]]:
    return [(new.row[0], str(new.status), new.cause) for new in changes.new]


def test_a_plain_batch_passes_untouched() -> None:
    """OB-37: nothing held, nothing special: the very rows that were read are sent."""
    rows = [row(1), row(2, None), row(3, extra=dumps({"traceparent": "00"}))]
    assert sort_log(rows, holds(), fine, taken=True).send is rows


def test_what_is_held_is_parked_and_blocks_its_key() -> None:
    """OB-37, OB-42: paused destination, paused key, blocked key; the key of a parked row is blocked from then on."""
    held = holds(Pauses(destinations=frozenset({"off"}), keys=frozenset({("t", "p")})), blocked=(("t", "b"),))
    rows = [row(1, "b"), row(2, "p"), row(3, "z", "off"), row(4, None, "off"), row(5, "free"), row(6, None)]
    found = sort_log(rows, held, fine, taken=True)
    assert [one[0] for one in found.send] == [5, 6]
    assert decided(found.changes) == [
        (1, "parked", "key"), (2, "parked", "paused"), (3, "parked", "destination"), (4, "parked", "destination"),
    ]  # fmt: skip
    assert {("t", "b"), ("t", "p"), ("off", "z")} <= held.blocked
    assert set(found.changes.again) == {("t", "b"), ("t", "p"), ("off", "z")}


def test_a_due_time_ahead_waits_and_blocks_nobody() -> None:
    """OB-37: waiting, and the key's later message goes; a header that looks like it changes nothing."""
    ahead = dumps({"ahead": True, "deliver_at": "2026-01-02T00:00:00.000000Z"})
    tricky = dumps({"headers": {"ahead": "true"}})
    found = sort_log([row(1, extra=ahead), row(2), row(3, extra=tricky)], holds(), fine, taken=True)
    assert [one[0] for one in found.send] == [2, 3]
    (new,) = found.changes.new
    assert new.status is Status.WAITING
    assert new.due_at is not None
    assert not new.blocks


def test_local_refusals_and_unknown_types() -> None:
    """OB-37, OB-97: refused here for ever is dead, and holds its key where its type says so; no route is parked."""
    held = holds(x="continue", strict="hold")
    rows = [row(1, "k"), row(2, "h", type_="strict"), row(3, "h", type_="strict"), row(4, "u", type_="new")]
    found = sort_log(rows, held, lambda one: NEVER if one[0] in {1, 2} else None, taken=False)
    assert decided(found.changes) == [
        (1, "dead", "refused"), (2, "dead", HOLD), (3, "parked", "key"), (4, "parked", "route.unknown"),
    ]  # fmt: skip
    assert ("t", "k") not in held.blocked
    assert ("t", "u") not in found.changes.again
    assert held.unknown_types == {"new"}


def test_due_rows_are_heads_unless_they_only_waited() -> None:
    """OB-25, OB-40: a head passes its own block, a waiting row joins the queue, a suspended head alone probes."""
    held = holds(blocked=(("t", "a"), ("t", "w")))
    send, changes, refused = sort_due([due(1), due(2, "w", Status.WAITING), due(3, "n")], held, fine)
    assert ([one.row[0] for one in send], [one.row[0] for one, _ in changes.parked], refused) == ([1, 3], [2], [])
    held.suspended["t"] = 3
    send, changes, _ = sort_due([due(1), due(3, "n")], held, fine)
    assert [one.row[0] for one in send] == [3]
    assert [cause for _, cause in changes.parked] == ["suspended"]


@pytest.mark.parametrize(
    ("outcome", "status", "cause", "attempts", "blocks"),
    [
        (NEVER, Status.DEAD, "refused", 1, False),
        (LATER, Status.RETRYING, "refused", 1, True),
        (MISSING, Status.PARKED, "destination", 0, True),
        (BEHIND, Status.PARKED, "key", 0, True),
        (Suspended(timedelta(seconds=1)), Status.RETRYING, "suspended", 0, True),
        (Suspended(), Status.PARKED, "suspended", 0, True),
    ],
)
def test_what_becomes_of_a_log_message(
    outcome: PublishOutcome, status: Status, cause: str, attempts: int, blocks: bool
) -> None:
    """OB-39, OB-27, OB-28: only a refusal of this message counts."""
    held, changes = holds(), Changes()
    outcomes: Outcomes = {0: outcome}
    judge(held).log([row(1)], outcomes, changes)
    (new,) = changes.new
    assert (new.status, new.cause, new.attempts, new.blocks) == (status, cause, attempts, blocks)
    assert (("t", "a") in held.blocked) is blocks
    assert ("t" in changes.pauses) is (outcome is MISSING)


def test_what_becomes_of_due_deliveries() -> None:
    """OB-39, OB-40, OB-42: acknowledged, refused, paused; an unknown one stays as it is."""
    held, changes = holds(), Changes()
    rows = [due(1, "a"), due(2, "b", attempts=18), due(3, "c", attempts=19), due(4, "d"), due(5, "e"), due(6, "f")]
    outcomes: Outcomes = {1: LATER, 2: LATER, 3: MISSING, 4: SILENT, 5: BEHIND}
    judge(held).due(rows, outcomes, changes)
    assert [one.row[0] for one in changes.delivered] == [1]
    assert [(one.row[0], at.attempts) for one, at, _ in changes.retried] == [(2, 19)]
    assert [(one.row[0], verdict.attempts) for one, verdict, _, _ in changes.buried] == [(3, 20)]
    assert [(one.row[0], cause) for one, cause in changes.parked] == [(4, "destination"), (6, "key")]
    assert changes.again["t", "a"] == 500


def test_prefixes_are_closed() -> None:
    """OB-38, OB-40: behind an unknown message of a key everything is unknown, other keys and keyless ones are not."""
    rows = [row(1, "a"), row(2, "b"), row(3, "a"), row(4, None), row(5, "a")]
    outcomes: Outcomes = {0: SILENT, 4: NEVER}
    close_prefixes(rows, outcomes)
    assert outcomes == {0: SILENT, 2: SILENT, 4: SILENT}
    assert Published({0: SILENT}).unknown


def test_a_key_is_blocked_while_a_decision_is_unwritten() -> None:
    """OB-42: clearing waits for every decision of the key to be written."""
    held, key = holds(), ("t", "a")
    held.block(key)
    held.block(key)
    held.written([key])
    held.clear([key])
    assert key in held.blocked
    held.written([key])
    held.clear([key])
    assert not held.any_hold


def test_an_own_pause_holds_before_the_table_is_read_again() -> None:
    """OB-42: a reading older than the write does not lift it; a later one does."""
    held = holds()
    held.pause("t")
    assert not held.watch(Pauses())
    assert held.reason("t", None) == "destination"
    assert held.watch(Pauses())
    assert held.reason("t", None) is None


def test_new_rows_say_whether_they_block() -> None:
    """OB-25, OB-27: a dead row blocks only where it holds its key."""
    assert not NewDelivery(row(1), Status.DEAD, "refused").blocks
    assert NewDelivery(row(1), Status.DEAD, HOLD).blocks


def test_settings_name_all_their_faults_at_once() -> None:
    """OB-90: a lease shorter than three publish timeouts, no lanes."""
    with pytest.raises(ConfigurationError, match=r"lanes.*lease"):
        RelaySettings(lanes=0, lease=timedelta(seconds=1))
