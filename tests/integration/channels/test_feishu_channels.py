"""Feishu's channels against the fake, over real HTTP: what each call gave, and what a person got by it."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import pytest

from outrider.channels.feishu import AppConfig, FeishuAppChannel, FeishuBotChannel, FeishuFlowChannel, app, bot, flow
from outrider.channels.http.client import GuardedClient
from outrider.core.notification.address import Address, AddressSettings
from outrider.core.notification.codes import Code, ErrorClass, Outcome
from outrider.core.notification.content import Content
from outrider.core.notification.sending import Assurance, SendRequest, SendResult
from outrider.core.notification.traits import Form
from outrider.core.secret import Secret
from outrider.ports.channel import Channel
from outrider.testing.clock import ManualClock
from outrider.testing.feishu import App, Bot, FakeFeishu, Fault, FaultKind, Flow
from outrider.testing.feishu.answers import app_answer, bot_answer, card_refused
from outrider.testing.feishu.tokens import OAUTH_PATH
from outrider.testing.feishu.wire import json_answer

RECORD = UUID("01980000-0000-7000-8000-000000000001")
URL = "https://app.example/s/1"
PATIENT = timedelta(seconds=15)  # the machine may be busy
HUNG_SECONDS = 2.0
CANARY = "canary-0x7f-hunter2"
CONTENT = Content(
    notification_id=RECORD, recipient_id="42", kind="important_urgent_task", locale="zh-CN",
    requested_at=datetime(2026, 11, 20, 12, tzinfo=UTC), title="[Steward] urgent", text="[Steward] look",
    neutral="[Steward] please look", action_text="Open", action_url=URL, subject_type="task", subject_id="7",
    correlation_id="preview-1",
)  # fmt: skip
LIMITED, UNAVAILABLE, AMBIGUOUS = ErrorClass.LIMITED, ErrorClass.UNAVAILABLE, ErrorClass.AMBIGUOUS
CONFIGURATION = ErrorClass.CONFIGURATION


@dataclass
class World:
    """The fake with one of each, and our channels at it."""

    clock: ManualClock
    feishu: FakeFeishu
    bot: Bot
    flow: Flow
    app: App

    def __post_init__(self) -> None:
        self.client = GuardedClient(allow=[self.feishu.address])
        self.channels: dict[str, Channel] = {
            "feishu_bot": FeishuBotChannel(self.client, self.clock, replace(bot.TRAITS, timeout=PATIENT)),
            "feishu_flow": FeishuFlowChannel(self.client, self.clock, traits=replace(flow.TRAITS, timeout=PATIENT)),
            "feishu_app": self.app_channel(),
        }

    def app_channel(self, secret: str = CANARY + "-app", token_url: str | None = None) -> FeishuAppChannel:
        config = AppConfig(self.app.app_id, Secret(secret), self.feishu.base_url, token_url)
        return FeishuAppChannel(self.client, self.clock, config, replace(app.TRAITS, timeout=PATIENT))

    def address(self, name: str) -> Address:
        settings = {
            "feishu_bot": AddressSettings(
                {"auth_type": "sign"},
                {"webhook_url": Secret(self.bot.url), "sign_secret": Secret(self.bot.secret or "none")},
            ),
            "feishu_flow": AddressSettings(
                {"auth_type": "bearer"},
                {"webhook_url": Secret(self.flow.url), "bearer_token": Secret(self.flow.bearer or "none")},
            ),
            "feishu_app": AddressSettings({"receive_id_type": "open_id", "receive_id": "ou_1"}),
        }
        return Address("42", name, settings[name])

    def request(self, name: str, form: Form = Form.TEXT, key: str = "nk1a", content: Content = CONTENT) -> SendRequest:
        payload = self.channels[name].render(content, form)
        # as a store gives it back: sorted
        payload = replace(payload, body=json.loads(json.dumps(payload.body, sort_keys=True)))
        return SendRequest(
            notification_id=RECORD, generation=1, attempt_no=1, attempt_count=1, recipient_id="42", kind=content.kind,
            subject_type="task", subject_id="7", correlation_id="preview-1", causation_id=None, trace_id="trace-1",
            target_url=URL, title=content.title, message_text=payload.text, fallback_used=False, form=form,
            payload=payload, provider_key=key, address=self.address(name),
        )  # fmt: skip

    async def send(
        self, name: str, form: Form = Form.TEXT, key: str = "nk1a", *, seconds: float = 15, content: Content = CONTENT
    ) -> SendResult:
        request = self.request(name, form, key, content)
        return await self.channels[name].send(request, self.clock.boottime() + seconds)


@pytest.fixture
def world() -> Iterator[World]:
    clock = ManualClock(datetime(2026, 11, 20, 12, tzinfo=UTC))
    with FakeFeishu(clock) as feishu:
        group = feishu.add_bot(CANARY + "-bot", secret=CANARY + "-sign", keywords=["[Steward]"])
        started = feishu.add_flow(CANARY + "-flow", bearer=CANARY + "-bearer")
        yield World(clock, feishu, group, started, feishu.add_app("cli_0123456789", CANARY + "-app"))


def outcome_of(result: SendResult) -> tuple[Outcome, ErrorClass | None, str | None, bool]:
    return result.outcome, result.error_class, result.code, result.maybe_done


def time_for(fault: Fault) -> float:
    """A hung call takes all of its time; the others need none of it."""
    return HUNG_SECONDS if fault.kind is FaultKind.HANG else 15


NAMES = ("feishu_bot", "feishu_flow", "feishu_app")
EVERY = pytest.mark.parametrize("name", NAMES)


@pytest.mark.parametrize(
    ("name", "form", "assurance"),
    [
        ("feishu_bot", Form.CARD, Assurance.POSTED),
        ("feishu_bot", Form.TEXT, Assurance.POSTED),
        ("feishu_bot", Form.NEUTRAL, Assurance.POSTED),
        ("feishu_flow", Form.TEXT, Assurance.ACCEPTED),
        ("feishu_flow", Form.NEUTRAL, Assurance.ACCEPTED),
        ("feishu_app", Form.CARD, Assurance.POSTED),
        ("feishu_app", Form.TEXT, Assurance.POSTED),
        ("feishu_app", Form.NEUTRAL, Assurance.POSTED),
    ],
)
async def test_every_form_reaches_a_person_with_its_link(
    world: World, name: str, form: Form, assurance: Assurance
) -> None:
    """NT-29, NT-36, NT-38: signed, with the keyword, and once."""
    result = await world.send(name, form)
    assert (result.outcome, result.assurance, result.http_status) == (Outcome.SUCCESS, assurance, 200)
    (post,) = world.feishu.posts
    assert ("please look" in post.text) is (form is Form.NEUTRAL)
    assert URL in post.text
    assert post.text.count(URL) == (2 if name == "feishu_flow" else 1)  # there a field of its own says it, too
    assert (result.provider_message_id is not None) is (name == "feishu_app")


async def test_http_200_with_code_is_refusal(world: World) -> None:
    """NT-17: each of the bot's refusals comes with 200, and a twin that says success."""
    for code in (11232, 19024, 9499):
        world.feishu.meet("bot", bot_answer(code, twins=0))
        result = await world.send("feishu_bot")
        assert (result.outcome is Outcome.SUCCESS, result.http_status, result.provider_code) == (False, 200, str(code))
        assert not result.maybe_done
    assert world.feishu.posts == ()


