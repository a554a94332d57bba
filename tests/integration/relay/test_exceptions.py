"""Messages that do not go straight through: refused, waiting, behind a pause, behind one of their key."""

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta

from outrider.core.events import (
    DestinationPaused,
    DestinationResumed,
    MessageDied,
    MessageParked,
    ParkAlarmRaised,
    ResendIgnored,
    RetryScheduled,
)
from outrider.core.log_row import LogRow
from outrider.core.outcome import PublishOutcome, Refusal, Refused
from outrider.core.routing import OnDead
from outrider.relay.rules import RouteRules
from outrider.relay.settings import RelaySettings
from tests.integration.relay.rig import QUICK, TOPIC, Rig

MISSING = Refused(Refusal.CONFIGURATION, "publish.refused", "no such topic")
LATER = Refused(Refusal.TRANSIENT, "publish.refused", "try later")
NEVER = Refused(Refusal.PERMANENT, "publish.forbidden", "not this one")


@dataclass(frozen=True)
class Rules:
    on_dead: OnDead


HOLD, CONTINUE = Rules("hold"), Rules("continue")


def refuse(key: str, outcome: PublishOutcome, times: int) -> "Refusing":
    return Refusing({key: [outcome] * times})


class Refusing:
    """Answers a key's messages with what is scripted for it, first come first."""

    def __init__(self, script: dict[str, list[PublishOutcome]]) -> None:
        self.script = script
        self.asked: Counter[str] = Counter()

    def __call__(self, row: LogRow) -> PublishOutcome | None:
        self.asked[row[3] or ""] += 1
        outcomes = self.script.get(row[3] or "", [])
        return outcomes.pop(0) if outcomes else None


async def test_a_refused_message_is_tried_again_before_the_later_ones_of_its_key(rig: Rig) -> None:
    """OB-39, OB-25, OB-42: a transient refusal counts; its key's later messages queue behind it, other keys go on."""
    rig.recorder.prefix_closed = False
    rig.recorder.answer = refuse("a", LATER, 3)
    rig.database.add("a", "a", "b", body="1")
    await rig.started()
    await rig.recorder.until(1)
    await rig.recorder.until(3)
    rig.database.add("a", body="2")
    await rig.recorder.until(4)
    assert rig.recorder.bodies("a") == ["1", "1", "2"]
    assert [event.attempt for event in rig.events.of(RetryScheduled)] == [1, 2, 3]
    await rig.relays[0].stop(5)
    assert rig.database.statuses() == {"done": len(rig.database.rows("SELECT 1 FROM {outbox_delivery}"))}


async def test_a_message_dies_when_its_budget_is_spent_and_its_key_goes_on(rig: Rig) -> None:
    """OB-27: dead at max_retry counted refusals; the row keeps code and reason; the next of the key follows."""
    rig.recorder.prefix_closed = False
    rig.recorder.answer = refuse("a", LATER, 2)
    rig.database.add("a", "a", max_retry=2, body="x")
    await rig.started()
    await rig.events.wait_for(MessageDied)
    await rig.recorder.until(1)
    await rig.relays[0].stop(5)
    rows = rig.database.rows(
        "SELECT status, attempts, error_code, last_error FROM {outbox_delivery} WHERE status <> 'done'"
    )
    assert rows == [("dead", 2, "publish.refused", "try later")]


async def test_a_permanent_refusal_is_dead_at_once(rig: Rig) -> None:
    """OB-39, OB-37: refused for ever by the broker, or by the check before sending: dead, the position goes on."""
    rig.recorder.answer = refuse("never", NEVER, 1)
    rig.recorder.too_large = 100
    rig.database.add("never", "fine")
    rig.database.add("big", body="x" * 101)
    rig.database.add("after")
    await rig.started()
    await rig.recorder.until(2)
    await rig.events.wait_for(MessageDied, lambda event: event.code == "publish.too_large")
    await rig.relays[0].stop(5)
    rows = rig.database.rows("SELECT status, error_code, attempts FROM {outbox_delivery} ORDER BY log_id")
    assert rows == [("dead", "publish.forbidden", 1), ("dead", "publish.too_large", 1)]
    assert rig.database.rows("SELECT passed FROM {outbox_cursor}") == [(4,)]


