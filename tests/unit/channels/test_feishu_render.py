"""What Feishu's channels make of a content, and which settings they take: pure."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from outrider.channels.feishu import AppConfig, FeishuAppChannel, FeishuBotChannel, FeishuFlowChannel, FlowConfig
from outrider.channels.feishu.flow import flow_body
from outrider.channels.http.client import GuardedClient
from outrider.core.errors import ConfigurationError, PayloadTooLarge
from outrider.core.notification.address import Address, AddressSettings
from outrider.core.notification.content import Content, Priority
from outrider.core.notification.sending import SendRequest
from outrider.core.notification.traits import ChannelTraits, Form, SendPolicy
from outrider.core.secret import Secret
from outrider.testing.clock import ManualClock

RECORD = UUID("01980000-0000-7000-8000-000000000001")
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
CLIENT = GuardedClient(allow=["127.0.0.1:8080"])
CLOCK = ManualClock(NOON)
BOT = FeishuBotChannel(CLIENT, CLOCK)
FLOW = FeishuFlowChannel(CLIENT, CLOCK)
APP = FeishuAppChannel(CLIENT, CLOCK, AppConfig("cli_0123456789", Secret("app-secret")))
EVERY = pytest.mark.parametrize("channel", [BOT, FLOW, APP], ids=lambda channel: channel.name)
URL = "https://app.example/s/1"
BOT_URL = "https://open.feishu.cn/open-apis/bot/v2/hook/0123456789abcdef"
FLOW_URL = "https://www.feishu.cn/flow/api/trigger-webhook/0123456789abcdef"

Channels = FeishuBotChannel | FeishuFlowChannel | FeishuAppChannel


def content(**changes: Any) -> Content:  # noqa: ANN401 - fields of many types
    fields: dict[str, Any] = {
        "notification_id": RECORD,
        "recipient_id": "42",
        "kind": "important_urgent_task",
        "locale": "zh-CN",
        "requested_at": NOON,
        "title": "[Steward] urgent",
        "text": "[Steward] look",
        "neutral": "[Steward] please look",
        "action_text": "Open",
        "action_url": URL,
    }
    return Content(**(fields | changes))


def settings(values: Mapping[str, str] | None = None, **secrets: str) -> AddressSettings:
    return AddressSettings(values or {}, {name: Secret(text) for name, text in secrets.items()})


@EVERY
@pytest.mark.parametrize("form", list(Form))
def test_at_tag_pings_nobody(channel: Channels, form: Form) -> None:
    """NT-41: full-width brackets in a text, plain_text alone in a card; the link is added after that."""
    if form not in channel.traits.forms:
        return
    live = '<at user_id="all">all</at> <at id=all></at>'
    payload = channel.render(content(text=live, title=live, neutral="look"), form)
    written = json.dumps(payload.body, ensure_ascii=False)
    assert URL in written
    if form is Form.CARD:
        card = payload.body.get("card") or payload.body["content"]
        elements = [card["header"]["title"], card["body"]["elements"][0]["text"], card["body"]["elements"][1]["text"]]
        assert [element["tag"] for element in elements] == ["plain_text"] * 3
        assert "lark_md" not in written
        assert "markdown" not in written
    else:
        assert "<at" not in written
        assert ("\uff1cat" in written) is (form is Form.TEXT)


@EVERY
def test_target_url_once(channel: Channels) -> None:
    """NT-38: added where it is not there already."""
    assert channel.render(content(), Form.TEXT).text == f"[Steward] look\n{URL}"
    assert channel.render(content(text=f"see {URL}"), Form.TEXT).text == f"see {URL}"
    assert channel.render(content(action_url=None), Form.TEXT).text == "[Steward] look"


@EVERY
def test_the_neutral_form_holds_nothing_that_anybody_wrote(channel: Channels) -> None:
    """NT-29."""
    payload = channel.render(content(title="secret title", text="secret words", data={"a": "secret"}), Form.NEUTRAL)
    assert payload.text == f"[Steward] please look\n{URL}"
    assert "secret" not in json.dumps(payload.body)


def test_a_card_has_a_title_words_and_one_button_that_opens_the_page() -> None:
    """NT-29: schema 2.0, with nothing of it that schema 1 had."""
    payload = BOT.render(content(priority=Priority.URGENT, action_text="x" * 200), Form.CARD)
    assert payload.text == f"[Steward] look\n{URL}"
    assert payload.body == {
        "msg_type": "interactive",
        "card": {
            "schema": "2.0",
            "config": {"update_multi": True},
            "header": {"title": {"tag": "plain_text", "content": "[Steward] urgent"}, "template": "orange"},
            "body": {
                "direction": "vertical",
                "elements": [
                    {"tag": "div", "text": {"tag": "plain_text", "content": "[Steward] look"}},
                    {
                        "tag": "button",
                        "type": "primary",
                        "text": {"tag": "plain_text", "content": "x" * 100},
                        "behaviors": [{"type": "open_url", "default_url": URL}],
                    },
                ],
            },
        },
    }
    linkless = BOT.render(content(action_url=None), Form.CARD).body["card"]["body"]["elements"]
    assert [element["tag"] for element in linkless] == ["div"]


@EVERY
def test_what_is_over_the_limit_is_refused_before_it_is_sent(channel: Channels) -> None:
    """NT-29: the limit holds with what is added at send time."""
    most = channel.traits.max_bytes
    assert most is not None
    assert most <= 30_000
    with pytest.raises(PayloadTooLarge):
        channel.render(content(text="字" * (most // 3)), Form.TEXT)
    assert channel.render(content(text="字" * (most // 5)), Form.TEXT).text.startswith("字")


@EVERY
def test_equal_contents_give_equal_payloads(channel: Channels) -> None:
    """NT-8, NT-21: nothing of the time or a signature is in them."""
    assert channel.render(content(), Form.TEXT) == channel.render(content(), Form.TEXT)


def test_what_the_notifier_is_told_of_them() -> None:
    """NT-19, NT-22, NT-23: policies, windows and rates of the specification."""

    def said(traits: ChannelTraits) -> tuple[object, ...]:
        rates = [(rate.count, rate.per.total_seconds()) for rate in traits.rates]
        window = traits.dedupe_window.total_seconds() if traits.dedupe_window else None
        return traits.policy, traits.keyed, window, traits.ambiguous_max, traits.timeout.total_seconds(), rates

    once_more = SendPolicy.AT_LEAST_ONCE
    assert said(BOT.traits) == said(FLOW.traits) == (once_more, False, None, 2, 5, [(4, 1), (90, 60)])
    assert said(APP.traits) == (once_more, True, 3600, None, 5, [(40, 1), (900, 60)])
    assert BOT.traits.forms == APP.traits.forms == (Form.CARD, Form.TEXT, Form.NEUTRAL)
    assert FLOW.traits.forms == (Form.TEXT, Form.NEUTRAL)


@pytest.mark.parametrize(
    ("url", "code"),
    [
        (BOT_URL, None),
        (BOT_URL.replace("feishu.cn", "larksuite.com"), None),
        ("http://127.0.0.1:8080/anything", None),
        ("", "validation_failed"),
        ("  ", "validation_failed"),
        (BOT_URL.replace("https", "http"), "unsafe_url"),
        (BOT_URL.replace("open.feishu.cn", "open.feishu.cn.evil.example"), "unsafe_url"),
        (BOT_URL.replace("open.", "www."), "unsafe_url"),
        (BOT_URL.replace("open.feishu.cn", "open.feishu.cn@evil.example"), "unsafe_url"),
        (BOT_URL + "?redirect=1", "unsafe_url"),
        (BOT_URL + "/more", "unsafe_url"),
        ("https://open.feishu.cn/", "unsafe_url"),
        (FLOW_URL, "unsafe_url"),
    ],
)
def test_a_bots_url_is_pinned(url: str, code: str | None) -> None:
    """NT-43: host and path; a fake server that the deployer named is not."""
    problems = BOT.problems(settings(webhook_url=url))
    assert [(problem.field, problem.code) for problem in problems] == ([("webhook_url", code)] if code else [])
    assert all("evil" not in problem.message for problem in problems)


def test_a_flows_url_is_pinned_to_feishu_or_by_setting_to_lark() -> None:
    """NT-50."""
    lark = FeishuFlowChannel(CLIENT, CLOCK, FlowConfig(lark=True))
    lark_url = FLOW_URL.replace("feishu.cn", "larksuite.com")
    cases = ((FLOW, FLOW_URL, True), (FLOW, FLOW_URL.replace("www.", ""), True), (FLOW, lark_url, False))
    for channel, url, fine in (*cases, (lark, lark_url, True), (lark, FLOW_URL, False), (FLOW, BOT_URL, False)):
        assert (not channel.problems(settings(webhook_url=url))) is fine


@pytest.mark.parametrize(
    ("channel", "values", "secrets", "field"),
    [
        (BOT, {"auth_type": "sign"}, {"sign_secret": "word"}, None),
        (BOT, {}, {"sign_secret": "word"}, None),
        (BOT, {"auth_type": "sign"}, {}, "sign_secret"),
        (BOT, {"auth_type": "bearer"}, {"bearer_token": "x"}, "auth_type"),
        (BOT, {"auth_type": "hmm"}, {}, "auth_type"),
        (BOT, {"auth_type": "sign"}, {"sign_secret": "two words"}, "sign_secret"),
        (FLOW, {"auth_type": "bearer"}, {"bearer_token": "word"}, None),
        (FLOW, {"auth_type": "bearer"}, {}, "bearer_token"),
        (FLOW, {"auth_type": "bearer"}, {"bearer_token": "a\r\nb"}, "bearer_token"),
        (FLOW, {"auth_type": "sign"}, {"sign_secret": "x"}, "auth_type"),
    ],
)
def test_how_a_call_proves_itself_is_checked(
    channel: Channels, values: dict[str, str], secrets: dict[str, str], field: str | None
) -> None:
    """Source: spec/notification.md §11."""
    url = BOT_URL if channel is BOT else FLOW_URL
    problems = channel.problems(settings(values, webhook_url=url, **secrets))
    assert [(problem.field, problem.code) for problem in problems] == ([(field, "validation_failed")] if field else [])


def test_an_apps_receiver_is_checked_and_its_hosts_are_pinned() -> None:
    """NT-43: no credential goes to another host."""
    assert APP.problems(settings({"receive_id_type": "open_id", "receive_id": "ou_1"})) == []
    wrong = [{}, {"receive_id_type": "phone", "receive_id": "x"}, {"receive_id_type": "email", "receive_id": "nobody"}]
    assert [len(APP.problems(settings(values))) for values in wrong] == [2, 1, 1]
    for base, token in (
        ("https://open.evil.example", None),
        ("http://open.feishu.cn", None),
        ("https://open.feishu.cn", "https://evil.example/oauth/v3/token"),
        ("https://accounts.feishu.cn", None),
    ):
        with pytest.raises(ConfigurationError, match=r"channels\.feishu_app\.(base|token)_url"):
            FeishuAppChannel(CLIENT, CLOCK, AppConfig("cli_1", Secret("x"), base, token))
    FeishuAppChannel(CLIENT, CLOCK, AppConfig("cli_1", Secret("x"), "http://127.0.0.1:8080"))
    oauth = AppConfig("cli_1", Secret("x"), token_url="https://accounts.feishu.cn/oauth/v3/token")
    FeishuAppChannel(CLIENT, CLOCK, oauth)


def test_destinations_are_the_webhook_or_the_app_and_its_receiver() -> None:
    """NT-23, NT-45: keys tell them apart, labels give nothing away."""
    here = Address("u1", "feishu_bot", settings(webhook_url=BOT_URL))
    there = Address("u2", "feishu_bot", settings(webhook_url=BOT_URL + "0"))
    (one,), (same,), (other,) = BOT.destinations(here), BOT.destinations(here), BOT.destinations(there)
    assert one == same
    assert one.key != other.key
    assert (one.label, one.shared) == ("https://open.feishu.cn/…/0123...cdef", False)
    receiver = Address("u1", "feishu_app", settings({"receive_id_type": "open_id", "receive_id": "ou_0123456789"}))
    app, person = APP.destinations(receiver)
    assert (app.shared, app.label, person.shared, person.label) == (
        True,
        "app cli_...6789",
        False,
        "open_id ou_0...6789",
    )
    assert [rate.count for rate in person.rates] == [4]


def requested(payload_of: Content, **changes: Any) -> SendRequest:  # noqa: ANN401 - fields of many types
    payload = FLOW.render(payload_of, Form.TEXT)
    fields: dict[str, Any] = {
        "notification_id": RECORD, "generation": 1, "attempt_no": 1, "attempt_count": 1, "recipient_id": "42",
        "kind": "important_urgent_task", "subject_type": "task", "subject_id": "7", "correlation_id": "preview-1",
        "causation_id": "trigger-1", "trace_id": "trace-1", "target_url": URL, "title": payload_of.title,
        "message_text": payload.text, "fallback_used": False, "form": Form.TEXT, "payload": payload,
        "provider_key": "nk1", "address": Address("42", "feishu_flow"),
    }  # fmt: skip
    return SendRequest(**(fields | changes))


def test_a_flows_body_has_the_originals_fields_in_its_order() -> None:
    """NT-50, also after a store has sorted the payload."""
    body = flow_body(requested(content()), "smartflow.schedule_adjustment_ready", NOON)
    assert list(body.items()) == [
        ("event", "smartflow.schedule_adjustment_ready"),
        ("version", "1"),
        ("notification_id", str(RECORD)),
        ("user_id", 42),
        ("preview_id", "preview-1"),
        ("trigger_id", "trigger-1"),
        ("trigger_type", "important_urgent_task"),
        ("target_type", "task"),
        ("target_id", 7),
        (
            "message",
            {
                "title": "[Steward] urgent",
                "summary": f"[Steward] look\n{URL}",
                "action_text": "Open",
                "action_url": URL,
            },
        ),
        ("trace_id", "trace-1"),
        ("sent_at", "2026-11-20T12:00:00.000000Z"),
    ]
    assert list(body["message"]) == ["title", "summary", "action_text", "action_url"]


def test_what_is_absent_from_a_flows_body() -> None:
    """NT-50: empty text and 0, but no trace; ids that are no short numbers go out as text."""
    bare = requested(
        content(action_url=None), notification_id=None, subject_type=None, subject_id=None, correlation_id=None,
        causation_id=None, trace_id=None, recipient_id="0042",
    )  # fmt: skip
    body = flow_body(bare, "e", NOON)
    assert "trace_id" not in body
    assert [body[name] for name in ("notification_id", "target_id", "user_id")] == [0, 0, "0042"]
    assert [body[name] for name in ("preview_id", "trigger_id", "target_type")] == ["", "", ""]
    assert body["message"]["action_url"] == ""
    for text, sent in (("9" * 15, int("9" * 15)), ("9" * 16, "9" * 16), ("0", "0"), ("a1", "a1"), ("-1", "-1")):
        assert flow_body(requested(content(), recipient_id=text, subject_id=text), "e", NOON)["user_id"] == sent
        assert flow_body(requested(content(), recipient_id=text, subject_id=text), "e", NOON)["target_id"] == sent