async def test_lost_reply_with_uuid_posts_once(world: World) -> None:
    """NT-21: the same key over retries of one content; whatever became of the answers, a person got one message."""
    for fault in (Fault(FaultKind.LOSE), Fault(FaultKind.HANG), Fault(FaultKind.TRUNCATE), Fault(FaultKind.EMPTY)):
        world.feishu.meet("app", fault)
        result = await world.send("feishu_app", seconds=time_for(fault))
        assert (result.outcome, result.maybe_done) == (Outcome.UNKNOWN, True)
        world.clock.advance(timedelta(minutes=10))
    result = await world.send("feishu_app")
    assert (result.outcome, result.provider_message_id) == (Outcome.SUCCESS, "om_00000001")
    assert (len(world.feishu.posts), world.feishu.hidden) == (1, 4)
    assert {call.uuid for call in world.feishu.calls} == {"nk1a"}


async def test_a_repeat_that_is_answered_by_an_error_is_no_second_message(world: World) -> None:
    """NT-21: what a repeat answers is not promised: `being sent` says maybe_done, and the key stays."""
    world.feishu.meet("app", Fault(FaultKind.LOSE))
    world.app.repeat_code = 230049
    await world.send("feishu_app")
    assert outcome_of(await world.send("feishu_app")) == (Outcome.TEMPORARY_FAIL, UNAVAILABLE, Code.PROVIDER_5XX, True)
    assert len(world.feishu.posts) == 1