async def test_a_type_that_holds_keeps_its_key_until_a_person_decides(rig: Rig) -> None:
    """OB-27, OB-38: on_dead=hold sends one message of a key at a time, and a dead one blocks the key, no other."""
    rig.recorder.answer = refuse("a", NEVER, 1)
    rig.database.add("a", "a", "b", "a", type_="strict")
    await rig.started(routes={"strict": HOLD})
    await rig.recorder.until(1)
    rig.database.add("a", "c", type_="strict")
    await rig.recorder.until(2)
    await rig.events.wait_for(MessageParked, lambda event: event.log_id == 5)
    assert [row[3] for row in rig.recorder.taken] == ["b", "c"]
    await rig.relays[0].stop(5)
    assert rig.database.statuses() == {"dead": 1, "parked": 3}
    rig.database.run("UPDATE {outbox_delivery} SET status = 'done', cause = 'discarded' WHERE status = 'dead'")
    await rig.started(routes={"strict": HOLD})
    await rig.recorder.until(5)
    assert [row[0] for row in rig.recorder.taken if row[3] == "a"] == [2, 4, 5]


async def test_a_missing_destination_is_paused_and_reopened_by_a_probe(rig: Rig) -> None:
    """OB-39, OB-42, OB-28: configuration refusals pause the destination, uncounted; a probe releases in order."""
    rig.recorder.answer = lambda row: rig.recorder.wrong.get("gone") if "gone" in row[2] else None
    rig.recorder.wrong["gone"] = MISSING
    rig.database.add("a", "b", None, "a", topic="gone")
    fine = rig.database.add("a", "b")
    await rig.started(RelaySettings(retry=QUICK, preflight_interval=timedelta(milliseconds=100)))
    await rig.recorder.until(2)
    assert rig.recorder.ids() == fine
    paused = await rig.events.wait_for(DestinationPaused)
    assert (paused.destination, paused.automatic) == ("gone", True)
    later = rig.database.add("a", topic="gone")
    await rig.events.wait_for(MessageParked, lambda event: event.message_id == later[0])
    assert rig.database.rows("SELECT DISTINCT attempts FROM {outbox_delivery}") == [(0,)]
    del rig.recorder.wrong["gone"]
    await rig.events.wait_for(DestinationResumed)
    await rig.recorder.until(7)
    ids = [row[0] for row in rig.recorder.taken if row[3] == "a"][1:]
    assert ids == sorted(ids)
    assert rig.database.rows("SELECT * FROM {outbox_pause}") == []


async def test_pauses_of_a_person_hold_and_release_in_order(rig: Rig) -> None:
    """OB-42: a paused destination, key or relay sends nothing while the rest goes on, and a resume releases in order."""
    rig.database.pause("destination", topic="held")
    rig.database.pause("key", topic=TOPIC, subject="a")
    held = rig.database.add("x", None, topic="held")
    key = rig.database.add("a", "a", "b")
    await rig.started()
    await rig.recorder.until(1)
    assert rig.recorder.ids() == key[2:]
    await rig.events.wait_for(MessageParked, lambda event: event.message_id == key[1])
    rig.database.resume()
    await rig.recorder.until(5)
    assert [one for one in rig.recorder.ids() if one in key] == [key[2], key[0], key[1]]
    assert [one for one in rig.recorder.ids() if one in held] == held


async def test_a_paused_relay_outlives_its_process(rig: Rig) -> None:
    """OB-42: the subscription's pause holds for a relay that starts later."""
    rig.database.pause("subscription", subject="relay")
    rig.database.add("a")
    assert (await rig.relay().run_once()).read == 0
    rig.database.resume()
    assert (await rig.relay().run_once()).published == 1


async def test_a_message_waits_for_its_time_and_holds_nobody(rig: Rig) -> None:
    """OB-25, OB-37: deliver_at ahead makes a waiting row; the key's later messages go first."""
    (due,) = rig.database.add("a", deliver_in=timedelta(seconds=1))
    (past,) = rig.database.add("a", deliver_in=timedelta(seconds=-5))
    (now,) = rig.database.add("a")
    await rig.started()
    await rig.recorder.until(2)
    assert rig.recorder.ids() == [past, now]
    parked = await rig.events.wait_for(MessageParked)
    assert (parked.message_id, parked.cause) == (due, "deliver_at")
    await rig.recorder.until(3)
    assert rig.recorder.ids() == [past, now, due]


