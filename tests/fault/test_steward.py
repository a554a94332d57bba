"""Steward's campaigns in short, and that their judges see what is wrong."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from faults.__main__ import run
from faults.bars import misses
from faults.calendar_day import TRACE, person, preview_id
from faults.options import Options
from faults.tapped import Findings, Told, judge
from outrider import message_id
from steward.ports.rows.answer import ApplyRow
from steward.ports.rows.calendar import EventRow
from steward.ports.rows.suggestion import PreviewRow

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ROUNDS, SEED = 6, 53


@pytest.mark.timeout(240)
@pytest.mark.usefixtures("servers_installed")
def test_racing_answers_leave_one_whole_outcome() -> None:
    """ST-43, ST-44, ST-46, ST-47, ST-48: four processes answer the same previews, some of them are killed in it."""
    options = Options(kills=ROUNDS, messages=0, seconds=0, transactional=False, seed=SEED)
    figures = run("confirm", options, quiet=True)
    assert not misses(figures), figures
    assert figures["rounds"] == ROUNDS
    assert all(one["kills"] >= 2 for one in figures["by_database"].values()), figures
    assert all(sum(one["ended"].values()) == ROUNDS for one in figures["by_database"].values()), figures


def block(name: str, hour: int, **fields: Any) -> EventRow:  # noqa: ANN401  any field
    usual: dict[str, Any] = {"created_at": NOW - timedelta(hours=1)}
    start = NOW + timedelta(hours=hour)
    return EventRow(name, person(1), name, start, start + timedelta(hours=1), "UTC", **usual | fields)


def right() -> Told:
    """A round that one confirm won."""
    preview = PreviewRow(
        preview_id(1), person(1), "trg_1", "important_urgent_task", "task_pool", "x", {}, {}, {}, {}, [], {}, "", "", "v1",
        NOW, NOW + timedelta(hours=1), TRACE, NOW, status="applied",
    )  # fmt: skip
    after = {"start": "2026-11-23T14:00:00Z", "end": "2026-11-23T15:00:00Z"}
    apply = ApplyRow(
        "apl_1", preview_id(1), person(1), "x", "key-1", "hash", "applied", TRACE, NOW, applied_at=NOW,
        applied_event_ids_json=["evt_new"], applied_changes_json=[{"event_id": "evt_new", "after": after}],
    )  # fmt: skip
    new = block("evt_new", 2, origin="steward", apply_id="apl_1", created_at=NOW)
    events = {row.event_id: row for row in (new, block("evt_old", 4))}
    told = str(message_id("steward", "schedule.apply.succeeded:apl_1"))
    return Told(preview, [apply], events, {told}, [call("confirm", status=200, code="ok", apply_id="apl_1", body="{}")])


def call(operation: str, **outcome: Any) -> dict[str, Any]:  # noqa: ANN401  any answer
    return {"operation": operation, "outcome": {"apply_id": None, "body": "{}", **outcome}}


def stray(told: Told) -> None:
    told.events["evt_stray"] = block("evt_stray", 6, origin="steward", apply_id="apl_9")


def twice(told: Told) -> None:
    told.calls.append(call("confirm", status=200, code="ok", apply_id="apl_2"))


def over(told: Told) -> None:
    told.events["evt_old"] = block("evt_old", 2)


def odd(told: Told) -> None:
    told.calls.append(call("edit", code="internal_error"))


def half(told: Told) -> None:
    told.applies.clear()


def wrongly_ready(told: Told) -> None:
    told.preview = replace(told.preview, status="ready")


WRONG: dict[str, tuple[str, Callable[[Told], None]]] = {
    "no message": ("half_written", lambda told: told.messages.clear()),
    "no event": ("half_written", lambda told: told.events.clear()),
    "no apply": ("half_written", half),
    "an event of nobody": ("half_written", stray),
    "a preview that does not know": ("half_written", wrongly_ready),
    "two answers": ("double_winners", twice),
    "on another": ("overlaps", over),
    "no such answer": ("unexplained", odd),
    "applied by nobody": ("unexplained", lambda told: told.calls.clear()),
}


@pytest.mark.parametrize("name", WRONG)
def test_the_judge_of_a_race_sees_what_is_wrong(name: str) -> None:
    """And finds nothing against a right round."""
    found = Findings()
    judge(1, right(), found)
    assert not found.counts, found.words
    kind, spoil = WRONG[name]
    told = right()
    spoil(told)
    judge(1, told, found)
    assert found.counts[kind] > 0, found.words
    assert misses(dict(found.counts))
