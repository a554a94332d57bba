"""Any server that speaks OpenAI's chat completions, over plain HTTP.

Invariant: every form in which such servers answer is read, or named as what was wrong. Source: ST-35, ST-37.
"""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from steward.domain.facts import TokensSpent
from steward.domain.selection import ModelAnswer
from steward.ports.model import InvalidAnswer, JsonPost, ModelFailed, ModelQuestion, PostFailed
from steward.ports.telemetry import UNHEARD, Telemetry
from steward.selectors.answering import answer_of
from steward.selectors.prompt import data_of, instructions_of

TOO_MANY_REQUESTS: Final = 429
OK: Final = 200


class ChatCompletions:
    """`ports.model.Model`: POST `{base_url}/chat/completions`."""

    def __init__(
        self,
        *,
        base_url: str,
        model: str,
        http: JsonPost,
        api_key: str | None = None,
        temperature: float = 0.1,
        tokens_max: int = 1200,
        timeout: timedelta = timedelta(seconds=20),
        telemetry: Telemetry = UNHEARD,
    ) -> None:
        self._telemetry = telemetry
        self._url = base_url.rstrip("/") + "/chat/completions"
        self._model, self._http = model, http
        self._headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"
        self._settings = {"temperature": temperature, "max_tokens": tokens_max}
        self._timeout = timeout.total_seconds()

    @property
    def name(self) -> str:
        """The model's, as the server knows it."""
        return self._model

    async def ask(self, question: ModelQuestion) -> ModelAnswer:
        """One call."""
        messages = [
            {"role": "system", "content": instructions_of(question)},
            {"role": "user", "content": data_of(question)},
        ]
        body = json.dumps({"model": self._model, "messages": messages, **self._settings}, ensure_ascii=False)
        try:
            answer = await self._http.post(self._url, self._headers, body.encode(), self._timeout)
        except PostFailed as failed:
            raise ModelFailed("timeout" if failed.timeout else "http_error") from None
        if answer.status == TOO_MANY_REQUESTS:
            raise ModelFailed("rate_limited")
        if answer.status != OK:
            raise ModelFailed("http_error")
        said = _parsed(answer.body)
        if tokens := _tokens(said):
            self._telemetry.tell(TokensSpent(tokens))
        return answer_of(_written(said))


def _parsed(body: bytes) -> Any:  # noqa: ANN401  whatever the server said
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _tokens(said: Any) -> int:  # noqa: ANN401  the same
    """What the server counted, 0 where it does not say."""
    usage = said.get("usage") if isinstance(said, dict) else None
    tokens = usage.get("total_tokens") if isinstance(usage, dict) else None
    return tokens if isinstance(tokens, int) and tokens > 0 else 0


def _written(said: Any) -> str:  # noqa: ANN401  the same
    """The text of the first choice. Raises ModelFailed where the model declined, InvalidAnswer."""
    try:
        choice = said["choices"][0]
        message: Mapping[str, Any] = choice["message"]
        if message.get("refusal") or choice.get("finish_reason") == "content_filter":
            raise ModelFailed("refused")
        content = message.get("content")
        if isinstance(content, list):  # parts, of which text is one kind
            content = "".join(part["text"] for part in content if part.get("type") in {"text", "output_text"})
        if not content and message.get("tool_calls"):
            content = message["tool_calls"][0]["function"]["arguments"]
        if content is not None and not isinstance(content, str):
            content = json.dumps(content)  # some servers hand arguments over as the object itself
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise InvalidAnswer("unreadable", "the server's answer was no chat completion") from None
    return content or ""
