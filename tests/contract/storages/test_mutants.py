"""The suite catches storages with one guard taken out (hazards.md, mutants M1, M2, M3, M8)."""

from collections.abc import Callable, Iterator

import psycopg
import pytest

from outrider.core import cursors
from outrider.core.lane import LaneKey
from outrider.core.position import Position
from outrider.core.steps import Steps
from outrider.testing.conformance.mutants import ReadsById, ReadsInOrderOfNumbers, WaitsForXmin, without_epoch
from outrider.testing.conformance.storage_harness import StorageHarness
from outrider.testing.conformance.storage_urls import PREFIX, MemoryHarness, harness_of
from outrider.testing.conformance.storages_owning import prove_fence
from outrider.testing.conformance.storages_reading import prove_reading

SEEDS = range(3)
NumberOf = Callable[[int], int]


@pytest.fixture(params=["memory", "postgresql"])
def database(request: pytest.FixtureRequest) -> Iterator[tuple[StorageHarness, NumberOf]]:
    """A storage that reads by snapshots, and which transaction wrote a row."""
    if request.param == "memory":
        memory = MemoryHarness()
        yield memory, memory.number_of
        memory.close()
        return
    url: str = request.getfixturevalue("postgres_url")
    harness = harness_of(url)
    with psycopg.connect(url, autocommit=True) as connection:

        def number_of(log_id: int) -> int:
            query = f'SELECT CAST(CAST(xid AS text) AS bigint) FROM "{PREFIX}outbox_message" WHERE id = %s'
            row = connection.execute(query.encode(), (log_id,)).fetchone()
            assert row is not None
            return int(row[0])

        yield harness, number_of
    harness.close()


async def test_reading_by_id_loses_messages(database: tuple[StorageHarness, NumberOf]) -> None:
    """OB-18: M1, `id > last` (H1)."""
    harness, _ = database
    with pytest.raises(AssertionError, match=r"are not read|lost"):
        await prove_reading(harness, SEEDS[0], reader=ReadsById(harness.reader()))


async def test_waiting_for_the_oldest_transaction_stalls(database: tuple[StorageHarness, NumberOf]) -> None:
    """OB-5: M3, an unrelated open transaction holds everything up."""
    harness, _ = database
    with pytest.raises(AssertionError, match="are not read while other transactions are open"):
        await prove_reading(harness, SEEDS[1], reader=WaitsForXmin(harness.reader()))


async def test_reading_by_transaction_number_turns_messages_round(database: tuple[StorageHarness, NumberOf]) -> None:
    """OB-4: M2, an early number may add late."""
    harness, number_of = database
    wrong = ReadsInOrderOfNumbers(harness.reader(), number_of)
    with pytest.raises(AssertionError, match="inversions"):
        await prove_reading(harness, SEEDS[2], limit=100_000, reader=wrong)


async def test_a_position_written_without_looking_at_the_epoch_is_caught(
    database: tuple[StorageHarness, NumberOf],
) -> None:
    """OB-41: M8, a former owner is taken at his word (H49)."""
    harness, _ = database

    def write_position(key: LaneKey, epoch: int, position: Position, high_id: int, passed: int) -> Steps[None]:
        return without_epoch(cursors.write_position(key, epoch, position, high_id, passed))

    with pytest.raises(AssertionError, match="a former owner's write was taken"):
        await prove_fence(harness, write_position)
