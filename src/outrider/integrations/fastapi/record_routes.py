"""Routes of programs and operators: records and destinations. Source: spec/notification.md §12."""

from starlette.responses import JSONResponse, Response

from outrider.integrations.fastapi import answers, bodies
from outrider.integrations.fastapi.gate import Call, once
from outrider.integrations.fastapi.preconditions import record_etag, record_seen
from outrider.integrations.fastapi.reading import (
    FILTERS,
    UNREADABLE,
    filter_of,
    known,
    limit_of,
    mode_of,
    record_id,
    refused,
    text_of,
)
from outrider.integrations.fastapi.routes import Route, roles
from outrider.integrations.fastapi.shown import answer, page_of, plain
from outrider.notification.operations.records import Told
from outrider.notification.operations.views import RecordView
from outrider.notification.states import Status

_REPLAY = ("filter", "mode", "dry_run", "cursor")
_IF_MATCH = {"If-Match": True}
_KEY = {"Idempotency-Key": True}
_STATE = ("state_conflict",)


async def ask(call: Call) -> Response:
    """Accept a request; a repeat under the same key sends nothing."""
    response = await once(call.can.asking.ask(call.said, call.key))
    call.notifier.wake()
    return response


async def list_records(call: Call) -> Response:
    """Records, newest first."""
    said = dict(call.request.query_params)
    limit, cursor = limit_of(said), said.pop("cursor", None)
    said.pop("limit", None)
    wanted = filter_of(said, UNREADABLE)
    return page_of(
        await call.can.records.search(wanted, cursor=cursor, limit=limit, texts=call.texts), _without_attempts
    )


async def get_record(call: Call) -> Response:
    """One record, with its ETag."""
    view = await call.can.records.get(record_id(call.part("id")), texts=call.texts)
    return answer(_without_attempts(view), {"ETag": record_etag(view.version)})


async def get_attempts(call: Call) -> Response:
    """Its calls, oldest first."""
    view = await call.can.records.get(record_id(call.part("id")), texts=call.texts)
    return answer({"items": view.attempts})


async def replay_record(call: Call) -> Response:
    """Send it again: `resume` the same message, `resend` a second one."""
    known(call.said, "mode")
    seen = record_seen(call.request.headers)
    view = await call.can.records.replay(record_id(call.part("id")), mode_of(call.said), seen=seen)
    call.notifier.wake()
    return answer(_without_attempts(view), {"ETag": record_etag(view.version)})


async def replay_records(call: Call) -> Response:
    """Send again what matches a filter, at most 200 a call; a dry run counts."""
    known(call.said, *_REPLAY)
    said, cursor, dry_run = call.said.get("filter"), call.said.get("cursor"), call.said.get("dry_run", False)
    if not isinstance(said, dict) or not said:
        raise refused("filter", "must be an object with at least one filter")
    if not isinstance(dry_run, bool):
        raise refused("dry_run", "must be true or false")
    if cursor is not None and not isinstance(cursor, str):
        raise refused("cursor", "must be text")
    wanted, mode, key = filter_of(said), mode_of(call.said), call.key
    if dry_run:
        return answer(await call.can.records.replay_matching(wanted, mode, dry_run=True, cursor=cursor))
    response = await once(call.can.asking.replay_matching(wanted, mode, key, cursor=cursor))
    call.notifier.wake()
    return response


async def resolve_record(call: Call) -> Response:
    """Say what became of an unknown one."""
    known(call.said, "as", "note")
    seen, wanted = record_seen(call.request.headers), call.said.get("as")
    if wanted not in ("sent", "dead"):
        raise refused("as", "must be sent or dead")
    note = text_of(call.said, "note", required=True)
    became: Told = Status.SENT if wanted == "sent" else Status.DEAD
    view = await call.can.records.resolve(record_id(call.part("id")), became, note, seen=seen)
    return answer(_without_attempts(view), {"ETag": record_etag(view.version)})


async def cancel_record(call: Call) -> Response:
    """Withdraw one that waits."""
    known(call.said, "reason")
    view = await call.can.records.cancel(record_id(call.part("id")), text_of(call.said, "reason"))
    return JSONResponse({"id": str(view.id), "status": view.status})


async def list_destinations(call: Call) -> Response:
    """Destinations, the troubled first."""
    return answer({"items": await call.can.destinations.search()})


async def pause_destination(call: Call) -> Response:
    """Hold what goes there."""
    known(call.said, "reason")
    await call.can.destinations.pause(call.part("key"), text_of(call.said, "reason"))
    return JSONResponse({"key": call.part("key"), "state": "paused"})


async def resume_destination(call: Call) -> Response:
    """Let it go again."""
    known(call.said, "reason")
    released = await call.can.destinations.resume(call.part("key"), text_of(call.said, "reason"))
    call.notifier.wake()
    return JSONResponse({"key": call.part("key"), "state": "closed", "released": released})


def _without_attempts(view: RecordView) -> object:
    shown = plain(view)
    del shown["attempts"]
    return shown


_OPERATOR, _SERVICE = roles("operator"), roles("service")

RECORDS = (
    Route("POST", "/records", _SERVICE, ask, answers.ASKED, bodies.ASKED, status=202, headers=_KEY),
    Route("GET", "/records", _OPERATOR, list_records, answers.RECORDS, query=(*FILTERS, "limit", "cursor")),
    Route("POST", "/records/replay", _OPERATOR, replay_records, answers.REPLAYED, bodies.REPLAY_MATCHING, headers=_KEY),
    Route("GET", "/records/{id}", _OPERATOR, get_record, answers.RECORD, tagged=True),
    Route("GET", "/records/{id}/attempts", _OPERATOR, get_attempts, answers.ATTEMPTS),
    Route("POST", "/records/{id}/replay", _OPERATOR, replay_record, answers.RECORD, bodies.REPLAY, headers=_IF_MATCH,
          codes=_STATE, tagged=True),
    Route("POST", "/records/{id}/resolve", _OPERATOR, resolve_record, answers.RECORD, bodies.RESOLVE, headers=_IF_MATCH,
          codes=_STATE, tagged=True),
    Route("POST", "/records/{id}/cancel", _SERVICE | _OPERATOR, cancel_record, answers.ENDED, bodies.REASON, codes=_STATE),
    Route("GET", "/destinations", _OPERATOR, list_destinations, answers.DESTINATIONS),
    Route("POST", "/destinations/{key}/pause", _OPERATOR, pause_destination, answers.PAUSED, bodies.REASON),
    Route("POST", "/destinations/{key}/resume", _OPERATOR, resume_destination, answers.RESUMED, bodies.REASON),
)  # fmt: skip
