"""Silence of deliveries that are due: who got no answer how often, and what passed meanwhile.

Invariant: only tries that came back without an answer count, and they are forgotten with the lease. Source: spec/outbox.md
OB-40.
"""

from outrider.core.deliveries import Changes, Due
from outrider.core.log_row import parse_kind
from outrider.core.retry import RetryAt
from outrider.core.suspects import SILENT_TRIES
from outrider.relay.advance import Writer
from outrider.relay.holds import Holds
from outrider.relay.judge import Judge


class Silence:
    """Judges silent deliveries of a lane, and the heads of suspended destinations."""

    def __init__(self, writer: Writer, holds: Holds, judge: Judge) -> None:
        self._writer, self._holds, self._judge = writer, holds, judge
        self._tries: dict[int, int] = {}
        self._heads: dict[str, Due] = {}

    def is_lone(self, due: Due, passed: set[str]) -> bool:
        """One more try of `due` had no answer: whether that is its own fault, others of its destination having `passed`."""
        return self._tried(due) >= SILENT_TRIES and topic_of(due) in passed

    def answered(self, due: Due) -> None:
        """It got one."""
        self._tries.pop(due.row[0], None)

    def look_at_heads(self, rows: list[Due], unknown: set[int], wait_at: RetryAt, changes: Changes) -> bool:
        """Judge the heads of suspended destinations among `rows`. Says whether a destination answers again.

        The head waits, uncounted; where the next key's head got an answer, the first is set aside.
        """
        answers = False
        for index, due in enumerate(rows):
            topic, silent = topic_of(due), index in unknown
            if self._holds.suspended.get(topic) == due.row[0]:
                if silent:
                    self._heads[topic] = due
                    self._tried(due)
                    changes.retried.append((due, RetryAt(wait_at.due, due.attempts), None))
                else:
                    answers = self._reopen(topic)
            elif self._holds.seconds.get(topic) == due.row[0]:
                del self._holds.seconds[topic]
                head = self._heads.get(topic)
                if silent:
                    self._judge.park(due, "suspended", changes)
                elif self._holds.suspended.get(topic) is not None:
                    answers = self._reopen(topic)
                    if head is not None:
                        self._judge.silence(head, changes)
        return answers

    async def send_seconds(self) -> bool:
        """Let the head of the next key try too where the first was silent often enough. Says whether there is one."""
        found = False
        for topic, log_id in self._holds.suspended.items():
            tries = self._tries.get(log_id, 0)
            if topic in self._holds.seconds or tries < SILENT_TRIES or tries % SILENT_TRIES:
                continue
            second = await self._writer.release_next(topic)
            if second is not None:
                self._holds.seconds[topic] = second
                found = True
        return found

    def _tried(self, due: Due) -> int:
        tries = self._tries[due.row[0]] = self._tries.get(due.row[0], 0) + 1
        return tries

    def _reopen(self, topic: str) -> bool:
        self._tries.pop(self._holds.suspended.pop(topic), None)
        self._holds.seconds.pop(topic, None)
        return True


def topic_of(due: Due) -> str:
    """Where a delivery goes."""
    return parse_kind(due.row[2]).topic
