"""What lies in a person's calendar: tasks, events, and where events come from."""

from typing import Final

from steward.storage.columns import big, day, flag, instant, key, lease, small, table, whole, wide_key, words

CALENDAR: Final = table(
    "steward_calendar",
    key("user_id"),
    big("revision", default=0),
    primary=("user_id",),
)

TASK: Final = table(
    "steward_task",
    key("task_id"),
    key("user_id"),
    words("title", 255),
    words("note", 4000, null=True),
    small("priority_group", between=(1, 4)),
    key("status", 32, default="open", among=("open", "completed", "deleted")),
    whole("duration_minutes"),
    whole("min_block_minutes", default=30),
    flag("splittable", default=False),
    flag("allow_late", default=True),
    instant("earliest_start_at", null=True),
    instant("deadline_at", null=True),
    instant("urgency_threshold_at", null=True),
    whole("urgency_generation", default=0),
    key("parent_id", null=True),
    whole("position", default=0),
    instant("completed_at", null=True),
    whole("version", default=1),
    primary=("task_id",),
    index=(("user_id", "created_at"), ("user_id", "status", "urgency_threshold_at"), ("parent_id", "position")),
)

EVENT: Final = table(
    "steward_event",
    key("event_id"),
    key("user_id"),
    words("title", 255),
    words("location", 255, null=True),
    key("mobility", 16, default="fixed", among=("fixed", "flexible", "pinned")),
    flag("busy", default=True),
    key("status", 32, default="confirmed", among=("confirmed", "tentative", "cancelled")),
    key("origin", 16, default="user", among=("user", "import", "steward")),
    instant("start_at"),
    instant("end_at"),
    key("zone", 64),
    flag("all_day", default=False),
    day("start_date", null=True),
    day("end_date", null=True),
    key("source_id", null=True),
    wide_key("uid", 255, null=True),
    key("recurrence_id", default=""),
    key("task_id", null=True),
    key("task_source_type", null=True, among=("task_pool", "task_item")),
    small("part_no", null=True),
    key("makeup_for_event_id", null=True),
    key("makeup_slot", 191, null=True),
    key("preview_id", null=True),
    key("apply_id", null=True),
    whole("version", default=1),
    primary=("event_id",),
    unique=(("source_id", "uid", "recurrence_id"), ("makeup_slot",)),
    index=(("user_id", "start_at"), ("user_id", "end_at"), ("user_id", "created_at"), ("task_id",), ("apply_id",)),
)

SOURCE: Final = table(
    "steward_calendar_source",
    key("source_id"),
    key("user_id"),
    words("name", 255),
    key("kind", 16, among=("file", "feed")),
    words("url", null=True),
    key("all_day_busy", 16, default="transp", among=("transp", "always", "never")),
    whole("refresh_minutes", default=60),
    instant("next_refresh_at", null=True),
    words("etag", 255, null=True),
    words("last_modified", 255, null=True),
    key("last_status", 32, null=True, among=("ok", "failed")),
    words("last_error", null=True),
    *lease(),
    primary=("source_id",),
    index=(("next_refresh_at",), ("user_id", "created_at")),
)
