"""What a page says above its content: that something was done, or why it was not."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from steward.web.catalog import has_message
from steward.web.reader import Reader

DONE: Final = frozenset({
    "form.saved", "task.completed", "task.reopened", "task.deleted", "calendars.removed", "preview.undone", "preview.ignored",
})  # fmt: skip
"""What an address may say was done: nothing else from an address is ever shown."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Its kind says how it looks and how loudly it is read out; `href` with `link` offers the next step."""

    kind: Literal["done", "stale", "refused"]
    title: str
    lines: Sequence[str] = ()
    href: str = ""
    link: str = ""


def done(name: str | None, reader: Reader) -> Notice | None:
    """What was done, named by the address after a form."""
    return Notice("done", reader.text(name)) if name in DONE and name is not None else None


def refused(code: str, reader: Reader, lines: Sequence[str] = (), href: str = "", link: str = "") -> Notice:
    """Why it was not done, by the code of its problem."""
    name = f"title.{code}"
    title = reader.text(name if has_message(name) else "title.internal_error")
    return Notice("refused", title, lines or hints(code, reader), href, link)


def hints(code: str, reader: Reader) -> list[str]:
    """What a person may make of the problem with this code, and do about it, where there is something to say."""
    name = f"hint.{code}"
    return [reader.text(name)] if has_message(name) else []
