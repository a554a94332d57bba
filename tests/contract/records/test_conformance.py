"""The suite of record stores over every storage that there is."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from outrider.testing.conformance.records import AcceptingSuite
from outrider.testing.conformance.records_acting import ActingSuite
from outrider.testing.conformance.records_circumstances import DestinationSuite, DigestSuite
from outrider.testing.conformance.records_keeping import KeepingSuite
from outrider.testing.conformance.records_mending import MendingSuite
from outrider.testing.conformance.records_operating import OperatingSuite
from outrider.testing.conformance.records_sending import SendingSuite
from outrider.testing.conformance.records_sweeping import SweepSuite
from outrider.testing.conformance.storage_harness import StorageHarness
from outrider.testing.conformance.storage_urls import harness_of

PREFIX = "notification_"


class OnMemory:
    @pytest.fixture
    def harness(self) -> Iterator[StorageHarness]:
        made = harness_of("memory:", PREFIX)
        yield made
        made.close()


class OnSqlite:
    @pytest.fixture
    def harness(self, tmp_path: Path) -> Iterator[StorageHarness]:
        made = harness_of(f"sqlite:///{tmp_path}/notices.db", PREFIX)
        yield made
        made.close()


class OnPostgres:
    @pytest.fixture
    def harness(self, postgres_url: str) -> Iterator[StorageHarness]:
        made = harness_of(postgres_url, PREFIX)
        yield made
        made.close()


class OnMariaDB:
    @pytest.fixture
    def harness(self, mariadb_url: str) -> Iterator[StorageHarness]:
        made = harness_of(mariadb_url, PREFIX)
        yield made
        made.close()


class TestMemoryAccepting(OnMemory, AcceptingSuite):
    pass


class TestSqliteAccepting(OnSqlite, AcceptingSuite):
    pass


class TestPostgresAccepting(OnPostgres, AcceptingSuite):
    pass


class TestMariaDBAccepting(OnMariaDB, AcceptingSuite):
    pass


class TestMemorySending(OnMemory, SendingSuite):
    pass


class TestSqliteSending(OnSqlite, SendingSuite):
    pass


class TestPostgresSending(OnPostgres, SendingSuite):
    pass


class TestMariaDBSending(OnMariaDB, SendingSuite):
    pass


class TestMemoryKeeping(OnMemory, KeepingSuite):
    pass


class TestSqliteKeeping(OnSqlite, KeepingSuite):
    pass


class TestPostgresKeeping(OnPostgres, KeepingSuite):
    pass


class TestMariaDBKeeping(OnMariaDB, KeepingSuite):
    pass


class TestMemoryDestination(OnMemory, DestinationSuite):
    pass


class TestSqliteDestination(OnSqlite, DestinationSuite):
    pass


class TestPostgresDestination(OnPostgres, DestinationSuite):
    pass


class TestMariaDBDestination(OnMariaDB, DestinationSuite):
    pass


class TestMemoryDigest(OnMemory, DigestSuite):
    pass


class TestSqliteDigest(OnSqlite, DigestSuite):
    pass


class TestPostgresDigest(OnPostgres, DigestSuite):
    pass


class TestMariaDBDigest(OnMariaDB, DigestSuite):
    pass


class TestMemoryActing(OnMemory, ActingSuite):
    pass


class TestSqliteActing(OnSqlite, ActingSuite):
    pass


class TestPostgresActing(OnPostgres, ActingSuite):
    pass


class TestMariaDBActing(OnMariaDB, ActingSuite):
    pass


class TestMemoryMending(OnMemory, MendingSuite):
    pass


class TestSqliteMending(OnSqlite, MendingSuite):
    pass


class TestPostgresMending(OnPostgres, MendingSuite):
    pass


class TestMariaDBMending(OnMariaDB, MendingSuite):
    pass


class TestMemoryOperating(OnMemory, OperatingSuite):
    pass


class TestSqliteOperating(OnSqlite, OperatingSuite):
    pass


class TestPostgresOperating(OnPostgres, OperatingSuite):
    pass


class TestMariaDBOperating(OnMariaDB, OperatingSuite):
    pass


class TestMemorySweep(OnMemory, SweepSuite):
    pass


class TestSqliteSweep(OnSqlite, SweepSuite):
    pass


class TestPostgresSweep(OnPostgres, SweepSuite):
    pass


class TestMariaDBSweep(OnMariaDB, SweepSuite):
    pass
