"""A Steward of one folder, for the demo: its settings in files there, which its other processes read, too.

Invariant: nothing of the caller's environment or settings files has a say; tables that are not a demo's are never touched.
Source: spec/scheduling.md ST-69.
"""

import json
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Final, TextIO

from sqlalchemy import Connection, inspect, text

from outrider.bootstrap.running import Service, log_lines
from steward.bootstrap.derive import derived
from steward.bootstrap.faults import StartRefused
from steward.bootstrap.gauging import gauges_of
from steward.bootstrap.http_server import HttpServer
from steward.bootstrap.roles import ROLES, services_of
from steward.bootstrap.settings import load
from steward.bootstrap.steward import Steward
from steward.bootstrap.topics import topics_needed

PREFIXES: Final = ("steward_", "notification_")
TOPIC_SECONDS: Final = 15.0
PARTITIONS: Final = 4
SECRET_MODE: Final = 0o600
OUTRIDER: Final = """\
[log]
level = "warning"

[notification.channels.console]
enabled = true

[notification.route]
always = ["inbox", "console"]
"""


def steward_in(folder: Path, values: Mapping[str, object], log: TextIO) -> Steward:
    """Steward by these settings, which `steward.toml` and `outrider.toml` in the folder then hold; warnings go to `log`."""
    own, outrider_own = folder / "steward.toml", folder / "outrider.toml"
    own.touch(SECRET_MODE)
    own.write_text(_toml({"database.url": f"sqlite:///{folder.resolve()}/steward.db", **values}), encoding="utf-8")
    outrider_own.write_text(OUTRIDER, encoding="utf-8")
    read = load(config=own, environment={})
    outrider = derived(read, config=outrider_own, environment={})
    return Steward(read.settings, outrider, telemetry=log_lines(log, outrider.steward.log, color=False))


async def everything(steward: Steward, opened: Callable[[int], None]) -> list[Service]:
    """All roles and the HTTP interface; `opened` is told the port."""
    roles = await services_of(steward, ROLES)
    return [*roles, gauges_of(steward), HttpServer(steward, opened)]


async def clear(steward: Steward, user_id: str) -> None:
    """Drop our tables, if they are those of a demo: its only person is `user_id`. Raises StartRefused."""
    async with steward.pool.begin() as connection:
        await connection.run_sync(lambda plain: _clear(plain, user_id))


def make_topics(steward: Steward) -> None:
    """Make the topics of both services where the broker is Kafka. Raises StartRefused."""
    if steward.values.broker.kind != "kafka":
        return
    kafka, admin = import_module("confluent_kafka"), import_module("confluent_kafka.admin")
    client = admin.AdminClient({"bootstrap.servers": steward.values.broker.url.removeprefix("kafka://")})
    try:
        for future in client.create_topics(
            [admin.NewTopic(name, PARTITIONS, 1) for name in topics_needed(steward)]
        ).values():
            future.result(TOPIC_SECONDS)
    except (kafka.KafkaException, TimeoutError) as error:
        raise StartRefused(f"the demo's topics could not be made: {error}") from error


def _clear(connection: Connection, user_id: str) -> None:
    looked = inspect(connection)
    quote = connection.dialect.identifier_preparer.quote
    tables = [name for name in looked.get_table_names() if name.startswith(PREFIXES)]
    if not tables:
        return
    people = []
    if "steward_user" in tables:
        people = list(connection.execute(text("SELECT user_id FROM steward_user")).scalars())
    if people != [user_id]:
        raise StartRefused("the database holds tables of Steward that are not a demo's: name another one")
    for name in looked.get_view_names():
        if name.startswith(PREFIXES):
            connection.execute(text(f"DROP VIEW {quote(name)}"))
    with_it = " CASCADE" if connection.dialect.name == "postgresql" else ""  # its partitions go with a table
    for name in tables:
        connection.execute(text(f"DROP TABLE IF EXISTS {quote(name)}{with_it}"))


def _toml(values: Mapping[str, Any]) -> str:
    """Dotted keys with texts and whole numbers, by section."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in values.items() if "." not in key]
    for section in dict.fromkeys(key.rpartition(".")[0] for key in values if "." in key):
        own = {key.rpartition(".")[2]: value for key, value in values.items() if key.rpartition(".")[0] == section}
        lines += ["", f"[{section}]", *(f"{key} = {json.dumps(value)}" for key, value in own.items())]
    return "\n".join(lines) + "\n"
