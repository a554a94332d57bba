"""Senders that die while they tell people: nobody is forgotten, and what is repeated is what may be repeated."""

import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import psycopg

from faults.asking import RECIPIENTS, SERVICE, TABLE, Asking, recipient
from faults.campaign import SETTLE_SECONDS, Stuck, pick_moment
from faults.options import Options
from faults.points import POINTS
from faults.rig import LEASE_SECONDS, Rig
from faults.senders import APP_ID, APP_SECRET, parts_of
from faults.shop import Cell
from faults.told import judge, unsettled
from faults.weather import Weather
from outrider.core.notification.address import Address, AddressSettings
from outrider.core.secret import Secret
from outrider.notification.opening import sealed
from outrider.notification.store.people import save_address
from outrider.testing.faults import Victim
from outrider.testing.feishu import FakeFeishu
from outrider.testing.schema import create_tables

NAME = "notification"
SENDERS = 3
BOTS = 10
WINDOW = timedelta(seconds=20)
KILL_SECONDS = 2.5  # about what one kill and start takes, to spread the messages over the campaign
RATE_MIN = 10.0
QUIET_SECONDS = 60.0
LOOK_SECONDS = 0.5
POLL_SECONDS = 0.01
FROZEN_LEASES = 1.5
POINT_LATENCY = 0.1  # longer than a sender that dies while its call is under way waits

Tick = Callable[[], None]


def notification(rig: Rig, options: Options, tick: Tick) -> dict[str, Any]:
    """SIGKILL senders at random, while the provider answers as badly as it can."""
    return _among_faults(rig, options, lambda cell, senders: _kill(rig, cell, senders, options, tick))


def notification_frozen(rig: Rig, options: Options, tick: Tick) -> dict[str, Any]:
    """SIGSTOP senders past their lease, SIGCONT when others have settled what they had in hand; the same provider."""
    return _among_faults(rig, options, lambda cell, senders: _freeze(cell, senders, options, tick))


def _among_faults(rig: Rig, options: Options, disturb: Callable[[Cell, list[Victim]], int]) -> dict[str, Any]:
    """Ask for notifications while senders are disturbed, which gives how many had a call under way; judge."""
    with FakeFeishu() as feishu:
        cell = furnish(rig, feishu, options.seed, WINDOW)
        feishu.script.choose = Weather(options.seed)
        rate = max(RATE_MIN, options.messages / max(1, options.kills) / KILL_SECONDS)
        asking = Asking(cell.database, rate, options.messages, options.seed)
        senders = [_sender(rig, cell, number) for number in range(SENDERS)]
        asking.start()
        try:
            in_flight = disturb(cell, senders)
        finally:
            asking.stop()
        await_ended(cell, senders)
        return {
            "kills": options.kills, "kills_in_flight": in_flight, **judge(cell.database, feishu, WINDOW),
            "window_s": WINDOW.total_seconds(),
        }  # fmt: skip


def notification_points(rig: Rig, options: Options, tick: Tick) -> dict[str, Any]:
    """SIGKILL at each of six points of a send in turn; replies are lost besides, and the provider remembers for an hour."""
    window = timedelta(hours=1)
    with FakeFeishu() as feishu:
        cell = furnish(rig, feishu, options.seed, window)
        feishu.script.choose = Weather(options.seed, latency=POINT_LATENCY)
        asking = Asking(cell.database, RATE_MIN, options.messages, options.seed)
        asking.start()
        killed: Counter[str] = Counter()
        try:
            for number in range(options.kills):
                point = POINTS[number % len(POINTS)]
                sender = rig.spawn("notify", NAME, replace(cell, dies_at=point), number)
                killed[point] += _dies(sender)
                tick()
        finally:
            asking.stop()
        await_ended(cell, [_sender(rig, cell, options.kills + number) for number in range(SENDERS)])
        return {"kills": killed.total(), "killed_at": dict(killed), **judge(cell.database, feishu, window),
                "window_s": window.total_seconds()}  # fmt: skip


