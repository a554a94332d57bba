"""FakeFeishu: the endpoints put together, with a clock, a script and a memory.

Invariant: state changes on the server's thread alone, under one lock, and readers get copies. Source:
spec/notification.md §14.
"""

import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from email.utils import format_datetime
from types import TracebackType
from typing import Self

from outrider.ports.clock import Clock
from outrider.runtime.system_clock import SystemClock
from outrider.testing.feishu import app, bot, flow, tokens
from outrider.testing.feishu.app import App
from outrider.testing.feishu.bot import Bot
from outrider.testing.feishu.flow import Flow
from outrider.testing.feishu.log import Call, Handled, Post
from outrider.testing.feishu.rates import Limits
from outrider.testing.feishu.script import Endpoint, Entry, Fault, FaultKind, Script
from outrider.testing.feishu.server import Server
from outrider.testing.feishu.wire import Answer, Request, json_answer


class FakeFeishu:
    """A Feishu on a free port of 127.0.0.1, plain http: give `address` to `ssrf.allow`. A context manager.

    `skew` is how far its clock is ahead of `clock`. `script` says what the next calls meet. Safe from any thread. By the
    system's clock a call's time is when its last byte came, as the kernel knows, however late this process reads it.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._is_real = clock is None
        self._lock = threading.RLock()
        self._bots: dict[str, Bot] = {}
        self._flows: dict[str, Flow] = {}
        self._apps: dict[str, App] = {}
        self._posts: list[Post] = []
        self._calls: list[Call] = []
        self._server = Server(self._handle, self._date, self._clock.sleep)
        self.script = Script()
        self.skew = timedelta(0)

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop()

    @property
    def address(self) -> str:
        """`host:port`."""
        return f"127.0.0.1:{self._server.port}"

    @property
    def base_url(self) -> str:
        """What stands for the open API's host."""
        return f"http://{self.address}"

    @property
    def token_url(self) -> str:
        """The OAuth token endpoint."""
        return self.base_url + tokens.OAUTH_PATH

    def add_bot(
        self, token: str = "bot-token-1", *, secret: str | None = None, keywords: Sequence[str] = (),  # noqa: S107  a name
        addresses: Sequence[str] = (), limits: Limits = bot.LIMITS,
    ) -> Bot:  # fmt: skip
        """Make a bot; its `url` is what a group's owner would copy."""
        made = Bot(f"{self.base_url}{bot.PATH}{token}", token, secret, keywords, addresses, limits)
        with self._lock:
            return self._bots.setdefault(token, made)

    def add_flow(self, key: str = "flow-key-1", *, bearer: str | None = None) -> Flow:
        """Make a flow; its `url` is that of its webhook."""
        with self._lock:
            return self._flows.setdefault(key, Flow(f"{self.base_url}{flow.PATH}{key}", key, bearer))

    def add_app(
        self,
        app_id: str = "cli_1",
        app_secret: str = "app-secret-1",  # noqa: S107  the same
        *,
        window: timedelta = app.WINDOW,
    ) -> App:
        """Make an app that may write to everybody."""
        with self._lock:
            return self._apps.setdefault(app_id, App(app_id, app_secret, window))

    def refuse(self) -> None:
        """Refuse connections from now on."""
        self._server.refuse()

    def accept(self) -> None:
        """Take connections again."""
        self._server.accept()

    def meet(self, endpoint: Endpoint, *entries: Entry) -> None:
        """The next calls of `endpoint` meet these faults or answers, one each; None is a call that goes well."""
        with self._lock:
            self.script.add(endpoint, *entries)

    @property
    def posts(self) -> tuple[Post, ...]:
        """What people got, oldest first."""
        with self._lock:
            return tuple(self._posts)

    @property
    def calls(self) -> tuple[Call, ...]:
        """Every call of a bot, flow or app, oldest first; those for tokens are counted by their app."""
        with self._lock:
            return tuple(self._calls)

    @property
    def hidden(self) -> int:
        """How many repeats deduplication swallowed."""
        return sum(call.hidden for call in self.calls)

    @property
    def limited(self) -> int:
        """How many calls were refused for their rate."""
        return sum(call.limited for call in self.calls)

    def seen(self, text: str) -> int:
        """How often people got a message with this text in it."""
        return sum(text in post.text for post in self.posts)

    def _now(self) -> datetime:
        return self._clock.now() + self.skew

    def _date(self) -> str:
        return format_datetime(self._now(), usegmt=True)

    def _handle(self, request: Request, lain: float) -> tuple[Answer, Fault | None]:
        with self._lock:
            endpoint = _endpoint(request)
            if endpoint is None:
                return Answer(404), None
            now = self._now() - timedelta(seconds=lain if self._is_real else 0)
            entry = self.script.next(endpoint)
            fault = entry if isinstance(entry, Fault) else None
            if isinstance(entry, Answer) or (fault and (not fault.handled or fault.kind is FaultKind.DROP)):
                answer, handled = (entry if isinstance(entry, Answer) else Answer()), Handled("")
            else:
                answer, handled = self._handled(endpoint, request, now)
            self._remember(endpoint, request, now, answer, handled, fault)
            return _spoilt(answer, fault), fault

    def _handled(self, endpoint: Endpoint, request: Request, now: datetime) -> tuple[Answer, Handled]:
        last = request.path.rpartition("/")[2]
        match endpoint:
            case "bot":
                return self._bots.get(last, Bot("", last, removed=True)).handle(request, now)
            case "flow":
                return self._flows.get(last, Flow("", last, removed=True)).handle(request, now)
            case "token":
                return self._token(request, now), Handled("")
        owner = next((one for one in self._apps.values() if request.bearer in one.tokens.ends), None)
        return (owner or App("", "")).handle(request, now)

    def _token(self, request: Request, now: datetime) -> Answer:
        owner = self._apps.get(tokens.app_id_of(request) or "")
        if owner is None:
            return json_answer({"code": tokens.BAD_APP, "msg": "app id not exist"})
        give = tokens.classic if request.path == tokens.CLASSIC_PATH else tokens.oauth
        return give(request, owner.app_id, owner.app_secret, owner.tokens, now)

    def _remember(
        self, endpoint: Endpoint, request: Request, now: datetime, answer: Answer, handled: Handled, fault: Fault | None
    ) -> None:
        if endpoint == "token":
            return
        if handled.post is not None:
            self._posts.append(handled.post)
        self._calls.append(
            Call(
                now, endpoint, handled.receiver, request.body, answer.status, answer.code, handled.uuid,
                posted=handled.post is not None, hidden=handled.hidden, limited=handled.limited, fault=fault,
            )
        )  # fmt: skip


def _endpoint(request: Request) -> Endpoint | None:
    if request.method != "POST":
        return None
    if request.path.startswith(bot.PATH):
        return "bot"
    if request.path.startswith(flow.PATH):
        return "flow"
    if request.path == app.PATH:
        return "app"
    return "token" if request.path in {tokens.CLASSIC_PATH, tokens.OAUTH_PATH} else None


def _spoilt(answer: Answer, fault: Fault | None) -> Answer:
    """What the fault makes of the answer itself; what it makes of the connection is the server's."""
    match fault.kind if fault is not None else None:
        case FaultKind.EMPTY:
            return Answer(200, b"{}", {"Content-Type": "application/json"})
        case FaultKind.HTML:
            return Answer(200, b"<html><body>please sign in</body></html>", {"Content-Type": "text/html"})
    return answer
