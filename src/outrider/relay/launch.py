"""Launching a flight: sort it, tell what was decided, hand the rest to the broker.

Invariant: sorting happens at the moment of sending, so it knows every decision before it. Source: spec/outbox.md OB-37.
"""

from outrider.ports.broker import Publisher
from outrider.relay.holds import Holds
from outrider.relay.pipeline import Flight
from outrider.relay.publish import Lease, Sender
from outrider.relay.sort import sort_due, sort_log
from outrider.relay.tell import Tell
from outrider.runtime.supervisor import Supervisor


class Launcher:
    """Starts sends in a group that outlives the lane's loops, so that what the broker has in hand comes to its end."""

    def __init__(
        self, publisher: Publisher, sender: Sender, lease: Lease, holds: Holds, sends: Supervisor, tell: Tell
    ) -> None:
        self._publisher, self._sender, self._lease, self._holds = publisher, sender, lease, holds
        self._sends, self._tell = sends, tell

    def is_free(self, flight: Flight) -> bool:
        """Whether the flight may be sent while earlier ones are in flight."""
        rows = [due.row for due in flight.due] if flight.due else flight.rows
        return self._lease.allows() and not self._sender.is_serial(rows)

    def sort(self, flight: Flight) -> None:
        """Decide what of the flight is sent."""
        flight.resumes = self._holds.resumes
        if flight.due:
            flight.sent_due, flight.changes, flight.refused = sort_due(flight.due, self._holds, self._publisher.refuse)
            flight.sent = [due.row for due in flight.sent_due]
            self._tell.decided(flight.changes)
            return
        decided = sort_log(flight.rows, self._holds, self._publisher.refuse, taken=self._publisher.takes(flight.rows))
        flight.sent, flight.changes = decided.send, decided.changes
        self._tell.decided(flight.changes)

    def launch(self, flight: Flight) -> None:
        """Sort and send. The lease must allow it."""
        self.sort(flight)
        flight.task = self._sends.start(
            self._sender.send(flight.sent, urgent=flight.short, due=bool(flight.due)), "publish"
        )
