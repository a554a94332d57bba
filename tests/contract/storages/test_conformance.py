"""The storage suite over every storage that there is."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from outrider.testing.conformance.storage_harness import StorageHarness
from outrider.testing.conformance.storage_urls import harness_of
from outrider.testing.conformance.storages_adding import AddingSuite, ConcurrentAddingSuite
from outrider.testing.conformance.storages_deliveries import DeliverySuite
from outrider.testing.conformance.storages_lanes import CommonPositionSuite, LanesSuite
from outrider.testing.conformance.storages_owning import OwningSuite
from outrider.testing.conformance.storages_pruning import PruningSuite
from outrider.testing.conformance.storages_reading import ConcurrentReadingSuite, ReadingSuite
from outrider.testing.conformance.storages_rebasing import RebasingSuite
from outrider.testing.conformance.storages_receipts import ConcurrentReceiptSuite, ReceiptSuite
from outrider.testing.conformance.storages_rewinding import RewindingSuite
from outrider.testing.conformance.storages_sweeping import ConcurrentSweepingSuite, SweepingSuite


class OnMemory:
    @pytest.fixture
    def harness(self) -> Iterator[StorageHarness]:
        made = harness_of("memory:")
        yield made
        made.close()


class OnSqlite:
    @pytest.fixture
    def harness(self, tmp_path: Path) -> Iterator[StorageHarness]:
        made = harness_of(f"sqlite:///{tmp_path}/log.db")
        yield made
        made.close()


class OnPostgres:
    @pytest.fixture
    def harness(self, postgres_url: str) -> Iterator[StorageHarness]:
        made = harness_of(postgres_url)
        yield made
        made.close()


class OnMariaDB:
    @pytest.fixture
    def harness(self, mariadb_url: str) -> Iterator[StorageHarness]:
        made = harness_of(mariadb_url)
        yield made
        made.close()


class TestMemoryAdding(OnMemory, ConcurrentAddingSuite):
    pass


class TestSqliteAdding(OnSqlite, AddingSuite):
    pass


class TestPostgresAdding(OnPostgres, ConcurrentAddingSuite):
    pass


class TestMariaDBAdding(OnMariaDB, ConcurrentAddingSuite):
    pass


class TestMemoryOwning(OnMemory, OwningSuite):
    pass


class TestSqliteOwning(OnSqlite, OwningSuite):
    pass


class TestPostgresOwning(OnPostgres, OwningSuite):
    pass


class TestMariaDBOwning(OnMariaDB, OwningSuite):
    pass


class TestMemoryDeliveries(OnMemory, DeliverySuite):
    pass


class TestSqliteDeliveries(OnSqlite, DeliverySuite):
    pass


class TestPostgresDeliveries(OnPostgres, DeliverySuite):
    pass


class TestMariaDBDeliveries(OnMariaDB, DeliverySuite):
    pass


class TestMemoryReceipts(OnMemory, ConcurrentReceiptSuite):
    pass


class TestSqliteReceipts(OnSqlite, ReceiptSuite):
    pass


class TestPostgresReceipts(OnPostgres, ConcurrentReceiptSuite):
    pass


class TestMariaDBReceipts(OnMariaDB, ConcurrentReceiptSuite):
    pass


class TestMemoryReading(OnMemory, ConcurrentReadingSuite):
    pass


class TestSqliteReading(OnSqlite, ReadingSuite):
    pass


class TestPostgresReading(OnPostgres, ConcurrentReadingSuite):
    pass


class TestMariaDBReading(OnMariaDB, ConcurrentReadingSuite):
    pass


class TestMemorySweeping(OnMemory, ConcurrentSweepingSuite):
    pass


class TestSqliteSweeping(OnSqlite, SweepingSuite):
    pass


class TestPostgresSweeping(OnPostgres, ConcurrentSweepingSuite):
    pass


class TestMariaDBSweeping(OnMariaDB, SweepingSuite):
    """Not what commits later than the sweeper compares: ids are its places there, as the journal has them."""


class TestMemoryRewinding(OnMemory, RewindingSuite):
    pass


class TestSqliteRewinding(OnSqlite, RewindingSuite):
    pass


class TestPostgresRewinding(OnPostgres, RewindingSuite):
    pass


class TestMariaDBRewinding(OnMariaDB, RewindingSuite):
    pass


class TestMemoryPruning(OnMemory, PruningSuite):
    pass


class TestSqlitePruning(OnSqlite, PruningSuite):
    pass


class TestPostgresPruning(OnPostgres, PruningSuite):
    pass


class TestMariaDBPruning(OnMariaDB, PruningSuite):
    pass


class TestMemoryLanes(OnMemory, LanesSuite, CommonPositionSuite):
    pass


class TestSqliteLanes(OnSqlite, LanesSuite, CommonPositionSuite):
    pass


class TestPostgresLanes(OnPostgres, LanesSuite, CommonPositionSuite):
    pass


class TestMariaDBLanes(OnMariaDB, LanesSuite):
    pass


class TestMemoryRebasing(OnMemory, RebasingSuite):
    pass


class TestSqliteRebasing(OnSqlite, RebasingSuite):
    pass


class TestPostgresRebasing(OnPostgres, RebasingSuite):
    pass
