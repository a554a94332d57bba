"""What was asked, and what people got: counted apart.

Invariant: every call that was looked at is in the log once, and every message that a person sees is in it once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from outrider.testing.feishu.script import Endpoint, Fault


@dataclass(frozen=True, slots=True)
class Post:
    """A message that a person sees (of a flow: a run that was triggered).

    `receiver` is the bot's, app's or flow's reader: its token, or the `receive_id`. `text` is what is read, links included;
    `pings` whom a mention reaches. `content` is the provider's own form of it.
    """

    at: datetime
    endpoint: Endpoint
    receiver: str
    msg_type: str
    text: str
    content: Mapping[str, Any]
    pings: tuple[str, ...] = ()
    uuid: str | None = None
    message_id: str | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A call and what became of it.

    `posted`: somebody got a message by it. `hidden`: a repeat that deduplication swallowed. `limited`: refused for its rate.
    `status` and `code` are of the answer that was made, though `fault` may have kept it from arriving.
    """

    at: datetime
    endpoint: Endpoint
    receiver: str
    body: bytes
    status: int
    code: int | None
    uuid: str | None = None
    posted: bool = False
    hidden: bool = False
    limited: bool = False
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Handled:
    """What an endpoint made of a request, before any fault of the way."""

    receiver: str
    post: Post | None = None
    uuid: str | None = None
    hidden: bool = False
    limited: bool = False
