"""Routes of recipients, and of those who set up channels for them. Source: spec/notification.md §12."""

from starlette.responses import JSONResponse, Response

from outrider.integrations.fastapi import answers, bodies
from outrider.integrations.fastapi.gate import Call
from outrider.integrations.fastapi.preconditions import version_etag, version_seen
from outrider.integrations.fastapi.problems import Problem
from outrider.integrations.fastapi.reading import flag_of, item_id, known, limit_of, recipient_id
from outrider.integrations.fastapi.routes import Route, roles
from outrider.integrations.fastapi.shown import answer, channel_of, page_of
from outrider.integrations.fastapi.stream import inbox_stream
from outrider.notification.operations.channels import ChannelView
from outrider.notification.operations.forms import is_personal

_ALIASES = {"feishu": "feishu_flow"}
"""Names of the service that this one replaces."""


async def list_channels(call: Call) -> Response:
    """My settings on every channel, masked."""
    return answer({"items": [channel_of(one) for one in await call.can.channels.search(call.me)]})


async def get_channel(call: Call) -> Response:
    """My settings on one channel, masked."""
    return _shown(await call.can.channels.get(call.me, _channel(call)))


async def put_channel(call: Call) -> Response:
    """Save my settings; a secret left out is kept, null clears it."""
    if not is_personal(_channel(call)):
        raise Problem("forbidden", "this channel is set up by a service or an operator")
    return await _put(call, call.me)


async def delete_channel(call: Call) -> Response:
    """Take my settings away."""
    await call.can.channels.delete(call.me, _channel(call))
    return JSONResponse({"deleted": True})


async def try_channel(call: Call) -> Response:
    """Send me a fixed text now."""
    known(call.said)
    return answer(await call.can.channels.test(call.me, _channel(call)))


async def get_other_channel(call: Call) -> Response:
    """Another person's settings on one channel, masked."""
    return _shown(await call.can.channels.get(_other(call), _channel(call)))


async def put_other_channel(call: Call) -> Response:
    """Save another person's settings."""
    return await _put(call, _other(call))


async def delete_other_channel(call: Call) -> Response:
    """Take another person's settings away."""
    await call.can.channels.delete(_other(call), _channel(call))
    return JSONResponse({"deleted": True})


async def get_preferences(call: Call) -> Response:
    """My zone, locale, quiet hours, order of channels and mutes."""
    view = await call.can.preferences.get(call.me)
    return answer(view, version_etag(view.version))


async def put_preferences(call: Call) -> Response:
    """Save them whole."""
    view = await call.can.preferences.put(call.me, call.said, seen=version_seen(call.request.headers))
    return answer(view, version_etag(view.version))


async def list_inbox(call: Call) -> Response:
    """My items, newest first."""
    said = call.request.query_params
    return page_of(
        await call.can.inbox.search(
            call.me, unread=flag_of(said, "unread"), cursor=said.get("cursor"), limit=limit_of(said)
        )
    )


async def count_inbox(call: Call) -> Response:
    """How many of them I have not read."""
    return JSONResponse({"unread": await call.can.inbox.count(call.me)})


async def stream_inbox(call: Call) -> Response:
    """New items and the count, as they come."""
    return inbox_stream(call)


async def read_item(call: Call) -> Response:
    """Mark one read."""
    await call.can.inbox.read(call.me, item_id(call.part("id")))
    return JSONResponse({"id": call.part("id"), "read": True})


async def read_inbox(call: Call) -> Response:
    """Mark all read."""
    await call.can.inbox.read_all(call.me)
    return JSONResponse({"read": True})


async def archive_item(call: Call) -> Response:
    """Take one off the list."""
    await call.can.inbox.archive(call.me, item_id(call.part("id")))
    return JSONResponse({"id": call.part("id"), "archived": True})


async def _put(call: Call, recipient: str) -> Response:
    seen = version_seen(call.request.headers)
    return _shown(await call.can.channels.put(recipient, _channel(call), call.said, seen=seen))


def _channel(call: Call) -> str:
    name = call.part("channel")
    return _ALIASES.get(name, name)


def _other(call: Call) -> str:
    """The recipient of the path; what Apprise reaches is an operator's alone (§8)."""
    if _channel(call) == "apprise" and "operator" not in call.principal.roles:
        raise Problem("forbidden", "this channel is an operator's alone")
    return recipient_id(call.part("recipient_id"))


def _shown(view: ChannelView) -> Response:
    return answer(channel_of(view), version_etag(view.version))


_RECIPIENT, _OTHERS = roles("recipient"), roles("service", "operator")
_OF_OTHER = "/recipients/{recipient_id}/channels/{channel}"
_IF_MATCH = {"If-Match": False}
_URL = ("unsafe_url",)

PEOPLE = (
    Route("GET", "/channels", _RECIPIENT, list_channels, answers.CHANNELS),
    Route("GET", "/channels/{channel}", _RECIPIENT, get_channel, answers.CHANNEL, tagged=True),
    Route("PUT", "/channels/{channel}", _RECIPIENT, put_channel, answers.CHANNEL, bodies.PERSONAL, headers=_IF_MATCH,
          codes=_URL, tagged=True),
    Route("DELETE", "/channels/{channel}", _RECIPIENT, delete_channel, answers.DELETED),
    Route("POST", "/channels/{channel}/test", _RECIPIENT, try_channel, answers.TRIED, bodies.NOTHING, is_test=True),
    Route("GET", _OF_OTHER, _OTHERS, get_other_channel, answers.CHANNEL, tagged=True),
    Route("PUT", _OF_OTHER, _OTHERS, put_other_channel, answers.CHANNEL, bodies.ANY_CHANNEL, headers=_IF_MATCH,
          codes=_URL, tagged=True),
    Route("DELETE", _OF_OTHER, _OTHERS, delete_other_channel, answers.DELETED),
    Route("GET", "/preferences", _RECIPIENT, get_preferences, answers.PREFERENCES, tagged=True),
    Route("PUT", "/preferences", _RECIPIENT, put_preferences, answers.PREFERENCES, bodies.PREFERENCES, headers=_IF_MATCH,
          tagged=True),
    Route("GET", "/inbox", _RECIPIENT, list_inbox, answers.INBOX, query=("unread", "limit", "cursor")),
    Route("GET", "/inbox/count", _RECIPIENT, count_inbox, answers.UNREAD),
    Route("GET", "/inbox/stream", _RECIPIENT, stream_inbox, bodies.TEXT, headers={"Last-Event-ID": False},
          gives="text/event-stream"),
    Route("POST", "/inbox/read-all", _RECIPIENT, read_inbox, answers.READ_ALL),
    Route("POST", "/inbox/{id}/read", _RECIPIENT, read_item, answers.READ),
    Route("DELETE", "/inbox/{id}", _RECIPIENT, archive_item, answers.ARCHIVED),
)  # fmt: skip
