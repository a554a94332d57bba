"""The fake is as strict as the reference says, and knows what a person got apart from what it answered.

Nothing here goes through our channels: requests are written by hand, from reference/feishu.md.
"""

import base64
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from outrider.channels.http.client import GuardedClient
from outrider.ports.http import HttpAnswer, HttpFailure, HttpRequest
from outrider.testing.clock import ManualClock
from outrider.testing.feishu import App, FakeFeishu, Fault, FaultKind
from outrider.testing.feishu.answers import APP, BOT, app_answer, bot_answer

SIGNED_AT = 1599360473
CARD = {
    "schema": "2.0",
    "header": {"title": {"tag": "plain_text", "content": "All clear"}},
    "body": {"elements": [{"tag": "button", "text": {"tag": "plain_text", "content": "Open"},
                           "behaviors": [{"type": "open_url", "default_url": "https://app.example/x"}]}]},
}  # fmt: skip


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime.fromtimestamp(SIGNED_AT, UTC))


@pytest.fixture
def feishu(clock: ManualClock) -> Iterator[FakeFeishu]:
    with FakeFeishu(clock) as feishu:
        yield feishu


async def posted(
    feishu: FakeFeishu, url: str, body: Mapping[str, Any] | bytes, headers: Mapping[str, str] | None = None
) -> HttpAnswer | HttpFailure:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    client = GuardedClient(allow=[feishu.address])
    return await client.exchange(
        HttpRequest("POST", url, headers or {}, data), 10 if feishu.script.choose is None else 1
    )


def said(result: HttpAnswer | HttpFailure) -> dict[str, Any]:
    assert isinstance(result, HttpAnswer), result
    value = json.loads(result.body)
    assert isinstance(value, dict)
    return value


def text(words: str, **more: str) -> dict[str, Any]:
    return {"msg_type": "text", "content": {"text": words}, **more}


async def test_a_bot_posts_and_answers_with_its_legacy_twins(feishu: FakeFeishu) -> None:
    bot = feishu.add_bot()
    answer = await posted(feishu, bot.url, text('hello <at user_id="all">all</at>'))
    assert said(answer) == {
        "code": 0, "msg": "success", "data": {}, "Extra": None, "StatusCode": 0, "StatusMessage": "success",
    }  # fmt: skip
    assert isinstance(answer, HttpAnswer)
    assert answer.headers["date"] == "Sun, 06 Sep 2020 02:47:53 GMT"
    (post,) = feishu.posts
    assert (post.endpoint, post.receiver, post.msg_type, post.pings) == ("bot", bot.token, "text", ("all",))
    assert feishu.seen("hello") == 1


@pytest.mark.parametrize(
    ("sign", "code"),
    [
        ("M/WxK2PzGFX3yVFA3ohZt7bqP+r0K77X8PGkdUJcOdA=", 0),
        ("zZpdpTO9fQmW2ic2XiU/WWTTQZpuSUC7Vciv1RyzS0E=", 19021),  # secret as key, string as message
        ("", 19021),
    ],
)
async def test_the_signature_of_the_worked_example(feishu: FakeFeishu, sign: str, code: int) -> None:
    bot = feishu.add_bot(secret="demo-secret-please-change")
    assert said(await posted(feishu, bot.url, text("x", timestamp=str(SIGNED_AT), sign=sign)))["code"] == code
    assert len(feishu.posts) == (code == 0)


async def test_a_signature_is_good_for_an_hour_of_feishus_own_clock(feishu: FakeFeishu, clock: ManualClock) -> None:
    bot = feishu.add_bot(secret="demo")
    body = text("x", timestamp=str(SIGNED_AT), sign="l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8=")
    clock.advance(timedelta(hours=1))
    assert said(await posted(feishu, bot.url, body))["code"] == 0
    clock.advance(timedelta(seconds=1))
    assert said(await posted(feishu, bot.url, body))["code"] == 19021
    clock.advance(timedelta(hours=-1))
    feishu.skew = timedelta(hours=-2)
    assert said(await posted(feishu, bot.url, body))["code"] == 19021


