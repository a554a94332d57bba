"""Routes of triggers, previews, feedback and dialogues. Source: spec/scheduling.md §10 to §12, ST-61, ST-67."""

from typing import Any

from steward.http import answers
from steward.http.gate import Call
from steward.http.models import Confirm, DryRun, Ignore, NewFeedback, NewLink, NewTrigger, Nothing, Reply
from steward.http.routes import Route
from steward.http.shown import with_etag
from steward.service.answer import Answer


async def dry_run(call: Call) -> Any:  # noqa: ANN401  JSON
    """What would be suggested now: nothing is stored, sent or asked."""
    return await call.steward.triggers.dry_run(call.caller, call.said)


async def create_trigger(call: Call) -> Answer:
    """Ask for a suggestion; with `wait_seconds` the answer may bring it."""
    return await call.steward.triggers.create(call.caller, call.said, keyed=call.keyed)


async def get_trigger(call: Call) -> Any:  # noqa: ANN401  JSON
    """How far a suggestion is."""
    return await call.steward.triggers.get(call.caller, call.part())


async def get_timeline(call: Call) -> Any:  # noqa: ANN401  JSON
    """What happened from the job to the apply, without titles and texts."""
    return await call.steward.timeline.of(call.caller, call.part())


async def list_previews(call: Call) -> Any:  # noqa: ANN401  JSON
    """My suggestions, newest first."""
    return await call.steward.previews.list(
        call.caller, **call.page, status=call.query("status"), target_id=call.query("target_id")
    )


async def get_preview(call: Call) -> Answer:
    """One suggestion with its candidates."""
    return with_etag(await call.steward.previews.get(call.caller, call.part()), "base_version")


async def confirm_preview(call: Call) -> Answer:
    """Take a candidate: the calendar changes."""
    return await call.steward.confirming.confirm(call.caller, call.part(), call.said, if_match=call.seen, key=call.key)


async def ignore_preview(call: Call) -> Answer:
    """Leave the calendar as it is."""
    return await call.steward.previews.ignore(call.caller, call.part(), call.said, keyed=call.keyed)


async def undo_preview(call: Call) -> Answer:
    """Take back what was confirmed."""
    return await call.steward.undoing.undo(call.caller, call.part(), keyed=call.keyed)


async def make_link(call: Call) -> Answer:
    """Make a link that opens this suggestion; it is shown this once."""
    return await call.steward.links.make(call.caller, call.part(), call.said)


async def create_feedback(call: Call) -> Answer:
    """Say that a block was not finished."""
    return await call.steward.feedback.create(call.caller, call.said, keyed=call.keyed)


async def get_dialogue(call: Call) -> Any:  # noqa: ANN401  JSON
    """A question, and what may be answered."""
    return await call.steward.dialogues.get(call.caller, call.part())


async def reply_dialogue(call: Call) -> Answer:
    """Answer it."""
    return await call.steward.dialogues.reply(call.caller, call.part(), call.said, keyed=call.keyed)


_ENDED = ("preview_superseded", "preview_not_ready", "already_undone", "expired")
PREVIEWS = (
    Route("POST", "/dry-run", "previews", dry_run, answers.DRY_RUN, DryRun),
    Route("POST", "/triggers", "previews", create_trigger, answers.MADE_TRIGGER, NewTrigger, keyed=True, status=202),
    Route("GET", "/triggers/{id}", "previews", get_trigger, answers.TRIGGER),
    Route("GET", "/triggers/{id}/timeline", "previews", get_timeline, answers.TIMELINE),
    Route("GET", "/previews", "previews", list_previews, answers.paged("PreviewSummary"), query=("status",
          "target_id", "limit", "cursor")),
    Route("GET", "/previews/{id}", "previews", get_preview, answers.PREVIEW, tagged=True),
    Route("POST", "/previews/{id}/confirm", "previews", confirm_preview, answers.APPLY, Confirm, keyed=True,
          conditional=True, codes=(
        *_ENDED, "already_applied", "preview_ignored", "target_completed", "target_already_scheduled", "slot_conflict",
        "base_version_changed", "invalid_edited_changes", "unsupported_change_type")),
    Route("POST", "/previews/{id}/ignore", "previews", ignore_preview, answers.IGNORED, Ignore, keyed=True,
          codes=(*_ENDED, "already_applied")),
    Route("POST", "/previews/{id}/undo", "previews", undo_preview, answers.UNDONE, Nothing, keyed=True,
          codes=("undo_not_possible", "already_undone")),
    Route("POST", "/previews/{id}/links", "previews", make_link, answers.LINK, NewLink, status=201, codes=(*_ENDED,
          "preview_ignored")),
    Route("POST", "/feedback", "previews", create_feedback, answers.FEEDBACK, NewFeedback, keyed=True, status=202),
    Route("GET", "/dialogues/{id}", "previews", get_dialogue, answers.DIALOGUE),
    Route("POST", "/dialogues/{id}/reply", "previews", reply_dialogue, answers.DIALOGUE, Reply, keyed=True,
          codes=("dialogue_not_waiting",)),
)  # fmt: skip
