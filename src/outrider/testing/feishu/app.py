"""An app's bot: `POST /open-apis/im/v1/messages`, with at most one message for one uuid.

Invariant: while it deduplicates, no uuid posts twice within the window, which begins with the first request. Source:
reference/feishu.md §4.
"""

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from outrider.testing.feishu.answers import app_answer, card_refused
from outrider.testing.feishu.log import Handled, Post
from outrider.testing.feishu.rates import MINUTE, SECOND, Limits, Rates
from outrider.testing.feishu.reading import TYPES, card_fault, pings, read
from outrider.testing.feishu.tokens import Tokens
from outrider.testing.feishu.wire import Answer, Request, json_answer

PATH: Final = "/open-apis/im/v1/messages"
WINDOW: Final = timedelta(hours=1)
UUID_MAX: Final = 50
ID_TYPES: Final = {"open_id", "user_id", "union_id", "email", "chat_id"}
BYTES_MAX: Final = {"text": 150 * 1024, "post": 30 * 1024, "interactive": 30 * 1024}
LIMITS: Final[Limits] = ((50, SECOND), (1_000, MINUTE))
RECEIVER_LIMITS: Final[Limits] = ((5, SECOND),)
BAD_PARAMETER, TOO_LONG, TOO_MANY, TOO_MANY_HERE = 230001, 230025, 99991400, 230020


@dataclass
class Asked:
    """When a message was first asked for under a uuid, and which was posted for it."""

    uuid: str
    at: datetime
    message_id: str | None = None


@dataclass
class App:
    """An app and what it may do, which may be changed while it runs.

    `refused`: codes by receiver, answered instead of posting. `deduplicates` False: each request posts. `repeat_code`: a
    repeat is answered with this code, None: with the first message's id.
    """

    app_id: str
    app_secret: str
    window: timedelta = WINDOW
    deduplicates: bool = True
    repeat_code: int | None = None
    limits: Limits = LIMITS
    receiver_limits: Limits = RECEIVER_LIMITS
    refused: dict[str, int] = field(default_factory=dict)
    tokens: Tokens = field(default_factory=Tokens)
    rates: Rates = field(default_factory=Rates)
    asked: dict[str, Asked] = field(default_factory=dict)
    """By uuid."""
    count: int = 0

    def handle(self, request: Request, now: datetime) -> tuple[Answer, Handled]:
        """What comes of a request."""
        body = request.json() or {}
        receiver, uuid = str(body.get("receive_id", "")), body.get("uuid")
        handled = Handled(receiver, uuid=uuid if isinstance(uuid, str) else None)
        fault = self.tokens.fault(request.bearer, now) or _shape(request, body)
        if fault:
            return app_answer(fault), handled
        first = self._first_asked(uuid, now)
        limited = self._limited(receiver, now)
        if limited is not None:
            return limited, Handled(receiver, uuid=uuid, limited=True)
        content = json.loads(body["content"])
        card = card_fault(content) if body["msg_type"] == "interactive" else None
        if card or receiver in self.refused:
            return (card_refused(card) if card else app_answer(self.refused[receiver])), handled
        if first is not None and first.message_id is not None and self.deduplicates:
            answer = app_answer(self.repeat_code) if self.repeat_code else _done(first.message_id, first.at)
            return answer, Handled(receiver, uuid=uuid, hidden=True)
        return self._post(body, content, receiver, first, now)

    def _first_asked(self, uuid: str | None, now: datetime) -> Asked | None:
        """What is known of this uuid within its window, which this request begins where it is the first."""
        if uuid is None:
            return None
        known = self.asked.get(uuid)
        if known is None or now >= known.at + self.window:
            known = self.asked[uuid] = Asked(uuid, now)
        return known

    def _post(
        self, body: dict[str, Any], content: dict[str, Any], receiver: str, first: Asked | None, now: datetime
    ) -> tuple[Answer, Handled]:
        self.count += 1
        message_id = f"om_{self.count:08d}"
        if first is not None:
            first.message_id = message_id
        kind, uuid = body["msg_type"], first.uuid if first is not None else None
        post = Post(now, "app", receiver, kind, read(content), content, pings(content), uuid, message_id)
        return _done(message_id, now), Handled(receiver, post, uuid)

    def _limited(self, receiver: str, now: datetime) -> Answer | None:
        wait = self.rates.take("app", self.limits, now)
        if wait is not None:
            return app_answer(TOO_MANY, wait_seconds=max(1, -(-int(wait.total_seconds() * 1_000) // 1_000)))
        if self.rates.take(receiver, self.receiver_limits, now) is not None:
            return app_answer(TOO_MANY_HERE)
        return None


def _shape(request: Request, body: dict[str, Any]) -> int:
    kind, content, uuid = body.get("msg_type"), body.get("content"), body.get("uuid")
    if request.query.get("receive_id_type") not in ID_TYPES or not body.get("receive_id") or kind not in TYPES:
        return BAD_PARAMETER
    if not isinstance(content, str) or not (uuid is None or (isinstance(uuid, str) and len(uuid) <= UUID_MAX)):
        return BAD_PARAMETER
    try:
        readable = isinstance(json.loads(content), dict)
    except ValueError:
        readable = False
    if not readable:
        return BAD_PARAMETER
    return TOO_LONG if len(request.body) > BYTES_MAX.get(kind, BYTES_MAX["text"]) else 0


def _done(message_id: str, at: datetime) -> Answer:
    data = {"message_id": message_id, "chat_id": "oc_1", "create_time": str(int(at.timestamp() * 1_000))}
    return json_answer({"code": 0, "msg": "success", "data": data}, headers={"X-Tt-Logid": f"log-{message_id}"})
