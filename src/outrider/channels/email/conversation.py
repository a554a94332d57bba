"""One conversation with a mail server, blocking, in a thread; from outside one sees how far it is, and can end it.

Invariant: `stage` is set before what it names is sent, so that whatever happens is never taken for less than it is.
Source: spec/notification.md §8; RFC 5321.
"""

import re
import smtplib
import ssl
from collections.abc import Callable
from typing import Final, NoReturn

from outrider.channels.email.config import MailServer, Security
from outrider.channels.email.errors import Reply, Stage

OK, COMPLETED, START_INPUT = 220, 250, 354
LEAST_SECONDS: Final = 0.001
_LINE_START_DOT: Final = re.compile(rb"^\.", re.MULTILINE)


class Conversation:
    """Hands one message in. `seconds_left` bounds each wait for the server."""

    def __init__(self, server: MailServer, seconds_left: Callable[[], float]) -> None:
        self.stage = Stage.CONNECT
        self._server = server
        self._seconds_left = seconds_left
        self._smtp: smtplib.SMTP | None = None

    def run(self, recipient: str, message: bytes) -> Reply:
        """The reply that accepted the message. Raises Reply for a refusal, OSError or SMTPException for none."""
        try:
            smtp = self._connect()
            self._log_in(smtp)
            self._hand_over(smtp, recipient)
            return self._send(smtp, message)
        finally:
            self.abort()

    def abort(self) -> None:
        """End it now, from whatever thread; a goodbye is not waited for."""
        if self._smtp is not None:
            self._smtp.close()

    def _connect(self) -> smtplib.SMTP:
        server, seconds = self._server, max(self._seconds_left(), LEAST_SECONDS)
        hello = server.hello_name or server.domain
        context = server.tls or ssl.create_default_context()
        if server.security is Security.TLS:
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(local_hostname=hello, timeout=seconds, context=context)
        else:
            smtp = smtplib.SMTP(local_hostname=hello, timeout=seconds)
        vars(smtp)["_host"] = server.host  # the name that its certificate must bear, taken from the constructor alone
        self._smtp = smtp
        code, text = smtp.connect(server.host, server.port)
        if code != OK:
            _refuse(code, text)
        self._greet(smtp)
        if server.security is Security.STARTTLS:
            self._at(Stage.STARTTLS, smtp)
            if not smtp.has_extn("starttls"):
                raise Reply(530, "the server offers no STARTTLS")
            code, text = smtp.starttls(context=context)
            if code != OK:
                _refuse(code, text)
            self._greet(smtp)
        return smtp

    def _greet(self, smtp: smtplib.SMTP) -> None:
        self._at(Stage.GREETING, smtp)
        smtp.ehlo_or_helo_if_needed()

    def _log_in(self, smtp: smtplib.SMTP) -> None:
        if self._server.username:
            self._at(Stage.LOGIN, smtp)
            try:
                smtp.login(self._server.username, self._server.password.reveal())
            except smtplib.SMTPNotSupportedError:
                raise Reply(530, "the server offers no login") from None

    def _hand_over(self, smtp: smtplib.SMTP, recipient: str) -> None:
        self._at(Stage.SENDER, smtp)
        code, text = smtp.mail(self._server.sender)
        if code != COMPLETED:
            _refuse(code, text)
        self._at(Stage.RECIPIENT, smtp)
        code, text = smtp.rcpt(recipient)
        if code not in {COMPLETED, COMPLETED + 1}:
            _refuse(code, text)

    def _send(self, smtp: smtplib.SMTP, message: bytes) -> Reply:
        self._at(Stage.DATA, smtp)
        code, text = smtp.docmd("DATA")
        if code != START_INPUT:
            _refuse(code, text)
        smtp.send(_LINE_START_DOT.sub(b"..", message))
        self._at(Stage.DOT, smtp)
        smtp.send(b".\r\n")
        code, text = smtp.getreply()
        if code != COMPLETED:
            _refuse(code, text)
        return Reply(code, text.decode(errors="replace"))

    def _at(self, stage: Stage, smtp: smtplib.SMTP) -> None:
        self.stage = stage
        if smtp.sock is not None:
            smtp.sock.settimeout(max(self._seconds_left(), LEAST_SECONDS))


def _refuse(code: int, text: bytes) -> NoReturn:
    raise Reply(code, text.decode(errors="replace"))
