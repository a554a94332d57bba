"""Calling somebody after a commit, by SQLAlchemy's events.

A Session tells when it has committed. A Connection tells only when it is about to: what it noted then is done when the
connection is back in its pool. A call after a rollback never happens; one too many does no harm (it is a hint, OB-43).
Listeners stand on the classes, registered at the first use: one for each session or connection would cost more than the
insert's own share of Python.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, Final

from sqlalchemy import Connection, event
from sqlalchemy.orm import Session
from sqlalchemy.pool import Pool

_PENDING: Final = "outrider.wakes"
_COMMITTED: Final = "outrider.wakes.committed"

Wakes = set[Callable[[], None]]


def wake_after_session(session: Session, wake: Callable[[], None]) -> None:
    """Have `wake` called once after the session's outermost commit."""
    pending: Wakes | None = session.info.get(_PENDING)
    if pending is not None:
        pending.add(wake)
        return
    session.info[_PENDING] = {wake}
    _listen_to_sessions()


def wake_after_connection(connection: Connection, wake: Callable[[], None]) -> None:
    """Have `wake` called once, when the connection is back in its pool after a commit."""
    if not event.contains(connection, "commit", _connection_commits):
        event.listen(connection, "commit", _connection_commits)
        event.listen(connection, "rollback", _connection_rolled_back)
    _listen_to_pools()
    connection.info.setdefault(_PENDING, set()).add(wake)


@cache
def _listen_to_sessions() -> None:
    event.listen(Session, "after_commit", _session_committed)
    event.listen(Session, "after_rollback", _session_rolled_back)


@cache
def _listen_to_pools() -> None:
    event.listen(Pool, "checkin", _checked_in)


def _session_committed(session: Session) -> None:
    if not session.in_nested_transaction():
        _call(session.info.pop(_PENDING, None))


def _session_rolled_back(session: Session) -> None:
    session.info.pop(_PENDING, None)


def _connection_commits(connection: Connection) -> None:
    wakes: Wakes | None = connection.info.pop(_PENDING, None)
    if wakes:
        connection.info.setdefault(_COMMITTED, set()).update(wakes)


def _connection_rolled_back(connection: Connection) -> None:
    connection.info.pop(_PENDING, None)


def _checked_in(_dbapi_connection: Any, record: Any) -> None:  # noqa: ANN401 - the pool's own objects
    _call(record.info.pop(_COMMITTED, None))


def _call(wakes: Wakes | None) -> None:
    for wake in wakes or ():
        wake()