async def test_card_refused_says_payload_and_the_text_form_passes(world: World) -> None:
    """NT-29, NT-17 (card_refused): by either API, class payload, nothing posted."""
    for name, endpoint, answer in (
        ("feishu_bot", "bot", bot_answer(200621)),
        ("feishu_app", "app", card_refused(200861)),
    ):
        world.feishu.meet(cast("Any", endpoint), answer)
        refused = await world.send(name, Form.CARD)
        assert outcome_of(refused) == (
            Outcome.PERMANENT_FAIL, ErrorClass.PAYLOAD, Code.PAYLOAD_INVALID, False,
        )  # fmt: skip
        assert (await world.send(name, Form.TEXT)).outcome is Outcome.SUCCESS
    assert [post.msg_type for post in world.feishu.posts] == ["text", "text"]


async def test_audit_refusal_says_content_and_the_neutral_form_passes(world: World) -> None:
    """NT-29, NT-17 (audit_refusal): a telephone number in what somebody wrote."""
    for code in (230022, 230028):
        world.feishu.meet("app", app_answer(code))
        refused = await world.send("feishu_app", Form.TEXT)
        assert outcome_of(refused) == (
            Outcome.PERMANENT_FAIL, ErrorClass.CONTENT, Code.CONTENT_REFUSED, False,
        )  # fmt: skip
    assert (await world.send("feishu_app", Form.NEUTRAL)).outcome is Outcome.SUCCESS
    assert ["please look" in post.text for post in world.feishu.posts] == [True]


@EVERY
@pytest.mark.parametrize(
    ("fault", "ours", "seen"),
    [
        (Fault(FaultKind.DROP), (Outcome.UNKNOWN, AMBIGUOUS, Code.CONNECTION_LOST, True), 0),
        (Fault(FaultKind.LOSE), (Outcome.UNKNOWN, AMBIGUOUS, Code.CONNECTION_LOST, True), 1),
        (Fault(FaultKind.HANG), (Outcome.UNKNOWN, AMBIGUOUS, Code.PROVIDER_TIMEOUT, True), 1),
        (Fault(FaultKind.TRUNCATE), (Outcome.UNKNOWN, AMBIGUOUS, Code.ANSWER_UNREADABLE, True), 1),
        (Fault(FaultKind.HTML), (Outcome.UNKNOWN, AMBIGUOUS, Code.ANSWER_UNREADABLE, True), 1),
        (Fault(FaultKind.EMPTY), (Outcome.UNKNOWN, AMBIGUOUS, Code.ANSWER_UNREADABLE, True), 1),
    ],
    ids=str,
)
async def test_nobody_knows(
    world: World, name: str, fault: Fault, ours: tuple[Outcome, ErrorClass, Code, bool], seen: int
) -> None:
    """NT-17, NT-51: after the request was written; a flow's silence alone is a success."""
    world.feishu.meet(cast("Any", name.removeprefix("feishu_")), fault)
    result = await world.send(name, seconds=time_for(fault))
    if name == "feishu_flow" and fault.kind in {FaultKind.HTML, FaultKind.EMPTY}:
        assert result.outcome is Outcome.SUCCESS
    else:
        assert outcome_of(result) == ours
    assert world.feishu.seen("[Steward] look") == seen


@EVERY
async def test_nothing_was_done(world: World, name: str) -> None:
    """NT-17: refused connections, and no time left."""
    late = await world.send(name, seconds=0)
    assert outcome_of(late) == (Outcome.TEMPORARY_FAIL, UNAVAILABLE, Code.PROVIDER_TIMEOUT, False)
    world.feishu.refuse()
    refused = await world.send(name)
    assert outcome_of(refused) == (Outcome.TEMPORARY_FAIL, UNAVAILABLE, Code.NETWORK_ERROR, False)
    world.feishu.accept()
    assert (await world.send(name)).outcome is Outcome.SUCCESS
    assert len(world.feishu.posts) == 1


