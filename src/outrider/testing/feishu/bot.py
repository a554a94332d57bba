"""A custom bot of one group: `/open-apis/bot/v2/hook/<token>`.

Invariant: a refusal is HTTP 200 with a code, as the real one gives it. Source: reference/feishu.md §2.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import Any, Final

from outrider.testing.feishu.answers import bot_answer
from outrider.testing.feishu.log import Handled, Post
from outrider.testing.feishu.rates import MINUTE, SECOND, Limits, Rates
from outrider.testing.feishu.reading import TYPES, card_fault, pings, read, words
from outrider.testing.feishu.wire import Answer, Request

PATH: Final = "/open-apis/bot/v2/hook/"
BODY_MAX: Final = 20 * 1024
SIGNED_FOR: Final = timedelta(hours=1)
LIMITS: Final[Limits] = ((5, SECOND), (100, MINUTE))


@dataclass
class Bot:
    """A bot and its safety settings, which may be changed while it runs.

    `keywords`: one of them must occur. `addresses`: who may call, addresses and networks. `limits`: calls and spans.
    """

    url: str
    token: str
    secret: str | None = None
    keywords: Sequence[str] = ()
    addresses: Sequence[str] = ()
    limits: Limits = LIMITS
    enabled: bool = True
    removed: bool = False
    rates: Rates = field(default_factory=Rates)

    def handle(self, request: Request, now: datetime) -> tuple[Answer, Handled]:
        """What comes of a request."""
        handled = Handled(self.token)
        code = self._refusal(request, now)
        if code:
            return bot_answer(code), handled
        if self.rates.take(self.token, self.limits, now) is not None:
            return bot_answer(11232), Handled(self.token, limited=True)
        body = request.json() or {}
        content = body["card"] if body["msg_type"] == "interactive" else body["content"]
        post = Post(now, "bot", self.token, body["msg_type"], read(content), content, pings(content))
        return bot_answer(), Handled(self.token, post)

    def _refusal(self, request: Request, now: datetime) -> int:
        if self.removed or not self.enabled:
            return 19001 if self.removed else 19007
        body = request.json()
        if body is None or len(request.body) > BODY_MAX:
            return 9499
        if not self._knows(request.peer):
            return 19022
        if self.secret is not None and not signed(body, self.secret, now):
            return 19021
        return _shape(body) or self._unworded(body)

    def _unworded(self, body: dict[str, Any]) -> int:
        said = words(body.get("content") or body.get("card"))
        return 0 if not self.keywords or any(word in said for word in self.keywords) else 19024

    def _knows(self, peer: str) -> bool:
        networks = [
            ip_network(address.replace("*", "0/24") if "*" in address else address) for address in self.addresses
        ]
        return not networks or any(ip_address(peer) in network for network in networks)


def signed(body: dict[str, Any], secret: str, now: datetime) -> bool:
    """Whether timestamp and sign are right, and of this hour."""
    timestamp = body.get("timestamp")
    if not isinstance(timestamp, str) or not timestamp.isdigit():
        return False
    key = f"{timestamp}\n{secret}".encode()
    sign = base64.b64encode(hmac.new(key, digestmod=hashlib.sha256).digest()).decode()
    return body.get("sign") == sign and abs(now.timestamp() - int(timestamp)) <= SIGNED_FOR.total_seconds()


def _shape(body: dict[str, Any]) -> int:
    kind = body.get("msg_type")
    if kind not in TYPES:
        return 19002
    if kind == "interactive":
        return card_fault(body.get("card")) or 0
    content = body.get("content")
    if not isinstance(content, dict) or (kind == "text" and not isinstance(content.get("text"), str)):
        return 9499
    return 0
