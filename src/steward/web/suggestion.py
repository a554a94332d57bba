"""A preview as its page shows it: each way to change the day with its words, its drawing and its rows.

Invariant: what is drawn and what stands in the table are the same changes; "leave as it is" is always the last choice.
Source: spec/scheduling.md ST-59; reference/pages.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from steward.web.reader import Reader
from steward.web.timetable import Block, Drawing, Kind, draw

APPLICABLE: Final = frozenset({"add_task_pool_to_schedule", "create_makeup", "compress_with_next_dynamic_task"})
MARGIN_HOURS: Final = 1
_KINDS: Final[Mapping[str, Kind]] = {"add": "added", "create_makeup": "added", "move": "moved", "resize": "resized"}

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: what kind of change, of what, from where to where."""

    kind: Kind
    title: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Pair:
    """One day before and after, over the same hours."""

    day: date
    before: Drawing
    after: Drawing


@dataclass(frozen=True, slots=True)
class Choice:
    """One card: a way to change the day, or to leave it."""

    number: int
    candidate_id: str
    base_version: str
    title: str
    consequence: str
    explanation: str
    is_best: bool
    applies: bool
    rows: tuple[Row, ...] = ()
    pairs: tuple[Pair, ...] = ()


def choices(preview: Body, reader: Reader) -> list[Choice]:
    """The cards in the order of the offer; where the preview can be answered, the last one leaves the day alone."""
    best = preview.get("selected_candidate_id")
    found = [item for item in preview.get("candidates") or () if item["type"] in APPLICABLE]
    kept = [item for item in preview.get("candidates") or () if item["type"] == "keep"]
    cards = [_choice(number, item, preview, reader, best) for number, item in enumerate(found)]
    return cards + [_keep(len(cards), item, reader) for item in kept[:1]]


def applied_rows(preview: Body, reader: Reader) -> list[Row]:
    """What was changed, by the apply's own account."""
    done = preview.get("apply_candidate_id") or preview.get("selected_candidate_id")
    chosen = next((item for item in preview.get("candidates") or () if item["candidate_id"] == done), None)
    if chosen is None:
        return []
    wanted = {change["change_id"] for change in preview.get("applied_changes") or chosen["changes"]}
    return [
        row
        for change, row in zip(chosen["changes"], rows_of(chosen, reader), strict=True)
        if change["change_id"] in wanted
    ]


def rows_of(candidate: Body, reader: Reader) -> list[Row]:
    """The changes of a candidate, one a line."""
    titles = _titles(candidate)
    rows = []
    for change in candidate.get("changes") or ():
        old, new = change.get("from"), change["to"]
        rows.append(
            Row(
                kind=_KINDS[change["change_type"]],
                title=titles.get(change.get("event_id") or change["change_id"], ""),
                before="" if old is None else reader.when(old["start"], old["end"]),
                after=reader.when(new["start"], new["end"]),
            )
        )
    return rows


def pairs_of(candidate: Body, reader: Reader) -> list[Pair]:
    """A drawing before and one after for each day that changes."""
    changes = candidate.get("changes") or ()
    places = [place for change in changes for place in (change.get("from"), change["to"]) if place]
    days = sorted({reader.local(place["start"]).date() for place in places})
    moved: dict[str, Kind] = {
        change["event_id"]: _KINDS[change["change_type"]] for change in changes if change.get("event_id")
    }
    left: dict[str, Kind] = {name: "gone" for name, kind in moved.items() if kind == "moved"}
    before = _blocks(candidate.get("before") or (), left, reader)
    after = _blocks(candidate.get("after") or (), moved, reader)
    hours = _hours(places, reader)
    return [Pair(day, draw(day, before, hours), draw(day, after, hours)) for day in days]


def why(preview: Body, reader: Reader) -> str:
    """The one sentence of reason: the issue's, else the trigger's."""
    issues = preview.get("issues") or ()
    code = issues[0]["code"] if issues else ""
    return reader.text(f"issue.{code}" if code in _ISSUES else f"trigger.{preview['trigger_type']}")


def source(preview: Body, reader: Reader) -> str:
    """Who chose: the rule, a model by its name, or the rule since the model gave nothing."""
    said = str((preview.get("selection") or {}).get("source") or "rule")
    kind, _, name = said.partition(":")
    if kind == "model":
        return reader.text("source.model", name=name)
    return reader.text("source.fallback" if kind == "fallback" else "source.rule")