@pytest.mark.parametrize("name", ["feishu_bot", "feishu_flow"])
async def test_a_url_that_is_no_longer_fine_is_not_called(world: World, name: str) -> None:
    """NT-43: looked at on every send."""
    request = world.request(name)
    foreign = AddressSettings({}, {"webhook_url": Secret("https://evil.example/hook")})
    request = replace(request, address=replace(request.address, settings=foreign))
    result = await world.channels[name].send(request, world.clock.boottime() + 15)
    assert outcome_of(result) == (Outcome.TEMPORARY_FAIL, CONFIGURATION, Code.INVALID_URL, False)
    assert world.feishu.calls == ()


async def test_clock_skew_reported(world: World) -> None:
    """NT-17: 19021 says how far the clocks are apart; the signature is made anew for every attempt."""
    world.feishu.skew = timedelta(hours=-2)
    result = await world.send("feishu_bot")
    assert outcome_of(result) == (Outcome.TEMPORARY_FAIL, CONFIGURATION, Code.SIGN_MISMATCH, False)
    assert (result.message or "").endswith("this machine's clock is 7200 s ahead of Feishu's")
    world.feishu.skew = timedelta(0)
    world.clock.advance(timedelta(hours=3))
    assert (await world.send("feishu_bot")).outcome is Outcome.SUCCESS


async def test_bots_safety_settings_are_told_apart(world: World) -> None:
    """NT-17, NT-36: each names who must act."""
    world.bot.keywords = ["[Other]"]
    assert (await world.send("feishu_bot")).code == Code.KEYWORD_MISSING
    world.bot.addresses = ["123.12.1.*"]
    assert (await world.send("feishu_bot")).code == Code.IP_NOT_ALLOWED
    world.bot.addresses, world.bot.keywords = (), ()
    world.bot.secret = "another"
    wrong = replace(world.request("feishu_bot"), address=Address("42", "feishu_bot", AddressSettings(
        {}, {"webhook_url": Secret(world.bot.url), "sign_secret": Secret("not-this")})))  # fmt: skip
    result = await world.channels["feishu_bot"].send(wrong, world.clock.boottime() + 15)
    assert (result.code, (result.message or "").endswith("the clocks agree: check the secret")) == (
        Code.SIGN_MISMATCH,
        True,
    )
    world.bot.removed = True
    assert outcome_of(await world.send("feishu_bot"))[:3] == (
        Outcome.PERMANENT_FAIL, ErrorClass.GONE, Code.DESTINATION_GONE,
    )  # fmt: skip


async def test_flow_body_and_answers(world: World) -> None:
    """NT-50, NT-51: the original's fields in its order, over the wire; each answer's meaning."""
    assert (await world.send("feishu_flow")).assurance is Assurance.ACCEPTED
    sent = json.loads(world.feishu.calls[0].body)
    assert list(sent) == [
        "event", "version", "notification_id", "user_id", "preview_id", "trigger_id", "trigger_type", "target_type",
        "target_id", "message", "trace_id", "sent_at",
    ]  # fmt: skip
    assert list(sent["message"]) == ["title", "summary", "action_text", "action_url"]
    assert (sent["notification_id"], sent["user_id"], sent["target_id"]) == (str(RECORD), 42, 7)
    assert sent["message"]["summary"] == f"[Steward] look\n{URL}"
    assert sent["sent_at"] == "2026-11-20T12:00:00.000000Z"
    for answer, ours in (
        (json_answer({"code": 11232, "msg": "x"}), (LIMITED, Code.PROVIDER_RATE_LIMITED, False)),
        (json_answer({"code": 5}), (None, Code.UNRECOGNISED_ANSWER, False)),
        (json_answer({"code": 5}, 400), (ErrorClass.PAYLOAD, Code.PAYLOAD_INVALID, False)),
        (json_answer({}, 401), (CONFIGURATION, Code.PROVIDER_AUTH_FAILED, False)),
        (json_answer({}, 302, {"Location": "http://127.0.0.1/"}), (CONFIGURATION, Code.INVALID_URL, False)),
        (json_answer({}, 410), (ErrorClass.GONE, Code.DESTINATION_GONE, False)),
        (json_answer({}, 429, {"Retry-After": "7"}), (LIMITED, Code.PROVIDER_RATE_LIMITED, False)),
        (json_answer({}, 503), (UNAVAILABLE, Code.PROVIDER_5XX, False)),
        (json_answer({}, 500), (UNAVAILABLE, Code.PROVIDER_5XX, True)),
    ):
        world.feishu.meet("flow", answer)
        result = await world.send("feishu_flow")
        assert (result.error_class, result.code, result.maybe_done) == ours
        assert result.retry_after == (timedelta(seconds=7) if answer.status == 429 else None)
    world.flow.bearer = "another"
    assert (await world.channels["feishu_flow"].send(
        replace(world.request("feishu_flow"), address=Address("42", "feishu_flow", AddressSettings(
            {}, {"webhook_url": Secret(world.flow.url)}))), world.clock.boottime() + 15)
    ).code == Code.PROVIDER_AUTH_FAILED  # fmt: skip


