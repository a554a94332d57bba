"""A flow that a webhook starts: `/flow/api/trigger-webhook/<key>`. Source: reference/feishu.md §3, NT-50, NT-51."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from outrider.testing.feishu.log import Handled, Post
from outrider.testing.feishu.reading import words
from outrider.testing.feishu.wire import Answer, Request, json_answer

PATH: Final = "/flow/api/trigger-webhook/"


@dataclass
class Flow:
    """A flow. `bearer` is asked for where it is set. What it was given is in the posts' `content`, as it came."""

    url: str
    key: str
    bearer: str | None = None
    removed: bool = False

    def handle(self, request: Request, now: datetime) -> tuple[Answer, Handled]:
        """What comes of a request."""
        handled = Handled(self.key)
        if self.removed:
            return Answer(404), handled
        if self.bearer is not None and request.bearer != self.bearer:
            return json_answer({"code": 401, "msg": "unauthorized"}, 401), handled
        body = request.json()
        if body is None:
            return json_answer({"code": 400, "msg": "bad request"}, 400), handled
        post = Post(now, "flow", self.key, "flow", _read(body), body)
        return json_answer({"code": 0, "msg": "success", "data": {}}), Handled(self.key, post)


def _read(body: dict[str, object]) -> str:
    message = body.get("message")
    if not isinstance(message, dict):
        return words(body)
    return "\n".join(str(message.get(name, "")) for name in ("title", "summary", "action_text", "action_url"))
