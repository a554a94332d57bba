"""The server that a `mysql://` or `mariadb://` URL names, as every driver of the two is told of it.

`mysql://user:password@host:3306/database`, user and password percent-encoded; `?unix_socket=/path` instead of a host;
`?sslmode=verify-full&sslrootcert=/path` and its like for TLS, see `mysql_tls`.
"""

from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from outrider.core.errors import ConfigurationError
from outrider.runtime import mysql_tls

SCHEMES: Final = frozenset({"mysql", "mariadb"})
PORT: Final = 3306
OPTIONS: Final = frozenset({"unix_socket"}) | mysql_tls.OPTIONS


def server_of(url: str) -> dict[str, Any]:
    """The arguments of `connect`: host, port, user, password, database, and `unix_socket` and `ssl` where they are given.

    Raises ConfigurationError for a URL without a database, or with an option that is not known, AccessRefused.
    """
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if unknown := options.keys() - OPTIONS:
        raise ConfigurationError(
            f"the database URL has unknown options {', '.join(sorted(unknown))}; known: {', '.join(sorted(OPTIONS))}"
        )
    database = unquote(parts.path.lstrip("/"))
    if parts.scheme not in SCHEMES or not database:
        raise ConfigurationError("a MySQL or MariaDB URL names a database: mysql://user:password@host/database")
    secured = mysql_tls.context_of({name: options.pop(name) for name in mysql_tls.OPTIONS & options.keys()})
    return {
        "host": parts.hostname or "127.0.0.1",
        "port": parts.port or PORT,
        "user": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "database": database,
        **options,
        **({} if secured is None else {"ssl": secured}),
    }
