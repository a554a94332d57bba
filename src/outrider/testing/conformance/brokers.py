"""The suite of `ports.broker`: what a relay and a consumer rely on, asked of a real broker or of one in memory.

Use: subclass `PublisherConformance` and `SubscriberConformance` in a test module and give a fixture `broker` that yields a
`BrokerHarness`; the tests are asynchronous (pytest-asyncio in auto mode). Nothing here waits for a fixed time but where it
asks that something does *not* come.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from outrider.core.errors import ConfigurationError
from outrider.core.log_row import LogRow
from outrider.core.outcome import Refusal, Refused, Unknown
from outrider.ports.broker import Publisher, Subscriber
from outrider.testing.conformance.broker_harness import (
    BRIEF_SECONDS,
    DEADLINE_SECONDS,
    BrokerHarness,
    Capability,
    message_id,
    numbers,
    row,
    take,
    take_all,
)

SEVERAL = 30
LONG_SECONDS = 3_600.0


def needs(broker: BrokerHarness, *capabilities: Capability) -> None:
    """Skip the test where the broker says that it cannot do this."""
    lacking = set(capabilities) - broker.capabilities
    if lacking:
        pytest.skip(f"not {', '.join(sorted(lacking))}")


@asynccontextmanager
async def publishing(broker: BrokerHarness, max_bytes: int = 900_000) -> AsyncIterator[Publisher]:
    """A started publisher, closed at the end."""
    publisher = broker.publisher(max_bytes=max_bytes)
    await publisher.start()
    try:
        yield publisher
    finally:
        await publisher.close()


@asynccontextmanager
async def consuming(broker: BrokerHarness, topic: str, group: str) -> AsyncIterator[Subscriber]:
    """A subscriber that has joined, closed at the end."""
    subscriber = broker.subscriber()
    await subscriber.start([topic], group)
    try:
        yield subscriber
    finally:
        await subscriber.close()


async def send(publisher: Publisher, rows: Sequence[LogRow], *, urgent: bool = True) -> None:
    """Publish rows, all of which must be acknowledged."""
    published = await publisher.publish(rows, DEADLINE_SECONDS, urgent=urgent)
    assert published.exceptions == {}


async def must_arrive_in_order(broker: BrokerHarness, subscriber: Subscriber, wanted: Sequence[int]) -> None:
    """Fail unless each wanted message comes, in order; what was sent before a resend may come twice, as a prefix."""
    got: list[int] = []
    while not set(wanted) <= set(got):
        got += numbers(await take(subscriber, 1))
    got += numbers(await take_all(broker, subscriber))
    assert list(dict.fromkeys(got)) == list(wanted), got


class PublisherConformance:
    """What the relay relies on."""

    async def test_messages_of_a_key_arrive_in_the_order_of_the_calls(self, broker: BrokerHarness) -> None:
        """OB-4, OB-38: several of a key in one batch and in the next arrive in order, each once."""
        needs(broker, "ordered")
        topic = await broker.create_topic()
        rows = [row(number, topic, key=f"k{number % 3}") for number in range(1, 2 * SEVERAL + 1)]
        async with publishing(broker) as publisher:
            await send(publisher, rows[:SEVERAL], urgent=False)
            await send(publisher, rows[SEVERAL:])
        async with consuming(broker, topic, f"{topic}.order") as subscriber:
            got = await take(subscriber, len(rows))
        for key in ("k0", "k1", "k2"):
            assert numbers([each for each in got if each.key == key]) == [each[0] for each in rows if each[3] == key]

    async def test_envelope_makes_the_round_trip(self, broker: BrokerHarness) -> None:
        """OB-14, OB-15: attributes, user headers, key and body arrive as they were sent; absent ones stay absent."""
        topic = await broker.create_topic()
        extra = {
            "headers": {"tenant": "a b%"},
            "subject": "order-17",
            "correlation_id": "c-1",
            "causation_id": "c-2",
            "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "generation": 2,
        }
        rows = [row(1, topic, "用户-42", '{"名":1}'.encode(), extra), row(2, topic, None, b"", None)]
        async with publishing(broker) as publisher:
            await send(publisher, rows)
        async with consuming(broker, topic, f"{topic}.trip") as subscriber:
            got = {numbers([each])[0]: each for each in await take(subscriber, 2)}
        full, bare = got[1].envelope, got[2].envelope
        assert full is not None
        assert bare is not None
        assert (str(full.message_id), full.key, full.subject) == (message_id(1), "用户-42", "order-17")
        assert (full.body, dict(full.headers)) == ('{"名":1}'.encode(), {"tenant": "a b%"})
        assert (full.correlation_id, full.causation_id, full.generation) == ("c-1", "c-2", 2)
        assert (full.traceparent, full.tracestate) == (extra["traceparent"], None)
        assert (full.source, full.type, full.version) == (
            "urn:outrider:outrider:conformance",
            "conformance.happened",
            1,
        )
        assert full.time.isoformat() == "2026-11-20T10:00:00.123456+00:00"
        assert (bare.key, bare.body, bare.generation, dict(bare.headers)) == (None, b"", 0, {})
        assert (got[1].topic, got[1].key, got[1].fault) == (topic, "用户-42", None)
        assert got[1].coordinates != got[2].coordinates

    async def test_too_large_is_found_before_sending(self, broker: BrokerHarness) -> None:
        """OB-37: the publisher's own limit counts key and headers, and names the code of the refusal."""
        topic = await broker.create_topic()
        async with publishing(broker, max_bytes=5_000) as publisher:
            assert publisher.refuse(row(1, topic, body=b"x" * 4_000)) is None
            small, large = row(2, topic, body=b"x" * 1_000), row(3, topic, body=b"x" * 5_000)
            assert not (await publisher.publish([small], 10, urgent=True)).exceptions
            assert publisher.takes([small, small])
            assert not publisher.takes([small, large])
            refused = publisher.refuse(large)
            assert refused is not None
            assert (refused.refusal, refused.code) == (Refusal.PERMANENT, "publish.too_large")

    async def test_message_over_the_live_limit_is_refused_and_the_others_are_not(self, broker: BrokerHarness) -> None:
        """OB-12, OB-39: the topic takes less than the publisher was told; only what is itself too large is refused.

        The others together are larger than the topic takes at once: an adapter that sends in batches must not let the
        batch's size condemn them.
        """
        needs(broker, "confirms")
        topic = await broker.create_topic(max_bytes=20_000)
        rows = [row(number, topic, body=b"x" * 6_000) for number in range(1, 10)]
        rows[3] = row(4, topic, body=b"x" * 30_000)
        async with publishing(broker) as publisher:
            published = await publisher.publish(rows, DEADLINE_SECONDS, urgent=True)
            assert list(published.exceptions) == [3]
            outcome = published.exceptions[3]
            assert isinstance(outcome, Refused)
            assert (outcome.refusal, outcome.code) == (Refusal.PERMANENT, "publish.too_large")
        async with consuming(broker, topic, f"{topic}.large") as subscriber:
            assert numbers(await take(subscriber, 8)) == [1, 2, 3, 5, 6, 7, 8, 9]

    async def test_missing_topic_is_a_refusal_of_the_configuration(self, broker: BrokerHarness) -> None:
        """OB-34, OB-39: the others go on; preflight and publish say the same; nothing is made by sending."""
        needs(broker, "confirms")
        topic, missing = await broker.create_topic(), broker.missing_topic()
        async with publishing(broker) as publisher:
            checked = await publisher.check([topic, missing])
            assert {name: refused.refusal for name, refused in checked.items()} == {missing: Refusal.CONFIGURATION}
            for number in (1, 11):
                rows = [row(number, topic), row(number + 1, missing), row(number + 2, topic)]
                published = await publisher.publish(rows, DEADLINE_SECONDS, urgent=True)
                assert list(published.exceptions) == [1]
                outcome = published.exceptions[1]
                assert isinstance(outcome, Refused)
                assert outcome.refusal is Refusal.CONFIGURATION
        async with consuming(broker, topic, f"{topic}.missing") as subscriber:
            assert numbers(await take(subscriber, 4)) == [1, 3, 11, 13]

    async def test_outage_is_unknown_and_the_same_ids_pass_after_it(self, broker: BrokerHarness) -> None:
        """OB-3, OB-28, OB-38, OB-40: no answer is unknown, never a refusal; nothing of it arrives late."""
        needs(broker, "confirms")
        topic = await broker.create_topic()
        rows = [row(number, topic) for number in range(1, SEVERAL + 1)]
        async with publishing(broker) as publisher:
            await send(publisher, rows[:1])
            await broker.stop_answering()
            try:
                assert not await publisher.probe()
                published = await publisher.publish(rows[1:], BRIEF_SECONDS, urgent=True)
                assert set(published.exceptions) == set(range(SEVERAL - 1))
                assert all(isinstance(outcome, Unknown) for outcome in published.exceptions.values())
            finally:
                await broker.answer_again()
            async with consuming(broker, topic, f"{topic}.outage") as subscriber:
                assert len(await take(subscriber, 1)) == 1
                late = numbers(await take_all(broker, subscriber))
                assert len(late) <= SEVERAL - 1
                assert late == list(range(2, 2 + len(late))), "what had reached the broker before is a prefix"
                assert await publisher.probe()
                await send(publisher, rows[1:])
                assert numbers(await take(subscriber, SEVERAL - 1)) == [each[0] for each in rows[1:]]
                assert await take_all(broker, subscriber) == []

    async def test_calls_that_were_open_at_an_unknown_outcome_are_unknown_too(self, broker: BrokerHarness) -> None:
        """OB-38: a later batch never overtakes one that will be sent again, whatever its own deadline."""
        needs(broker, "confirms", "ordered")
        topic = await broker.create_topic()
        rows = [row(number, topic) for number in range(1, SEVERAL + 1)]
        async with publishing(broker) as publisher:
            await send(publisher, rows[:1])
            await broker.stop_answering()
            try:
                first, second = await asyncio.gather(
                    publisher.publish(rows[1:10], BRIEF_SECONDS, urgent=False),
                    publisher.publish(rows[10:], LONG_SECONDS, urgent=False),
                )
            finally:
                await broker.answer_again()
            assert set(first.exceptions) == set(range(9))
            assert set(second.exceptions) == set(range(SEVERAL - 10))
            assert first.unknown
            assert second.unknown
            await send(publisher, rows[1:])
        async with consuming(broker, topic, f"{topic}.open") as subscriber:
            await must_arrive_in_order(broker, subscriber, [each[0] for each in rows])

    async def test_publisher_that_was_never_connected_gives_unknown(self, broker: BrokerHarness) -> None:
        """OB-38, OB-40: a broker that is down from the start is no refusal either, and the deadline holds."""
        topic = await broker.create_topic()
        publisher = broker.publisher()
        await broker.stop_answering()
        try:
            published = await publisher.publish([row(1, topic)], BRIEF_SECONDS, urgent=True)
            assert isinstance(published.exceptions[0], Unknown)
        finally:
            await broker.answer_again()
        await publisher.start()
        await send(publisher, [row(1, topic)])
        await publisher.close()

    async def test_acknowledged_messages_outlive_a_crash(self, broker: BrokerHarness) -> None:
        """OB-6, OB-39: what was acknowledged is there after the broker was killed, and publishing goes on."""
        needs(broker, "persistent")
        topic = await broker.create_topic()
        rows = [row(number, topic) for number in range(1, SEVERAL + 1)]
        async with publishing(broker) as publisher:
            await send(publisher, rows[:20])
            await broker.crash()
            published = await publisher.publish(rows[20:], DEADLINE_SECONDS, urgent=True)
            while published.exceptions:
                assert published.unknown
                assert len(published.exceptions) == SEVERAL - 20, "acks of a key are a prefix, so all or from one on"
                published = await publisher.publish(rows[20:], DEADLINE_SECONDS, urgent=True)
        async with consuming(broker, topic, f"{topic}.crash") as subscriber:
            await must_arrive_in_order(broker, subscriber, [each[0] for each in rows])

    async def test_publishing_nothing_gives_nothing(self, broker: BrokerHarness) -> None:
        """OB-38: an empty batch is answered without asking the broker."""
        async with publishing(broker) as publisher:
            assert (await publisher.publish([], BRIEF_SECONDS, urgent=True)).exceptions == {}


