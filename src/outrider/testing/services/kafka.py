"""An Apache Kafka broker of one's own: one node, KRaft, durability and limits as in production but for its size.

Invariant: port and data stay the same from the first start to `close`, so a restart is a restart of the same broker.
"""

import base64
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from outrider.testing.services.processes import (
    POLL_SECONDS,
    ServerFailed,
    ServerMissing,
    ServerProcess,
    free_port,
)

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

KAFKA_VERSION = "4.1.1"
READY_SECONDS = 90.0
STOP_SECONDS = 20.0
ADMIN_SECONDS = 10.0
LOOK_SECONDS = 2.0
_IDS = re.compile(r"^(cluster\.id|directory\.id)=.*$", re.MULTILINE)
JAVA_OPTIONS = ("-Xms256m", "-Xmx512m", "-XX:+UseSerialGC")
QUICK_OPTIONS = ("-XX:TieredStopAtLevel=1",)


def kafka_jars() -> Path:
    """Return the folder of Kafka's jars, in the user's cache. Raises ServerMissing when it or Java is not there."""
    if shutil.which("java") is None:
        raise ServerMissing("Java is not installed; ./run services installs it")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "outrider" / f"kafka-{KAFKA_VERSION}"
    if not folder.is_dir():
        raise ServerMissing(f"Kafka {KAFKA_VERSION} is not installed; ./run services installs it")
    return folder


