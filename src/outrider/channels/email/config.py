"""The mail server and the sender, as the deployer sets them. Source: spec/notification.md §8, NT-43, NT-44."""

import re
import ssl
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from outrider.core.errors import ConfigurationError
from outrider.core.secret import Secret

ADDRESS_MAX: Final = 254
LOCAL_MAX: Final = 64
_ADDRESS: Final = re.compile(
    rf"[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~.-]{{1,{LOCAL_MAX}}}@(?=.{{4,}}\Z)[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
    r"(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)+"
)
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class Security(StrEnum):
    """How the connection is protected."""

    TLS = "tls"
    STARTTLS = "starttls"
    NONE = "none"
    """On this machine alone."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed in, and from whom. Raises ConfigurationError for what cannot be used.

    `tls` replaces the system's trust.
    """

    host: str
    sender: str
    port: int = 587
    security: Security = Security.STARTTLS
    username: str = ""
    password: Secret = field(default=Secret(""))
    sender_name: str = ""
    hello_name: str = ""
    """What we call ourselves to the server; the sender's domain where nothing is said."""
    tls: ssl.SSLContext | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not is_mail_address(self.sender):
            raise ConfigurationError("the sender of e-mail must be an address of printable ASCII, name@domain")
        if not self.sender_name.isprintable():
            raise ConfigurationError("the sender's name holds a character that no header takes")
        if self.security is Security.NONE and self.host not in _LOOPBACK:
            raise ConfigurationError("e-mail goes unprotected to this machine alone: use tls or starttls")
        if bool(self.username) != bool(self.password):
            raise ConfigurationError("the mail server wants both user name and password, or neither")

    @property
    def domain(self) -> str:
        """The sender's domain, under which messages are named."""
        return self.sender.rpartition("@")[2]


def is_mail_address(text: str) -> bool:
    """Whether this is `local@domain` of ASCII, with nothing that could end a header or a command."""
    return (
        len(text) <= ADDRESS_MAX
        and not text.startswith(".")
        and ".." not in text
        and ".@" not in text
        and _ADDRESS.fullmatch(text) is not None
    )
