"""What HTTP channels share: NT-17, NT-42, NT-45."""

from typing import get_args

import pytest

from outrider.core.notification.codes import Code, ErrorClass, Outcome
from outrider.core.secret import Secret
from outrider.ports.http import FailureReason, HttpAnswer, HttpFailure, HttpRequest
from outrider.runtime.provider_results import BODY_SHOWN, shown_answer, shown_request, too_late, without_answer

CANARY = Secret("c4n4ry/S3cret")
HIDDEN = "S3cret"


@pytest.mark.parametrize("reason", get_args(FailureReason))
@pytest.mark.parametrize("written", [True, False])
def test_what_was_written_and_not_answered_is_unknown(reason: FailureReason, *, written: bool) -> None:
    """NT-17: unknown if anything was written, else nothing was done and it comes again."""
    result = without_answer(HttpFailure(reason, written, "detail"))
    assert result.outcome is (Outcome.UNKNOWN if written else Outcome.TEMPORARY_FAIL)
    assert result.maybe_done is written
    assert (result.error_class is ErrorClass.AMBIGUOUS) is written


@pytest.mark.parametrize(
    ("reason", "written", "code", "error_class"),
    [
        ("forbidden", False, Code.INVALID_URL, ErrorClass.CONFIGURATION),
        ("resolve", False, Code.NETWORK_ERROR, ErrorClass.UNAVAILABLE),
        ("connect", False, Code.NETWORK_ERROR, ErrorClass.UNAVAILABLE),
        ("tls", False, Code.NETWORK_ERROR, ErrorClass.UNAVAILABLE),
        ("timeout", False, Code.PROVIDER_TIMEOUT, ErrorClass.UNAVAILABLE),
        ("timeout", True, Code.PROVIDER_TIMEOUT, ErrorClass.AMBIGUOUS),
        ("lost", False, Code.NETWORK_ERROR, ErrorClass.UNAVAILABLE),
        ("lost", True, Code.CONNECTION_LOST, ErrorClass.AMBIGUOUS),
        ("unreadable", True, Code.ANSWER_UNREADABLE, ErrorClass.AMBIGUOUS),
    ],
)
def test_each_failure_has_its_code(
    reason: FailureReason, code: Code, error_class: ErrorClass, *, written: bool
) -> None:
    """NT-17: the table of classes."""
    result = without_answer(HttpFailure(reason, written))
    assert (result.code, result.error_class) == (code, error_class)


def test_a_row_shows_an_allow_list_of_a_request() -> None:
    """NT-45: masked URL, known headers alone, no secret in the body, wherever it stands."""
    headers = {"Authorization": f"Bearer {CANARY.reveal()}", "X-Own": "x", "Content-Type": "application/json"}
    made = HttpRequest("POST", f"https://h.example/hooks/{CANARY.reveal()}?x=1", headers, b"")
    shown = shown_request(made, {"a": [CANARY.reveal(), {"b": f"x{CANARY.reveal()}"}], "n": 1}, [CANARY])
    assert shown == {
        "method": "POST",
        "url": "https://h.example/…/****",
        "headers": {"content-type": "application/json"},
        "body": {"a": ["***", {"b": "x***"}], "n": 1},
    }


def test_a_row_shows_the_beginning_of_an_answer() -> None:
    """NT-42, NT-45: status, known headers, at most 4 KiB of the body after redaction, storable."""
    headers = {"retry-after": "3", "set-cookie": f"a={CANARY.reveal()}", "date": "x" * 999}
    answer = HttpAnswer(500, headers, b"\x00\xff" + CANARY.reveal().encode() * 2_000, truncated=True)
    shown = shown_answer(answer, [CANARY])
    assert HIDDEN not in repr(shown)
    assert (shown["status"], shown["headers"]["retry-after"], shown["truncated"]) == (500, "3", True)
    assert set(shown["headers"]) == {"retry-after", "date"}
    assert len(shown["headers"]["date"]) <= 256
    assert len(shown["body"].encode()) <= BODY_SHOWN
    assert "\x00" not in shown["body"]


def test_a_call_without_time_did_nothing() -> None:
    """NT-10, NT-17: it comes again."""
    assert (too_late().outcome, too_late().maybe_done) == (Outcome.TEMPORARY_FAIL, False)