async def test_a_bot_refuses_under_200_and_nobody_gets_anything(feishu: FakeFeishu) -> None:
    strict = feishu.add_bot("strict", keywords=["[Steward]"], addresses=["10.0.0.*", "127.0.0.1"])
    far = feishu.add_bot("far", addresses=["123.12.1.0/24"])
    off = feishu.add_bot("off")
    off.enabled = False
    cases: list[tuple[str, Mapping[str, Any] | bytes, int]] = [
        (strict.url, text("no keyword, but href https://x/[Steward]"[:20]), 19024),
        (strict.url, text("[Steward] " + "x" * 20_480), 9499),
        (strict.url, b"no json", 9499),
        (strict.url, {"content": {"text": "[Steward]"}}, 19002),
        (strict.url, {"msg_type": "interactive", "card": {**CARD, "elements": []}}, 200621),
        (strict.url, {"msg_type": "interactive", "card": {**CARD, "body": {"elements": [{"tag": "action"}]}}}, 200861),
        (strict.url, {"msg_type": "interactive", "card": CARD}, 19024),
        (far.url, text("x"), 19022),
        (off.url, text("x"), 19007),
        (strict.url + "x", text("x"), 19001),
    ]
    for url, body, code in cases:
        answer = await posted(feishu, url, body)
        assert isinstance(answer, HttpAnswer)
        assert (answer.status, said(answer)["code"]) == (200, code)
    assert feishu.posts == ()


async def test_a_card_is_read_with_its_words_and_where_its_button_leads(feishu: FakeFeishu) -> None:
    bot = feishu.add_bot(keywords=["All clear"])
    assert said(await posted(feishu, bot.url, {"msg_type": "interactive", "card": CARD}))["code"] == 0
    assert feishu.posts[0].text.split("\n") == ["All clear", "Open", "https://app.example/x"]


async def test_a_bots_rates_are_five_a_second_and_a_hundred_a_minute(feishu: FakeFeishu, clock: ManualClock) -> None:
    bot = feishu.add_bot()
    codes = []
    for _ in range(21):
        codes += [said(await posted(feishu, bot.url, text("x")))["code"] for _ in range(5)]
        clock.advance(timedelta(seconds=1))
    assert codes == [0] * 100 + [11232] * 5
    clock.advance(timedelta(minutes=1))
    codes = [said(await posted(feishu, bot.url, text("x")))["code"] for _ in range(6)]
    assert codes == [0] * 5 + [11232]
    assert feishu.limited == 6


async def tenant_token(feishu: FakeFeishu, app: App) -> str:
    url = f"{feishu.base_url}/open-apis/auth/v3/tenant_access_token/internal"
    answer = said(await posted(feishu, url, {"app_id": app.app_id, "app_secret": app.app_secret}))
    assert answer["code"] == 0
    return str(answer["tenant_access_token"])


async def sent(feishu: FakeFeishu, token: str, uuid: str | None, words: str = "hello", to: str = "ou_1") -> Any:  # noqa: ANN401
    body = {"receive_id": to, "msg_type": "text", "content": json.dumps({"text": words})}
    url = f"{feishu.base_url}/open-apis/im/v1/messages?receive_id_type=open_id"
    return await posted(feishu, url, body | ({"uuid": uuid} if uuid else {}), {"Authorization": f"Bearer {token}"})


async def test_one_uuid_is_one_message_for_an_hour_from_the_first_request(
    feishu: FakeFeishu, clock: ManualClock
) -> None:
    app = feishu.add_app()
    token = await tenant_token(feishu, app)
    first = said(await sent(feishu, token, "k1"))
    clock.advance(timedelta(minutes=59))
    assert said(await sent(feishu, token, "k1"))["data"] == first["data"]
    assert (len(feishu.posts), feishu.hidden) == (1, 1)
    clock.advance(timedelta(minutes=1))
    assert said(await sent(feishu, token, "k1"))["data"] != first["data"]
    assert (feishu.seen("hello"), feishu.hidden) == (2, 1)
    app.deduplicates = False
    await sent(feishu, token, "k1")
    assert (feishu.seen("hello"), feishu.hidden) == (3, 1)
    await sent(feishu, token, None)
    assert feishu.seen("hello") == 4


