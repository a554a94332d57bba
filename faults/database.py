"""The campaign's database, PostgreSQL or MariaDB, as the application under test and its judge speak to it."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, Final

import psycopg
import pymysql

from faults.dialect import is_mysql, spoken
from outrider.runtime.mysql_url import server_of

CONNECT_SECONDS: Final = 5
ERRORS: Final = (psycopg.Error, pymysql.MySQLError)
_COUNT: Final = {
    True: (
        "INSERT INTO customer VALUES (%s, LAST_INSERT_ID(1)) ON DUPLICATE KEY UPDATE n = LAST_INSERT_ID(n + 1)",
        "SELECT LAST_INSERT_ID()",
    ),
    False: ("INSERT INTO customer VALUES (%s, 1) ON CONFLICT (key) DO UPDATE SET n = customer.n + 1 RETURNING n",),
}


class Connection:
    """A connection in autocommit. `raw` is the driver's, which the outbox takes."""

    def __init__(self, url: str, raw: Any) -> None:  # noqa: ANN401 - either driver's
        self._url = url
        self.raw = raw

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Run a query; its rows, if it gives any."""
        with self.raw.cursor() as cursor:
            cursor.execute(spoken(self._url, query), values)
            return [] if cursor.description is None else list(cursor.fetchall())

    def count_up(self, key: str) -> int:
        """Lock the customer's row and give its next number."""
        rows: list[tuple[Any, ...]] = []
        for text in _COUNT[is_mysql(self._url)]:
            with self.raw.cursor() as cursor:
                cursor.execute(text, (key,) if "%s" in text else ())
                rows = [] if cursor.description is None else list(cursor.fetchall())
        return int(rows[0][0])

    @contextmanager
    def transaction(self, *, rolled_back: bool) -> Iterator[None]:
        """A transaction, rolled back at the end if it is to be."""
        if not is_mysql(self._url):
            with self.raw.transaction(force_rollback=rolled_back):
                yield
            return
        self.raw.begin()
        try:
            yield
        except pymysql.MySQLError:
            self.raw.close()  # the server rolls back what nobody holds any more
            raise
        if rolled_back:
            self.raw.rollback()
        else:
            self.raw.commit()


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """Connect, and close at the end."""
    raw: Any
    if is_mysql(url):
        raw = pymysql.connect(**server_of(url), charset="utf8mb4", autocommit=True, connect_timeout=CONNECT_SECONDS)
    else:
        raw = psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_SECONDS)
    with closing(_Closable(raw)):
        yield Connection(url, raw)


class _Closable:
    """PyMySQL refuses to close twice."""

    def __init__(self, raw: Any) -> None:  # noqa: ANN401 - either driver's
        self._raw = raw

    def close(self) -> None:
        if getattr(self._raw, "open", True):
            self._raw.close()