async def test_a_type_that_nobody_knows_is_parked_until_it_is(rig: Rig) -> None:
    """OB-97: a type of neither catalog nor table is parked as route.unknown, uncounted, and goes once it is known."""
    routes: dict[str, RouteRules] = {"order.placed": CONTINUE}
    (strange,) = rig.database.add("a", type_="order.unheard")
    (known,) = rig.database.add("b")
    await rig.started(routes=routes)
    await rig.recorder.until(1)
    assert rig.recorder.ids() == [known]
    await rig.events.wait_for(MessageParked, lambda event: event.cause == "route.unknown")
    routes["order.unheard"] = CONTINUE
    await rig.recorder.until(2)
    assert rig.recorder.ids() == [known, strange]


async def test_a_pile_behind_one_key_drains_in_order_while_others_go_on(rig: Rig) -> None:
    """OB-25, OB-42, H53: a long queue behind a head is promoted a batch at a time, in order."""
    rig.recorder.prefix_closed = False
    rig.database.pause("key", topic=TOPIC, subject="hot")
    added = rig.database.add(*["hot"] * 700)
    await rig.started()
    await rig.events.wait_for(MessageParked, lambda event: event.message_id == added[-1])
    rig.recorder.prefix_closed = True
    rig.database.resume()
    await rig.recorder.until(700)
    assert rig.recorder.ids() == added


async def test_many_parked_messages_raise_the_alarm_once(rig: Rig) -> None:
    """OB-42: an event at `park_alarm` rows, none while it stays so, another after it was left; nothing is stopped."""
    settings = RelaySettings(retry=QUICK, park_alarm=3)
    relay, alarms = rig.relay(settings), []
    for key in ("hot", "hotter"):
        rig.database.pause("key", topic=TOPIC, subject=key)
        rig.database.add(key, key, key, "fine")
        for _ in range(3):  # the first parks, the second finds them, the third finds nothing new
            await relay.run_once()
        alarms.append(len(rig.events.of(ParkAlarmRaised, lambda event: event.threshold == 3)))
        rig.database.resume()
        await relay.run_once()
    assert alarms == [1, 2]
    assert len(rig.recorder.taken) == 8


async def test_a_relay_at_work_looks_at_what_is_parked(rig: Rig) -> None:
    """OB-42: the process that owns the first lane raises the alarm."""
    rig.database.pause("key", topic=TOPIC, subject="hot")
    rig.database.add("hot")
    short = RelaySettings(
        retry=QUICK, park_alarm=1, lease=timedelta(milliseconds=900), publish_timeout=timedelta(milliseconds=300)
    )
    await rig.started(short)
    raised = await rig.events.wait_for(ParkAlarmRaised)
    assert (raised.service, raised.subscription) == ("orders", "relay")


async def test_a_slow_destination_gets_its_rate_and_holds_nobody_up(rig: Rig) -> None:
    """OB-5, OB-37, §14: messages beyond a destination's rate wait in rows of their own, in order per key."""
    slow = rig.database.add("a", "b", "a", "a", None, topic="slow")
    fast = rig.database.add(*["a"] * 20)
    await rig.started(RelaySettings(retry=QUICK, rates={"slow": 2.0}))
    await rig.recorder.until(22)
    assert rig.recorder.ids()[:22] == [*slow[:2], *fast]
    await rig.recorder.until(25)
    of_key = [row[1] for row in rig.recorder.taken if "slow" in row[2] and row[3] == "a"]
    assert of_key == [slow[0], slow[2], slow[3]]
    assert {event.message_id for event in rig.events.of(MessageParked, lambda event: event.cause == "rate")} == {
        slow[2], slow[4],
    }  # fmt: skip
    await rig.relays[0].stop(5)
    assert rig.database.rows("SELECT DISTINCT status, attempts FROM {outbox_delivery}") == [("done", 0)]


async def test_a_resend_that_the_broker_takes_for_a_copy_is_an_alarm(rig: Rig) -> None:
    """OB-75, H26: acknowledged as a duplicate, it reached nobody; a first publication may be one after an unknown."""
    rig.recorder.copies = True
    rig.database.add("a", "b")
    await rig.started()
    await rig.recorder.until(2)
    now = "now()" if rig.database.is_postgres else "0"
    rig.database.run(
        "INSERT INTO {outbox_delivery} (subscription_id, log_id, message_id, topic, message_key, key_hash, status, cause,"
        f" max_retry, generation, next_retry_at, updated_at) SELECT 1, id, message_id, topic, message_key, key_hash,"
        f" 'retrying', 'swept', 20, 1, {now}, {now} FROM {{outbox_message}} WHERE message_key = 'b'"
    )
    told = await rig.events.wait_for(ResendIgnored)
    assert (told.log_id, told.generation) == (2, 1)
    assert len(rig.events.of(ResendIgnored)) == 1
