"""Writes each notification to stdout, or to the stream that is handed in.

Invariant: no text can move a terminal's cursor or change its colours. Source: spec/notification.md §8, NT-41.
"""

import re
import sys
from dataclasses import replace
from datetime import timedelta
from typing import Final, TextIO

from outrider.core.action_link import with_link
from outrider.core.notification.address import Address, AddressSettings, Destination, Problem
from outrider.core.notification.codes import CLASSES, Code, ErrorClass, Outcome
from outrider.core.notification.content import Content, Payload
from outrider.core.notification.sending import Assurance, SendRequest, SendResult
from outrider.core.notification.traits import ChannelTraits, Form, SendPolicy
from outrider.core.text import clean_text

NAME: Final = "console"
TRAITS: Final = ChannelTraits(SendPolicy.AT_MOST_ONCE, timeout=timedelta(seconds=5), pushes=False)
_ESCAPES: Final = re.compile("(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b[ -~]?|[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


class ConsoleChannel:
    """`ports.channel.Channel` on a text stream; nobody needs an address for it."""

    def __init__(self, stream: TextIO | None = None, traits: ChannelTraits = TRAITS) -> None:
        self.name = NAME
        self.traits = traits
        self._stream = stream

    def problems(self, settings: AddressSettings) -> list[Problem]:  # noqa: ARG002  it needs none
        """None: there is nothing to set."""
        return []

    def destinations(self, address: Address) -> tuple[Destination, ...]:  # noqa: ARG002  it is the same for all
        """None: nothing limits a terminal."""
        return ()

    def render(self, content: Content, form: Form) -> Payload:
        """Title and text, escape sequences stripped, the link added after."""
        text = content.neutral if form is Form.NEUTRAL else content.text
        sent = with_link(_ESCAPES.sub("", text), content.action_url)
        title = "" if form is Form.NEUTRAL else _ESCAPES.sub("", content.title)
        return Payload(form, {"lines": [line for line in (title, *sent.split("\n")) if line]}, sent)

    async def send(self, request: SendRequest, deadline: float) -> SendResult:  # noqa: ARG002  a stream answers at once
        """Write the lines and a blank one."""
        stream = self._stream or sys.stdout
        try:
            stream.write("\n".join(request.payload.body["lines"]) + "\n\n")
        except (ValueError, OSError) as error:  # closed, or an encoding that cannot say it: nothing of it was written
            return _failed(Code.NETWORK_ERROR, error)
        try:
            stream.flush()
        except (ValueError, OSError) as error:
            failed = _failed(Code.CONNECTION_LOST, error)
            return replace(failed, outcome=Outcome.UNKNOWN, error_class=ErrorClass.AMBIGUOUS, maybe_done=True)
        return SendResult(Outcome.SUCCESS, assurance=Assurance.POSTED)

    async def lookup(self, provider_key: str, address: Address) -> SendResult | None:  # noqa: ARG002
        """None: a terminal forgets."""
        return None


def _failed(code: Code, error: Exception) -> SendResult:
    return SendResult(Outcome.TEMPORARY_FAIL, CLASSES[code], code, message=clean_text(error))
