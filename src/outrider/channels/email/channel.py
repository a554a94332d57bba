"""One mail to one person. Source: spec/notification.md §8."""

import asyncio
import smtplib
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from outrider.channels.email.config import MailServer, is_mail_address
from outrider.channels.email.conversation import Conversation
from outrider.channels.email.errors import Reply, of_reply, of_silence
from outrider.channels.email.render import message, payload
from outrider.core.canonical import canonical_json
from outrider.core.errors import PayloadTooLarge
from outrider.core.notification.address import Address, AddressSettings, Destination, Problem, destination_key
from outrider.core.notification.codes import Code, Outcome
from outrider.core.notification.content import Content, Payload
from outrider.core.notification.sending import Assurance, SendRequest, SendResult
from outrider.core.notification.traits import ChannelTraits, Form, Rate, SendPolicy
from outrider.core.text import clean_text, redact_known
from outrider.ports.clock import Clock
from outrider.runtime.provider_results import shown_body, too_late, unusable
from outrider.runtime.threads import Threads

NAME: Final = "email"
TRAITS: Final = ChannelTraits(
    SendPolicy.AT_MOST_ONCE,
    timeout=timedelta(seconds=20),
    rates=(Rate(1, timedelta(seconds=1)), Rate(60, timedelta(minutes=1))),
    max_bytes=200_000,
)
ADDRESS: Final = "email"
DETAIL_MAX: Final = 300
IN_FLIGHT_MAX: Final = 4
_MARGIN_SECONDS: Final = 0.5


class EmailChannel:
    """`ports.channel.Channel` over one mail server, which all recipients share."""

    def __init__(self, server: MailServer, clock: Clock, traits: ChannelTraits = TRAITS) -> None:
        self.name = NAME
        self.traits = traits
        self._server = server
        self._clock = clock
        self._threads = Threads(IN_FLIGHT_MAX, "outrider-email")

    def problems(self, settings: AddressSettings) -> list[Problem]:
        """An address of printable ASCII."""
        if is_mail_address(settings.values.get(ADDRESS, "")):
            return []
        return [Problem(ADDRESS, "validation_failed", "must be an address of printable ASCII, name@domain")]

    def destinations(self, address: Address) -> tuple[Destination, ...]:  # noqa: ARG002  all share the server
        """The mail server."""
        server = self._server
        key = destination_key(NAME, server.host, str(server.port), server.username)
        return (Destination(key, NAME, f"{server.host}:{server.port}", self.traits.rates, shared=True),)

    def render(self, content: Content, form: Form) -> Payload:
        """Plain text and HTML."""
        made = payload(content, form)
        size = len(canonical_json(made.body))
        if self.traits.max_bytes is not None and size > self.traits.max_bytes:
            raise PayloadTooLarge(size, self.traits.max_bytes)
        return made

    async def send(self, request: SendRequest, deadline: float) -> SendResult:
        """Hand it in once; its Message-ID is the same over all retries of one content."""
        seconds = min(self.traits.timeout.total_seconds(), deadline - self._clock.boottime())
        if seconds <= 0:
            return too_late()
        settings = request.address.settings
        if faults := self.problems(settings):
            return unusable(faults)
        recipient, message_id = settings.values[ADDRESS], f"<{request.provider_key}@{self._server.domain}>"
        mail = message(request.payload, self._server, recipient, message_id, self._clock.now())
        result = await self._converse(recipient, mail, seconds)
        return replace(result, request_json=self._shown(request, recipient, message_id))

    async def lookup(self, provider_key: str, address: Address) -> SendResult | None:  # noqa: ARG002
        """None: a mail server answers no such question."""
        return None

    async def _converse(self, recipient: str, mail: bytes, seconds: float) -> SendResult:
        """The conversation in a thread, judged by the stage that it had come to."""
        end = self._clock.boottime() + seconds
        conversation = Conversation(self._server, lambda: end - self._clock.boottime())
        work = self._threads.submit(lambda: conversation.run(recipient, mail))
        try:
            async with asyncio.timeout(seconds + _MARGIN_SECONDS):
                reply = await work
        except Reply as refused:
            return of_reply(conversation.stage, Reply(refused.code, self._safe(refused.text)))
        except smtplib.SMTPResponseException as error:
            text = (
                error.smtp_error.decode(errors="replace") if isinstance(error.smtp_error, bytes) else error.smtp_error
            )
            return of_reply(conversation.stage, Reply(error.smtp_code, self._safe(text)))
        except TimeoutError:
            return of_silence(conversation.stage, Code.PROVIDER_TIMEOUT, f"time ran out ({conversation.stage})")
        except (OSError, smtplib.SMTPException, ValueError) as error:
            timed_out = isinstance(error.__context__, TimeoutError)  # smtplib calls that a lost connection
            said = self._safe(f"{conversation.stage}: {error}")
            return of_silence(conversation.stage, Code.PROVIDER_TIMEOUT if timed_out else Code.CONNECTION_LOST, said)
        finally:
            conversation.abort()
            self._threads.write_off(work)
        return SendResult(
            Outcome.SUCCESS, provider_code=str(reply.code), message=self._safe(reply.text), assurance=Assurance.ACCEPTED
        )

    def _safe(self, text: str) -> str:
        return clean_text(redact_known(text, [self._server.password.reveal()]), DETAIL_MAX)

    def _shown(self, request: SendRequest, recipient: str, message_id: str) -> dict[str, Any]:
        domain = recipient.rpartition("@")[2]
        shown = {"to": f"…@{domain}", "message_id": message_id, "subject": request.payload.body["subject"]}
        shown["body"] = shown_body({"text": request.payload.body["text"]}, [self._server.password])["text"]
        return shown