async def test_a_refused_first_request_begins_the_hour_and_posts_nothing(
    feishu: FakeFeishu, clock: ManualClock
) -> None:
    app = feishu.add_app()
    app.receiver_limits = ((1, timedelta(hours=2)),)
    token = await tenant_token(feishu, app)
    await sent(feishu, token, "k0")
    assert said(await sent(feishu, token, "k1"))["code"] == 230020
    app.receiver_limits = ()
    clock.advance(timedelta(minutes=40))
    assert said(await sent(feishu, token, "k1"))["code"] == 0
    clock.advance(timedelta(minutes=20))
    assert said(await sent(feishu, token, "k1"))["code"] == 0
    assert [post.uuid for post in feishu.posts] == ["k0", "k1", "k1"]


async def test_an_apps_limits_say_how_long_to_wait(feishu: FakeFeishu) -> None:
    app = feishu.add_app()
    app.limits = ((1, timedelta(minutes=1)),)
    token = await tenant_token(feishu, app)
    await sent(feishu, token, "k1")
    answer = await sent(feishu, token, "k2")
    assert (answer.status, said(answer)["code"], answer.headers["x-ogw-ratelimit-reset"]) == (429, 99991400, "60")


async def test_a_token_lives_two_hours_and_is_renewed_below_thirty_minutes(
    feishu: FakeFeishu, clock: ManualClock
) -> None:
    app = feishu.add_app()
    old = await tenant_token(feishu, app)
    clock.advance(timedelta(minutes=90))
    assert await tenant_token(feishu, app) == old
    clock.advance(timedelta(seconds=1))
    new = await tenant_token(feishu, app)
    assert new != old
    assert [said(await sent(feishu, token, None))["code"] for token in (old, new)] == [0, 0]
    clock.advance(timedelta(minutes=30))
    assert [said(await sent(feishu, token, None))["code"] for token in (old, new)] == [99991677, 0]
    app.tokens.revoke()
    assert said(await sent(feishu, new, None))["code"] == 99991663
    assert app.tokens.calls == 3


async def test_oauth_takes_credentials_in_one_place(feishu: FakeFeishu) -> None:
    app = feishu.add_app()
    form = {"grant_type": "client_credentials"}
    secret = {"client_id": app.app_id, "client_secret": app.app_secret}
    basic = {"Authorization": "Basic " + base64.b64encode(f"{app.app_id}:{app.app_secret}".encode()).decode()}
    by_body = said(await posted(feishu, feishu.token_url, urlencode(form | secret).encode()))
    by_header = said(await posted(feishu, feishu.token_url, urlencode(form).encode(), basic))
    assert by_body == by_header
    assert (by_body["expires_in"], len(by_body["access_token"]) > 1_000) == (7200, True)
    assert said(await posted(feishu, feishu.token_url, urlencode(form | secret).encode(), basic))["code"] == 20070
    wrong = await posted(feishu, feishu.token_url, urlencode(form | secret | {"client_secret": "x"}).encode())
    assert isinstance(wrong, HttpAnswer)
    assert (wrong.status, said(wrong)["error"]) == (401, "invalid_client")


async def test_a_flow_keeps_what_it_was_given(feishu: FakeFeishu) -> None:
    flow = feishu.add_flow(bearer="word")
    body = {"event": "x", "message": {"title": "T", "summary": "S", "action_url": "https://a"}}
    denied = await posted(feishu, flow.url, body)
    assert isinstance(denied, HttpAnswer)
    assert denied.status == 401
    assert said(await posted(feishu, flow.url, body, {"Authorization": "Bearer word"}))["code"] == 0
    assert feishu.posts[0].content == body
    lost = await posted(feishu, flow.url + "x", body)
    assert isinstance(lost, HttpAnswer)
    assert lost.status == 404


