"""A provider that refuses connections for an hour: it kills nothing, and gets no more than it allows when it is back."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import datetime, timedelta
from sqlite3 import connect
from typing import Any

from faults.asking import RECIPIENTS, recipient
from faults.options import Options
from faults.rig import Rig
from faults.senders import APP_ID, APP_SECRET
from faults.virtual import START, VirtualTown
from outrider.testing.clock import ManualClock
from outrider.testing.feishu import Call, FakeFeishu

CHANNEL = "feishu_app"
STEP = timedelta(minutes=1)
ALLOWED = ((40, timedelta(seconds=1)), (900, timedelta(minutes=1)))
ALLOWED_A_RECEIVER = ((4, timedelta(seconds=1)),)
"""The rates as shipped, which are below the provider's own."""


def notification_outage(rig: Rig, options: Options, tick: Callable[[], None]) -> dict[str, Any]:
    """Ask all through the outage, minute by minute, and see what becomes of it; on SQLite, in virtual time."""
    clock = ManualClock(START)
    with FakeFeishu(clock) as feishu:
        feishu.add_app(APP_ID, APP_SECRET)
        town = VirtualTown(
            rig.folder, clock, None,
            **{
                "notification.ssrf.allow": feishu.address, "notification.channels.feishu_app.enabled": True,
                "notification.channels.feishu_app.app_id": APP_ID, "notification.channels.feishu_app.app_secret": APP_SECRET,
                "notification.channels.feishu_app.base_url": feishu.base_url,
            },
        )  # fmt: skip
        asyncio.run(_through(town, feishu, timedelta(seconds=options.seconds), options.messages))
        tick()
        drained = clock.now() - START - timedelta(seconds=options.seconds)
        return {"minutes": options.seconds / 60, "records": options.messages, **_judge(rig, feishu),
                "drained_min": round(drained / timedelta(minutes=1), 1)}  # fmt: skip


async def _through(town: VirtualTown, feishu: FakeFeishu, outage: timedelta, messages: int) -> None:
    for number in range(RECIPIENTS):
        await town.give_address(CHANNEL, recipient(number), receive_id_type="open_id", receive_id=f"ou_{number}")
    feishu.refuse()
    steps = max(1, outage // STEP)
    async with town.working():
        for step in range(steps):
            numbers = range(messages * step // steps, messages * (step + 1) // steps)
            await town.ask(CHANNEL, [(recipient(number), f"{number:032x}") for number in numbers])
            await town.pass_time(START + outage * (step + 1) / steps)
        feishu.accept()
        await town.pass_time(None)


def _judge(rig: Rig, feishu: FakeFeishu) -> dict[str, Any]:
    with closing(connect(rig.folder / "town.db")) as connection:
        ended = dict(connection.execute("SELECT status, count(*) FROM notification_record GROUP BY status").fetchall())
        (attempts,) = connection.execute("SELECT count(*) FROM notification_attempt").fetchone()
    texts = Counter(post.text for post in feishu.posts)
    receivers: dict[str, list[Call]] = defaultdict(list)
    for call in feishu.calls:
        receivers[call.receiver].append(call)
    exceeded = above(feishu.calls, ALLOWED) + sum(above(calls, ALLOWED_A_RECEIVER) for calls in receivers.values())
    return {
        "dead": ended.get("dead", 0),
        "stuck": sum(ended.get(status, 0) for status in ("pending", "failed", "sending")),
        "lost": ended.get("sent", 0) - len(texts),
        "seen_twice": sum(count > 1 for count in texts.values()),
        "rate_exceeded": exceeded + feishu.limited,
        "ended": ended,
        "attempts": attempts,
    }


def above(calls: Iterable[Call], rates: Iterable[tuple[int, timedelta]]) -> int:
    """How many calls came sooner after earlier ones than these rates allow."""
    times: list[datetime] = [call.at for call in calls]
    return sum(
        later - earlier < span for count, span in rates for earlier, later in zip(times, times[count:], strict=False)
    )
