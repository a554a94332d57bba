"""Feishu's bot, flow and app, over real HTTP to the fake: spec §8."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from outrider.channels.feishu import AppConfig, FeishuAppChannel, FeishuBotChannel, FeishuFlowChannel, app, bot, flow
from outrider.channels.http.client import GuardedClient
from outrider.core.notification.address import Address, AddressSettings
from outrider.core.notification.codes import CLASSES, Code, Outcome
from outrider.core.notification.traits import ChannelTraits
from outrider.core.secret import Secret
from outrider.runtime.system_clock import SystemClock
from outrider.testing.conformance.channel import ChannelConformance
from outrider.testing.conformance.channel_harness import ChannelCase, ChannelHarness
from outrider.testing.feishu import FakeFeishu, Fault, FaultKind
from outrider.testing.feishu.answers import app_answer, bot_answer, card_refused
from outrider.testing.feishu.script import Endpoint, Entry
from outrider.testing.feishu.wire import json_answer

TOKEN, SECRET = "c4n4ryPathToken", "c4n4ry-sign-secret"
TEMPORARY, PERMANENT, UNKNOWN = Outcome.TEMPORARY_FAIL, Outcome.PERMANENT_FAIL, Outcome.UNKNOWN
CLOCK = SystemClock()

Case = tuple[Entry, Outcome, Code | None, bool]
LOST: tuple[Case, ...] = (
    (None, Outcome.SUCCESS, None, False),
    (Fault(FaultKind.LOSE), UNKNOWN, Code.CONNECTION_LOST, True),
    (Fault(FaultKind.DROP), UNKNOWN, Code.CONNECTION_LOST, True),
    (Fault(FaultKind.TRUNCATE), UNKNOWN, Code.ANSWER_UNREADABLE, True),
    (json_answer({}, 429), TEMPORARY, Code.PROVIDER_RATE_LIMITED, False),
    (json_answer({}, 503), TEMPORARY, Code.PROVIDER_5XX, False),
    (json_answer({}, 500), TEMPORARY, Code.PROVIDER_5XX, True),
    (json_answer({"code": 424242, "msg": f"{TOKEN} {SECRET}" + "x" * 70_000}), UNKNOWN, Code.ANSWER_UNREADABLE, True),
    (json_answer({"code": 424242, "msg": f"{TOKEN} {SECRET} \x00\u202e"}), TEMPORARY, Code.UNRECOGNISED_ANSWER, False),
)
UNREADABLE: tuple[Case, ...] = (
    (Fault(FaultKind.EMPTY), UNKNOWN, Code.ANSWER_UNREADABLE, True),
    (Fault(FaultKind.HTML), UNKNOWN, Code.ANSWER_UNREADABLE, True),
)


@pytest.fixture
def feishu() -> Iterator[FakeFeishu]:
    with FakeFeishu() as feishu:
        yield feishu


def cases(feishu: FakeFeishu, endpoint: Endpoint, *table: Case) -> list[ChannelCase]:
    def arranging(entry: Entry) -> Callable[[], Awaitable[None]]:
        async def arrange() -> None:
            feishu.meet(endpoint, entry)

        return arrange

    return [
        ChannelCase(str(entry)[:80], outcome, code, CLASSES.get(code) if code else None, maybe_done, arranging(entry))
        for entry, outcome, code, maybe_done in table
    ]


def patient(traits: ChannelTraits) -> ChannelTraits:
    """With time for a machine that is busy."""
    return replace(traits, timeout=timedelta(seconds=15))


def webhook(url: str, auth_type: str = "none", **secrets: str) -> AddressSettings:
    values = {"webhook_url": Secret(url)} | {name: Secret(text) for name, text in secrets.items()}
    return AddressSettings({"auth_type": auth_type}, values)


class TestBot(ChannelConformance):
    @pytest.fixture
    def harness(self, feishu: FakeFeishu) -> ChannelHarness:
        group = feishu.add_bot(TOKEN, secret=SECRET, keywords=["[Steward]"], limits=())
        return ChannelHarness(
            FeishuBotChannel(GuardedClient(allow=[feishu.address]), CLOCK, patient(bot.TRAITS)),
            Address("user-1", "feishu_bot", webhook(group.url, "sign", sign_secret=SECRET)),
            CLOCK,
            cases=cases(
                feishu, "bot", *LOST, *UNREADABLE,
                (bot_answer(11232), TEMPORARY, Code.PROVIDER_RATE_LIMITED, False),
                (bot_answer(200621, twins=0), PERMANENT, Code.PAYLOAD_INVALID, False),
                (bot_answer(19007), PERMANENT, Code.DESTINATION_GONE, False),
                (bot_answer(19021), TEMPORARY, Code.SIGN_MISMATCH, False),
            ),
            unusable=[
                (AddressSettings(), "validation_failed"),
                (webhook("  "), "validation_failed"),
                (webhook(f"https://evil.example/open-apis/bot/v2/hook/{TOKEN}"), "unsafe_url"),
                (webhook(f"http://open.feishu.cn/open-apis/bot/v2/hook/{TOKEN}"), "unsafe_url"),
                (webhook(group.url, "sign"), "validation_failed"),
                (webhook(group.url, "bearer", bearer_token=SECRET), "validation_failed"),
            ],
            secrets=[TOKEN, SECRET],
            seen=lambda: len(feishu.calls),
        )  # fmt: skip


class TestFlow(ChannelConformance):
    @pytest.fixture
    def harness(self, feishu: FakeFeishu) -> ChannelHarness:
        started = feishu.add_flow(TOKEN, bearer=SECRET)
        return ChannelHarness(
            FeishuFlowChannel(GuardedClient(allow=[feishu.address]), CLOCK, traits=patient(flow.TRAITS)),
            Address("user-1", "feishu_flow", webhook(started.url, "bearer", bearer_token=SECRET)),
            CLOCK,
            cases=cases(
                feishu, "flow", *LOST,
                (Fault(FaultKind.HTML), Outcome.SUCCESS, None, False),
                (json_answer({}, 401), TEMPORARY, Code.PROVIDER_AUTH_FAILED, False),
                (json_answer({}, 410), PERMANENT, Code.DESTINATION_GONE, False),
                (json_answer({}, 422), PERMANENT, Code.PAYLOAD_INVALID, False),
            ),
            unusable=[
                (AddressSettings(), "validation_failed"),
                (webhook(f"https://open.feishu.cn/flow/api/trigger-webhook/{TOKEN}"), "unsafe_url"),
                (webhook(started.url, "bearer"), "validation_failed"),
                (webhook(started.url, "sign", sign_secret=SECRET), "validation_failed"),
            ],
            secrets=[TOKEN, SECRET],
            seen=lambda: len(feishu.calls),
        )  # fmt: skip


class TestApp(ChannelConformance):
    @pytest.fixture
    def harness(self, feishu: FakeFeishu) -> ChannelHarness:
        installed = feishu.add_app("cli_1", SECRET)
        installed.limits = installed.receiver_limits = ()
        settings = AddressSettings({"receive_id_type": "open_id", "receive_id": "ou_1"})
        return ChannelHarness(
            FeishuAppChannel(
                GuardedClient(allow=[feishu.address]),
                CLOCK,
                AppConfig("cli_1", Secret(SECRET), feishu.base_url),
                patient(app.TRAITS),
            ),
            Address("user-1", "feishu_app", settings),
            CLOCK,
            cases=cases(
                feishu, "app", *LOST, *UNREADABLE,
                (app_answer(230028), PERMANENT, Code.CONTENT_REFUSED, False),
                (card_refused(200861), PERMANENT, Code.PAYLOAD_INVALID, False),
                (app_answer(230053), PERMANENT, Code.RECIPIENT_REFUSED, False),
                (app_answer(230049), TEMPORARY, Code.PROVIDER_5XX, True),
            ),
            unusable=[
                (AddressSettings(), "validation_failed"),
                (AddressSettings({"receive_id_type": "phone", "receive_id": "1"}), "validation_failed"),
            ],
            secrets=[SECRET],
            seen=lambda: len(feishu.calls),
        )  # fmt: skip
