"""What is answered, as JSON Schema for the OpenAPI document. Source: spec/scheduling.md §2, §12.

Invariant: every field of `service.views` that is always there stands here as required; tests hold answers to it.
"""

from collections.abc import Mapping
from typing import Any, Final

Schema = Mapping[str, Any]

TEXT: Final[Schema] = {"type": "string"}
FLAG: Final[Schema] = {"type": "boolean"}
NUMBER: Final[Schema] = {"type": "integer"}
INSTANT: Final[Schema] = {"type": "string", "format": "date-time"}
ANY_OBJECT: Final[Schema] = {"type": "object"}


def said(**properties: Schema) -> Schema:
    """An object with all of these."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def or_null(schema: Schema) -> Schema:
    """The same, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def many(item: Schema) -> Schema:
    """A list of them."""
    return {"type": "array", "items": item}


def each(schema: Schema, names: str) -> dict[str, Schema]:
    """Several fields of one kind."""
    return dict.fromkeys(names.split(), schema)


def one_of(*values: str) -> Schema:
    """One of a few words."""
    return {"type": "string", "enum": list(values)}


def named(name: str) -> Schema:
    """What stands under this name in `COMPONENTS`."""
    return {"$ref": f"#/components/schemas/{name}"}


def paged(name: str) -> Schema:
    """A page of them (ST-56)."""
    return said(items=many(named(name)), next_cursor=or_null(TEXT))


_MOBILITY: Final = one_of("fixed", "flexible", "pinned")
_SECTION: Final = said(**each(NUMBER, "week day_of_week section_from section_to"))
_MAYBE_TEXT, _MAYBE_NUMBER, _MAYBE_INSTANT = or_null(TEXT), or_null(NUMBER), or_null(INSTANT)
_CHANGE: Final = said(
    **each(TEXT, "change_id change_type"), event_id=_MAYBE_TEXT, duration_minutes=NUMBER, edited_allowed=FLAG,
    affected_event_ids=many(TEXT), part_no=_MAYBE_NUMBER, section=or_null(_SECTION), to=ANY_OBJECT,
)  # fmt: skip
_ENTRY: Final = said(
    **each(TEXT, "entry_id source_type source_id title status"), **each(INSTANT, "start_at end_at"), editable=FLAG
)
_CANDIDATE: Final = said(
    **each(TEXT, "candidate_id type method risk capacity_fit title summary explanation_text notification_summary source"),
    base_version=TEXT, target_id=_MAYBE_TEXT, score=NUMBER, complete=FLAG, cost=or_null(ANY_OBJECT),
    valid_until=_MAYBE_INSTANT, validation=said(valid=FLAG, reason=TEXT), changes=many(_CHANGE), before=many(_ENTRY),
    after=many(_ENTRY),
)  # fmt: skip
_SUMMARY: Final[Mapping[str, Schema]] = {
    **each(TEXT, "preview_id user_id trigger_id trigger_type target_type explanation_text notification_summary trace_id"),
    **each(TEXT, "selected_candidate_id base_version"),
    **each(_MAYBE_TEXT, "target_id status_reason superseded_by"),
    "status": one_of(
        "ready", "pending", "applied", "undone", "ignored", "expired", "superseded", "failed",
    ),
    "candidate_count": NUMBER,
    **each(INSTANT, "generated_at expires_at created_at"),
    "ended_at": _MAYBE_INSTANT,
    **each(_MAYBE_TEXT, "apply_id apply_candidate_id apply_idempotency_key apply_request_hash apply_error_code apply_error"),
    "apply_status": TEXT,
    **each(or_null(many({})), "applied_changes applied_event_ids"),
    **each(_MAYBE_INSTANT, "applied_at undo_until undone_at"),
    "expires_in_seconds": NUMBER,
    **each(FLAG, "expired can_confirm can_ignore can_undo"),
}  # fmt: skip
_BLOCK: Final = said(
    **each(TEXT, "event_id title status"), **each(INSTANT, "start_at end_at"), mobility=_MOBILITY, part_no=_MAYBE_NUMBER,
    version=NUMBER,
)  # fmt: skip
_TASK: Final = said(
    **each(TEXT, "task_id title"), note=_MAYBE_TEXT, status=one_of("open", "completed", "deleted"),
    **each(NUMBER, "priority_group effective_priority_group duration_minutes min_block_minutes position version"),
    **each(FLAG, "splittable allow_late"),
    **each(_MAYBE_INSTANT, "earliest_start_at deadline_at urgency_threshold_at completed_at"), created_at=INSTANT,
    parent_id=_MAYBE_TEXT, job=or_null(said(status=TEXT, trigger_at=INSTANT)), blocks=many(_BLOCK),
)  # fmt: skip
_SOURCE: Final[Mapping[str, Schema]] = {
    **each(TEXT, "source_id name all_day_busy"),
    "kind": one_of("file", "feed"),
    "refresh_minutes": _MAYBE_NUMBER,
    "next_refresh_at": _MAYBE_INSTANT,
    **each(_MAYBE_TEXT, "last_status last_error"),
    "created_at": INSTANT,
}
_APPLY: Final[Mapping[str, Schema]] = {
    **each(TEXT, "preview_id apply_id apply_status candidate_id request_hash"),
    "applied_event_ids": many(TEXT),
    **each(many(ANY_OBJECT), "applied_changes skipped_changes"),
    **each(_MAYBE_INSTANT, "applied_at undo_until"),
}
_TRIGGER: Final = said(
    **each(TEXT, "trigger_id trigger_type source target_type status trace_id"),
    **each(_MAYBE_TEXT, "target_id feedback_id job_id code preview_id"), **each(FLAG, "notify is_mock_time"),
    **each(_MAYBE_INSTANT, "mock_now completed_at"), requested_at=INSTANT,
)  # fmt: skip

