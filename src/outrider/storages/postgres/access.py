"""What PostgreSQL and libpq say where a connection is refused for good, and what a deployer looks at then.

libpq gives no code for a connection that did not come about, only text: what is not in the table, or said in another
language, passes for a server that is away, with the same text. Tried on PostgreSQL 15 and libpq 17 and 18.
"""

import re
from typing import Final

import psycopg
from psycopg import errors as pg

from outrider.core.errors import AccessRefused

_TLS: Final = "look at database.tls"
_CA: Final = "database.tls.ca must hold the authority that signed the server's certificate"
_CLIENT: Final = "database.tls.cert and .key must be a certificate that the server's authority signed for this user"
_LOGIN: Final = "look at the user and the password in database.url"
REMEDIES: Final = (
    (r"certificate verify failed|self-signed certificate", _CA),
    (r"does not match host name", "the server's certificate is for another name than the host in database.url"),
    (r"server does not support SSL", "the server has TLS switched off, and database.tls wants it"),
    (r"unknown ca|certificate required|bad certificate|valid client cert|ertificate authentication failed", _CLIENT),
    (r"(?:root )?certificate file|private key file|load private key|read certificate|weak sslmode", _TLS),
    (r"password authentication failed|no password supplied|authentication failed for user|not permitted to log in", _LOGIN),
    (r"role \".*\" does not exist|database \".*\" does not exist|permission denied for database", _LOGIN),
    (r"pg_hba\.conf", "the server's pg_hba.conf lets nobody in so: look at database.url and database.tls"),
)  # fmt: skip
_KNOWN: Final = tuple((re.compile(pattern), remedy) for pattern, remedy in REMEDIES)


def access_refused(error: psycopg.Error) -> AccessRefused | None:
    """The refusal behind an error of the driver; None where waiting may help."""
    if error.sqlstate is not None:  # said about a statement, on a connection that came about
        return None
    said = " ".join(str(error).split())
    for pattern, remedy in _KNOWN:
        if pattern.search(said):
            return AccessRefused("database", said, remedy)
    return None


def privilege_lacking(error: pg.InsufficientPrivilege) -> AccessRefused:
    """The refusal of a statement."""
    said = error.diag.message_primary or str(error)
    return AccessRefused("database", said, "grant the user one of the roles that  outrider migrate --roles  makes")
