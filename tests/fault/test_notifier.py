"""What an outage of a provider leaves behind, in virtual time."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from faults.__main__ import run
from faults.bars import misses
from faults.options import Options
from faults.senders import APP_ID, APP_SECRET
from faults.virtual import START, VirtualTown
from outrider.core.events.notifying import NotificationDead, NotificationSent
from outrider.testing.clock import ManualClock
from outrider.testing.events import EventSink
from outrider.testing.feishu import FakeFeishu

SECOND = timedelta(seconds=1)
BACKLOG = 5_000
"""A twentieth of what the name says: moving a row is what it costs, and each is moved once."""
COPY = """
    INSERT INTO notification_record ({columns}, id, request_id)
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
    SELECT {columns}, randomblob(16), randomblob(16) FROM notification_record, n WHERE notification_record.id = ?
"""


@pytest.mark.timeout(180)
def test_refused_connections_for_an_hour_kill_nothing() -> None:
    """NT-18, NT-23 to NT-25: a short version of `./run fault notification-outage`; none is dead, none too soon."""
    figures = run("notification-outage", Options(0, 150, 3_600, transactional=False, seed=1), quiet=True)
    assert not misses(figures), figures
    assert figures["ended"] == {"sent": 150}
    assert figures["attempts"] <= 150 + 20, figures  # what fails meanwhile are probes


@pytest.mark.timeout(180)
async def test_hundred_thousand_due_after_outage(tmp_path: Path) -> None:
    """NT-9, NT-23, NT-25: they go by the rate of their one reader, and what is due elsewhere does not wait for them."""
    clock, sink = ManualClock(START), EventSink()
    with FakeFeishu(clock) as feishu:
        feishu.add_app(APP_ID, APP_SECRET)
        town = VirtualTown(
            tmp_path, clock, sink,
            **{
                "notification.ssrf.allow": feishu.address, "notification.channels.feishu_app.enabled": True,
                "notification.channels.feishu_app.app_id": APP_ID, "notification.channels.feishu_app.app_secret": APP_SECRET,
                "notification.channels.feishu_app.base_url": feishu.base_url, "notification.channels.console.enabled": True,
            },
        )  # fmt: skip
        await town.give_address("feishu_app", "anna", receive_id_type="open_id", receive_id="ou_1")
        (first,) = await town.ask("feishu_app", [("anna", "first")])
        with closing(sqlite3.connect(tmp_path / "town.db")) as connection:
            names = [row[1] for row in connection.execute("PRAGMA table_info(notification_record)")]
            columns = ", ".join(name for name in names if name not in {"id", "request_id"})
            connection.execute(COPY.format(columns=columns, count=BACKLOG), (first.bytes,))
            connection.commit()
        await town.ask("console", [("ben", "other")])
        async with town.working():
            await town.pass_time(START + 10 * SECOND, SECOND / 50)
        sent = [event.channel for event in sink.of(NotificationSent)]
        assert "console" in sent[:20]
        assert 30 <= len(feishu.posts) <= 42  # four a second to one reader
        assert feishu.limited == 0
        assert sink.of(NotificationDead) == []