COMPONENTS: Final[Mapping[str, Schema]] = {
    "Task": _TASK,
    "Event": said(
        **each(TEXT, "event_id title zone recurrence_id"), **each(_MAYBE_TEXT, "location source_id uid task_id preview_id"),
        **each(_MAYBE_TEXT, "task_source_type makeup_for_event_id apply_id"), mobility=_MOBILITY,
        status=one_of("confirmed", "tentative", "cancelled"), origin=one_of("user", "import", "steward"),
        **each(FLAG, "busy all_day"), **each(INSTANT, "start_at end_at created_at"), part_no=_MAYBE_NUMBER,
        **each(or_null({"type": "string", "format": "date"}), "start_date end_date"), version=NUMBER,
        section=or_null(_SECTION),
    ),
    "Source": said(**_SOURCE),
    "Candidate": _CANDIDATE,
    "PreviewSummary": said(**_SUMMARY),
    "Preview": said(
        **_SUMMARY, candidates=many(named("Candidate")), selected_candidate=or_null(named("Candidate")),
        **each(many(ANY_OBJECT), "before changes after issues"), risk=_MAYBE_TEXT, selection=or_null(ANY_OBJECT),
        **each(ANY_OBJECT, "decision metrics context_summary"),
    ),
    "Apply": said(**_APPLY),
    "Trigger": _TRIGGER,
    "Dialogue": said(
        **each(TEXT, "dialogue_id conversation_id trigger_id current_trigger_id status"), **each(NUMBER, "rounds version"),
        **each(_MAYBE_TEXT, "preview_id question failed_reason"), choices=many(ANY_OBJECT),
        missing_info=many(TEXT), expires_at=_MAYBE_INSTANT,
    ),
    "Settings": said(
        **each(TEXT, "user_id name zone"), role=one_of("user", "admin"), locale=one_of("zh-CN", "en"), grid=ANY_OBJECT,
        **each(FLAG, "share_titles suggestions"), version=NUMBER,
    ),
}  # fmt: skip
"""What several routes answer."""

TASK, EVENT, PREVIEW, TRIGGER = named("Task"), named("Event"), named("Preview"), named("Trigger")
DIALOGUE, SETTINGS, APPLY = named("Dialogue"), named("Settings"), named("Apply")
COMPLETED: Final[Schema] = {"allOf": [TASK, said(changed=FLAG, future_blocks=many(_BLOCK))]}
STATUSES: Final = said(items=many(said(**each(TEXT, "id status"))))
IMPORTED: Final = said(
    **_SOURCE, **each(NUMBER, "added changed cancelled equal busy not_busy own refused_count"),
    refused=many(said(**each(TEXT, "uid reason"))),
)  # fmt: skip
REMOVED: Final = said(source_id=TEXT, cancelled=NUMBER)
DRY_RUN: Final = said(
    context=ANY_OBJECT, observation=said(issues=many(ANY_OBJECT), metrics=ANY_OBJECT), candidates=many(named("Candidate")),
    decision=ANY_OBJECT,
)  # fmt: skip
MADE_TRIGGER: Final[Schema] = {"allOf": [TRIGGER, said(dedupe_hit=FLAG)]}
TIMELINE: Final = said(trace_id=TEXT, entries=many(said(at=INSTANT, **each(TEXT, "kind id status"))))
IGNORED: Final = said(preview_id=TEXT, status=one_of("ignored"), reason=_MAYBE_TEXT)
UNDONE: Final[Schema] = {
    "allOf": [APPLY, said(undone_at=_MAYBE_INSTANT, **each(many(TEXT), "restored_event_ids cancelled_event_ids"))]
}
LINK: Final = said(**each(TEXT, "token path purpose"), preview_id=_MAYBE_TEXT, expires_at=_MAYBE_INSTANT)
FEEDBACK: Final = said(**each(TEXT, "feedback_id trigger_id trace_id"))
