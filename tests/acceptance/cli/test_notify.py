"""`outrider notify` as an operator meets it: settings from the environment, one process, a request on its way."""

import json
import signal
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from outrider import Catalog, Message, Outbox
from outrider.bootstrap.notification_catalog import declare_notifications
from outrider.testing.feishu import FakeFeishu, Fault, FaultKind
from outrider.testing.schema import create_tables
from tests.acceptance.cli.conftest import PROGRAM, Shop

pytestmark = pytest.mark.timeout(90)  # it starts the program five times

CATALOG = """
from outrider import Catalog
from outrider.bootstrap.notification_catalog import declare_notifications

catalog = Catalog("shop")
declare_notifications(catalog, ["shop"])
"""


def town(folder: Path) -> tuple[Shop, dict[str, str]]:
    """A folder with the application's catalog, its tables and the notifier's."""
    url = f"sqlite:///{folder}/town.db"
    (folder / "town.py").write_text(CATALOG, encoding="utf-8")
    create_tables(url, "shop_")
    said = {
        "OUTRIDER_SERVICE__NAME": "notification", "OUTRIDER_DATABASE__URL": url, "OUTRIDER_BROKER__URL": "log:",
        "OUTRIDER_SERVICE__CATALOG": "town:catalog", "OUTRIDER_NOTIFICATION__CHANNELS__CONSOLE__ENABLED": "true",
        "OUTRIDER_NOTIFICATION__ROUTE__ALWAYS": "inbox,console", "OUTRIDER_LOG__FORMAT": "json",
        "PYTHONPATH": str(folder),
    }  # fmt: skip
    return Shop(folder, url), said


def ask(url: str) -> None:
    """Add a request as the application would."""
    catalog = Catalog("shop")
    declare_notifications(catalog, ["shop"])
    body = {
        "recipient_id": "anna", "kind": "important_urgent_task", "requested_at": "2026-11-20T08:07:00Z",
        "subject_type": "task", "subject_id": "1", "summary_text": "Buy milk", "locale": "en",
    }  # fmt: skip
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as tx:
        tx.execute("BEGIN IMMEDIATE")
        Outbox(catalog, "shop").add(tx, Message("notification.requested", body, key="anna"))
        tx.execute("COMMIT")


def test_a_request_is_told_and_can_be_looked_at(tmp_path: Path) -> None:
    """NT-53, NT-12: `migrate` makes the tables, `run` accepts and sends until SIGTERM, `show` says what became of it."""
    shop, said = town(tmp_path)
    assert shop.program("migrate", **said).code == 0
    ask(shop.url)
    command = [str(PROGRAM), "notify", "run"]
    environment = shop._environment(said)
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        sent: list[str] = []
        for line in process.stderr:
            event = json.loads(line) if line.startswith("{") else {}
            if event.get("event") == "notification.sent":
                sent.append(event["record_id"])
            if len(sent) == 2:
                break
        process.send_signal(signal.SIGTERM)
        told, _ = process.communicate()
        assert process.returncode == 0
    assert "Buy milk" in told
    shown = shop.program("notify", "show", sent[0], "--json", **said).json
    assert (shown["status"], shown["recipient_id"]) == ("sent", "anna")
    assert "Buy milk" not in json.dumps(shown)
    assert shop.program("notify", "run", "--once", "--json", **said).json["scanned"] == 0


def first(process: "subprocess.Popen[str]", name: str) -> None:
    """Read the process's log up to the first line of this event."""
    assert process.stderr is not None
    assert any(line.startswith("{") and json.loads(line).get("event") == name for line in process.stderr)


def test_what_a_killed_notifier_was_sending_is_not_waited_for(tmp_path: Path) -> None:
    """NT-13, OB-100: its lease of an hour ends with it; another process of the host settles the call at once."""
    shop, said = town(tmp_path)
    with FakeFeishu() as feishu:
        bot = feishu.add_bot()
        feishu.meet("bot", Fault(FaultKind.HANG))
        said |= {
            "OUTRIDER_NOTIFICATION__CHANNELS__FEISHU_BOT__ENABLED": "true", "OUTRIDER_NOTIFICATION__LEASE": "1 h",
            "OUTRIDER_NOTIFICATION__CHANNELS__FEISHU_BOT__TIMEOUT": "20 min", "OUTRIDER_LOG__LEVEL": "debug",
            "OUTRIDER_NOTIFICATION__SSRF__ALLOW": feishu.address, "OUTRIDER_RUNTIME__STATE_DIR": str(tmp_path),
        }  # fmt: skip
        (tmp_path / "url.txt").write_text(bot.url, encoding="utf-8")
        assert shop.run("migrate", **said).code == 0
        assert shop.run("notify", "channels", "set", "anna", "feishu_bot", "--webhook-url", "url.txt", **said).code == 0
        assert shop.run("notify", "send", "anna", "important_urgent_task", "--channel", "feishu_bot", **said).code == 0
        for event in ("notification.attempt.started", "notification.recovered"):
            with subprocess.Popen(
                [str(PROGRAM), "notify", "run"], cwd=tmp_path, env=shop._environment(said), stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE, text=True,
            ) as process:  # fmt: skip
                first(process, event)
                process.kill()
    (record,) = shop.run("notify", "list", "--channel", "feishu_bot", "--json", **said).json["items"]
    assert (record["status"], record["last_error_code"]) == ("failed", "sending_lease_expired")