@pytest.mark.parametrize(
    ("fault", "seen", "reason"),
    [
        (Fault(FaultKind.DROP), 0, "lost"),
        (Fault(FaultKind.LOSE), 1, "lost"),
        (Fault(FaultKind.LOSE, handled=False), 0, "lost"),
        (Fault(FaultKind.HANG), 1, "timeout"),
    ],
    ids=str,
)
async def test_a_reply_is_lost_and_only_the_fake_knows_what_was_posted(
    feishu: FakeFeishu, fault: Fault, seen: int, reason: str
) -> None:
    bot = feishu.add_bot()
    feishu.meet("bot", None, fault)
    assert said(await posted(feishu, bot.url, text("before")))["code"] == 0
    client = GuardedClient(allow=[feishu.address])
    result = await client.exchange(
        HttpRequest("POST", bot.url, {}, json.dumps(text("x")).encode()), 2 if reason == "timeout" else 15
    )
    assert isinstance(result, HttpFailure)
    assert (result.reason, result.written) == (reason, True)
    assert feishu.seen("x") == seen
    assert said(await posted(feishu, bot.url, text("after")))["code"] == 0
    assert [call.fault for call in feishu.calls] == [None, fault, None]


@pytest.mark.parametrize(
    ("fault", "body", "cut"),
    [
        (Fault(FaultKind.EMPTY), b"{}", False),
        (Fault(FaultKind.HTML), b"<html><body>please sign in</body></html>", False),
        (Fault(FaultKind.TRUNCATE), b'{"code": 0, "msg": "success", "data": {}, "Extra": ', True),
        (Fault(FaultKind.DELAY, seconds=0.05), b"", False),
    ],
    ids=str,
)
async def test_an_answer_is_spoilt_and_the_message_is_there(
    feishu: FakeFeishu, fault: Fault, body: bytes, cut: bool
) -> None:
    bot = feishu.add_bot()
    feishu.meet("bot", fault)
    answer = await posted(feishu, bot.url, text("x"))
    assert isinstance(answer, HttpAnswer)
    assert (answer.status, answer.truncated) == (200, cut)
    assert answer.body.startswith(body)
    assert feishu.seen("x") == 1


async def test_refused_connections_come_back_on_the_same_port(feishu: FakeFeishu) -> None:
    bot = feishu.add_bot()
    feishu.refuse()
    result = await posted(feishu, bot.url, text("x"))
    assert isinstance(result, HttpFailure)
    assert (result.reason, result.written) == ("connect", False)
    feishu.accept()
    assert said(await posted(feishu, bot.url, text("x")))["code"] == 0


async def test_every_code_of_the_reference_can_be_met(feishu: FakeFeishu) -> None:
    app, bot = feishu.add_app(), feishu.add_bot(limits=())
    app.limits = app.receiver_limits = ()
    token = await tenant_token(feishu, app)
    for code in BOT:
        feishu.meet("bot", bot_answer(code, twins=0))
        answer = said(await posted(feishu, bot.url, text("x")))
        assert (answer["code"], answer["StatusCode"], bool(answer["msg"])) == (code, 0, True)
    for code, (status, _) in APP.items():
        feishu.meet("app", app_answer(code))
        result = await sent(feishu, token, None)
        assert (result.status, said(result)["code"], "x-tt-logid" in result.headers) == (status, code, True)
    assert feishu.posts == ()


def test_a_call_that_lies_in_the_socket_came_when_it_came() -> None:
    """§14: a process that gets no processor reads late what came in time, and does not say that it came late."""
    reading, go_on = threading.Event(), threading.Event()

    def choose(endpoint: str) -> None:  # noqa: ARG001  the script's signature
        reading.set()
        go_on.wait(20)

    with FakeFeishu() as feishu, ExitStack() as stack:
        path = urlsplit(feishu.add_bot().url).path
        feishu.script.choose = choose
        host, port = feishu.address.split(":")
        body = json.dumps(text("hello")).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n\r\n"
        calls = [stack.enter_context(socket.create_connection((host, int(port)))) for _ in range(2)]
        calls[0].sendall(head.encode() + body)
        assert reading.wait(20)
        calls[1].sendall(head.encode() + body)
        threading.Event().wait(0.1)
        read_at = datetime.now(UTC)
        go_on.set()
        for call in calls:
            call.settimeout(20)
            assert call.recv(100).startswith(b"HTTP/1.1 200")
        _, two = feishu.calls
    assert two.at < read_at, "and not when it was read"
