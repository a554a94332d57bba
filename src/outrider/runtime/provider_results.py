"""What HTTP channels share: an exchange without an answer as a result, and what an attempt's row shows of a call.

Invariant: nothing that a row shows holds a secret that the channel knows, a URL that is none of ours, or more than 4 KiB of a
body. Source: spec/notification.md NT-17, NT-42, NT-45.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from outrider.core.canonical import canonical_json
from outrider.core.masking import mask_url
from outrider.core.notification.address import Problem
from outrider.core.notification.codes import CLASSES, Code, ErrorClass, Outcome
from outrider.core.notification.sending import SendResult
from outrider.core.secret import Secret
from outrider.core.text import clean_text, forms_of, redact_forms
from outrider.ports.http import HttpAnswer, HttpFailure, HttpRequest

UNSAFE: Final = "unsafe_url"
"""What stands for the provider's own code where our guard refused to call it."""
BODY_SHOWN: Final = 4_096
"""Bytes of a body that a row keeps, after redaction."""
HEADER_SHOWN: Final = 256
REQUEST_HEADERS: Final = frozenset({"content-type", "webhook-id", "webhook-timestamp", "x-request-id"})
ANSWER_HEADERS: Final = frozenset(
    {
        "content-type",
        "date",
        "retry-after",
        "webhook-delivery",
        "x-ogw-ratelimit-limit",
        "x-ogw-ratelimit-reset",
        "x-tt-logid",
    }
)


def without_answer(failure: HttpFailure) -> SendResult:
    """What a call without an answer gave: nothing was done where nothing was written, else nobody knows."""
    match failure.reason:
        case "forbidden":
            code, error_class = Code.INVALID_URL, ErrorClass.CONFIGURATION
        case "timeout":
            code, error_class = Code.PROVIDER_TIMEOUT, ErrorClass.UNAVAILABLE
        case "unreadable" if failure.written:
            code, error_class = Code.ANSWER_UNREADABLE, ErrorClass.AMBIGUOUS
        case "lost" if failure.written:
            code, error_class = Code.CONNECTION_LOST, ErrorClass.AMBIGUOUS
        case _:
            code, error_class = Code.NETWORK_ERROR, ErrorClass.UNAVAILABLE
    message = clean_text(f"{failure.reason}: {failure.detail}" if failure.detail else failure.reason)
    if failure.written:
        return SendResult(Outcome.UNKNOWN, ErrorClass.AMBIGUOUS, code, message=message, maybe_done=True)
    own = UNSAFE if failure.reason == "forbidden" else None
    return SendResult(Outcome.TEMPORARY_FAIL, error_class, code, own, message)


def refusal(
    code: Code,
    outcome: Outcome = Outcome.TEMPORARY_FAIL,
    *,
    error_class: ErrorClass | None = None,
    **more: Any,  # noqa: ANN401  the result's other fields
) -> SendResult:
    """A definite no, in the class of its code where none is given."""
    return SendResult(outcome, error_class or CLASSES.get(code), code, **more)


def too_late() -> SendResult:
    """No call was made, because its time had run out before."""
    return refusal(Code.PROVIDER_TIMEOUT, error_class=ErrorClass.UNAVAILABLE, message="no time was left to send")


def unusable(problems: Iterable[Problem]) -> SendResult:
    """No call was made, because the settings of the address are wrong."""
    found = list(problems)
    said = ", ".join(f"{problem.field} {problem.message}" for problem in found)
    own = UNSAFE if any(problem.code == UNSAFE for problem in found) else None
    return refusal(Code.INVALID_URL, provider_code=own, message=clean_text(f"the settings cannot be used: {said}"))


def shown_request(request: HttpRequest, body: Mapping[str, Any], secrets: Iterable[Secret]) -> dict[str, Any]:
    """What an attempt's row shows of a request: method, masked URL, a few headers, `body` without secrets."""
    forms = forms_of([secret.reveal() for secret in secrets])
    headers = {name.lower(): value for name, value in request.headers.items()}
    return {
        "method": request.method,
        "url": mask_url(request.url),
        "headers": {
            name: _fit(value, forms, HEADER_SHOWN) for name, value in sorted(headers.items()) if name in REQUEST_HEADERS
        },
        "body": _bounded(body, forms),
    }


def shown_answer(answer: HttpAnswer, secrets: Iterable[Secret]) -> dict[str, Any]:
    """What an attempt's row shows of an answer: status, a few headers, the beginning of its body."""
    forms = forms_of([secret.reveal() for secret in secrets])
    shown: dict[str, Any] = {
        "status": answer.status,
        "headers": {
            name: _fit(value, forms, HEADER_SHOWN)
            for name, value in sorted(answer.headers.items())
            if name in ANSWER_HEADERS
        },
        "body": _fit(answer.body, forms, BODY_SHOWN),
    }
    return shown | ({"truncated": True} if answer.truncated else {})


def shown_text(text: str | bytes, known: Iterable[str], max_bytes: int) -> str:
    """A text of the provider, or for it, fit for a row: without the known secrets, redacted, cleaned, bounded."""
    return _fit(text, forms_of(known), max_bytes)


def shown_body(body: Mapping[str, Any], secrets: Iterable[Secret]) -> Mapping[str, Any]:
    """`body` with each of its texts redacted; `{"cut": …}` with the beginning of its JSON where that is too long."""
    return _bounded(body, forms_of([secret.reveal() for secret in secrets]))


def _fit(text: str | bytes, forms: tuple[str, ...], max_bytes: int) -> str:
    whole = text.decode(errors="replace") if isinstance(text, bytes) else text
    return clean_text(redact_forms(whole, forms), max_bytes, max_bytes)


def _bounded(body: Mapping[str, Any], forms: tuple[str, ...]) -> Mapping[str, Any]:
    shown: Mapping[str, Any] = _shown(body, forms)
    text = canonical_json(shown)
    return shown if len(text) <= BODY_SHOWN else {"cut": _fit(text, (), BODY_SHOWN)}


def _shown(value: Any, forms: tuple[str, ...]) -> Any:  # noqa: ANN401  JSON is any value
    """`value` with each of its texts redacted."""
    if isinstance(value, str):
        return redact_forms(value, forms)
    if isinstance(value, Mapping):
        return {key: _shown(member, forms) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(member, forms) for member in value]
    return value
