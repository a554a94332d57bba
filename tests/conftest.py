"""Real servers for the tests that need them, shared by a session, and a word at the end on what was left out.

The whole suite runs in several processes, since most of it waits: each has a PostgreSQL and a MariaDB of its own, for
transactions of other databases stand in a snapshot, too; Kafka is dear to start, so all that asks for the shared one runs in
the same process.
"""

import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

import hypothesis
import pymysql
import pytest

from outrider.runtime.mysql_url import server_of
from outrider.testing.services import KafkaServer, MariaDBServer, PostgresServer, ServerMissing
from outrider.testing.services.kafka import kafka_jars
from outrider.testing.services.mariadb import mariadb_programs
from outrider.testing.services.postgres import postgres_programs

TESTS = Path(__file__).parent
NOTHING_LEFT_OUT = os.environ.get("CI") == "true"
CAMPAIGNS = 2  # of several processes (`-n 4`), how many run fault campaigns
SERVER_SECONDS = 60  # a test that asks for a server, often only while it runs, may be the one that starts it
SERVED = {"contract", "integration", "simulation", "fault", "acceptance"}
MEMORY = Path("/dev/shm")  # noqa: S108 - a file system in memory, where there is one
MEMORY_BYTES = 4 << 30
EMPTY = "empty_template"
LACKS = "lacks its server:"

# no verdict by the clock: the machine may be busy with the other processes
hypothesis.settings.register_profile(
    "untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow], print_blob=True
)
hypothesis.settings.load_profile("untimed")


class LeftOut:
    """Remembers who was skipped for want of a server, in whichever process, and names them at the end."""

    def __init__(self) -> None:
        self.tests: dict[str, set[str]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
        if report.skipped and LACKS in reason:
            self.tests.setdefault(reason.removeprefix("Skipped: "), set()).add(report.nodeid)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for reason, tests in sorted(self.tests.items()):
            terminalreporter.write_line(f"left out: {len(tests)} tests, {reason}", yellow=True)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(LeftOut())


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark each test by its folder; give those that may start a server the time for it; long ones go first."""
    known = {line.split(":")[0] for line in config.getini("markers")}
    for item in items:
        folder = item.path.relative_to(TESTS).parts[0] if item.path.is_relative_to(TESTS) else ""
        if folder in known:
            item.add_marker(folder)
        if folder in SERVED and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(SERVER_SECONDS))
        if "kafka_server" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("kafka"))
    campaigns = [item for item in items if item.get_closest_marker("fault")]
    for number, item in enumerate(campaigns):  # each has servers of its own, and asks much of the machine
        item.add_marker(pytest.mark.xdist_group(f"campaigns {number % CAMPAIGNS}"))
    items[:] = [*campaigns, *(item for item in items if item not in set(campaigns))]


def _lacking(missing: ServerMissing) -> NoReturn:
    """End a test that lacks its server: a skip, or with CI=true a failure."""
    if NOTHING_LEFT_OUT:
        pytest.fail(f"CI=true leaves nothing out: {missing}", pytrace=False)
    pytest.skip(f"{LACKS} {missing}")


def _place() -> Path | None:
    """Where the session's databases lie: in memory, where there is room; nothing here is to outlive the machine."""
    return MEMORY if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > MEMORY_BYTES else None


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The process's PostgreSQL, started by the first test that asks. A test that kills one starts its own."""
    try:
        server = PostgresServer(place=_place())
    except ServerMissing as missing:
        _lacking(missing)
    with server:
        server.create_database(EMPTY)
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of a fresh, empty database of this test's own."""
    name = f"test_{uuid.uuid4().hex[:16]}"
    yield postgres_server.create_database(name, template=EMPTY)
    postgres_server.drop_database(name)


class GivenServer:
    """A MariaDB or MySQL that somebody else runs, to make databases in."""

    running = True

    def __init__(self, url: str) -> None:
        self._server = server_of(url)
        self._place = url.partition("://")[2].rpartition("/")[0]

    def create_database(self, name: str) -> str:
        self._execute(f"CREATE DATABASE `{name}`")
        return f"mariadb://{self._place}/{name}"

    def drop_database(self, name: str) -> None:
        self._execute(f"DROP DATABASE IF EXISTS `{name}`")

    def _execute(self, statement: str) -> None:
        with closing(pymysql.connect(**self._server, autocommit=True)) as connection, connection.cursor() as cursor:
            cursor.execute(statement)


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[MariaDBServer | GivenServer]:
    """The process's MariaDB, started by the first test that asks. A test that kills one starts its own.

    With MYSQL_TEST_URL that server serves instead, which may be a MySQL.
    """
    if given := os.environ.get("MYSQL_TEST_URL"):
        yield GivenServer(given)
        return
    try:
        server = MariaDBServer(place=_place())
    except ServerMissing as missing:
        _lacking(missing)
    with server:
        yield server


@pytest.fixture
def mariadb_url(mariadb_server: MariaDBServer | GivenServer) -> Iterator[str]:
    """The URL of a fresh, empty database of this test's own."""
    name = f"test_{uuid.uuid4().hex[:16]}"
    yield mariadb_server.create_database(name)
    mariadb_server.drop_database(name)


@pytest.fixture(scope="session")
def mysqlclient() -> None:
    """For a test that needs mysqlclient, which is compiled where its client library is."""
    if find_spec("MySQLdb") is None:
        _lacking(ServerMissing("mysqlclient is not built; ./run services installs what it is compiled against"))


@pytest.fixture
def servers_installed() -> None:
    """For a test that starts servers of its own: ends it where one is missing."""
    try:
        postgres_programs()
        mariadb_programs()
        kafka_jars()
    except ServerMissing as missing:
        _lacking(missing)


@pytest.fixture(scope="session")
def kafka_server() -> Iterator[KafkaServer]:
    """The session's Kafka. A topic exists because a test created it, never by itself."""
    try:
        server = KafkaServer(settings={"auto.create.topics.enable": "false"}, quick=True)
    except ServerMissing as missing:
        _lacking(missing)
    with server:
        yield server


@pytest.fixture
def kafka_topic(kafka_server: KafkaServer) -> Callable[..., str]:
    """Return a maker of topics with unique names: `kafka_topic(partitions=4, settings=None, prefix="test")`."""

    def create(partitions: int = 4, settings: Mapping[str, str] | None = None, prefix: str = "test") -> str:
        name = f"{prefix}.{uuid.uuid4().hex[:16]}"
        kafka_server.create_topic(name, partitions, settings)
        return name

    return create
