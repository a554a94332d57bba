"""A notification as a mail: subject, plain text and HTML, escaped. Source: spec/notification.md NT-38, NT-41, §8."""

import re
from datetime import datetime
from email.headerregistry import Address as MailAddress
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from html import escape
from typing import Final

from outrider.channels.email.config import MailServer
from outrider.core.action_link import with_link
from outrider.core.notification.content import Content, Payload
from outrider.core.notification.traits import Form

SUBJECT_MAX: Final = 200
_POLICY: Final = SMTP.clone(cte_type="7bit")
_UNPRINTED: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_CONTROLS: Final = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def payload(content: Content, form: Form) -> Payload:
    """Subject on one line, the sent text, and the same as HTML with the link behind its label."""
    words = _CONTROLS.sub("", content.neutral if form is Form.NEUTRAL else content.text)
    text = with_link(words, content.action_url)
    title = content.neutral if form is Form.NEUTRAL else content.title
    subject = _UNPRINTED.sub(" ", title).strip()[:SUBJECT_MAX]
    return Payload(form, {"subject": subject, "text": text, "html": _html(content, words)}, text)


def message(payload: Payload, server: MailServer, recipient: str, message_id: str, now: datetime) -> bytes:
    """The mail as it is handed in, lines ending in CR LF; it answers nobody and asks for no answer of a machine."""
    mail = EmailMessage(policy=_POLICY)
    mail["From"] = MailAddress(display_name=server.sender_name, addr_spec=server.sender)
    mail["To"] = MailAddress(addr_spec=recipient)
    mail["Subject"] = payload.body["subject"]
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = message_id
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail.set_content(payload.body["text"] + "\n", cte="base64")
    mail.add_alternative(payload.body["html"], subtype="html", cte="base64")
    mail.set_boundary(f"=_{message_id.strip('<>').partition('@')[0]}")  # all parts are base64: it stands in none
    return mail.as_bytes()


def _html(content: Content, words: str) -> str:
    paragraphs = "".join(f"<p>{escape(part).replace(chr(10), '<br>')}</p>\n" for part in words.split("\n\n") if part)
    link = ""
    if content.action_url is not None:
        label = escape(_UNPRINTED.sub(" ", content.action_text).strip() or content.action_url)
        link = f'<p><a href="{escape(content.action_url)}">{label}</a></p>\n'
    return f'<!doctype html>\n<html lang="{escape(content.locale)}">\n<body>\n{paragraphs}{link}</body>\n</html>\n'