@pytest.mark.parametrize("path", [None, OAUTH_PATH])
async def test_token_refresh_single_flight(world: World, path: str | None) -> None:
    """NT-17, source: reference/feishu.md section 4. Twenty at once, one request for a token; one more below half an hour."""
    channel = world.app_channel(token_url=world.feishu.base_url + path if path else None)
    world.app.limits = world.app.receiver_limits = ()

    async def all_sent(keys: range) -> set[Outcome]:
        requests = [world.request("feishu_app", key=f"nk{number}") for number in keys]
        results = await asyncio.gather(*(channel.send(one, world.clock.boottime() + 15) for one in requests))
        return {result.outcome for result in results}

    assert await all_sent(range(20)) == {Outcome.SUCCESS}
    assert world.app.tokens.calls == 1
    world.clock.advance(timedelta(minutes=89))
    assert await all_sent(range(20, 25)) == {Outcome.SUCCESS}
    assert world.app.tokens.calls == 1
    world.clock.advance(timedelta(minutes=2))
    assert await all_sent(range(25, 30)) == {Outcome.SUCCESS}
    assert world.app.tokens.calls == 2
    assert len(world.feishu.posts) == 30


async def test_an_invalid_token_is_renewed_once_and_then_it_is_configuration(world: World) -> None:
    """NT-17: nothing was done by the call that was refused, so it is repeated at once, and once."""
    assert (await world.send("feishu_app")).outcome is Outcome.SUCCESS
    world.app.tokens.revoke()
    assert (await world.send("feishu_app", key="nk2")).outcome is Outcome.SUCCESS
    assert (len(world.feishu.posts), world.app.tokens.calls) == (2, 2)
    for code in (99991661, 99991663, 99991668, 99991671, 99991677):
        calls = len(world.feishu.calls)
        world.feishu.meet("app", app_answer(code), app_answer(code))
        result = await world.send("feishu_app", key="nk3")
        assert outcome_of(result) == (Outcome.TEMPORARY_FAIL, CONFIGURATION, Code.PROVIDER_AUTH_FAILED, False)
        assert len(world.feishu.calls) == calls + 2
    assert len(world.feishu.posts) == 2


async def test_no_token_is_never_ambiguous(world: World) -> None:
    """NT-17: a request for a token tells nobody anything."""
    for fault in (FaultKind.DROP, FaultKind.LOSE, FaultKind.TRUNCATE, FaultKind.EMPTY, FaultKind.HTML):
        world.feishu.meet("token", Fault(fault))
        result = await world.send("feishu_app")
        assert (result.outcome, result.error_class, result.maybe_done) == (Outcome.TEMPORARY_FAIL, UNAVAILABLE, False)
    world.feishu.meet(
        "token", json_answer({}, 502), json_answer({"code": 99991400}, 429, {"x-ogw-ratelimit-reset": "3"})
    )
    assert outcome_of(await world.send("feishu_app"))[1:] == (UNAVAILABLE, Code.PROVIDER_5XX, False)
    limited = await world.send("feishu_app")
    assert (limited.error_class, limited.retry_after) == (LIMITED, timedelta(seconds=3))
    world.feishu.meet("token", Fault(FaultKind.HANG))
    assert outcome_of(await world.send("feishu_app", seconds=HUNG_SECONDS))[1:] == (
        UNAVAILABLE,
        Code.PROVIDER_TIMEOUT,
        False,
    )
    for token_url in (None, world.feishu.token_url):
        channel = world.app_channel("wrong", token_url)
        result = await channel.send(world.request("feishu_app"), world.clock.boottime() + 15)
        assert outcome_of(result)[1:] == (CONFIGURATION, Code.PROVIDER_AUTH_FAILED, False)
    assert world.feishu.calls == ()


