"""Canaries in every setting and address, every channel failing in every way: none of them sings anywhere."""

import asyncio
import io
import itertools
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from outrider.bootstrap.notifying import NotifierParts, notifier_parts
from outrider.bootstrap.settings import make
from outrider.bootstrap.wiring import site
from outrider.codecs.sealed import new_key
from outrider.core.identity import uuid7
from outrider.core.notification.address import Address, AddressSettings
from outrider.core.notification.request import NotificationRequest, Route
from outrider.core.secret import Secret
from outrider.notification.opening import sealed
from outrider.notification.store.accepting import accept
from outrider.notification.store.people import save_address
from outrider.runtime.sessions import Sessions
from outrider.runtime.system_clock import SystemClock
from outrider.telemetry.fan_out import FanOut
from outrider.telemetry.logs import LogSink
from outrider.telemetry.metrics import MetricsSink
from outrider.testing.events import EventSink
from outrider.testing.feishu import Answer, FakeFeishu, Fault, FaultKind
from outrider.testing.feishu.script import Endpoint, Entry
from outrider.testing.feishu.wire import json_answer
from tests.acceptance.cli.conftest import Shop

CANARY = "c4n4ry"
KEY = f"{CANARY}-key:" + new_key(SystemClock().random_bytes).reveal().rpartition(":")[2]
WHSEC = "whsec_" + "c4n4ryc4n4ryc4n4ryc4n4ryc4n4ryc4n4ryc4n4"
ECHOES = {
    "bot": f"Cannot POST /{CANARY}-path-token",
    "flow": f"Cannot POST /{CANARY}-path-token",
    "app": f"{CANARY}-app-secret",
}
"""What each provider says back of what it was told."""


def ways(echo: str) -> tuple[Entry, ...]:
    """Everything that may go wrong with a call, and one that goes well."""
    return (
        Fault(FaultKind.LOSE), Fault(FaultKind.TRUNCATE), Fault(FaultKind.EMPTY), Fault(FaultKind.HTML),
        Fault(FaultKind.DROP), Answer(500, echo.encode()), Answer(503, echo.encode()), Answer(404, echo.encode()),
        json_answer({"code": 99, "msg": echo}), json_answer({"code": 19021, "msg": echo}),
        json_answer({"code": 230001, "msg": echo}, 400), json_answer({"code": 11232, "msg": echo}, 429),
        Answer(302, b"", {"Location": f"https://{CANARY}.example/"}), None,
    )  # fmt: skip


ROUNDS = len(ways(""))
CHANNELS = ("feishu_bot", "feishu_flow", "feishu_app", "webhook", "email", "apprise")
READS = (
    ("list",), ("channels", "list", "anna"), ("destinations", "list"), ("stats",), ("sweep",),
    *[("test", "anna", channel) for channel in CHANNELS],
)  # fmt: skip


def settings(path: Path, feishu: FakeFeishu) -> dict[str, str]:
    """Every channel is on, and every secret of the settings is a canary; the mail server refuses connections."""
    channels = {f"channels.{name}.enabled": "true" for name in CHANNELS}
    channels |= {
        f"channels.{name}.rate": "1000/s" for name in CHANNELS
    }  # no call waits for its turn, however quick the machine
    values = {
        "secret_keys": KEY, "ssrf.allow": f"{feishu.address}, 127.0.0.1:9", "public_base_url": "https://app.example",
        "breaker.failures": "5", "retry_base": "1 s", "retry_max": "1 s", **channels,
        "channels.feishu_app.app_id": "cli_1", "channels.feishu_app.app_secret": f"{CANARY}-app-secret",
        "channels.feishu_app.base_url": feishu.base_url, "channels.email.host": "127.0.0.1", "channels.email.port": "9",
        "channels.email.security": "none", "channels.email.sender": "noreply@app.example",
        "channels.email.username": "mailer", "channels.email.password": f"{CANARY}-mail-password",
        "channels.apprise.schemes": "json",
    }  # fmt: skip
    said = {f"notification.{name}": value for name, value in values.items()}
    return said | {"service.name": "notification", "database.url": f"sqlite:///{path}", "broker.url": "log:"}


def addresses(feishu: FakeFeishu) -> Mapping[str, tuple[dict[str, str], dict[str, str]]]:
    """Of every channel, what may be shown and what must not."""
    token = f"{CANARY}-path-token"
    bot, flow = (
        feishu.add_bot(token, secret=f"{CANARY}-sign-secret").url,
        feishu.add_flow(token, bearer=f"{CANARY}-bearer").url,
    )
    return {
        "feishu_bot": ({"auth_type": "sign"}, {"webhook_url": bot, "sign_secret": f"{CANARY}-sign-secret"}),
        "feishu_flow": ({"auth_type": "bearer"}, {"webhook_url": flow, "bearer_token": f"{CANARY}-bearer"}),
        "feishu_app": ({"receive_id_type": "open_id", "receive_id": "ou_1"}, {}),
        "webhook": ({"auth_type": "sign"}, {"webhook_url": f"{flow}?key={CANARY}", "sign_secret": WHSEC}),
        "email": ({"email": "anna@app.example"}, {}),
        "apprise": ({}, {"apprise_url": f"json://{CANARY}:{CANARY}-word@127.0.0.1:9/{token}"}),
    }


