"""E-mail, through a real mail server on this machine: spec §8, NT-41."""
# ruff: noqa: ARG002, N802  aiosmtpd calls handlers by these names, with all of these

import asyncio
import email
import email.policy
import socket
import ssl
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import cast

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from outrider.channels.email.channel import EmailChannel
from outrider.channels.email.config import MailServer, Security, is_mail_address
from outrider.core.errors import ConfigurationError
from outrider.core.notification.address import Address, AddressSettings
from outrider.core.notification.codes import Code, ErrorClass, Outcome
from outrider.core.notification.sending import Assurance, SendResult
from outrider.core.notification.traits import Form, SendPolicy
from outrider.core.secret import Secret
from outrider.runtime.system_clock import SystemClock
from outrider.testing.conformance.channel import ChannelConformance
from outrider.testing.conformance.channel_harness import (
    LINK,
    PROVIDER_KEY,
    ChannelCase,
    ChannelHarness,
    content,
    request,
)
from outrider.testing.services.certificates import Authority

PASSWORD = "c4n4ry-mail-password"
TEMPORARY, PERMANENT = Outcome.TEMPORARY_FAIL, Outcome.PERMANENT_FAIL
LOST, SILENT = "lost", "silent"


@dataclass
class Postman:
    """A mail server's mind: what it says at which stage, once; what it took."""

    port: int = 0
    told: dict[str, deque[str]] = field(default_factory=dict)
    taken: list[Envelope] = field(default_factory=list)
    sessions: int = 0
    servers: list[SMTP] = field(default_factory=list)

    def tell(self, stage: str, reply: str) -> None:
        self.told.setdefault(stage, deque()).append(reply)

    async def said(self, stage: str, server: SMTP) -> str | None:
        """What it was told to say here; to be lost closes the connection, to be silent never ends."""
        waiting = self.told.get(stage)
        reply = waiting.popleft() if waiting else None
        if reply == LOST and server.transport is not None:
            cast("asyncio.Transport", server.transport).abort()
        if reply in {LOST, SILENT}:
            await asyncio.Event().wait()
        return reply

    def serve(self, tls: ssl.SSLContext | None = None) -> SMTP:
        self.sessions += 1
        server = SMTP(
            self,
            hostname="mail.test",
            auth_require_tls=False,
            authenticator=self.authenticate,
            enable_SMTPUTF8=True,
            tls_context=tls,
        )
        self.servers.append(server)
        return server

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: object
    ) -> AuthResult:
        right = isinstance(given, LoginPassword) and given.password == PASSWORD.encode()
        return AuthResult(success=right and "login" not in self.told, handled=False)

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        said = await self.said("greeting", server)
        return [said] if said else responses

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if said := await self.said("sender", server):
            return said
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if said := await self.said("recipient", server):
            return said
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.taken.append(envelope)
        return await self.said("dot", server) or "250 2.0.0 queued as 42"


def arranged(postman: Postman, stage: str, reply: str) -> Callable[[], Awaitable[None]]:
    async def arrange() -> None:
        postman.told.clear()
        postman.tell(stage, reply)

    return arrange


def refused(
    postman: Postman, stage: str, reply: str, outcome: Outcome, code: Code, error_class: ErrorClass
) -> ChannelCase:
    return ChannelCase(f"{stage} {reply}", outcome, code, error_class, arrange=arranged(postman, stage, reply))


def parsed(envelope: Envelope) -> EmailMessage:
    assert isinstance(envelope.content, bytes)
    return email.message_from_bytes(envelope.content, policy=email.policy.default)


