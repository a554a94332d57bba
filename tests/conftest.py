"""Real servers for the tests that need them, one of each a session, and a word at the end on what was left out."""

import os
import uuid
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import NoReturn

import pytest

from outrider.testing.services import KafkaServer, PostgresServer, ServerMissing

TESTS = Path(__file__).parent
NOTHING_LEFT_OUT = os.environ.get("CI") == "true"
SERVER_SECONDS = 60  # a test that asks for a server may be the one that starts it
EMPTY = "empty_template"
LACKS = "lacks its server:"
LEFT_OUT = pytest.StashKey[dict[str, set[str]]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[LEFT_OUT] = {}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark each test by its folder; give those that may start a server the time for it."""
    known = {line.split(":")[0] for line in config.getini("markers")}
    for item in items:
        folder = item.path.relative_to(TESTS).parts[0] if item.path.is_relative_to(TESTS) else ""
        if folder in known:
            item.add_marker(folder)
        fixtures = set(getattr(item, "fixturenames", ()))
        if fixtures & {"postgres_server", "kafka_server"} and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(SERVER_SECONDS))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Name what did not run for want of a server."""
    for reason, tests in sorted(config.stash[LEFT_OUT].items()):
        terminalreporter.write_line(f"left out: {len(tests)} tests, {reason}", yellow=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember who was skipped for want of a server."""
    report = yield
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
    if report.skipped and LACKS in reason:
        item.config.stash[LEFT_OUT].setdefault(reason.removeprefix("Skipped: "), set()).add(item.nodeid)
    return report


def _lacking(missing: ServerMissing) -> NoReturn:
    """End a test that lacks its server: a skip, or with CI=true a failure."""
    if NOTHING_LEFT_OUT:
        pytest.fail(f"CI=true leaves nothing out: {missing}", pytrace=False)
    pytest.skip(f"{LACKS} {missing}")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The session's PostgreSQL, started by the first test that asks. A test that kills one starts its own."""
    try:
        server = PostgresServer()
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


@pytest.fixture(scope="session")
def kafka_server() -> Iterator[KafkaServer]:
    """The session's Kafka. A topic exists because a test created it, never by itself."""
    try:
        server = KafkaServer(settings={"auto.create.topics.enable": "false"})
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
