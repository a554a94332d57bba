"""What the notifier does beside its sends: pruning and counting, which never stop them."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from outrider.codecs.plain_secrets import PlainSecrets
from outrider.core.errors import AccessRefused
from outrider.core.events import (
    LogPruned,
    NotificationSecretsPlain,
    NotificationSent,
    NotificationTotalsRead,
    ServiceFailed,
)
from outrider.core.notification.codes import Code, Outcome
from outrider.core.steps import Steps, T
from outrider.notification.notifier import Notifier
from outrider.runtime.sessions import Sessions
from outrider.testing.clock import ManualClock
from tests.unit.notification.desk import START
from tests.unit.notification.test_notifier import KEYED, office, working

DAY = timedelta(days=1)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


async def test_the_notifier_prunes_what_is_over_and_goes_on_sending(clock: ManualClock) -> None:
    """NT-53 and §9: records of 90 days ago are gone with their attempts, what came since is there."""
    made, _ = office(clock, KEYED)
    await made.give_address("c0")
    old = [await made.ask("c0") for _ in range(3)]
    assert (await made.notifier.sweep()).sent == 3
    clock.advance(91 * DAY)
    fresh = await made.ask("c0", requested_at=clock.now())
    async with working(made.notifier):
        pruned = await made.sink.wait_for(LogPruned, lambda event: event.table == "notification_record")
        await made.sink.wait_for(NotificationSent)
    assert pruned.rows == 3
    assert [await made.read(one) for one in old] == [None] * 3
    assert (await made.read(fresh)).status == "sent"


async def test_the_notifier_counts_what_there_is(clock: ManualClock) -> None:
    """NT §13: records by channel and state, and for how long the oldest has been due."""
    made, (bot,) = office(clock, KEYED)
    await made.give_address("c0")
    await made.ask("c0")
    bot.answer(Outcome.PERMANENT_FAIL, Code.PAYLOAD_INVALID)
    await made.notifier.sweep()
    await made.ask("c0", recipient="ben")
    async with working(made.notifier):
        read = await made.sink.wait_for(NotificationTotalsRead)
    assert ("c0", "dead", 1) in [(one.channel, one.status, one.count) for one in read.totals.records]
    assert list(read.totals.destinations) == [("c0", "closed", 1)]


async def test_secrets_that_lie_plain_are_warned_of(clock: ManualClock) -> None:
    """NT-44: at the start, by their number alone; sealed ones say nothing."""
    made, _ = office(clock, KEYED)
    await made.give_address("c0", "sealed", webhook_url="https://hook.example/secret")
    async with working(made.notifier):
        await made.sink.wait_for(NotificationTotalsRead)
    assert made.sink.of(NotificationSecretsPlain) == []
    made.codec = PlainSecrets()
    await made.give_address("c0", "plain", webhook_url="https://hook.example/secret")
    async with working(made.notifier):
        warned = await made.sink.wait_for(NotificationSecretsPlain)
    assert warned == NotificationSecretsPlain("notification", 1)


class Forbidding(Sessions):
    """May not prune."""

    async def transact(self, steps: Steps[T]) -> T:
        if getattr(steps, "__name__", "") == "prune":
            raise AccessRefused("database", "permission denied", "grant it")
        return await super().transact(steps)


async def test_a_failure_of_upkeep_ends_nothing(clock: ManualClock) -> None:
    """NT-53: pruning that fails is told, and everything else goes on."""
    made, _ = office(clock, KEYED)
    await made.give_address("c0")
    await made.ask("c0")

    def sessions() -> Iterator[Sessions]:
        while True:
            yield Forbidding(made.storage)

    notifier = Notifier("notification", "one", made.desk, sessions().__next__, made.sink)
    async with working(notifier):
        failed = await made.sink.wait_for(ServiceFailed)
        await made.sink.wait_for(NotificationSent)
    assert (failed.role, failed.code) == ("upkeep", AccessRefused.code)