class Ways:
    """Everything that may go wrong, one after the other, at each endpoint."""

    def __init__(self) -> None:
        self._next: dict[Endpoint, Iterator[Entry]] = {}

    def __call__(self, endpoint: Endpoint) -> Entry:
        if endpoint == "token":
            return None
        return next(self._next.setdefault(endpoint, itertools.cycle(ways(ECHOES[endpoint]))))


async def furnish(parts: NotifierParts, sessions: Sessions, feishu: FakeFeishu) -> None:
    for channel, (values, hidden) in addresses(feishu).items():
        secrets = {name: Secret(value) for name, value in hidden.items()}
        address = Address("anna", channel, AddressSettings(values, secrets))
        place = parts.desk.channels[channel].destinations(address)[0]
        text = sealed("anna", channel, secrets, parts.desk.codec)
        saved = save_address(
            uuid4(), "anna", channel, enabled=True, settings=values, secrets=text, destination_key=place.key
        )
        assert await sessions.transact(saved) is not None


async def fail_in_every_way(parts: NotifierParts, path: Path, feishu: FakeFeishu) -> None:
    """Ask and send again and again; what broke or was switched off is mended in between."""
    sessions, notifier, clock = parts.sessions(), parts.notifier(), parts.made.clock
    await furnish(parts, sessions, feishu)
    for number in range(ROUNDS):
        request = NotificationRequest(
            uuid7(clock.now_ms(), clock.random_bytes(10)), "anna", "important_urgent_task", datetime.now(UTC),
            subject_type="task", subject_id=str(number), summary_text="Buy milk", target_url="/tasks/1",
            route=Route(always=CHANNELS),
        )  # fmt: skip
        await sessions.transact(accept(parts.desk.rules, request))
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(
                "UPDATE notification_destination SET state = 'closed', blocked_until = NULL, strikes = 0"
            )
            connection.execute("UPDATE notification_address SET enabled = 1, state = 'ok'")
            connection.commit()
        await notifier.sweep()
    await sessions.close()


@pytest.mark.timeout(120)
@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # of what Apprise imports
def test_planted_secrets_leak_nowhere(tmp_path: Path) -> None:
    """NT-44, NT-45, OB-95: no log line, event, metric, row, error, page or `--json` output has a canary in it."""
    path, shop = tmp_path / "notices.db", Shop(tmp_path, f"sqlite:///{tmp_path}/notices.db")
    log, events, metrics = io.StringIO(), EventSink(), MetricsSink()
    with FakeFeishu() as feishu:
        feishu.add_app("cli_1", f"{CANARY}-app-secret")
        said = settings(path, feishu)
        environment = {f"OUTRIDER_{name.upper().replace('.', '__')}": value for name, value in said.items()}
        environment["OUTRIDER_SERVICE__CATALOG"] = "none"
        assert shop.run("migrate", **environment).code == 0
        feishu.script.choose = Ways()
        parts = notifier_parts(site(make(said)), FanOut(LogSink(log, level="debug", format="json"), events, metrics))
        asyncio.run(fail_in_every_way(parts, path, feishu))
        printed = [shop.run("notify", *words, "--json", **environment) for words in READS]
        with closing(sqlite3.connect(path)) as connection:
            records = [row[0].hex() for row in connection.execute("SELECT id FROM notification_record")]
            printed += [shop.run("notify", "show", record, "--texts", "--json", **environment) for record in records]
            rows = "\n".join(connection.iterdump())
            codes = {row[0] for row in connection.execute("SELECT DISTINCT code FROM notification_attempt")}
    heard = {
        "log": log.getvalue(),
        "events": repr(events.events),
        "metrics": metrics.exposition().decode(),
        "rows": rows.replace(f"s1:{CANARY}-key:", ""),  # a sealed text opens with the id of its key
        "output": "\n".join(answer.out + answer.err for answer in printed),
        "repr": f"{parts.values!r} {parts.desk.channels!r}",
    }
    assert {name: text.count(CANARY) for name, text in heard.items()} == dict.fromkeys(heard, 0)
    assert {
        "connection_lost",
        "answer_unreadable",
        "provider_5xx",
        "provider_rate_limited",
        "network_error",
    } <= codes, codes
