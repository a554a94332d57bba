"""A day with blocks, a task that grew urgent, and a preview of it, for the tests of what a person answers."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from outrider import canonical_json
from steward.domain.base_version import base_parts, on_base
from steward.domain.candidate import Candidate
from steward.domain.candidate_json import candidates_as_json
from steward.domain.context import HORIZON
from steward.domain.ids import row_id
from steward.domain.methods import Ways
from steward.domain.offer import offer
from steward.ports.chance import Chance
from steward.ports.rows.answer import ApplyRow
from steward.ports.rows.calendar import EventRow, TaskRow
from steward.ports.rows.suggestion import PreviewRow, TriggerRow
from steward.ports.storage import Reading, Storage, Writing
from steward.service.answer import Answer, Caller, Keyed
from steward.service.confirming import ApplySettings, Confirming
from steward.service.listing import Listing
from steward.service.person import Defaults, profile_of
from steward.service.previews import Previews
from steward.service.reading import context_of, events_between, target_of, tasks_of
from steward.service.undoing import Undoing

ZONE = ZoneInfo("Asia/Shanghai")
PERSON = "usr_anna"
TRACE, OTHER_TRACE = "ab" * 16, "cd" * 16
CALLER = Caller(PERSON, OTHER_TRACE, locale="en", request_id="req_1")
KEYS = (b"k" * 32,)
T = TypeVar("T")


def at(now: datetime, hour: float) -> datetime:
    """This hour of the day after `now`, at the person's place."""
    there = now.astimezone(ZONE)
    midnight = datetime(there.year, there.month, there.day, tzinfo=ZONE) + timedelta(days=1)
    return midnight + timedelta(hours=hour)


def event_row(now: datetime, name: str, start: float, end: float, **fields: Any) -> EventRow:  # noqa: ANN401  any field
    usual: dict[str, Any] = {"title": name, "zone": "Asia/Shanghai", "created_at": now}
    return EventRow(
        event_id=f"evt_{name}", user_id=PERSON, start_at=at(now, start), end_at=at(now, end), **usual | fields
    )


def block_row(now: datetime, name: str, start: float, end: float, **fields: Any) -> EventRow:  # noqa: ANN401  any field
    usual: dict[str, Any] = {"mobility": "flexible", "task_id": f"tsk_{name}", "task_source_type": "task_pool"}
    return event_row(now, name, start, end, **usual | fields)


def task_row(now: datetime, name: str, **fields: Any) -> TaskRow:  # noqa: ANN401  any field
    usual: dict[str, Any] = {"title": name, "priority_group": 3, "duration_minutes": 90, "created_at": now}
    return TaskRow(task_id=f"tsk_{name}", user_id=PERSON, **usual | fields)


