"""The in-app list as server-sent events. Source: spec/notification.md §8, §12.

Events: `count` with `{unread}` at once and whenever it changes, `item` with an item and its id. A client that comes back with
`Last-Event-ID` gets what is newer, at most a page; whoever wants certainty reads the list.
"""

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Final
from uuid import UUID

from starlette.responses import Response, StreamingResponse

from outrider.core.errors import StorageUnavailable
from outrider.core.identity import uuid_from_text
from outrider.integrations.fastapi.gate import Call
from outrider.integrations.fastapi.problems import Problem
from outrider.integrations.fastapi.shown import plain
from outrider.notification.store.inbox import InboxItem

PAGE: Final = 50
BEAT_SECONDS: Final = 15.0
STREAMS_MAX: Final = 5
ALL_STREAMS_MAX: Final = 500
LIFE_SECONDS: Final = 600.0
"""After this a client comes back, and is asked anew who it is."""


def inbox_stream(call: Call) -> Response:
    """The stream of the caller's own list. Raises Problem where the caller, or everybody, has too many open."""
    if call.streams[call.me] >= STREAMS_MAX or call.streams.total() >= ALL_STREAMS_MAX:
        raise Problem("rate_limited", "too many streams are open", retry_after=int(BEAT_SECONDS))
    return StreamingResponse(_counted(call), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


async def _counted(call: Call) -> AsyncIterator[str]:
    call.streams[call.me] += 1
    try:
        async with aclosing(_events(call)) as events:
            async for event in events:
                yield event
    finally:
        call.streams[call.me] -= 1
        if not call.streams[call.me]:
            del call.streams[call.me]


async def _events(call: Call) -> AsyncGenerator[str]:
    clock, poll = call.notifier.clock, call.notifier.poll.total_seconds()
    started = beaten = clock.boottime()
    known, unread = await _known(call), -1
    while not call.notifier.closed and clock.boottime() - started < LIFE_SECONDS:
        try:
            found = (await call.can.inbox.search(call.me, limit=PAGE)).items
            count = await call.can.inbox.count(call.me)
        except StorageUnavailable:
            return  # the client comes back by itself
        fresh = [one for one in reversed(found) if one.id not in known]
        known |= {one.id for one in fresh}
        for one in fresh:
            yield _event("item", one)
        if count != unread:
            unread = count
            yield f"event: count\ndata: {json.dumps({'unread': unread})}\n\n"
        if clock.boottime() - beaten > BEAT_SECONDS:
            beaten = clock.boottime()
            yield ": still here\n\n"
        await clock.sleep(poll)


async def _known(call: Call) -> set[UUID]:
    """What the client has: all there is, or all up to the last that it got."""
    listed = {one.id for one in (await call.can.inbox.search(call.me, limit=PAGE)).items}
    try:
        last = uuid_from_text(call.request.headers.get("last-event-id", ""))
    except ValueError:
        return listed
    return {one for one in listed if one <= last}


def _event(name: str, item: InboxItem) -> str:
    return f"id: {item.id}\nevent: {name}\ndata: {json.dumps(plain(item), ensure_ascii=False)}\n\n"
