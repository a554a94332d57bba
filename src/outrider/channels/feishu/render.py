"""A content as Feishu shows it: a card, a text, or the neutral text.

Invariant: what a person or a model wrote stands in `plain_text` elements of a card, or in a text whose angle brackets are
full-width, so it can neither mention nor link; our own link is added after that. Source: NT-29, NT-38, NT-41;
reference/feishu.md §5 and §6.
"""

from typing import Any, Final

from outrider.core.action_link import with_link
from outrider.core.canonical import canonical_json
from outrider.core.errors import PayloadTooLarge
from outrider.core.notification.content import Content, Payload, Priority
from outrider.core.notification.traits import Form

BUTTON_MAX: Final = 100
_BRACKETS: Final = str.maketrans({"<": "\uff1c", ">": "\uff1e"})
_COLORS: Final = {Priority.URGENT: "orange", Priority.NORMAL: "blue", Priority.LOW: "grey"}


def escaped(text: str) -> str:
    """`text` with full-width angle brackets."""
    return text.translate(_BRACKETS)


def sent_text(content: Content, form: Form) -> str:
    """The text as it is sent in this form, link included (NT-38)."""
    words = content.neutral if form is Form.NEUTRAL else content.text
    return with_link(words if form is Form.CARD else escaped(words), content.action_url)


def message(content: Content, form: Form) -> tuple[str, dict[str, Any]]:
    """The provider's type of a message, and its content."""
    if form is Form.CARD:
        return "interactive", _card(content)
    return "text", {"text": sent_text(content, form)}


def checked(form: Form, body: dict[str, Any], text: str, room: int, limit: int | None) -> Payload:
    """The payload, if it leaves `room` bytes below `limit` for what is added at send time. Raises PayloadTooLarge."""
    size = len(canonical_json(body)) + room
    if limit is not None and size > limit:
        raise PayloadTooLarge(size, limit)
    return Payload(form, body, text)


def _card(content: Content) -> dict[str, Any]:
    elements: list[dict[str, Any]] = [{"tag": "div", "text": _plain(content.text)}]
    if content.action_url is not None:
        elements.append(
            {
                "tag": "button",
                "type": "primary",
                "text": _plain(content.action_text[:BUTTON_MAX]),
                "behaviors": [{"type": "open_url", "default_url": content.action_url}],
            }
        )
    return {
        "schema": "2.0",
        "config": {"update_multi": True},
        "header": {"title": _plain(content.title), "template": _COLORS[content.priority]},
        "body": {"direction": "vertical", "elements": elements},
    }


def _plain(text: str) -> dict[str, str]:
    return {"tag": "plain_text", "content": text}