@dataclass
class Story:
    """The day of the demo: only the block `chapter`, 10:30 to 12:00, can make room for the task `lab`."""

    storage: Storage
    chance: Chance

    async def begin(self) -> None:
        """Write the day and its tasks."""

        async def work(tx: Writing) -> None:
            now = tx.now
            await tx.insert_all(
                [
                    event_row(now, "lecture", 9, 10.5),
                    event_row(now, "meeting", 14, 15),
                    block_row(now, "chapter", 10.5, 12),
                    block_row(now, "slides", 13, 14),
                    block_row(now, "letters", 15, 16),
                    block_row(now, "gym", 16, 18, mobility="pinned"),
                ]
            )
            await tx.insert_all([task_row(now, name) for name in ("chapter", "slides", "letters", "gym")])
            lab = task_row(
                now,
                "lab",
                priority_group=2,
                deadline_at=at(now, 18),
                earliest_start_at=at(now, 9),
                urgency_threshold_at=now - timedelta(seconds=1),
            )
            await tx.insert(lab)

        await self.storage.change(PERSON, work)

    async def suggest(self, **fields: Any) -> PreviewRow:  # noqa: ANN401  of trigger and preview
        """Make a preview for `target_id`, as the preparer does; the other fields are the preview's."""

        async def work(tx: Writing) -> PreviewRow:
            trigger = _trigger(tx, self.chance, fields)
            profile = await profile_of(tx, PERSON, Defaults())
            events = [row.event for row in await events_between(tx, PERSON, tx.now, tx.now + HORIZON)]
            target = await target_of(tx, trigger, tx.now)
            assert target is not None
            tasks = await tasks_of(tx, PERSON, events)
            where = context_of(profile, trigger, target, events, tasks, tx.now, HORIZON)
            candidates = [
                on_base(
                    one,
                    base_parts(one.changes, events, target.task, profile.version, profile.grid.buffer_minutes),
                    canonical_json,
                )
                for one in offer(where, Ways.of(where, target)).candidates
            ]
            preview = _preview(tx, self.chance, trigger, candidates, fields)
            await tx.insert(trigger)
            await tx.insert(preview)
            return preview

        return await self.storage.change(PERSON, work)

    async def read(self, work: Callable[[Reading], Awaitable[T]]) -> T:
        return await self.storage.read(work)

    async def preview(self, preview_id: str) -> PreviewRow:
        found = await self.storage.read(lambda tx: tx.one(PreviewRow, {"preview_id": preview_id}))
        assert found is not None
        return found

    async def applies(self) -> list[ApplyRow]:
        return await self.storage.read(lambda tx: tx.all(ApplyRow, {}, order=("created_at", "apply_id")))

    async def events(self) -> dict[str, EventRow]:
        rows = await self.storage.read(lambda tx: tx.all(EventRow, {"user_id": PERSON}))
        return {row.event_id: row for row in rows}

    async def change_event(self, name: str, **values: object) -> None:
        async def work(tx: Writing) -> int:
            return await tx.change(EventRow, {"event_id": name}, values)

        assert await self.storage.change(PERSON, work) == 1

    def confirming(self, storage: Storage | None = None) -> Confirming:
        return Confirming(
            storage=storage or self.storage, chance=self.chance, defaults=Defaults(), settings=ApplySettings()
        )

    def undoing(self) -> Undoing:
        return Undoing(storage=self.storage, chance=self.chance, defaults=Defaults(), settings=ApplySettings())

    def previews(self) -> Previews:
        return Previews(storage=self.storage, listing=Listing(KEYS), defaults=Defaults())

    async def confirm(
        self,
        preview: PreviewRow,
        method: str = "move_one",
        key: str = "key-1",
        **values: Any,  # noqa: ANN401  as sent
    ) -> Answer:
        """Confirm the candidate of this method over the base that the preview was made on."""
        chosen = candidate(preview, method)
        return await self.confirming().confirm(
            CALLER,
            preview.preview_id,
            {"candidate_id": chosen["candidate_id"], **values},
            if_match=f'"{chosen["base_version"]}"',
            key=key,
        )

    async def undo(self, preview: PreviewRow, key: str = "undo-1") -> Answer:
        asked = Keyed(key, "POST", f"/api/v1/previews/{preview.preview_id}/undo", {})
        return await self.undoing().undo(CALLER, preview.preview_id, keyed=asked)


def candidate(preview: PreviewRow, method: str) -> dict[str, Any]:
    """The stored candidate of this method."""
    items: list[dict[str, Any]] = preview.candidates_json["items"]
    return next(item for item in items if item["method"] == method)


def _trigger(tx: Writing, chance: Chance, fields: dict[str, Any]) -> TriggerRow:
    target: dict[str, Any] = {
        "target_type": "task_pool",
        "target_id": "tsk_lab",
        "trigger_type": "important_urgent_task",
    }
    target |= {name: fields.pop(name) for name in target.keys() & fields.keys()}
    name = row_id("trg", chance.uuid7())
    return TriggerRow(
        trigger_id=name,
        user_id=PERSON,
        source="worker_due_job",
        dedupe_key=name,
        dedupe_slot=name,
        requested_at=tx.now,
        trace_id=TRACE,
        created_at=tx.now,
        status="preview_generated",
        completed_at=tx.now,
        notify=fields.pop("notify", True),
        feedback_id=fields.pop("feedback_id", None),
        **target,
    )


def _preview(
    tx: Writing, chance: Chance, trigger: TriggerRow, candidates: list[Candidate], fields: dict[str, Any]
) -> PreviewRow:
    usual: dict[str, Any] = {
        "status": "ready",
        "live_slot": f"{trigger.target_type}:{trigger.target_id}",
        "expires_at": tx.now + timedelta(hours=1),
        "explanation_text": candidates[0].explanation_text,
    }
    return PreviewRow(
        preview_id=row_id("prv", chance.uuid7()),
        user_id=PERSON,
        trigger_id=trigger.trigger_id,
        trigger_type=trigger.trigger_type,
        target_type=trigger.target_type,
        target_id=trigger.target_id,
        selected_candidate_id=candidates[0].candidate_id,
        candidate_count=len(candidates),
        candidates_json=candidates_as_json(candidates),
        selection_json={"source": "rule"},
        decision_json={"action": "select_candidate", "should_notify": True},
        metrics_json={},
        issues_json=[],
        context_summary_json={},
        notification_summary=candidates[0].notification_summary,
        base_version=candidates[0].base_version,
        generated_at=tx.now,
        trace_id=TRACE,
        created_at=tx.now,
        **usual | fields,
    )
