"""The notification inbox as a page. Source: spec/scheduling.md ST-58; spec/notification.md §12."""

from typing import Any, Final
from urllib.parse import urlsplit

from starlette.responses import Response

from steward.http.inbox import PersonInbox
from steward.http.page_gate import PageCall
from steward.http.page_routes import PageRoute

PAGE: Final = 50


async def inbox(call: PageCall) -> Response:
    """What Steward told me, newest first."""
    found = await _inbox(call).page(call.query("cursor"), PAGE)
    return call.html("inbox", items=[_item(item) for item in found.items], next_cursor=found.next_cursor, notice=None)


async def read_item(call: PageCall) -> Response:
    """Mark one read."""
    await _inbox(call).read(call.part())
    return call.see("/inbox")


async def read_all(call: PageCall) -> Response:
    """Mark all read."""
    await _inbox(call).read_all()
    return call.see("/inbox")


def _inbox(call: PageCall) -> PersonInbox:
    return PersonInbox(call.steward, call.caller.user_id)


def _item(item: Any) -> dict[str, Any]:  # noqa: ANN401  a row of Outrider's
    """An item; its link is a path of ours, whatever host it names."""
    path = urlsplit(item.action_url or "").path
    return {
        "id": str(item.id),
        "title": item.title,
        "text": item.body,
        "href": path if path.startswith("/previews/") else "/inbox",
        "read_at": item.read_at,
        "created_at": item.created_at,
    }


INBOX = (
    PageRoute("GET", "/inbox", "signed_in", inbox),
    PageRoute("POST", "/inbox/read", "signed_in", read_all),
    PageRoute("POST", "/inbox/{id}/read", "signed_in", read_item),
)
