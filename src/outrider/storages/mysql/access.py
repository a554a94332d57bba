"""What MySQL, MariaDB and their drivers say where we are refused for good, and what a deployer looks at then.

Tried on MariaDB 10.11 with asyncmy and PyMySQL.
"""

import re
from typing import Final

from outrider.core.errors import AccessRefused

_LOGIN: Final = (
    "look at the user and the password in database.url, and at the certificate that the user may have to show"
)
_ROLE: Final = "grant the user what it lacks"
NUMBERS: Final = {
    1044: _LOGIN, 1045: _LOGIN, 1049: "look at the database in database.url", 1698: _LOGIN,
    1142: _ROLE, 1143: _ROLE, 1227: _ROLE, 1370: _ROLE,
    2026: "the server has TLS switched off, and database.tls wants it",
    3159: "the server wants TLS: look at database.tls",
}  # fmt: skip
REMEDIES: Final = (
    (r"[Hh]ostname mismatch|IP address mismatch", "the server's certificate is for another name than database.url says"),
    (r"CERTIFICATE_VERIFY_FAILED", "database.tls.ca must hold the authority that signed the server's certificate"),
    (r"ALERT", "database.tls.cert and .key must be a certificate that the server trusts"),
    (r"doesn't support SSL|SSL is required|WRONG_VERSION_NUMBER", NUMBERS[2026]),
)  # fmt: skip


def access_refused(number: int, said: str) -> AccessRefused | None:
    """The refusal behind an error's number and text; None where waiting may help, or the statement is at fault."""
    for pattern, remedy in REMEDIES:
        if number not in NUMBERS and re.search(pattern, said):
            return AccessRefused("database", said, remedy)
    remedy = NUMBERS.get(number, "")
    return AccessRefused("database", said, remedy) if remedy else None