def _dies(sender: Victim) -> bool:
    """Wait for a sender's end by its own hand."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while sender.running:
        if time.monotonic() > deadline:
            raise Stuck(f"{sender.name} did not come to its point:\n{sender.log_tail()}")
        time.sleep(POLL_SECONDS)
    return sender.wait() == -signal.SIGKILL


def furnish(rig: Rig, feishu: FakeFeishu, seed: int, window: timedelta) -> Cell:
    """A database with the tables of application and notifier; an app and bots; every recipient with an address of both."""
    database = rig.server.create_database(NAME)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(TABLE)
    create_tables(database, f"{SERVICE}_")
    create_tables(database, "notification_")
    app = feishu.add_app(APP_ID, APP_SECRET, window=window)
    app.limits = ()
    urls = [feishu.add_bot(f"bot-token-{number}", limits=()).url for number in range(BOTS)]
    cell = Cell(
        database, "log:", LEASE_SECONDS, seed=seed, provider=feishu.address, window_seconds=window.total_seconds()
    )
    asyncio.run(_give_addresses(replace(cell, state_dir=str(rig.folder)), urls))
    return cell


async def _give_addresses(cell: Cell, urls: list[str]) -> None:
    parts = parts_of(cell)
    sessions = parts.sessions()
    for number in range(RECIPIENTS):
        receiver = {"receive_id_type": "open_id", "receive_id": f"ou_{number}"}
        given: dict[str, tuple[dict[str, str], dict[str, Secret]]] = {
            "feishu_app": (receiver, {}),
            "feishu_bot": ({}, {"webhook_url": Secret(urls[number % len(urls)])}),
        }
        for channel, (values, secrets) in given.items():
            address = Address(recipient(number), channel, AddressSettings(values, secrets))
            place = parts.desk.channels[channel].destinations(address)[0]
            text = sealed(recipient(number), channel, secrets, parts.desk.codec)
            await sessions.transact(
                save_address(
                    uuid4(), recipient(number), channel, enabled=True, settings=values, secrets=text,
                    destination_key=place.key,
                )
            )  # fmt: skip
    await sessions.close()


def _sender(rig: Rig, cell: Cell, number: int) -> Victim:
    """A sender that is at work."""
    sender = rig.spawn("notify", NAME, cell, number)
    if not sender.await_ready(SETTLE_SECONDS):
        raise Stuck(f"{sender.name} did not start:\n{sender.log_tail()}")
    return sender


def _kill(rig: Rig, cell: Cell, senders: list[Victim], options: Options, tick: Tick) -> int:
    """Kill one after the other at random, each replaced; gives how many had a call under way."""
    chance, in_flight = random.Random(options.seed), 0
    for number in range(options.kills):
        place = chance.randrange(len(senders))
        pick_moment(senders[place], chance)
        in_flight += senders[place].kill()
        senders[place] = _sender(rig, cell, SENDERS + number)
        tick()
    return in_flight


def _freeze(cell: Cell, senders: list[Victim], options: Options, tick: Tick) -> int:
    """Stop one after the other at random, past its lease, and let it go on; gives how many had a call under way."""
    chance, in_flight = random.Random(options.seed), 0
    for _ in range(options.kills):
        sender = senders[chance.randrange(len(senders))]
        pick_moment(sender, chance)
        sender.freeze()
        in_flight += sender.board.in_flight
        time.sleep(FROZEN_LEASES * cell.lease_seconds)
        sender.thaw()
        tick()
    return in_flight


def await_ended(cell: Cell, senders: list[Victim]) -> None:
    """Wait until every record is at an end, or until none has come nearer to it for a while; then stop the senders."""
    left, since = unsettled(cell.database), time.monotonic()
    while left and time.monotonic() < since + QUIET_SECONDS:
        time.sleep(LOOK_SECONDS)
        now = unsettled(cell.database)
        if now != left:
            left, since = now, time.monotonic()
    for sender in senders:
        sender.stop()