async def test_an_old_token_is_used_while_it_is_good_and_its_renewal_fails(world: World) -> None:
    assert (await world.send("feishu_app", key="nk1")).outcome is Outcome.SUCCESS
    world.clock.advance(timedelta(minutes=100))
    world.feishu.meet("token", *[Fault(FaultKind.DROP)] * 3)
    for key in ("nk2", "nk3"):
        assert (await world.send("feishu_app", key=key)).outcome is Outcome.SUCCESS
    assert world.app.tokens.calls == 1
    world.clock.advance(timedelta(minutes=21))
    assert (await world.send("feishu_app", key="nk4")).code == Code.NETWORK_ERROR


async def test_a_caller_that_gives_up_leaves_the_token_to_the_others(world: World) -> None:
    """The one that fetched was cancelled: another one fetches, and nobody waits for ever."""
    world.feishu.meet("token", Fault(FaultKind.HANG))
    channel = world.app_channel()
    deadline = world.clock.boottime() + 15
    first = asyncio.ensure_future(channel.send(world.request("feishu_app", key="nk1"), deadline))
    second = asyncio.ensure_future(channel.send(world.request("feishu_app", key="nk2"), deadline))
    while world.app.tokens.calls == 0:
        await world.clock.sleep(0.01)
    first.cancel()
    given_up, result = await asyncio.gather(first, second, return_exceptions=True)
    assert isinstance(given_up, asyncio.CancelledError)
    assert isinstance(result, SendResult)
    assert (result.outcome, world.app.tokens.calls) == (Outcome.SUCCESS, 2)


async def test_limits_say_how_long_to_wait(world: World) -> None:
    """NT-17, NT-18."""
    world.app.limits = ((1, timedelta(minutes=1)),)
    assert (await world.send("feishu_app", key="nk1")).outcome is Outcome.SUCCESS
    limited = await world.send("feishu_app", key="nk2")
    assert outcome_of(limited) == (Outcome.TEMPORARY_FAIL, LIMITED, Code.PROVIDER_RATE_LIMITED, False)
    assert limited.retry_after == timedelta(seconds=60)
    world.app.limits, world.app.receiver_limits = (), ((0, timedelta(minutes=1)),)
    world.app.refused["ou_1"] = 230020
    assert (await world.send("feishu_app", key="nk3")).error_class is LIMITED


async def test_a_receiver_that_cannot_be_told(world: World) -> None:
    """NT-17."""
    world.app.refused["ou_1"] = 230053
    result = await world.send("feishu_app")
    assert outcome_of(result) == (Outcome.PERMANENT_FAIL, ErrorClass.RECIPIENT, Code.RECIPIENT_REFUSED, False)
    assert result.provider_code == "230053"


@EVERY
async def test_planted_secrets_leak_nowhere_in_a_result(world: World, name: str) -> None:
    """NT-44, NT-45: also where the provider sends them back."""
    endpoint: Any = name.removeprefix("feishu_")
    echo = json_answer(
        {"code": 1, "msg": f"{CANARY}-sign {CANARY}-bearer {CANARY}-app {world.bot.url} {world.flow.url}"}
    )
    world.feishu.meet(endpoint, None, echo, Fault(FaultKind.LOSE))
    for _ in range(3):
        result = await world.send(name)
        assert result.request_json is not None
        own = {"feishu_bot": ["-bot", "-sign"], "feishu_flow": ["-flow", "-bearer"], "feishu_app": ["-app"]}[name]
        said = repr(result) + json.dumps([dict(result.request_json), dict(result.response_json or {})])
        assert not [secret for secret in own if CANARY + secret in said]
        assert "t-1" not in said
    assert "X-Tt-Logid".lower() in repr((await world.send("feishu_app", key="nk9")).response_json)


@EVERY
async def test_planted_secrets_leak_into_no_log_of_the_http_library(
    world: World, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """NT-45: not even where somebody has everything logged."""
    caplog.set_level("DEBUG", "httpcore2")
    assert (await world.send(name)).outcome is Outcome.SUCCESS
    assert "httpcore2" in {record.name.partition(".")[0] for record in caplog.records}
    assert CANARY not in caplog.text


@EVERY
async def test_no_provider_can_be_asked_what_became_of_a_call(world: World, name: str) -> None:
    """NT-22: so an ambiguous record is settled by its window and by people."""
    assert await world.channels[name].lookup("nk1a", world.address(name)) is None
