"""A calendar read in a process of its own: ST-16, §18."""

import sys
from datetime import timedelta

import pytest

from steward.bootstrap.apart import ProcessApart
from steward.calendars.apart import ApartReader
from steward.ports.apart import ApartFailed
from steward.ports.calendar import UnreadableCalendar
from tests.unit.steward.calendars.texts import calendar, event, frame

LONG = timedelta(seconds=60)


@pytest.mark.timeout(60)
async def test_what_the_process_reads_is_what_was_written() -> None:
    """ST-16: the same values, and the same refusals."""
    reader = ApartReader(ProcessApart())
    text = calendar(event("DTSTART:20261124T010000Z", "DTEND:20261124T020000Z"), event(uid="bad"))
    found = await reader.read(text, frame())
    assert [one.uid for one in found.events] == ["a@x"]
    assert [one.uid for one in found.refused] == ["bad"]
    with pytest.raises(UnreadableCalendar, match="not an iCalendar text"):
        await reader.read(b"<html>", frame())


@pytest.mark.timeout(60)
async def test_a_process_that_does_not_answer_is_ended() -> None:
    """§18: too long, too much, or dead."""
    apart = ProcessApart(sys.executable)
    with pytest.raises(ApartFailed) as late:
        await apart.run("steward.calendars.process", b"", wall_limit=timedelta(milliseconds=1), answer_max=1)
    assert late.value.reason == "timeout"
    with pytest.raises(ApartFailed) as dead:
        await apart.run("steward.calendars.process", b"not a request", wall_limit=LONG, answer_max=1)
    assert dead.value.reason == "died"
    with pytest.raises(ApartFailed) as large:
        await apart.run("this", b"", wall_limit=LONG, answer_max=1)
    assert large.value.reason == "too_large"


class Failing:
    """A process that fails for this reason."""

    def __init__(self, failed: ApartFailed) -> None:
        self._failed = failed

    async def run(self, module: str, given: bytes, *, wall_limit: timedelta, answer_max: int) -> bytes:
        assert (module, bool(given), bool(wall_limit), bool(answer_max)) == (
            "steward.calendars.process",
            True,
            True,
            True,
        )
        raise self._failed


async def test_a_failed_process_is_a_reason() -> None:
    """ST-16, §18: for the person who imports."""
    with pytest.raises(UnreadableCalendar, match="too long to read"):
        await ApartReader(Failing(ApartFailed("timeout"))).read(calendar(), frame())
    with pytest.raises(UnreadableCalendar, match="larger than 5 MiB"):
        await ApartReader(Failing(ApartFailed("died"))).read(b"x" * ((5 << 20) + 1), frame())
