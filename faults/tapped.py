"""What rows, messages and answers say together about a race, round by round.

A round is right when at most one apply won, whole; when nothing that apply placed stands on what stood there before; and
when every answer that a process got fits the rows that are there.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from faults.calendar_day import person, preview_id
from outrider import message_id
from steward.ports.rows.answer import ApplyRow
from steward.ports.rows.calendar import EventRow
from steward.ports.rows.suggestion import PreviewRow
from steward.ports.storage import Is, Reading
from steward.service.instants import parse_instant

Call = dict[str, Any]
COMMON: Final = {"idempotency_in_progress", "idempotency_mismatch"}
EXPECTED: Final = {
    "confirm": COMMON
    | {
        "ok", "expired", "already_applied", "preview_ignored", "base_version_changed", "unsupported_change_type",
        "slot_conflict", "preview_not_ready",
    },
    "ignore": COMMON | {"ok", "expired", "already_applied"},
    "edit": COMMON | {"ok", "version_mismatch"},
    "occupy": COMMON | {"ok"},
    "expire": {"expired", "not_due", "Busy"},
}  # fmt: skip


@dataclass
class Told:
    """A round's rows, and the ids of its messages that are in the log."""

    preview: PreviewRow
    applies: list[ApplyRow]
    events: dict[str, EventRow]
    messages: set[str]
    calls: list[Call]

    def outcomes(self, operation: str) -> list[dict[str, Any]]:
        """What came of the calls of this kind that ended."""
        return [call["outcome"] for call in self.calls if call["operation"] == operation and "outcome" in call]

    def unended(self, operation: str) -> bool:
        """Whether a process was killed in such a call."""
        return any(call["operation"] == operation for call in self.calls if "outcome" not in call)


@dataclass
class Findings:
    """The figures of a campaign, with the first words of each kind."""

    counts: Counter[str] = field(default_factory=Counter)
    words: list[str] = field(default_factory=list)

    def add(self, kind: str, number: int, why: str) -> None:
        """One more of a kind."""
        self.counts[kind] += 1
        if len(self.words) < 20:
            self.words.append(f"{kind} in round {number}: {why}")


async def read_round(tx: Reading, number: int, messages: set[str], calls: Iterable[Call]) -> Told:
    """All that is known of a round; of a call its last line counts."""
    preview = await tx.one(PreviewRow, {"preview_id": preview_id(number)})
    if preview is None:
        raise RuntimeError(f"round {number} has no preview")
    applies = await tx.all(ApplyRow, {"preview_id": preview_id(number)})
    rows = await tx.all(EventRow, {"user_id": person(number), "status": Is("!=", "cancelled")})
    last = {call["place"]: call for call in calls}
    return Told(preview, applies, {row.event_id: row for row in rows}, messages, list(last.values()))


def judge(number: int, told: Told, found: Findings) -> None:
    """Count everything that is wrong with the round."""
    won = [apply for apply in told.applies if apply.status == "applied"]
    _half_written(number, told, won, found)
    _winners(number, told, won, found)
    for apply in won:
        _overlaps(number, told, apply, found)
    _explained(number, told, won, found)


def _half_written(number: int, told: Told, won: Sequence[ApplyRow], found: Findings) -> None:
    if (told.preview.status == "applied") != bool(won):
        found.add("half_written", number, f"preview {told.preview.status}, {len(won)} applied")
    for apply in told.applies:
        if apply.status not in {"applied", "rejected", "expired", "failed"}:
            found.add("half_written", number, f"apply {apply.status}")
        suffix = "" if apply.status == "applied" else f":{apply.status}"
        kind = "succeeded" if apply.status == "applied" else "failed"
        if _id(f"schedule.apply.{kind}", apply.apply_id + suffix) not in told.messages:
            found.add("half_written", number, f"no message for {apply.apply_id} {apply.status}")
        if apply.status != "applied" and _id("schedule.apply.succeeded", apply.apply_id) in told.messages:
            found.add("half_written", number, f"{apply.status}, but its success was told")
    for apply in won:
        if missing := [name for name in apply.applied_event_ids_json if name not in told.events]:
            found.add("half_written", number, f"without events {missing}")
    ids = {apply.apply_id for apply in won}
    if strays := [row.event_id for row in told.events.values() if row.origin == "steward" and row.apply_id not in ids]:
        found.add("half_written", number, f"events of no apply: {strays}")


def _winners(number: int, told: Told, won: Sequence[ApplyRow], found: Findings) -> None:
    ends = {outcome["apply_id"] for outcome in told.outcomes("confirm") if outcome.get("status") == 200}
    ignored = any(outcome.get("status") == 200 for outcome in told.outcomes("ignore"))
    if len(won) > 1 or len(ends) > 1 or (ends and ignored):
        found.add("double_winners", number, f"{len(won)} rows, {len(ends)} answers, ignored {ignored}")


def _overlaps(number: int, told: Told, apply: ApplyRow, found: Findings) -> None:
    """Whether a place that apply wrote stands on something that stood there by then."""
    places = {change["event_id"]: change["after"] for change in apply.applied_changes_json}
    spans = {
        name: (parse_instant(after["start"], "start"), parse_instant(after["end"], "end"))
        for name, after in places.items()
    }
    for row in told.events.values():
        by_then = apply.applied_at is not None and row.created_at < apply.applied_at
        if row.event_id not in places and row.busy and by_then:
            spans[row.event_id] = (row.start_at, row.end_at)
    for name in places:
        for other, (start, end) in spans.items():
            if other != name and spans[name][0] < end and start < spans[name][1]:
                found.add("overlaps", number, f"{name} on {other}")


def _explained(number: int, told: Told, won: Sequence[ApplyRow], found: Findings) -> None:
    for call in told.calls:
        code = call.get("outcome", {}).get("code")
        if code is not None and code not in EXPECTED[call["operation"]]:
            found.add("unexplained", number, f"{call['operation']} answered {code}")
    status = told.preview.status
    confirmed = [outcome for outcome in told.outcomes("confirm") if outcome.get("status") == 200]
    for outcome in confirmed:
        if not any(apply.apply_id == outcome["apply_id"] for apply in won):
            found.add("unexplained", number, f"told of {outcome['apply_id']}, which no row has")
    if len({outcome["body"] for outcome in confirmed}) > 1:
        found.add("unexplained", number, "one apply, several answers")
    reasons = {
        "applied": bool(confirmed) or told.unended("confirm"),
        "ignored": any(outcome["code"] == "ok" for outcome in told.outcomes("ignore")) or told.unended("ignore"),
        "expired": any(
            outcome["code"] == "expired" for kind in ("confirm", "expire") for outcome in told.outcomes(kind)
        )
        or told.unended("confirm")
        or told.unended("expire"),
        "ready": not confirmed,
    }
    if not reasons.get(status, False):
        found.add("unexplained", number, f"the preview is {status}, and nobody made it so")


def _id(type_: str, row_id: str) -> str:
    return str(message_id("steward", f"{type_}:{row_id}"))
