"""NOTIFY after the commit, on a connection of its own.

Never in the caller's transaction: there it would serialise all commits (H11). A background thread sends at most 20 a
second, 20 at once; hints that come faster become one, and one soon after another is none. Source: spec/outbox.md OB-43.
"""

import os
import threading
from collections.abc import Callable

import psycopg
from psycopg import pq, sql

AWAKE_SECONDS = 0.02
"""A relay that has just read a message reads on at short intervals, so that one so soon after it needs no hint (measured: of
eight processes that commit as fast as two cores let them, hints took 7 %)."""
RATE_PER_SECOND = 20.0
BURST = 20.0
HINT = "SET LOCAL synchronous_commit TO off; NOTIFY {}"
"""One round trip and, as a text of two statements, one transaction. A hint need not wait for the disk; nothing of the
setting outlives it, also behind a pooler."""


class TokenBucket:
    """How many hints may be sent: `rate` a second, at most `burst` saved up. Times are seconds of any steady clock."""

    def __init__(self, now: float, rate: float = RATE_PER_SECOND, burst: float = BURST) -> None:
        self._rate, self._burst = rate, burst
        self._tokens, self._at = burst, now

    def take(self, now: float) -> float:
        """Take a token and give 0.0, or give the seconds until there is one."""
        self._tokens = min(self._burst, self._tokens + max(0.0, now - self._at) * self._rate)
        self._at = now
        if self._tokens >= 1.0:
            self._tokens -= 1.0
            return 0.0
        return (1.0 - self._tokens) / self._rate


class PostgresNotify:
    """Sends hints to LISTENers, as `ports.wakeup.Wakeup`. The thread starts with the first hint, anew after a fork."""

    def __init__(self, url: str, channel: str, boottime: Callable[[], float]) -> None:
        self._url = url
        self._text = sql.SQL(HINT).format(sql.Identifier(channel)).as_bytes()
        self._boottime = boottime
        self._lock = threading.Lock()
        self._process = 0
        self._woken_at = -AWAKE_SECONDS
        self._hinted = threading.Event()
        self._closed = threading.Event()

    def wake(self) -> None:
        """Have a NOTIFY sent soon, unless the last call was a moment ago. Never blocks on the network, never raises."""
        before, self._woken_at = self._woken_at, self._boottime()
        if self._process != os.getpid():
            self._start()
        elif self._woken_at - before < AWAKE_SECONDS:
            return
        self._hinted.set()

    def close(self, timeout_seconds: float = 5.0) -> None:
        """End the thread; a hint that was given is sent first, if the server answers in time."""
        self._closed.set()
        self._hinted.set()
        thread = getattr(self, "_thread", None)
        if thread is not None and self._process == os.getpid():
            thread.join(timeout_seconds)

    def _start(self) -> None:
        with self._lock:
            if self._process == os.getpid() or self._closed.is_set():
                return
            self._hinted = threading.Event()
            self._thread = threading.Thread(target=self._work, name="outrider-notify", daemon=True)
            self._process = os.getpid()
            self._thread.start()

    def _work(self) -> None:
        bucket = TokenBucket(self._boottime())
        connection: psycopg.Connection | None = None
        while True:
            self._hinted.wait()
            closing = self._closed.is_set()
            while not closing and (wait := bucket.take(self._boottime())):
                closing = self._closed.wait(wait)
            self._hinted.clear()
            connection = self._send(connection)
            if self._closed.is_set():
                if connection is not None:
                    connection.close()
                return

    def _send(self, connection: psycopg.Connection | None) -> psycopg.Connection | None:
        """Send one NOTIFY; None where the server cannot be reached: the next hint tries again."""
        try:
            if connection is None or connection.closed:
                connection = psycopg.connect(
                    self._url, autocommit=True, connect_timeout=5, application_name="outrider-notify"
                )
            sent = connection.pgconn.exec_(self._text)  # `execute` costs who commits much more
        except psycopg.Error:
            sent = None
        if sent is not None and sent.status == pq.ExecStatus.COMMAND_OK:
            return connection
        if connection is not None:
            connection.close()
        return None
