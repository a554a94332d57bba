"""What the person answered: applies, feedback, dialogues, and the answers that are kept for a repeated key."""

from typing import Final

from steward.storage.columns import instant, json, key, small, table, whole, words

APPLY: Final = table(
    "steward_apply",
    key("apply_id"),
    key("preview_id"),
    key("user_id"),
    key("candidate_id"),
    key("idempotency_key", 191),
    key("request_hash", 128),
    key("status", 32, among=("applying", "applied", "rejected", "expired", "failed")),
    key("applied_slot", null=True),
    key("error_code", null=True),
    words("error", null=True),
    json("applied_changes_json", null=True),
    json("applied_event_ids_json", null=True),
    json("undo_json", null=True),
    instant("undo_until", null=True),
    instant("undone_at", null=True),
    small("response_status", null=True),
    json("response_json", null=True),
    instant("applied_at", null=True),
    key("trace_id"),
    primary=("apply_id",),
    unique=(("user_id", "idempotency_key"), ("applied_slot",)),
    index=(("preview_id", "created_at"), ("user_id", "created_at"), ("trace_id",)),
)

REQUEST: Final = table(
    "steward_request",
    key("user_id"),
    key("idempotency_key", 191),
    key("operation"),
    key("request_hash", 128),
    key("resource_id", null=True),
    small("response_status"),
    json("response_json"),
    instant("expires_at"),
    primary=("user_id", "idempotency_key"),
    index=(("expires_at",),),
)

FEEDBACK: Final = table(
    "steward_feedback",
    key("feedback_id", 128),
    key("user_id"),
    key("kind", 32, default="unfinished", among=("unfinished",)),
    key("event_id", null=True),
    key("task_id", null=True),
    whole("remaining_minutes", null=True),
    words("note", 4000, null=True),
    key("trigger_id"),
    primary=("feedback_id",),
    index=(("user_id", "created_at"), ("event_id",), ("trigger_id",)),
)

DIALOGUE: Final = table(
    "steward_dialogue",
    key("dialogue_id"),
    key("conversation_id"),
    key("user_id"),
    key("trigger_id"),
    key("current_trigger_id"),
    key("current_preview_id", null=True),
    key(
        "status", 32, default="waiting_user_reply",
        among=("waiting_user_reply", "rerunning", "ready_preview", "applied", "ignored", "expired", "failed"),
    ),
    json("state_json"),
    instant("lease_until", null=True),
    whole("version", default=1),
    primary=("dialogue_id",),
    unique=(("trigger_id",),),
    index=(("current_trigger_id",), ("status", "lease_until"), ("user_id", "created_at")),
)  # fmt: skip
