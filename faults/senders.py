"""A process that accepts and sends, over PostgreSQL, with a board as telemetry sink; it may be told to die at a point."""

from datetime import timedelta

from faults.asking import catalog
from faults.points import doomed
from faults.roles import until_told
from faults.shop import Cell
from outrider.bootstrap.notification_catalog import SERVICE
from outrider.bootstrap.notifying import NotifierParts, Notifying, notifier_parts
from outrider.bootstrap.settings import make
from outrider.bootstrap.settings_model import Settings
from outrider.bootstrap.wiring import site
from outrider.telemetry.fan_out import FanOut
from outrider.testing.faults import Board, NotifierSink

APP_ID, APP_SECRET = "cli_1", "app-secret-1"
SECRET_KEY = "k1:" + "A" * 43 + "="
CALL_SECONDS = 0.5


def settings(cell: Cell) -> Settings:
    """What every process of the campaign is set to: the shipped proportions at a few hundredths of the shipped times."""
    window = timedelta(seconds=cell.window_seconds)
    channel = {"enabled": True, "timeout": f"{CALL_SECONDS * 1000:.0f} ms", "rate": "1000/s"}
    app = {"app_id": APP_ID, "app_secret": APP_SECRET, "base_url": f"http://{cell.provider}",
           "window": f"{window.total_seconds():.0f} s"}  # fmt: skip
    values: dict[str, object] = {
        "service.name": SERVICE, "database.url": cell.database, "broker.url": "log:", "relay.lease": cell.lease_seconds,
        "relay.publish_timeout": int(cell.lease_seconds * 1000 / 3) / 1000, "runtime.state_dir": cell.state_dir,
        "notification.lease": cell.lease_seconds, "notification.retry_base": "1 s",
        "notification.retry_max": "6 s", "notification.poll": "100 ms", "notification.give_up_after": "10 min",
        "notification.breaker.first": "200 ms", "notification.breaker.max": "5 s", "notification.ssrf.allow": cell.provider,
        "notification.public_base_url": "https://app.example", "notification.secret_keys": SECRET_KEY,
        "notification.channels.inbox.timeout": channel["timeout"],
    }  # fmt: skip
    for name, more in (("feishu_app", app), ("feishu_bot", {})):
        values |= {f"notification.channels.{name}.{key}": value for key, value in {**channel, **more}.items()}
    return make(values)


def parts_of(cell: Cell, board: Board | None = None) -> NotifierParts:
    """The notifier of the cell, put together as in production."""
    sink = FanOut() if board is None else FanOut(NotifierSink(board))
    return notifier_parts(site(settings(cell), catalog()), sink)


async def notify(cell: Cell, board: Board) -> None:
    """Accept and send until SIGTERM, or until the point at which it is to die."""
    parts = parts_of(cell, board)
    if cell.dies_at:
        parts = doomed(parts, cell.dies_at)
    await until_told(Notifying(parts, cell.database), board)
