"""Feishu's codes by code and message, against the reference's tables, and what an HTTP status alone means."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from outrider.channels.feishu.answers import APP_API, BOT_WEBHOOK, FLOW_WEBHOOK, Endpoint, clock_difference, result_of
from outrider.core.notification.codes import CLASSES, Code, ErrorClass, Outcome
from outrider.core.notification.sending import Assurance, SendResult
from outrider.ports.http import HttpAnswer

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
LIMITED, UNAVAILABLE, PAYLOAD = ErrorClass.LIMITED, ErrorClass.UNAVAILABLE, ErrorClass.PAYLOAD
CONFIGURATION, CONTENT, RECIPIENT, GONE = (
    ErrorClass.CONFIGURATION, ErrorClass.CONTENT, ErrorClass.RECIPIENT, ErrorClass.GONE,
)  # fmt: skip
TEMPORARY, PERMANENT = Outcome.TEMPORARY_FAIL, Outcome.PERMANENT_FAIL

BOT = [
    (11232, "frequency limited psm[x]appID[1500]", Code.PROVIDER_RATE_LIMITED),
    (9499, "too many request", Code.PROVIDER_RATE_LIMITED),
    (9499, "Frequency Limited", Code.PROVIDER_RATE_LIMITED),
    (9499, "Bad Request", Code.PAYLOAD_INVALID),
    (9499, "something else", Code.UNRECOGNISED_ANSWER),
    (19001, "param invalid: incoming webhook access token invalid", Code.DESTINATION_GONE),
    (19001, "param invalid: something else", Code.UNRECOGNISED_ANSWER),
    (19007, "Bot Not Enabled", Code.DESTINATION_GONE),
    (19002, "params error, msg_type need", Code.PAYLOAD_INVALID),
    (19021, "sign match fail or timestamp is not within one hour from current time", Code.SIGN_MISMATCH),
    (19022, "Ip Not Allowed", Code.IP_NOT_ALLOWED),
    (19024, "Key Words Not Found", Code.KEYWORD_MISSING),
    (11310, "card content", Code.PAYLOAD_INVALID),
    (200621, "parse card json err", Code.PAYLOAD_INVALID),
    (200861, "cards of schema V2 no longer support this", Code.PAYLOAD_INVALID),
    (2200, "internal error", Code.PROVIDER_5XX),
    (201000, "no card's", Code.UNRECOGNISED_ANSWER),
    (424242, "never seen", Code.UNRECOGNISED_ANSWER),
]
APP_GROUPS = {
    Code.PROVIDER_RATE_LIMITED: [99991400, 230020, 11232],
    Code.PROVIDER_5XX: [230049],
    Code.PROVIDER_AUTH_FAILED: [
        *(99991661, 99991663, 99991668, 99991671, 99991677),
        *(10014, 99991543, 99991662, 99991673),
    ],
    Code.SCOPE_MISSING: [99991672, 99991676, 99991679, 230027, 230006],
    Code.PAYLOAD_INVALID: [230001, 230015, 230017, 230025, 230054, 230055],
    Code.CONTENT_REFUSED: [230022, 230028],
    Code.RECIPIENT_REFUSED: [
        *(230002, 230013, 230018, 230019, 230029, 230034, 230035, 230036, 230038, 230053, 230075, 232009)
    ],
    Code.UNRECOGNISED_ANSWER: [230099, 424242],
}
CARD_REASONS = [
    *(11310, 100290, 200380, 200381, 200550, 200570, 200621, 200732, 200737, 200861, 200914, 200915),
]


def judged(
    endpoint: Endpoint, value: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> SendResult:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return result_of(endpoint, HttpAnswer(status, headers or {}, body), NOON)


def outcome_of(result: SendResult) -> tuple[Outcome, ErrorClass | None, str | None, bool]:
    return result.outcome, result.error_class, result.code, result.maybe_done


@pytest.mark.parametrize(("code", "message", "ours"), BOT)
def test_feishu_codes_by_code_and_message(code: int, message: str, ours: Code) -> None:
    """NT-17: of the bot, under HTTP 200; `StatusCode` 0 beside it changes nothing."""
    for said in ({"code": code, "msg": message}, {"code": code, "msg": message, "StatusCode": 0}):
        result = judged(BOT_WEBHOOK, said)
        assert (result.code, result.error_class) == (ours, CLASSES.get(ours))
        assert (result.provider_code, result.http_status) == (str(code), 200)
        assert result.maybe_done is (code == 2200)
        assert (result.message or "").startswith(message)
        permanent = {PAYLOAD, GONE}
        assert result.outcome is (PERMANENT if result.error_class in permanent else TEMPORARY)


@pytest.mark.parametrize("ours", APP_GROUPS)
def test_the_apps_codes(ours: Code) -> None:
    """NT-17: of the app API, mostly under HTTP 400; 230099 without a known reason is a refusal that nobody knows."""
    for code in APP_GROUPS[ours]:
        result = judged(APP_API, {"code": code, "msg": "words"}, 400)
        assert (result.code, result.error_class, result.provider_code) == (ours, CLASSES.get(ours), str(code))
        assert result.maybe_done is (code == 230049)
        assert result.outcome is (PERMANENT if result.error_class in {PAYLOAD, CONTENT, RECIPIENT} else TEMPORARY)


@pytest.mark.parametrize("reason", CARD_REASONS)
def test_a_cards_reason_is_read_from_its_envelope(reason: int) -> None:
    """NT-17, NT-29: class payload, so the text form goes next."""
    message = f"Failed to create card content, ext=ErrCode: {reason}; ErrMsg: no reason; "
    result = judged(APP_API, {"code": 230099, "msg": message}, 400)
    assert outcome_of(result) == (PERMANENT, PAYLOAD, Code.PAYLOAD_INVALID, False)


def test_a_cards_unknown_reason_is_unrecognised() -> None:
    result = judged(APP_API, {"code": 230099, "msg": "ErrCode: 999999; ErrMsg: x"}, 400)
    assert outcome_of(result) == (TEMPORARY, None, Code.UNRECOGNISED_ANSWER, False)


@pytest.mark.parametrize("endpoint", [BOT_WEBHOOK, APP_API, FLOW_WEBHOOK], ids=["bot", "app", "flow"])
@pytest.mark.parametrize(
    ("status", "ours", "maybe_done"),
    [
        (429, Code.PROVIDER_RATE_LIMITED, False),
        (301, Code.INVALID_URL, False),
        (401, Code.PROVIDER_AUTH_FAILED, False),
        (403, Code.PROVIDER_AUTH_FAILED, False),
        (413, Code.PAYLOAD_INVALID, False),
        (500, Code.PROVIDER_5XX, True),
        (502, Code.PROVIDER_5XX, True),
        (503, Code.PROVIDER_5XX, False),
        (504, Code.PROVIDER_5XX, True),
    ],
)
def test_a_status_alone(endpoint: Endpoint, status: int, ours: Code, maybe_done: bool) -> None:
    """NT-17, NT-51: 503 did nothing, the other failures may have."""
    for body in (b"", b"<html>", b"{}"):
        result = judged(endpoint, body, status)
        assert (result.code, result.error_class, result.maybe_done) == (ours, CLASSES[ours], maybe_done)
        assert result.http_status == status


@pytest.mark.parametrize(("endpoint", "ours"), [(BOT_WEBHOOK, GONE), (FLOW_WEBHOOK, GONE), (APP_API, CONFIGURATION)])
def test_404_is_a_webhooks_end_and_an_apps_wrong_address(endpoint: Endpoint, ours: ErrorClass) -> None:
    assert judged(endpoint, b"", 404).error_class is ours


@pytest.mark.parametrize("endpoint", [BOT_WEBHOOK, APP_API], ids=["bot", "app"])
@pytest.mark.parametrize("body", [b"{}", b"", b"<html>", b"[]", b"null", b'{"code":true}', b"[" * 5_000], ids=repr)
def test_a_200_that_says_nothing_is_unknown(endpoint: Endpoint, body: bytes) -> None:
    """NT-17: nobody knows."""
    expected = (Outcome.UNKNOWN, ErrorClass.AMBIGUOUS, Code.ANSWER_UNREADABLE, True)
    assert outcome_of(judged(endpoint, body)) == expected
    cut = HttpAnswer(200, {}, b'{"code":0}', truncated=True)
    assert outcome_of(result_of(endpoint, cut, NOON)) == expected


def test_code_speaks_and_its_twin_only_where_code_is_absent() -> None:
    """NT-17: `StatusCode` 0 beside another code is a refusal."""
    assert judged(BOT_WEBHOOK, {"code": 0, "StatusCode": 19007}).outcome is Outcome.SUCCESS
    assert judged(BOT_WEBHOOK, {"StatusCode": 0, "StatusMessage": "success"}).outcome is Outcome.SUCCESS
    assert judged(BOT_WEBHOOK, {"StatusCode": 19007, "StatusMessage": "Bot Not Enabled"}).error_class is GONE


@pytest.mark.parametrize("body", [b"", b"ok", b"{}", b'{"code":0}', b'{"data":{}}', b"[]"], ids=repr)
@pytest.mark.parametrize("status", [200, 202, 204])
def test_flow_answers_that_are_success(body: bytes, status: int) -> None:
    """NT-51: triggered, which is all that it says."""
    result = judged(FLOW_WEBHOOK, body, status)
    assert (result.outcome, result.assurance, result.http_status) == (Outcome.SUCCESS, Assurance.ACCEPTED, status)


def test_flow_answers_that_are_none() -> None:
    """NT-51: the bot's table, then NT-17; a cut body; a status whatever the body says."""
    assert outcome_of(judged(FLOW_WEBHOOK, {"code": 11232})) == (TEMPORARY, LIMITED, Code.PROVIDER_RATE_LIMITED, False)
    assert outcome_of(judged(FLOW_WEBHOOK, {"code": 7, "msg": "x"})) == (
        TEMPORARY, None, Code.UNRECOGNISED_ANSWER, False,
    )  # fmt: skip
    cut = result_of(FLOW_WEBHOOK, HttpAnswer(200, {}, b"o", truncated=True), NOON)
    assert outcome_of(cut) == (Outcome.UNKNOWN, ErrorClass.AMBIGUOUS, Code.ANSWER_UNREADABLE, True)
    assert outcome_of(judged(FLOW_WEBHOOK, {"code": 19024}, 400)) == (PERMANENT, PAYLOAD, Code.PAYLOAD_INVALID, False)


def test_the_reset_header_is_read_before_retry_after() -> None:
    """NT-18."""
    headers = {"x-ogw-ratelimit-reset": "7", "retry-after": "90"}
    assert judged(APP_API, {"code": 99991400}, 429, headers).retry_after == timedelta(seconds=7)
    assert judged(APP_API, {"code": 99991400}, 429, {"retry-after": "90"}).retry_after == timedelta(seconds=90)


@pytest.mark.parametrize(
    ("date", "said"),
    [
        ("Fri, 20 Nov 2026 10:00:00 GMT", "this machine's clock is 7200 s ahead of Feishu's"),
        ("Fri, 20 Nov 2026 13:30:00 GMT", "this machine's clock is 5400 s behind Feishu's"),
        ("Fri, 20 Nov 2026 12:00:30 GMT", "the clocks agree: check the secret"),
        ("yesterday", "the answer does not say what time it is there"),
    ],
)
def test_the_clocks_are_compared(date: str, said: str) -> None:
    assert clock_difference(HttpAnswer(200, {"date": date}, b""), NOON) == said
