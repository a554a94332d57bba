"""The storage suite over every storage that there is."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from outrider.testing.conformance.storage_harness import StorageHarness
from outrider.testing.conformance.storage_urls import harness_of
from outrider.testing.conformance.storages_reading import ReadingSuite


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


class TestMemoryReading(OnMemory, ReadingSuite):
    pass


class TestSqliteReading(OnSqlite, ReadingSuite):
    pass


class TestPostgresReading(OnPostgres, ReadingSuite):
    pass
