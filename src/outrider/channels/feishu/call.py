"""One call of a provider: its time, what it gave, and what an attempt's row may show of it. Source: NT-17, NT-42, NT-45."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from outrider.core.notification.address import AddressSettings
from outrider.core.notification.sending import SendResult
from outrider.core.secret import Secret
from outrider.ports.http import HttpAnswer, HttpClient, HttpFailure, HttpRequest
from outrider.runtime.provider_results import shown_answer, shown_request, shown_text, too_late, without_answer

MESSAGE_BYTES_MAX: Final = 2_000


async def call(
    client: HttpClient,
    request: HttpRequest,
    seconds: float,
    judge: Callable[[HttpAnswer], SendResult],
    *,
    body: Mapping[str, Any],
    secrets: Iterable[Secret],
) -> SendResult:
    """Make one exchange within `seconds`; `judge` says what an answer means. `body` and the answer are shown, redacted."""
    if seconds <= 0:
        return too_late()
    known = tuple(secrets)
    shown = shown_request(request, body, known)
    answer = await client.exchange(request, seconds)
    if isinstance(answer, HttpFailure):
        return replace(without_answer(answer), request_json=shown)
    result = judge(answer)
    return replace(
        result,
        message=shown_text(result.message or "", [secret.reveal() for secret in known], MESSAGE_BYTES_MAX) or None,
        request_json=shown,
        response_json=shown_answer(answer, known),
    )


def secrets_of(settings: AddressSettings) -> tuple[Secret, ...]:
    """What must not be shown of a webhook: its secrets, and the token in its URL by itself."""
    token = settings.secrets["webhook_url"].reveal().rpartition("/")[2]
    return (*settings.secrets.values(), Secret(token))