class SubscriberConformance:
    """What a consumer relies on."""

    async def test_what_was_not_settled_comes_again(self, broker: BrokerHarness) -> None:
        """OB-61, OB-62: the settled prefix is kept; one that was settled out of turn comes again with its elder."""
        needs(broker, "redelivers", "ordered")
        topic = await broker.create_topic()
        async with publishing(broker) as publisher:
            await send(publisher, [row(number, topic) for number in range(1, 11)])
        group = f"{topic}.redelivery"
        async with consuming(broker, topic, group) as subscriber:
            got = await take(subscriber, 10)
            assert numbers(got) == list(range(1, 11))
            await subscriber.settle([got[1]])
            await subscriber.settle([got[0], got[2]])
            await subscriber.settle([got[5]])
        async with consuming(broker, topic, group) as subscriber:
            got = await take(subscriber, 7)
            assert numbers(got) == list(range(4, 11))
            await subscriber.settle(got)
        async with consuming(broker, topic, group) as subscriber:
            assert await take_all(broker, subscriber) == []

    async def test_rewind_gives_from_the_earliest_on_again(self, broker: BrokerHarness) -> None:
        """OB-61: a message that could not be stored, and all behind it, are given again in order."""
        needs(broker, "redelivers", "ordered")
        topic = await broker.create_topic()
        async with publishing(broker) as publisher:
            await send(publisher, [row(number, topic) for number in range(1, 9)])
        async with consuming(broker, topic, f"{topic}.rewind") as subscriber:
            got = await take(subscriber, 6)
            await subscriber.settle(got[:3])
            await subscriber.rewind([got[4], got[3]])
            again = await take(subscriber, 5)
            assert numbers(again) == [4, 5, 6, 7, 8]
            await subscriber.settle(again)
        async with consuming(broker, topic, f"{topic}.rewind") as subscriber:
            assert await take_all(broker, subscriber) == []

    async def test_paused_source_gives_nothing_and_then_all(self, broker: BrokerHarness) -> None:
        """OB-69: a pause loses nothing and ends no membership."""
        topic = await broker.create_topic()
        async with publishing(broker) as publisher, consuming(broker, topic, f"{topic}.pause") as subscriber:
            await send(publisher, [row(1, topic)])
            first = await take(subscriber, 1)
            await subscriber.pause()
            await send(publisher, [row(2, topic), row(3, topic)])
            assert await take_all(broker, subscriber) == []
            await subscriber.resume()
            assert numbers(await take(subscriber, 2)) == [2, 3]
            assert not subscriber.revoked(first[0])

    async def test_messages_wait_for_a_group_from_the_beginning(self, broker: BrokerHarness) -> None:
        """OB-66: a new group starts at the earliest message, and a joined one is given new ones as they come."""
        topic = await broker.create_topic()
        async with publishing(broker) as publisher:
            await send(publisher, [row(1, topic)])
            async with consuming(broker, topic, f"{topic}.earliest") as subscriber:
                assert numbers(await take(subscriber, 1)) == [1]
                await send(publisher, [row(2, topic)])
                assert numbers(await take(subscriber, 1)) == [2]

    async def test_another_member_takes_over_and_the_first_knows_it(self, broker: BrokerHarness) -> None:
        """OB-62: what a member held when its share was taken counts as revoked, and is given to the other."""
        needs(broker, "redelivers")
        topic = await broker.create_topic()
        group = f"{topic}.takeover"
        async with publishing(broker) as publisher:
            await send(publisher, [row(number, topic) for number in range(1, 6)])
        first = broker.subscriber()
        await first.start([topic], group)
        got = await take(first, 5)
        await first.settle(got[:2])
        await first.close()
        async with consuming(broker, topic, group) as second:
            assert numbers(await take(second, 3)) == [3, 4, 5]
        assert first.revoked(got[4])

    async def test_a_member_knows_its_shares(self, broker: BrokerHarness) -> None:
        """OB-62: none before it has any and none after it left, so that an operator sees who holds what."""
        topic = await broker.create_topic()
        async with publishing(broker) as publisher:
            await send(publisher, [row(1, topic)])
        subscriber = broker.subscriber()
        assert subscriber.held == frozenset()
        await subscriber.start([topic], f"{topic}.shares")
        (message,) = await take(subscriber, 1)
        assert message.coordinates.rpartition("/")[0] in subscriber.held
        await subscriber.close()
        assert subscriber.held == frozenset()

    async def test_joining_a_missing_topic_is_a_fault_of_the_configuration(self, broker: BrokerHarness) -> None:
        """OB-66: nobody waits silently on a topic that nobody made."""
        subscriber = broker.subscriber()
        with pytest.raises(ConfigurationError):
            await subscriber.start([broker.missing_topic()], "conformance.missing")
        await subscriber.close()