class KafkaServer:
    """One broker (and controller) on free ports of 127.0.0.1, its log in a temporary folder.

    `partitions` is what a topic gets by default; `settings` are further broker properties by name. A `quick` one is ready
    in half the time, since its code is compiled lightly: for tests, not for measuring. A context manager: started and ready
    on entry, closed on exit. Synchronous: call it from a thread in async code.
    """

    def __init__(
        self,
        partitions: int = 4,
        settings: Mapping[str, str] | None = None,
        *,
        quick: bool = False,
        outlive: bool = False,
    ) -> None:
        self._jars = kafka_jars()
        self.partitions = partitions
        self.settings = dict(settings or {})
        self.port = free_port()
        self._controller_port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="outrider-kafka-"))
        self._properties = self.folder / "server.properties"
        self._process = ServerProcess(
            [*self._java(), *JAVA_OPTIONS, *(QUICK_OPTIONS if quick else ()), "kafka.Kafka", str(self._properties)],
            log=self.folder / "server.log",
            outlive=outlive,
        )

    @property
    def bootstrap_servers(self) -> str:
        """What a Kafka client calls bootstrap.servers."""
        return f"127.0.0.1:{self.port}"

    @property
    def controller(self) -> str:
        """The controller's listener, for who sets the listeners anew."""
        return f"CONTROLLER://127.0.0.1:{self._controller_port}"

    @property
    def url(self) -> str:
        """The broker as Outrider's settings name it."""
        return f"kafka://{self.bootstrap_servers}"

    @property
    def pid(self) -> int | None:
        """The broker's pid while it runs, else None."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """True while the broker has not ended."""
        return self._process.running

    def start(self) -> None:
        """Start it, on the log of the last run if there was one, and return when it answers."""
        first = not self._properties.exists()
        self._properties.write_text("".join(f"{key}={value}\n" for key, value in self._configuration().items()))
        if first:
            self._format()
        self._process.start()
        self.wait_ready()

    def wait_ready(self, seconds: float = READY_SECONDS) -> None:
        """Return when the broker answers and each partition has its leader. Raises ServerFailed when it does not."""
        deadline = time.monotonic() + seconds
        admin = self._admin()
        while time.monotonic() < deadline and self.running:
            if _complete(admin):
                return
            time.sleep(POLL_SECONDS)
        raise ServerFailed(f"Kafka on port {self.port} does not answer:\n{self._process.log_tail()}")

    def stop(self) -> None:
        """Stop it in order (SIGTERM)."""
        self._process.stop(signal.SIGTERM, STOP_SECONDS)

    def kill(self) -> None:
        """SIGKILL the broker; the log stays as the crash left it."""
        self._process.kill()

    def wipe(self) -> None:
        """SIGKILL the broker and delete all that it knew: topics, offsets, its identity. `start` makes a new one there."""
        self.kill()
        shutil.rmtree(self.folder / "log")
        self._properties.unlink()

    def restart(self) -> None:
        """Stop it if it runs and start it again, on the same port and log."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Kill what runs and remove the log. Safe to repeat."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def create_topic(self, name: str, partitions: int | None = None, settings: Mapping[str, str] | None = None) -> None:
        """Create a topic and return when every partition has its leader. Raises KafkaException when it exists."""
        from confluent_kafka.cimpl import NewTopic  # noqa: PLC0415 - the driver is needed only by who runs this server

        admin = self._admin()
        count = self.partitions if partitions is None else partitions
        topic = NewTopic(name, num_partitions=count, replication_factor=1, config=dict(settings or {}))
        admin.create_topics([topic], operation_timeout=ADMIN_SECONDS)[name].result(ADMIN_SECONDS)
        deadline = time.monotonic() + ADMIN_SECONDS
        while not _complete(admin, name, count):
            if time.monotonic() >= deadline:
                raise ServerFailed(f"topic {name} has no leaders after {ADMIN_SECONDS} s")
            time.sleep(POLL_SECONDS)

    def delete_topic(self, name: str) -> None:
        """Delete a topic. Raises KafkaException when there is none."""
        admin = self._admin()  # a name of its own: a client that is collected drops its question
        admin.delete_topics([name], operation_timeout=ADMIN_SECONDS)[name].result(ADMIN_SECONDS)

    def _admin(self) -> "AdminClient":
        from confluent_kafka.admin import AdminClient  # noqa: PLC0415 - as above

        return AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})

    def _java(self) -> list[str]:
        return ["java", "-cp", f"{self._jars}/*"]

    def _configuration(self) -> dict[str, str]:
        """Return the broker's properties: short sessions, so that a killed broker is back within seconds."""
        return {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{self._controller_port}",
            "listeners": f"PLAINTEXT://{self.bootstrap_servers},{self.controller}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap_servers}",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": str(self.folder / "log"),
            "num.partitions": str(self.partitions),
            "offsets.topic.replication.factor": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.num.partitions": "4",
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "1000",
            "broker.session.timeout.ms": "2000",
            "broker.heartbeat.interval.ms": "500",
            **self.settings,
        }

    def _format(self) -> None:
        """Make the log folder: a copy of one that was formatted once per version and user, with ids of its own."""
        template = Path(tempfile.gettempdir()) / f"outrider-kafka-template-{KAFKA_VERSION}-{os.geteuid()}"
        log = self.folder / "log"
        if template.exists():
            if template.stat().st_uid != os.geteuid():
                raise ServerFailed(f"{template} belongs to {template.owner()}, not to us: remove it")
            shutil.copytree(template, log)
        else:
            self._run_storage_tool()
            making = Path(tempfile.mkdtemp(prefix="outrider-kafka-format-"))
            shutil.copytree(log, making, dirs_exist_ok=True)
            try:
                making.rename(template)
            except OSError:  # another run was faster
                shutil.rmtree(making, ignore_errors=True)
        properties = log / "meta.properties"
        properties.write_text(_IDS.sub(lambda found: f"{found[1]}={_new_id()}", properties.read_text()))

    def _run_storage_tool(self) -> None:
        """Have Kafka's own tool format the log folder."""
        tool = [*self._java(), *QUICK_OPTIONS, "kafka.tools.StorageTool", "format", f"--cluster-id={_new_id()}"]
        done = subprocess.run(
            [*tool, "-c", str(self._properties)], capture_output=True, text=True, check=False, cwd="/"
        )
        if done.returncode != 0:
            raise ServerFailed(f"Kafka's storage could not be formatted: {done.stdout}{done.stderr}")

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()


def _new_id() -> str:
    """An id as Kafka writes them."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def _complete(admin: "AdminClient", topic: str | None = None, partitions: int = 0) -> bool:
    """Whether the broker answers and every partition (of one topic: all `partitions` of them) has a leader."""
    from confluent_kafka import KafkaException  # noqa: PLC0415 - as above

    try:
        seen = admin.list_topics(timeout=LOOK_SECONDS)
    except KafkaException:
        return False
    known = (
        list(seen.topics.values()) if topic is None else [seen.topics[name] for name in seen.topics if name == topic]
    )
    if not seen.brokers or (topic is not None and [len(each.partitions) for each in known] != [partitions]):
        return False
    return all(partition.leader >= 0 for each in known for partition in each.partitions.values())
