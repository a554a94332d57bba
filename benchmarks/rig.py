"""Servers, databases and processes of a benchmark."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import psycopg
from confluent_kafka.admin import AdminClient

from benchmarks.shop import TABLES, topic
from outrider.testing.services import KafkaServer, MariaDBServer, PostgresServer

PARTITIONS = 4
GROUP_SECONDS = 30.0
RETAINED_BYTES = str(2 << 30)
SEGMENT_BYTES = str(256 << 20)


class PartFailed(Exception):
    """A process of the benchmark ended with an error, which it names."""


class Part:
    """A process of the benchmark: `python -m benchmarks.MODULE ARGUMENTS_JSON`, one JSON object a line on its stdout."""

    def __init__(self, module: str, arguments: Mapping[str, Any], log: Path) -> None:
        self._module = module
        self._log = log
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", f"benchmarks.{module}", json.dumps(arguments)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
            )  # fmt: skip

    def answer(self) -> dict[str, Any]:
        """The next object that it prints. Raises PartFailed where it ended before."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            code = self._process.wait()
            raise PartFailed(f"{self._module} ended with {code}:\n{self._log.read_text(errors='replace')[-3000:]}")
        return dict(json.loads(line))

    def tell(self, word: str) -> None:
        """Write a line to its stdin."""
        stdin: IO[str] | None = self._process.stdin
        assert stdin is not None
        stdin.write(word + "\n")
        stdin.flush()

    def end(self) -> None:
        """SIGTERM, and wait; SIGKILL where it does not end."""
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


@dataclass
class Rig:
    """A PostgreSQL, a MariaDB and a Kafka, each where it is asked for, of the benchmark's own; a folder for its files."""

    stack: ExitStack
    folder: Path
    running: list[Part] = field(default_factory=list)
    _topics: set[str] = field(default_factory=set)
    _count: int = 0

    @cached_property
    def postgres(self) -> PostgresServer:
        """The PostgreSQL server, started when first asked for."""
        return self.stack.enter_context(PostgresServer())

    @cached_property
    def mariadb(self) -> MariaDBServer:
        """The MariaDB server, started when first asked for."""
        return self.stack.enter_context(MariaDBServer())

    @cached_property
    def kafka(self) -> KafkaServer:
        """The Kafka broker, started when first asked for."""
        return self.stack.enter_context(KafkaServer(partitions=PARTITIONS))

    def database(self, name: str, template: str | None = None) -> str:
        """Make a database with the application's and Outrider's tables, or as a copy of another; its URL."""
        url = self.postgres.create_database(name, template)
        if template is None:
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(TABLES.encode())
        return url

    def topic(self, namespace: str) -> str:
        """The topic of the services under `namespace`, created when first asked for."""
        name = topic(namespace)
        if name not in self._topics:
            self.kafka.create_topic(
                name, PARTITIONS, {"retention.bytes": RETAINED_BYTES, "segment.bytes": SEGMENT_BYTES}
            )
            self._topics.add(name)
        return name

    def forget_groups(self) -> None:
        """Drop what every consumer group has committed, so that its next member begins at the topic's beginning."""
        admin = AdminClient({"bootstrap.servers": self.kafka.bootstrap_servers, "log_level": 0})
        found = admin.list_consumer_groups().result(GROUP_SECONDS).valid
        if found:
            for done in admin.delete_consumer_groups([group.group_id for group in found]).values():
                done.result(GROUP_SECONDS)

    def part(self, module: str, **arguments: object) -> Part:
        """Start a process of the benchmark."""
        self._count += 1
        made = Part(module, arguments, self.folder / f"{module}-{self._count}.log")
        self.running.append(made)
        return made

    @contextmanager
    def running_part(self, module: str, **arguments: object) -> Iterator[Part]:
        """A process of the benchmark, ended with the block."""
        part = self.part(module, **arguments)
        try:
            yield part
        finally:
            part.end()
            self.running.remove(part)

    def end_parts(self) -> None:
        """End the processes that still run."""
        for part in list(self.running):
            part.end()


@contextmanager
def rig() -> Iterator[Rig]:
    """Make a rig; end its processes and servers with the block."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="outrider-bench-")))
        made = Rig(stack, folder)
        stack.callback(made.end_parts)
        yield made
