"""What Feishu refuses or leaves without an answer, as the notifier takes it: over real HTTP, by what a person got."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from outrider.channels.feishu import AppConfig, FeishuAppChannel, FeishuBotChannel, FeishuFlowChannel, app, bot, flow
from outrider.channels.http.client import GuardedClient
from outrider.channels.inbox.channel import InboxChannel
from outrider.core.notification.codes import Code
from outrider.core.notification.request import CHANNEL_DISABLED
from outrider.core.notification.traits import ChannelTraits, SendPolicy
from outrider.core.secret import Secret
from outrider.notification.record import Record
from outrider.notification.store import attempts, destinations, inbox, people
from outrider.ports.channel import Channel
from outrider.testing.clock import ManualClock
from outrider.testing.feishu import Bot, FakeFeishu, Fault, FaultKind
from outrider.testing.feishu.answers import app_answer, bot_answer, card_refused
from tests.unit.notification.desk import START, Office

SECOND = timedelta(seconds=1)
LATER = timedelta(minutes=6)
PATIENT = timedelta(seconds=15)  # the machine may be busy
RECEIVER = {"receive_id_type": "open_id", "receive_id": "ou_1"}


@dataclass
class World:
    """The fake, and our channels at it."""

    clock: ManualClock
    feishu: FakeFeishu
    group: Bot
    client: GuardedClient

    def office(self, traits: ChannelTraits = bot.TRAITS) -> Office:
        """A notifier with a bot of these traits, an app, a flow and the inbox."""
        told = self.feishu.add_app("cli_0123456789", "secret-of-the-app")
        config = AppConfig(told.app_id, Secret("secret-of-the-app"), self.feishu.base_url, None)
        patient = {one: replace(one, timeout=PATIENT) for one in (traits, app.TRAITS, flow.TRAITS)}
        channels: list[Channel] = [
            FeishuBotChannel(self.client, self.clock, patient[traits]),
            FeishuAppChannel(self.client, self.clock, config, patient[app.TRAITS]),
            FeishuFlowChannel(self.client, self.clock, traits=patient[flow.TRAITS]),
            InboxChannel(),
        ]
        return Office({one.name: one for one in channels}, self.clock)


@pytest.fixture
def world() -> Iterator[World]:
    clock = ManualClock(START)
    with FakeFeishu(clock) as feishu:
        yield World(clock, feishu, feishu.add_bot("key-of-the-bot"), GuardedClient(allow=[feishu.address]))


async def tried(office: Office, record: Record, after: timedelta = SECOND) -> Record:
    """The record after another sweep, so much later."""
    office.later(after)
    swept = await office.notifier.sweep()
    assert (swept.scanned, swept.errors) == (1, 0), swept
    return await office.read(record)


async def forms(office: Office, record: Record) -> list[str]:
    """In which forms it was tried."""
    return [one.form for one in await office.run(attempts.read_attempts(record.id))]


@pytest.mark.parametrize(
    ("name", "endpoint", "answer", "settings"),
    [
        ("feishu_bot", "bot", bot_answer(200621), {}),
        ("feishu_app", "app", card_refused(200861), RECEIVER),
    ],
    ids=["bot", "app"],
)
async def test_card_refused_goes_as_text(
    world: World, name: str, endpoint: Any, answer: Any, settings: dict[str, str]  # noqa: ANN401 - the fake's own types
) -> None:  # fmt: skip
    """T6, NT-29: by either API; due at once, the attempt given back, one message that a person got."""
    office = world.office()
    await office.give_address(name, settings=settings, webhook_url=world.group.url)
    record = await office.ask(name)
    world.feishu.meet(endpoint, answer)
    refused = await tried(office, record)
    assert (refused.status, refused.last_error_code) == ("failed", Code.PAYLOAD_INVALID)
    assert (refused.form, refused.attempt_count, refused.next_retry_at) == ("text", 0, world.clock.now())
    assert (await tried(office, record)).status == "sent"
    assert await forms(office, record) == ["card", "text"]
    assert [post.msg_type for post in world.feishu.posts] == ["text"]


async def test_audit_refusal_goes_neutral(world: World) -> None:
    """T6, NT-29: nothing of what somebody wrote is in what goes then."""
    office = world.office()
    await office.give_address("feishu_app", settings=RECEIVER)
    record = await office.ask("feishu_app", summary_text="Call 13800138000 about the milk")
    world.feishu.meet("app", app_answer(230028))
    refused = await tried(office, record)
    assert (refused.status, refused.last_error_code) == ("failed", Code.CONTENT_REFUSED)
    assert (await tried(office, record)).status == "sent"
    assert await forms(office, record) == ["card", "neutral"]
    (post,) = world.feishu.posts
    assert "milk" not in post.text


@pytest.mark.parametrize(
    ("policy", "first", "last", "seen"),
    [(SendPolicy.AT_LEAST_ONCE, "failed", "sent", 2), (SendPolicy.AT_MOST_ONCE, "unknown", "unknown", 1)],
)
async def test_lost_reply_without_key_follows_policy(
    world: World, policy: SendPolicy, first: str, last: str, seen: int
) -> None:
    """NT-19, T7, T8: a bot knows no key; either the person may get it twice, or the record says that nobody knows."""
    office = world.office(replace(bot.TRAITS, policy=policy))
    await office.give_address("feishu_bot", webhook_url=world.group.url)
    record = await office.ask("feishu_bot")
    world.feishu.meet("bot", Fault(FaultKind.LOSE))
    lost = await tried(office, record)
    assert (lost.status, lost.last_error_code) == (first, Code.CONNECTION_LOST)
    assert lost.ambiguous_since is not None
    if first != last:
        await tried(office, record, LATER)
    office.later(LATER)
    assert (await office.notifier.sweep()).scanned == 0
    assert (await office.read(record)).status == last
    assert len(world.feishu.posts) == seen


async def test_three_auth_failures_disable(world: World) -> None:
    """NT-17, NT-27: the third in a row switches destination and address off and tells the owner; two are a deploy's."""
    office, told = world.office(), world.feishu.add_flow("key-of-the-flow", bearer="the-right-one")
    settings, secrets = {"auth_type": "bearer"}, {"webhook_url": told.url, "bearer_token": "the-wrong-one"}
    await office.give_address("feishu_flow", settings=settings, **secrets)
    record = await office.ask("feishu_flow")
    waiting = await office.ask("feishu_flow", deliver_at=world.clock.now() + timedelta(hours=2))
    for after in (SECOND, LATER):
        refused = await tried(office, record, after)
        assert (refused.status, refused.last_error_code) == ("failed", Code.PROVIDER_AUTH_FAILED)
    assert not office.announced
    assert (await tried(office, record, 2 * LATER)).ended_at is not None
    (place,) = await office.run(destinations.list_destinations())
    assert (place.state, place.reason) == ("disabled", Code.PROVIDER_AUTH_FAILED)
    address = await office.run(people.read_address("anna", "feishu_flow"))
    assert (address.state, address.reason) == ("disabled", Code.PROVIDER_AUTH_FAILED)
    assert [one.type for one in office.announced].count(CHANNEL_DISABLED) == 1
    (item,) = await office.run(inbox.list_items("anna", 10))
    assert item.kind == "channel_disabled"
    office.later(timedelta(hours=2))
    await office.notifier.sweep()
    ended = await office.read(waiting)
    assert (ended.status, ended.last_error_code) == ("skipped", Code.DESTINATION_DISABLED)
    assert not world.feishu.posts
