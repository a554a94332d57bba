"""Servers, databases and processes of a campaign, and the settings under which they run."""

import json
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path

from faults.database import connected
from faults.shop import MARIADB_TABLES, TABLES, Cell
from outrider.testing.faults import Victim
from outrider.testing.services import KafkaServer, MariaDBServer, PostgresServer

LEASE_SECONDS = 2.0
DURABLE = {"log-bin": "binlog", "sync-binlog": "1"}
"""Without a binary log InnoDB shows a commit before it is on disk, and a SIGKILL can undo what others have seen."""


@dataclass
class Rig:
    """A database server and a Kafka of the campaign's own, each started when first asked for."""

    database: str
    stack: ExitStack
    folder: Path
    running: list[Victim] = field(default_factory=list)
    _starting: threading.RLock = field(default_factory=threading.RLock)

    @property
    def server(self) -> PostgresServer | MariaDBServer:
        """The database server. Safe from any thread."""
        with self._starting:
            return self._server

    @property
    def kafka(self) -> KafkaServer:
        """The broker. Safe from any thread."""
        with self._starting:
            return self._kafka

    @cached_property
    def _server(self) -> PostgresServer | MariaDBServer:
        if self.database == "mariadb":
            return self.stack.enter_context(MariaDBServer(DURABLE))
        return self.stack.enter_context(PostgresServer())

    @cached_property
    def _kafka(self) -> KafkaServer:
        return self.stack.enter_context(KafkaServer(quick=True))

    def cell(self, name: str, *, broker: str | None = None, partitions: int = 4, **settings: object) -> Cell:
        """Make a database with the application's and Outrider's tables, and its topic."""
        database = self.server.create_database(name)
        with connected(database) as connection:
            for table in TABLES if isinstance(self.server, PostgresServer) else MARIADB_TABLES:
                connection.rows(table)
        url = broker or f"kafka://{self.kafka.bootstrap_servers}"
        cell = replace(Cell(database, url, LEASE_SECONDS), **settings)  # type: ignore[arg-type]  # checked by Cell itself
        if url.startswith("kafka:"):
            self.kafka.create_topic(topic(name), partitions)
        self.call("init", name, cell)
        return cell

    def spawn(self, role: str, name: str, cell: Cell, number: int = 0) -> Victim:
        """Start a process of `role` (load, relay, consume) in the cell `name`; it stands for another host, unless the cell
        has a folder where processes of one host prove their death.
        """
        if not cell.state_dir:
            own = self.folder / f"{name}-{role}-{number}.state"
            own.mkdir(exist_ok=True)
            cell = replace(cell, state_dir=str(own))
        victim = Victim(
            f"{name}-{role}-{number}", ["-m", "faults.process", role, name, as_json(cell), "{board}"], self.folder
        )
        self.running.append(victim)
        return victim

    def call(self, role: str, name: str, cell: Cell) -> None:
        """Run a process of `role` to its end. Raises RuntimeError with what it wrote if it failed."""
        victim = self.spawn(role, name, cell, os.getpid())
        if code := victim.wait():
            raise RuntimeError(f"{role} of {name} ended with {code}:\n{victim.log_tail()}")

    def end(self) -> None:
        """Kill whatever still runs."""
        for victim in self.running:
            victim.kill()


def topic(name: str) -> str:
    """The topic of the cell `name`: the namespace keeps cells apart on one broker."""
    return f"{name}.shop.outbox"


def as_json(cell: Cell) -> str:
    """The cell as an argument of a process."""
    return json.dumps(asdict(cell))


@contextmanager
def rig(database: str = "postgresql") -> Iterator[Rig]:
    """A rig with the `database`, postgresql or mariadb; its servers and every process of the campaign end with the block."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="outrider-faults-")))
        made = Rig(database, stack, folder)
        try:
            yield made
        finally:
            made.end()
