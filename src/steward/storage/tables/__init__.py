"""Steward's tables, a module for each group of rows, and which row a table holds."""

from typing import Any, Final

from sqlalchemy import Table

from steward.ports.rows.answer import ApplyRow, DialogueRow, FeedbackRow, RequestRow
from steward.ports.rows.calendar import CalendarRow, EventRow, SourceRow, TaskRow
from steward.ports.rows.person import LinkRow, ModelUseRow, SignInRow, TokenRow, UserRow
from steward.ports.rows.suggestion import JobRow, PreviewRow, TriggerRow
from steward.storage.tables.answer import APPLY, DIALOGUE, FEEDBACK, REQUEST
from steward.storage.tables.calendar import CALENDAR, EVENT, SOURCE, TASK
from steward.storage.tables.person import LINK, MODEL_USE, SIGN_IN, TOKEN, USER
from steward.storage.tables.suggestion import JOB, PREVIEW, TRIGGER

TABLES: Final[dict[type[Any], Table]] = {
    ApplyRow: APPLY,
    CalendarRow: CALENDAR,
    DialogueRow: DIALOGUE,
    EventRow: EVENT,
    FeedbackRow: FEEDBACK,
    JobRow: JOB,
    LinkRow: LINK,
    ModelUseRow: MODEL_USE,
    PreviewRow: PREVIEW,
    RequestRow: REQUEST,
    SignInRow: SIGN_IN,
    SourceRow: SOURCE,
    TaskRow: TASK,
    TokenRow: TOKEN,
    TriggerRow: TRIGGER,
    UserRow: USER,
}
