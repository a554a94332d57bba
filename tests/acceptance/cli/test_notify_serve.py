"""`outrider notify serve` and `token` as processes: refusals, a token, calls, a stream, a drain."""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.cli.conftest import PROGRAM, Shop

pytestmark = pytest.mark.timeout(120)  # it starts the program several times

PREFIX = "/api/v1/notification"
ASKED = {
    "recipient_id": "anna", "kind": "important_urgent_task", "requested_at": "2026-11-20T08:07:00Z",
    "summary_text": "Buy milk", "locale": "en",
}  # fmt: skip


class Town:
    """A folder with the notifier's tables, and tokens for who calls."""

    def __init__(self, folder: Path) -> None:
        self.shop = Shop(folder, f"sqlite:///{folder}/town.db")
        self.said = {
            "OUTRIDER_SERVICE__NAME": "notification", "OUTRIDER_DATABASE__URL": self.shop.url,
            "OUTRIDER_LOG__FORMAT": "json", "OUTRIDER_NOTIFICATION__HTTP__PORT": "0",
            "OUTRIDER_NOTIFICATION__POLL": "50 ms",
        }  # fmt: skip
        assert self.shop.run("migrate", **self.said).code == 0
        self.tokens: dict[str, str] = {}
        self._open: list[HTTPConnection | HTTPResponse] = []

    def token(self, recipient: str, *roles: str) -> str:
        """A token of `notify token`; gives the line for the settings."""
        options = [option for role in roles for option in ("--role", role)]
        made = self.shop.run("notify", "token", "--recipient", recipient, *options, "--json", **self.said)
        assert made.code == 0, made.err
        self.tokens[recipient] = made.json["token"]
        return str(made.json["setting"])

    @contextmanager
    def serving(self) -> Iterator[int]:
        """The process, which drains at the end; gives its port."""
        lines = [self.token("shop", "service"), self.token("anna", "recipient")]
        said = self.said | {"OUTRIDER_NOTIFICATION__HTTP__TOKENS": ",".join(lines)}
        command, environment = [str(PROGRAM), "notify", "serve"], self.shop._environment(said)
        with subprocess.Popen(
            command, cwd=self.shop.folder, env=environment, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stderr is not None
            for line in process.stderr:
                if "answering on" in line:
                    yield int(line.rpartition(":")[2])
                    break
            process.send_signal(signal.SIGTERM)
            rest = process.stderr.read()
            assert process.wait() == 0, rest
            assert not [token for token in self.tokens.values() if token in rest]
        while self._open:  # streams too: the drain ended them
            self._open.pop().close()

    def call(self, port: int, method: str, path: str, who: str | None, body: object = None, **headers: str) -> Any:  # noqa: ANN401
        """Status and JSON."""
        answer = self.open(port, method, path, who, body, **headers)
        return answer.status, json.loads(answer.read())

    def open(
        self, port: int, method: str, path: str, who: str | None, body: object = None, **headers: str
    ) -> HTTPResponse:
        """The answer, unread."""
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        sent = {"Content-Type": "application/json", **{name.replace("_", "-"): text for name, text in headers.items()}}
        if who is not None:
            sent["Authorization"] = f"Bearer {self.tokens[who]}"
        connection.request(method, path, None if body is None else json.dumps(body), sent)
        answer = connection.getresponse()
        self._open += [connection, answer]
        return answer


def test_it_serves_who_has_a_token_and_drains(tmp_path: Path) -> None:
    """NT-52, NT-53, NT-54: a service asks, the person sees it in the stream and the list; probes and metrics answer."""
    town = Town(tmp_path)
    with town.serving() as port:
        assert town.call(port, "GET", "/livez", None) == (200, {"alive": True})
        assert town.call(port, "GET", "/readyz", None) == (200, {"ready": True, "reasons": {}})
        status, refused = town.call(port, "GET", f"{PREFIX}/inbox", None)
        assert (status, refused["code"]) == (401, "unauthenticated")
        assert town.call(port, "GET", "/nowhere", "anna")[1]["code"] == "not_found"
        assert town.call(port, "PATCH", f"{PREFIX}/inbox", "anna")[1]["code"] == "method_not_allowed"
        stream = town.open(port, "GET", f"{PREFIX}/inbox/stream", "anna")
        assert stream.getheader("Content-Type", "").startswith("text/event-stream")
        assert [stream.readline() for _ in range(3)] == [b"event: count\n", b'data: {"unread": 0}\n', b"\n"]
        status, made = town.call(port, "POST", f"{PREFIX}/records", "shop", ASKED, Idempotency_Key="k1")
        assert (status, [one["status"] for one in made["records"]]) == (202, ["sent"])
        event = [stream.readline().decode() for _ in range(4)]
        assert event[1] == "event: item\n"
        assert json.loads(event[2].removeprefix("data: "))["body"].startswith("Buy milk")
        assert [stream.readline() for _ in range(2)] == [b"event: count\n", b'data: {"unread": 1}\n']
        assert town.call(port, "GET", f"{PREFIX}/inbox/count", "anna") == (200, {"unread": 1})
        assert town.call(port, "GET", f"{PREFIX}/records", "anna")[0] == 403
        scraped = town.open(port, "GET", "/metrics", None).read().decode()
        assert "outrider_notification_requests_total" in scraped
        last = event[0].removeprefix("id: ").strip()
        again = town.open(
            port, "GET", f"{PREFIX}/inbox/stream", "anna", Last_Event_ID="01990000-0000-7000-8000-000000000001"
        )
        assert again.readline().decode() == f"id: {last}\n"


def test_it_refuses_to_serve_anybody(tmp_path: Path) -> None:
    """NT-53: without tokens, with a wrong one, and in the clear beyond this machine."""
    town = Town(tmp_path)
    http = "OUTRIDER_NOTIFICATION__HTTP__"
    nobody = town.shop.run("notify", "serve", **town.said)
    assert (nobody.code, "notify token" in nobody.err) == (2, True)
    wrong = town.shop.run("notify", "serve", **town.said, **{f"{http}TOKENS": "secret:anna:king"})
    assert (wrong.code, "entry 1" in wrong.err, "secret" in wrong.err) == (2, True, False)
    line = town.token("shop", "service")
    bare = town.shop.run("notify", "serve", **town.said, **{f"{http}TOKENS": line, f"{http}HOST": "192.0.2.7"})
    assert (bare.code, "in the clear" in bare.err) == (2, True)
    for options in (["--recipient", "a b", "--role", "service"], ["--recipient", "a", "--role", "king"]):
        assert town.shop.run("notify", "token", *options, **town.said).code == 2