class TestEmail(ChannelConformance):
    @pytest.fixture
    async def postman(self) -> AsyncIterator[Postman]:
        made = Postman()
        server = await asyncio.get_running_loop().create_server(made.serve, "127.0.0.1", 0)
        made.port = server.sockets[0].getsockname()[1]
        yield made
        server.close()
        for one in made.servers:
            if one.transport is not None:
                cast("asyncio.Transport", one.transport).abort()
            if one._handler_coroutine is not None:
                one._handler_coroutine.cancel()

    @pytest.fixture
    def channel(self, postman: Postman) -> EmailChannel:
        server = MailServer(
            "127.0.0.1", "steward@example.com", postman.port, Security.NONE, "steward", Secret(PASSWORD), "Steward 管家"
        )
        return EmailChannel(server, SystemClock())

    @pytest.fixture
    def harness(self, channel: EmailChannel, postman: Postman) -> ChannelHarness:
        config, down = ErrorClass.CONFIGURATION, ErrorClass.UNAVAILABLE
        payload, who = ErrorClass.PAYLOAD, ErrorClass.RECIPIENT
        return ChannelHarness(
            channel,
            Address("user-1", "email", AddressSettings({"email": "user@example.org"})),
            SystemClock(),
            cases=[
                ChannelCase("success", Outcome.SUCCESS, arrange=arranged(postman, "none", "")),
                refused(postman, "login", "", TEMPORARY, Code.PROVIDER_AUTH_FAILED, config),
                refused(postman, "sender", "550 5.7.1 no", TEMPORARY, Code.PROVIDER_AUTH_FAILED, config),
                refused(postman, "sender", "451 4.3.0 later", TEMPORARY, Code.PROVIDER_5XX, down),
                refused(postman, "recipient", "550 5.1.1 who", PERMANENT, Code.RECIPIENT_REFUSED, who),
                refused(postman, "recipient", "450 4.2.0 grey", TEMPORARY, Code.PROVIDER_5XX, down),
                refused(postman, "recipient", "530 log in", TEMPORARY, Code.PROVIDER_AUTH_FAILED, config),
                refused(postman, "dot", "554 5.6.0 spam", PERMANENT, Code.PAYLOAD_INVALID, payload),
                refused(postman, "dot", "452 4.3.1 full", TEMPORARY, Code.PROVIDER_5XX, down),
                refused(postman, "recipient", LOST, TEMPORARY, Code.NETWORK_ERROR, down),
                ChannelCase(
                    "lost",
                    Outcome.UNKNOWN,
                    Code.CONNECTION_LOST,
                    ErrorClass.AMBIGUOUS,
                    True,
                    arranged(postman, "dot", LOST),
                ),
            ],
            unusable=[
                (AddressSettings({"email": value}), "validation_failed")
                for value in (
                    "",
                    "user",
                    "a b@example.org",
                    "user@localhost",
                    "user@example.org\nBcc: x@y.org",
                    "用户@例子.中国",
                )
            ],
            secrets=[PASSWORD],
            seen=lambda: postman.sessions,
        )

    async def test_smtp_lost_after_dot_is_unknown(self, harness: ChannelHarness, postman: Postman) -> None:
        """Spec §8: once the final dot was sent nobody knows, so it stops there; before it nothing was done."""
        assert harness.channel.traits.policy is SendPolicy.AT_MOST_ONCE
        postman.tell("dot", LOST)
        result = await self.send(harness)
        assert (result.outcome, result.code, result.maybe_done) == (Outcome.UNKNOWN, Code.CONNECTION_LOST, True)
        assert len(postman.taken) == 1
        postman.tell("recipient", LOST)
        result = await self.send(harness)
        assert (result.outcome, result.code, result.maybe_done) == (TEMPORARY, Code.NETWORK_ERROR, False)

    @pytest.mark.parametrize(("stage", "outcome"), [("dot", Outcome.UNKNOWN), ("recipient", TEMPORARY)])
    async def test_silence_is_judged_by_its_stage(
        self, harness: ChannelHarness, postman: Postman, stage: str, outcome: Outcome
    ) -> None:
        """NT-17: a timeout after the final dot is unknown, one before it did nothing; the deadline holds."""
        postman.tell(stage, SILENT)
        result: SendResult = await self.send(harness, seconds=2.0)
        assert (result.outcome, result.code) == (outcome, Code.PROVIDER_TIMEOUT)
        assert result.maybe_done is (stage == "dot")

    async def test_what_arrives_is_a_mail_that_asks_for_no_answer(
        self, harness: ChannelHarness, postman: Postman
    ) -> None:
        """NT-41, spec §8: plain and HTML, both escaped; stable Message-ID; Auto-Submitted; one recipient."""
        hostile = content('</p><a href="https://evil.example">x</a> & \n.\nline', "T\r\nBcc: evil@example.org")
        payload = harness.channel.render(hostile, Form.TEXT)
        for _ in range(2):
            result = await harness.channel.send(request(harness, payload), harness.clock.boottime() + 10)
            assert (result.outcome, result.assurance) == (Outcome.SUCCESS, Assurance.ACCEPTED)
        first, second = postman.taken
        assert (first.mail_from, first.rcpt_tos) == ("steward@example.com", ["user@example.org"])
        mail = parsed(first)
        assert mail["Bcc"] is None
        assert mail["Subject"] == "[Steward] T Bcc: evil@example.org"
        assert str(mail["From"]) == "Steward 管家 <steward@example.com>"
        assert mail["Auto-Submitted"] == "auto-generated"
        assert mail["Message-ID"] == f"<{PROVIDER_KEY}@example.com>" == parsed(second)["Message-ID"]
        plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
        assert plain is not None
        assert html is not None
        assert plain.get_content().replace("\r\n", "\n").endswith(f"& \n.\nline\n{LINK}\n")
        assert "&lt;/p&gt;&lt;a href=&quot;https://evil.example&quot;" in html.get_content()
        assert f'<a href="{LINK.replace("&", "&amp;")}">查看</a>' in html.get_content()

    async def test_nobody_there_is_nothing_done(self, harness: ChannelHarness) -> None:
        """NT-17: a refused connection is the network's, tried again, and shows no password."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        server = MailServer("127.0.0.1", "a@example.com", port, Security.NONE, "u", Secret(PASSWORD))
        result = await self.send(ChannelHarness(EmailChannel(server, SystemClock()), harness.address, harness.clock))
        assert (result.outcome, result.code, result.maybe_done) == (TEMPORARY, Code.NETWORK_ERROR, False)
        assert PASSWORD not in repr(result)

    @pytest.mark.parametrize("security", [Security.TLS, Security.STARTTLS])
    @pytest.mark.parametrize("known", [True, False])
    async def test_the_certificate_is_checked_under_the_server_s_name(
        self, harness: ChannelHarness, postman: Postman, tmp_path: Path, security: Security, *, known: bool
    ) -> None:
        """Spec §8, NT-44: TLS or STARTTLS; to a server that nobody vouches for nothing is handed in, least the password."""
        authority = Authority(tmp_path)
        theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        theirs.load_cert_chain(authority.issue("mail", ["127.0.0.1" if known else "127.0.0.2"]).chain)
        implicit = security is Security.TLS
        server = await asyncio.get_running_loop().create_server(
            lambda: postman.serve(None if implicit else theirs), "127.0.0.1", 0, ssl=theirs if implicit else None
        )
        ours = ssl.create_default_context(cafile=authority.ca)
        port = server.sockets[0].getsockname()[1]
        mail = MailServer("127.0.0.1", "a@example.com", port, security, "u", Secret(PASSWORD), tls=ours)
        result = await self.send(ChannelHarness(EmailChannel(mail, SystemClock()), harness.address, harness.clock))
        server.close()
        assert result.outcome is (Outcome.SUCCESS if known else TEMPORARY), result
        assert len(postman.taken) == int(known)
        if not known:
            assert (result.code, result.maybe_done) == (Code.NETWORK_ERROR, False)

    async def test_a_server_without_starttls_gets_no_password(self, harness: ChannelHarness, postman: Postman) -> None:
        """NT-44: what is to be protected is not sent unprotected."""
        server = MailServer("127.0.0.1", "a@example.com", postman.port, Security.STARTTLS, "u", Secret(PASSWORD))
        result = await self.send(ChannelHarness(EmailChannel(server, SystemClock()), harness.address, harness.clock))
        assert (result.outcome, result.code) == (TEMPORARY, Code.PROVIDER_AUTH_FAILED)
        assert "STARTTLS" in (result.message or "")


@pytest.mark.parametrize(
    "wrong",
    [
        {"sender": "nobody"},
        {"sender": "a@example.com\r\nX: y"},
        {"sender_name": "a\nb"},
        {"security": Security.NONE},
        {"username": "u"},
    ],
)
def test_a_mail_server_that_cannot_be_used_stops_the_start(wrong: dict[str, object]) -> None:
    """NT-44: no header is broken by a setting, and nothing goes unprotected to another machine."""
    with pytest.raises(ConfigurationError):
        MailServer(**({"host": "mail.example.com", "sender": "a@example.com"} | wrong))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text", [".a@example.com", "a.@example.com", "a..b@example.com", "a@-x.com", "a" * 65 + "@example.com"]
)
def test_what_is_no_mail_address(text: str) -> None:
    """Spec §11: refused on saving."""
    assert not is_mail_address(text)
    assert is_mail_address("first.last+tag@mail.example.co.uk")
