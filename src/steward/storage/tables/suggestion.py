"""How a suggestion comes about: the job that looks, the trigger that asks, the preview that answers."""

from typing import Final

from steward.storage.columns import flag, instant, json, key, lease, small, table, whole, words

TRIGGER_TYPES: Final = ("important_urgent_task", "unfinished_feedback")
TARGET_TYPES: Final = ("task_pool", "schedule_event", "task_item")
SOURCES: Final = ("worker_due_job", "api_trigger", "user_feedback")
"""Of stored triggers: `api_dry_run` is never stored."""
JOB_STATES: Final = ("pending", "triggered", "canceled", "skipped", "failed")
PREVIEW_STATES: Final = ("pending", "ready", "applied", "ignored", "expired", "superseded", "failed", "undone")

JOB: Final = table(
    "steward_job",
    key("job_id"),
    key("user_id"),
    key("task_id"),
    whole("generation", default=0),
    small("round", default=0),
    key("trigger_type", default="important_urgent_task", among=TRIGGER_TYPES),
    key("status", 32, default="pending", among=JOB_STATES),
    instant("trigger_at"),
    instant("next_scan_at"),
    key("dedupe_key", 191),
    key("pending_slot", null=True),
    key("last_trigger_id", null=True),
    small("attempts", default=0),
    key("last_error_code", null=True),
    words("last_error", null=True),
    instant("last_scanned_at", null=True),
    *lease(),
    key("trace_id", null=True),
    primary=("job_id",),
    unique=(("task_id", "generation"), ("pending_slot",)),
    index=(
        ("status", "next_scan_at", "job_id"), ("user_id", "status", "trigger_at"), ("user_id", "created_at"),
        ("last_trigger_id",), ("trace_id",),
    ),
)  # fmt: skip

TRIGGER: Final = table(
    "steward_trigger",
    key("trigger_id"),
    key("user_id"),
    key("trigger_type", among=TRIGGER_TYPES),
    key("source", among=SOURCES),
    key("target_type", among=TARGET_TYPES),
    key("target_id", null=True),
    key("feedback_id", 128, null=True),
    key("job_id", null=True),
    key("idempotency_key", 191, null=True),
    key("request_hash", 128, null=True),
    key("dedupe_key", 191),
    key("dedupe_slot", 191, null=True),
    instant("dedupe_until", null=True),
    key(
        "status", 32, default="pending",
        among=("pending", "processing", "preview_generated", "closed", "skipped", "rejected", "failed"),
    ),
    flag("notify", default=True),
    instant("mock_now", null=True),
    flag("is_mock_time", default=False),
    instant("requested_at"),
    json("payload_json", null=True),
    small("attempts", default=0),
    instant("next_try_at", null=True),
    *lease(),
    key("last_error_code", null=True),
    words("last_error", null=True),
    instant("processed_at", null=True),
    instant("completed_at", null=True),
    key("trace_id"),
    primary=("trigger_id",),
    unique=(("user_id", "trigger_type", "idempotency_key"), ("user_id", "trigger_type", "dedupe_slot")),
    index=(
        ("status", "next_try_at", "trigger_id"), ("status", "updated_at"), ("user_id", "created_at"),
        ("target_type", "target_id"), ("feedback_id",), ("job_id",), ("trace_id",),
    ),
)  # fmt: skip

PREVIEW: Final = table(
    "steward_preview",
    key("preview_id"),
    key("user_id"),
    key("trigger_id"),
    key("trigger_type", among=TRIGGER_TYPES),
    key("target_type", among=TARGET_TYPES),
    key("target_id", null=True),
    key("status", 32, default="pending", among=PREVIEW_STATES),
    key("status_reason", null=True),
    key("live_slot", 191, null=True),
    key("selected_candidate_id"),
    whole("candidate_count", default=0),
    json("candidates_json"),
    json("selection_json"),
    json("decision_json"),
    json("metrics_json"),
    json("issues_json"),
    json("context_summary_json"),
    words("explanation_text"),
    words("notification_summary"),
    key("base_version", 128),
    instant("generated_at"),
    instant("expires_at"),
    instant("ended_at", null=True),
    key("superseded_by", null=True),
    key("trace_id"),
    primary=("preview_id",),
    unique=(("trigger_id",), ("user_id", "live_slot")),
    index=(("status", "expires_at"), ("user_id", "created_at"), ("user_id", "target_id"), ("trace_id",)),
)  # fmt: skip
