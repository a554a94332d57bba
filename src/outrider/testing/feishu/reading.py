"""A message as a person reads it, and whether Feishu would take it.

Invariant: a body that is refused has a code of reference/feishu.md; what is read never holds a link's address as words.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

CARD_KEYS: Final = {"schema", "config", "header", "body", "card_link"}
CARD_TAGS: Final = {"div", "markdown", "plain_text", "lark_md", "button", "hr", "column_set", "column", "note", "img"}
ELEMENTS_MAX: Final = 200
TYPES: Final = {"text", "post", "interactive", "image", "share_chat"}
_MENTION: Final = re.compile(r"<at (?:user_id|id)=\"?([^\s\">]+)\"?[^>]*>")
_SHOWN: Final = {"text", "title", "content"}
_LINKS: Final = {"href", "url", "default_url", "pc_url", "ios_url", "android_url"}

BAD_JSON, BAD_TAG = 200621, 200861


def card_fault(card: object) -> int | None:
    """The code under which this card is refused, or None."""
    if not isinstance(card, Mapping) or card.get("schema") != "2.0" or not set(card) <= CARD_KEYS:
        return BAD_JSON
    body = card.get("body")
    if not isinstance(body, Mapping) or not isinstance(body.get("elements"), list):
        return BAD_JSON
    if not isinstance(card.get("header", {}), Mapping):
        return BAD_JSON
    tags = [tag for tag in _values(card, {"tag"}) if isinstance(tag, str)]
    if "action" in tags:
        return BAD_TAG
    return BAD_JSON if len(tags) > ELEMENTS_MAX or not set(tags) <= CARD_TAGS else None


def words(content: object) -> str:
    """Every text and title, in order: where keywords are looked for."""
    return "\n".join(value for value in _values(content, _SHOWN) if isinstance(value, str))


def read(content: object) -> str:
    """What a person has before them: the words, then where its links lead."""
    links = [value for value in _values(content, _LINKS) if isinstance(value, str)]
    return "\n".join([words(content), *links])


def pings(content: object) -> tuple[str, ...]:
    """Whom its mentions reach."""
    tagged = [str(user) for user in _values(content, {"user_id"})]
    return tuple(found for text in _values(content, _SHOWN) for found in _MENTION.findall(str(text))) + tuple(tagged)


def _values(value: object, names: set[str]) -> Iterator[Any]:
    """The values of these names, however deep, but containers under them are only gone through."""
    if isinstance(value, Mapping):
        for name, member in value.items():
            if name in names and not isinstance(member, Mapping | list):
                yield member
            else:
                yield from _values(member, names)
    elif isinstance(value, list):
        for member in value:
            yield from _values(member, names)