_ISSUES: Final = frozenset({
    "no_valid_time_window", "deadline_passed", "no_free_slot", "capacity_insufficient",
    "fragmented_capacity", "can_add_task_pool_to_schedule", "need_makeup_block",
})  # fmt: skip


def _choice(number: int, item: Body, preview: Body, reader: Reader, best: object) -> Choice:
    rows = rows_of(item, reader)
    added = [change for change in item["changes"] if not change.get("event_id")]
    shifted = [(change, row) for change, row in zip(item["changes"], rows, strict=True) if change.get("event_id")]
    when = reader.text("list.joint").join(
        reader.when(change["to"]["start"], change["to"]["end"]) for change in added[:3]
    )
    names = reader.text("list.joint").join(_quoted(row.title, reader) for _, row in shifted)
    to = reader.time(shifted[0][0]["to"]["start"]) if shifted else ""
    minutes = sum(change["duration_minutes"] for change in added)
    cost = item.get("cost") or {}
    kept = shifted[0][0]["duration_minutes"] if shifted else 0
    lost = reader.length(shifted[0][0]["from"]) - kept if shifted else 0
    given = cost.get("given_up_minutes") or 0
    values = {
        "when": when,
        "names": names,
        "to": to,
        "minutes": reader.minutes(minutes),
        "wanted": reader.minutes(minutes + given - lost),
        "kept": reader.minutes(kept),
        "late": reader.minutes(cost.get("late_minutes") or 0),
        "parts": len(added),
        "count": len(shifted),
    }
    method = item["method"]
    is_best = item["candidate_id"] == best
    own = preview.get("explanation_text") if is_best else ""
    return Choice(
        number=number,
        candidate_id=item["candidate_id"],
        base_version=item["base_version"],
        title=reader.text(f"method.{method}", **values),
        consequence=reader.text(f"consequence.{method}", **values),
        explanation=str(own or item.get("explanation_text") or item.get("summary") or ""),
        is_best=is_best,
        applies=True,
        rows=tuple(rows),
        pairs=tuple(pairs_of(item, reader)),
    )


def _keep(number: int, item: Body, reader: Reader) -> Choice:
    return Choice(
        number=number,
        candidate_id=item["candidate_id"],
        base_version=item["base_version"],
        title=reader.text("method.none"),
        consequence=reader.text("consequence.none"),
        explanation=reader.text("preview.nothing_changes"),
        is_best=False,
        applies=False,
    )


def _titles(candidate: Body) -> dict[str, str]:
    entries = [*(candidate.get("before") or ()), *(candidate.get("after") or ())]
    return {entry["entry_id"]: entry["title"] for entry in entries}


def _quoted(title: str, reader: Reader) -> str:
    return reader.text("list.quoted", title=title)


def _blocks(entries: Sequence[Body], kinds: Mapping[str, Kind], reader: Reader) -> list[Block]:
    return [
        Block(
            title=entry["title"],
            kind="added" if entry["status"] == "added" else kinds.get(entry["entry_id"], "same"),
            start=reader.local(entry["start_at"]),
            end=reader.local(entry["end_at"]),
        )
        for entry in entries
    ]


def _hours(places: Sequence[Body], reader: Reader) -> tuple[int, int]:
    """The hours around what changes, so that a phone need not scroll past an unchanged morning."""
    starts, ends = [], []
    for place in places:
        start, end = reader.local(place["start"]), reader.local(place["end"])
        starts.append(start.hour)
        ends.append(24 if end.date() > start.date() else -(-(end.hour * 60 + end.minute) // 60))
    return max(0, min(starts) - MARGIN_HOURS), min(24, max(ends) + MARGIN_HOURS)


def target_title(preview: Body, reader: Reader) -> str:
    """What the suggestion is about; of a question the question itself."""
    named = (preview.get("context_summary") or {}).get("target_title")
    return str(named or preview.get("explanation_text") or reader.text("preview.untitled"))


def proposed_blocks(previews: Sequence[Body], reader: Reader) -> list[Block]:
    """Where waiting suggestions would put things, each leading to its page."""
    return [
        Block(
            title=_titles(chosen).get(change.get("event_id") or change["change_id"], ""),
            kind="proposed",
            start=reader.local(change["to"]["start"]),
            end=reader.local(change["to"]["end"]),
            href=f"/previews/{preview['preview_id']}",
        )
        for preview in previews
        if (chosen := preview.get("selected_candidate"))
        for change in chosen.get("changes") or ()
    ]
