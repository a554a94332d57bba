"""Steward's first tables.

Source: spec/scheduling.md §2.
"""

from typing import Any, Final

from alembic import op
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    false,
    text,
    true,
)
from sqlalchemy.types import TypeEngine

from steward.storage.columns import INNODB
from steward.storage.types import Canonical, Day, Flag, Instant, Key, WideKey, Words

revision: Final = "0001"
down_revision: Final = None

METADATA: Final = MetaData()
SMALL: Final = SmallInteger().with_variant(Integer(), "sqlite")
BIG: Final = BigInteger().with_variant(Integer(), "sqlite")


def column(name: str, kind: TypeEngine[Any], *, nullable: bool, server_default: Any = None) -> Column[Any]:  # noqa: ANN401 - SQL
    """A column of any type."""
    return Column(name, kind, nullable=nullable, server_default=server_default, autoincrement=False)


Table(
    "steward_user", METADATA,
    column("user_id", Key(64), nullable=False), column("name", Words(255), nullable=False),
    column("role", Key(16), nullable=False, server_default=text("'user'")),
    column("locale", Key(16), nullable=False, server_default=text("'zh-CN'")),
    column("zone", Key(64), nullable=False, server_default=text("'Asia/Shanghai'")),
    column("grid_json", Canonical(), nullable=True), column("settings_json", Canonical(), nullable=True),
    column("profile_version", Integer(), nullable=False, server_default=text("1")),
    column("created_at", Instant(), nullable=False), column("updated_at", Instant(), nullable=False),
    PrimaryKeyConstraint("user_id"),
    CheckConstraint("role IN ('user', 'admin')", name="ck_steward_user_role"),
    **INNODB,
)  # fmt: skip
Table(
    "steward_calendar", METADATA,
    column("user_id", Key(64), nullable=False), column("revision", BIG, nullable=False, server_default=text("0")),
    column("created_at", Instant(), nullable=False), column("updated_at", Instant(), nullable=False),
    PrimaryKeyConstraint("user_id"),
    **INNODB,
)  # fmt: skip
Table(
    "steward_task", METADATA,
    column("task_id", Key(64), nullable=False), column("user_id", Key(64), nullable=False),
    column("title", Words(255), nullable=False), column("note", Words(4000), nullable=True),
    column("priority_group", SMALL, nullable=False),
    column("status", Key(32), nullable=False, server_default=text("'open'")),
    column("duration_minutes", Integer(), nullable=False),
    column("min_block_minutes", Integer(), nullable=False, server_default=text("30")),
    column("splittable", Flag(), nullable=False, server_default=false()),
    column("allow_late", Flag(), nullable=False, server_default=true()),
    column("earliest_start_at", Instant(), nullable=True), column("deadline_at", Instant(), nullable=True),
    column("urgency_threshold_at", Instant(), nullable=True),
    column("urgency_generation", Integer(), nullable=False, server_default=text("0")),
    column("parent_id", Key(64), nullable=True),
    column("position", Integer(), nullable=False, server_default=text("0")),
    column("completed_at", Instant(), nullable=True),
    column("version", Integer(), nullable=False, server_default=text("1")),
    column("created_at", Instant(), nullable=False), column("updated_at", Instant(), nullable=False),
    PrimaryKeyConstraint("task_id"),
    Index("ix_steward_task_parent_id_position", "parent_id", "position"),
    Index("ix_steward_task_user_id_created_at", "user_id", "created_at"),
    Index("ix_steward_task_user_id_status_urgency_threshold_at", "user_id", "status", "urgency_threshold_at"),
    CheckConstraint("priority_group BETWEEN 1 AND 4", name="ck_steward_task_priority_group"),
    CheckConstraint("status IN ('open', 'completed', 'deleted')", name="ck_steward_task_status"),
    **INNODB,
)  # fmt: skip
Table(
    "steward_event", METADATA,
    column("event_id", Key(64), nullable=False), column("user_id", Key(64), nullable=False),
    column("title", Words(255), nullable=False), column("location", Words(255), nullable=True),
    column("mobility", Key(16), nullable=False, server_default=text("'fixed'")),
    column("busy", Flag(), nullable=False, server_default=true()),
    column("status", Key(32), nullable=False, server_default=text("'confirmed'")),
    column("origin", Key(16), nullable=False, server_default=text("'user'")),
    column("start_at", Instant(), nullable=False), column("end_at", Instant(), nullable=False),
    column("zone", Key(64), nullable=False), column("all_day", Flag(), nullable=False, server_default=false()),
    column("start_date", Day(), nullable=True), column("end_date", Day(), nullable=True),
    column("source_id", Key(64), nullable=True), column("uid", WideKey(255), nullable=True),
    column("recurrence_id", Key(64), nullable=False, server_default=text("''")),
    column("task_id", Key(64), nullable=True), column("task_source_type", Key(64), nullable=True),
    column("part_no", SMALL, nullable=True), column("makeup_for_event_id", Key(64), nullable=True),
    column("makeup_slot", Key(191), nullable=True), column("preview_id", Key(64), nullable=True),
    column("apply_id", Key(64), nullable=True),
    column("version", Integer(), nullable=False, server_default=text("1")),
    column("created_at", Instant(), nullable=False), column("updated_at", Instant(), nullable=False),
    PrimaryKeyConstraint("event_id"),
    Index("ux_steward_event_makeup_slot", "makeup_slot", unique=True),
    Index("ux_steward_event_source_id_uid_recurrence_id", "source_id", "uid", "recurrence_id", unique=True),
    Index("ix_steward_event_apply_id", "apply_id"), Index("ix_steward_event_task_id", "task_id"),
    Index("ix_steward_event_user_id_created_at", "user_id", "created_at"),
    Index("ix_steward_event_user_id_end_at", "user_id", "end_at"),
    Index("ix_steward_event_user_id_start_at", "user_id", "start_at"),
    CheckConstraint("mobility IN ('fixed', 'flexible', 'pinned')", name="ck_steward_event_mobility"),
    CheckConstraint("origin IN ('user', 'import', 'steward')", name="ck_steward_event_origin"),
    CheckConstraint("status IN ('confirmed', 'tentative', 'cancelled')", name="ck_steward_event_status"),
    CheckConstraint("task_source_type IN ('task_pool', 'task_item')", name="ck_steward_event_task_source_type"),
    **INNODB,
)  # fmt: skip
Table(
    "steward_calendar_source", METADATA,
    column("source_id", Key(64), nullable=False), column("user_id", Key(64), nullable=False),
    column("name", Words(255), nullable=False), column("kind", Key(16), nullable=False),
    column("url", Words(), nullable=True),
    column("all_day_busy", Key(16), nullable=False, server_default=text("'transp'")),
    column("refresh_minutes", Integer(), nullable=False, server_default=text("60")),
    column("next_refresh_at", Instant(), nullable=True), column("etag", Words(255), nullable=True),
    column("last_modified", Words(255), nullable=True), column("last_status", Key(32), nullable=True),
    column("last_error", Words(), nullable=True), column("lease_owner", Key(128), nullable=True),
    column("lease_epoch", BIG, nullable=False, server_default=text("0")),
    column("lease_until", Instant(), nullable=True), column("created_at", Instant(), nullable=False),
    column("updated_at", Instant(), nullable=False),
    PrimaryKeyConstraint("source_id"),
    Index("ix_steward_calendar_source_next_refresh_at", "next_refresh_at"),
    Index("ix_steward_calendar_source_user_id_created_at", "user_id", "created_at"),
    CheckConstraint("all_day_busy IN ('transp', 'always', 'never')", name="ck_steward_calendar_source_all_day_busy"),
    CheckConstraint("kind IN ('file', 'feed')", name="ck_steward_calendar_source_kind"),
    CheckConstraint("last_status IN ('ok', 'failed')", name="ck_steward_calendar_source_last_status"),
    **INNODB,
)  # fmt: skip
Table(
    "steward_job", METADATA,
    column("job_id", Key(64), nullable=False), column("user_id", Key(64), nullable=False),
    column("task_id", Key(64), nullable=False),
    column("generation", Integer(), nullable=False, server_default=text("0")),
    column("round", SMALL, nullable=False, server_default=text("0")),
    column("trigger_type", Key(64), nullable=False, server_default=text("'important_urgent_task'")),
    column("status", Key(32), nullable=False, server_default=text("'pending'")),
    column("trigger_at", Instant(), nullable=False), column("next_scan_at", Instant(), nullable=False),
    column("dedupe_key", Key(191), nullable=False), column("pending_slot", Key(64), nullable=True),
    column("last_trigger_id", Key(64), nullable=True),
    column("attempts", SMALL, nullable=False, server_default=text("0")),
    column("last_error_code", Key(64), nullable=True), column("last_error", Words(), nullable=True),
    column("last_scanned_at", Instant(), nullable=True), column("lease_owner", Key(128), nullable=True),
    column("lease_epoch", BIG, nullable=False, server_default=text("0")),
    column("lease_until", Instant(), nullable=True), column("trace_id", Key(64), nullable=True),
    column("created_at", Instant(), nullable=False), column("updated_at", Instant(), nullable=False),
    PrimaryKeyConstraint("job_id"),
    Index("ux_steward_job_pending_slot", "pending_slot", unique=True),
    Index("ux_steward_job_task_id_generation", "task_id", "generation", unique=True),
    Index("ix_steward_job_last_trigger_id", "last_trigger_id"),
    Index("ix_steward_job_status_next_scan_at_job_id", "status", "next_scan_at", "job_id"),
    Index("ix_steward_job_trace_id", "trace_id"),
    Index("ix_steward_job_user_id_created_at", "user_id", "created_at"),
    Index("ix_steward_job_user_id_status_trigger_at", "user_id", "status", "trigger_at"),
    CheckConstraint(
        "status IN ('pending', 'triggered', 'canceled', 'skipped', 'failed')",
        name="ck_steward_job_status"),
    CheckConstraint(
        "trigger_type IN ('important_urgent_task', 'unfinished_feedback')",
        name="ck_steward_job_trigger_type"),
    **INNODB,
)  # fmt: skip
Table(
    "steward_trigger", METADATA,
    column("trigger_id", Key(64), nullable=False), column("user_id", Key(64), nullable=False),
    column("trigger_type", Key(64), nullable=False), column("source", Key(64), nullable=False),
    column("target_type", Key(64), nullable=False), column("target_id", Key(64), nullable=True),
    column("feedback_id", Key(128), nullable=True), column("job_id", Key(64), nullable=True),
    column("idempotency_key", Key(191), nullable=True), column("request_hash", Key(128), nullable=True),
    column("dedupe_key", Key(191), nullable=False), column("dedupe_slot", Key(191), nullable=True),
    column("dedupe_until", Instant(), nullable=True),
    column("status", Key(32), nullable=False, server_default=text("'pending'")),
    column("notify", Flag(), nullable=False, server_default=true()), column("mock_now", Instant(), nullable=True),
    column("is_mock_time", Flag(), nullable=False, server_default=false()),
    column("requested_at", Instant(), nullable=False), column("payload_json", Canonical(), nullable=True),
    column("attempts", SMALL, nullable=False, server_default=text("0")),
    column("next_try_at", Instant(), nullable=True), column("lease_owner", Key(128), nullable=True),
    column("lease_epoch", BIG, nullable=False, server_default=text("0")),
    column("lease_until", Instant(), nullable=True), column("last_error_code", Key(64), nullable=True),
    column("last_error", Words(), nullable=True), column("processed_at", Instant(), nullable=True),
    column("completed_at", Instant(), nullable=True), column("trace_id", Key(64), nullable=False),
    column("created_at", Instant(), nullable=False), column("updated_at", Instant(), nullable=False),
    PrimaryKeyConstraint("trigger_id"),
    Index("ux_steward_trigger_user_id_trigger_type_dedupe_slot", "user_id", "trigger_type", "dedupe_slot", unique=True),
    Index("ux_steward_trigger_user_id_trigger_type_idempotency_key",
          "user_id", "trigger_type", "idempotency_key", unique=True),
    Index("ix_steward_trigger_feedback_id", "feedback_id"), Index("ix_steward_trigger_job_id", "job_id"),
    Index("ix_steward_trigger_status_next_try_at_trigger_id", "status", "next_try_at", "trigger_id"),
    Index("ix_steward_trigger_status_updated_at", "status", "updated_at"),
    Index("ix_steward_trigger_target_type_target_id", "target_type", "target_id"),
    Index("ix_steward_trigger_trace_id", "trace_id"),
    Index("ix_steward_trigger_user_id_created_at", "user_id", "created_at"),
    CheckConstraint(
        "source IN ('worker_due_job', 'api_trigger', 'user_feedback')",
        name="ck_steward_trigger_source"),
    CheckConstraint(
        "status IN ('pending', 'processing', 'preview_generated', 'closed', 'skipped', 'rejected', 'failed')",
        name="ck_steward_trigger_status"),
    CheckConstraint(
        "target_type IN ('task_pool', 'schedule_event', 'task_item')",
        name="ck_steward_trigger_target_type"),
    CheckConstraint(
        "trigger_type IN ('important_urgent_task', 'unfinished_feedback')",
        name="ck_steward_trigger_trigger_type"),
    **INNODB,
)  # fmt: skip
Table(
    "steward_preview", METADATA,
    column("preview_id", Key(64), nullable=False), column("user_id", Key(64), nullable=False),
    column("trigger_id", Key(64), nullable=False), column("trigger_type", Key(64), nullable=False),
    column("target_type", Key(64), nullable=False), column("target_id", Key(64), nullable=True),
    column("status", Key(32), nullable=False, server_default=text("'pending'")),
    column("status_reason", Key(64), nullable=True), column("live_slot", Key(191), nullable=True),
    column("selected_candidate_id", Key(64), nullable=False),
    column("candidate_count", Integer(), nullable=False, server_default=text("0")),
    column("candidates_json", Canonical(), nullable=False), column("selection_json", Canonical(), nullable=False),
    column("decision_json", Canonical(), nullable=False), column("metrics_json", Canonical(), nullable=False),
    column("issues_json", Canonical(), nullable=False), column("context_summary_json", Canonical(), nullable=False),
    column("explanation_text", Words(), nullable=False), column("notification_summary", Words(), nullable=False),
    column("base_version", Key(128), nullable=False), column("generated_at", Instant(), nullable=False),
    column("expires_at", Instant(), nullable=False), column("ended_at", Instant(), nullable=True),
    column("superseded_by", Key(64), nullable=True), column("trace_id", Key(64), nullable=False),
    column("created_at", Instant(), nullable=False), column("updated_at", Instant(), nullable=False),
    PrimaryKeyConstraint("preview_id"),
    Index("ux_steward_preview_trigger_id", "trigger_id", unique=True),
    Index("ux_steward_preview_user_id_live_slot", "user_id", "live_slot", unique=True),
    Index("ix_steward_preview_status_expires_at", "status", "expires_at"),
    Index("ix_steward_preview_trace_id", "trace_id"),
    Index("ix_steward_preview_user_id_created_at", "user_id", "created_at"),
    Index("ix_steward_preview_user_id_target_id", "user_id", "target_id"),
    CheckConstraint(
        "status IN ('pending', 'ready', 'applied', 'ignored', 'expired', 'superseded', 'failed', 'undone')",
        name="ck_steward_preview_status"),
    CheckConstraint(
        "target_type IN ('task_pool', 'schedule_event', 'task_item')",
        name="ck_steward_preview_target_type"),
    CheckConstraint(
        "trigger_type IN ('important_urgent_task', 'unfinished_feedback')",
        name="ck_steward_preview_trigger_type"),
    **INNODB,
)  # fmt: skip
Table(
    "steward_apply", METADATA,
    column("apply_id", Key(64), nullable=False), column("preview_id", Key(64), nullable=False),
    column("user_id", Key(64), nullable=False), column("candidate_id", Key(64), nullable=False),
    column("idempotency_key", Key(191), nullable=False), column("request_hash", Key(128), nullable=False),
    column("status", Key(32), nullable=False), column("applied_slot", Key(64), nullable=True),
    column("error_code", Key(64), nullable=True), column("error", Words(), nullable=True),
    column("applied_changes_json", Canonical(), nullable=True),
    column("applied_event_ids_json", Canonical(), nullable=True), column("undo_json", Canonical(), nullable=True),
    column("undo_until", Instant(), nullable=True), column("undone_at", Instant(), nullable=True),
    column("response_status", SMALL, nullable=True), column("response_json", Canonical(), nullable=True),
    column("applied_at", Instant(), nullable=True), column("trace_id", Key(64), nullable=False),
    column("created_at", Instant(), nullable=False), column("updated_at", Instant(), nullable=False),
    PrimaryKeyConstraint("apply_id"),
    Index("ux_steward_apply_applied_slot", "applied_slot", unique=True),
    Index("ux_steward_apply_user_id_idempotency_key", "user_id", "idempotency_key", unique=True),
    Index("ix_steward_apply_preview_id_created_at", "preview_id", "created_at"),
    Index("ix_steward_apply_trace_id", "trace_id"),
    Index("ix_steward_apply_user_id_created_at", "user_id", "created_at"),
    CheckConstraint(
        "status IN ('applying', 'applied', 'rejected', 'expired', 'failed')",
        name="ck_steward_apply_status"),
    **INNODB,
)  # fmt: skip
Table(
    "steward_request", METADATA,
    column("user_id", Key(64), nullable=False), column("idempotency_key", Key(191), nullable=False),
    column("operation", Key(64), nullable=False), column("request_hash", Key(128), nullable=False),
    column("resource_id", Key(64), nullable=True), column("response_status", SMALL, nullable=False),
    column("response_json", Canonical(), nullable=False), column("expires_at", Instant(), nullable=False),
    column("created_at", Instant(), nullable=False), column("updated_at", Instant(), nullable=False),
    PrimaryKeyConstraint("user_id", "idempotency_key"),
    Index("ix_steward_request_expires_at", "expires_at"),
    **INNODB,
)  # fmt: skip
Table(
    "steward_feedback", METADATA,
    column("feedback_id", Key(128), nullable=False), column("user_id", Key(64), nullable=False),
    column("kind", Key(32), nullable=False, server_default=text("'unfinished'")),
    column("event_id", Key(64), nullable=True), column("task_id", Key(64), nullable=True),
    column("remaining_minutes", Integer(), nullable=True), column("note", Words(4000), nullable=True),
    column("trigger_id", Key(64), nullable=False), column("created_at", Instant(), nullable=False),
    column("updated_at", Instant(), nullable=False),
    PrimaryKeyConstraint("feedback_id"),
    Index("ix_steward_feedback_event_id", "event_id"), Index("ix_steward_feedback_trigger_id", "trigger_id"),
    Index("ix_steward_feedback_user_id_created_at", "user_id", "created_at"),
    CheckConstraint("kind IN ('unfinished')", name="ck_steward_feedback_kind"),
    **INNODB,
)  # fmt: skip
Table(
    "steward_dialogue", METADATA,
    column("dialogue_id", Key(64), nullable=False), column("conversation_id", Key(64), nullable=False),
    column("user_id", Key(64), nullable=False), column("trigger_id", Key(64), nullable=False),
    column("current_trigger_id", Key(64), nullable=False), column("current_preview_id", Key(64), nullable=True),
    column("status", Key(32), nullable=False, server_default=text("'waiting_user_reply'")),
    column("state_json", Canonical(), nullable=False), column("lease_until", Instant(), nullable=True),
    column("version", Integer(), nullable=False, server_default=text("1")),
    column("created_at", Instant(), nullable=False), column("updated_at", Instant(), nullable=False),
    PrimaryKeyConstraint("dialogue_id"),
    Index("ux_steward_dialogue_trigger_id", "trigger_id", unique=True),
    Index("ix_steward_dialogue_current_trigger_id", "current_trigger_id"),
    Index("ix_steward_dialogue_status_lease_until", "status", "lease_until"),
    Index("ix_steward_dialogue_user_id_created_at", "user_id", "created_at"),
    CheckConstraint(
        "status IN ('waiting_user_reply', 'rerunning', 'ready_preview', 'applied', 'ignored', 'expired', "
        "'failed')",
        name="ck_steward_dialogue_status"),
    **INNODB,
)  # fmt: skip
Table(
    "steward_token", METADATA,
    column("hash", Key(64), nullable=False), column("user_id", Key(64), nullable=False),
    column("name", Words(64), nullable=False), column("scopes", Key(191), nullable=False),
    column("expires_at", Instant(), nullable=True), column("revoked_at", Instant(), nullable=True),
    column("last_used_at", Instant(), nullable=True), column("created_at", Instant(), nullable=False),
    column("updated_at", Instant(), nullable=False),
    PrimaryKeyConstraint("hash"),
    Index("ix_steward_token_user_id_created_at", "user_id", "created_at"),
    **INNODB,
)  # fmt: skip
Table(
    "steward_link", METADATA,
    column("hash", Key(64), nullable=False), column("user_id", Key(64), nullable=False),
    column("purpose", Key(16), nullable=False), column("key_id", Key(16), nullable=False),
    column("preview_id", Key(64), nullable=True), column("base_version", Key(128), nullable=True),
    column("expires_at", Instant(), nullable=True), column("used_at", Instant(), nullable=True),
    column("revoked_at", Instant(), nullable=True), column("last_used_at", Instant(), nullable=True),
    column("created_at", Instant(), nullable=False), column("updated_at", Instant(), nullable=False),
    PrimaryKeyConstraint("hash"), Index("ix_steward_link_preview_id", "preview_id"),
    Index("ix_steward_link_user_id_created_at", "user_id", "created_at"),
    CheckConstraint("purpose IN ('view', 'act', 'calendar', 'sign_in')", name="ck_steward_link_purpose"),
    **INNODB,
)  # fmt: skip
Table(
    "steward_sign_in", METADATA,
    column("hash", Key(64), nullable=False), column("user_id", Key(64), nullable=False),
    column("purpose", Key(16), nullable=False), column("expires_at", Instant(), nullable=False),
    column("revoked_at", Instant(), nullable=True), column("last_used_at", Instant(), nullable=True),
    column("created_at", Instant(), nullable=False), column("updated_at", Instant(), nullable=False),
    PrimaryKeyConstraint("hash"),
    Index("ix_steward_sign_in_user_id_created_at", "user_id", "created_at"),
    CheckConstraint("purpose IN ('view', 'act')", name="ck_steward_sign_in_purpose"),
    **INNODB,
)  # fmt: skip
Table(
    "steward_model_use", METADATA,
    column("user_id", Key(64), nullable=False), column("day", Day(), nullable=False),
    column("calls", Integer(), nullable=False, server_default=text("0")),
    column("created_at", Instant(), nullable=False), column("updated_at", Instant(), nullable=False),
    PrimaryKeyConstraint("user_id", "day"),
    **INNODB,
)  # fmt: skip


def upgrade() -> None:
    """Make them."""
    METADATA.create_all(op.get_bind(), checkfirst=False)
