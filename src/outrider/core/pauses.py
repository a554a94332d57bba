"""Pauses: what must not be sent, by a person's word or because a destination is set up wrongly.

Invariant: a pause is a row, so it holds in every process and outlives them (OB-42). A destination's pause has kind
`destination` and its topic; a key's has kind `key`, topic and the key as subject; a subscription's has kind
`subscription` and its name as subject. `broker` is empty unless only one broker is meant.
"""

from dataclasses import dataclass, field

from outrider.core.steps import Statement, Steps


@dataclass(frozen=True, slots=True)
class Pauses:
    """The pauses that hold now, as a lane looks them up. `automatic` are those of `destinations` that a probe ends."""

    destinations: frozenset[str] = field(default_factory=frozenset)
    keys: frozenset[tuple[str, str]] = field(default_factory=frozenset)
    subscriptions: frozenset[str] = field(default_factory=frozenset)
    automatic: frozenset[str] = field(default_factory=frozenset)

    def with_destination(self, topic: str) -> "Pauses":
        """The same and an automatic pause of `topic`."""
        return Pauses(self.destinations | {topic}, self.keys, self.subscriptions, self.automatic | {topic})


def read_pauses(broker: str | None) -> Steps[Pauses]:
    """Read the pauses that hold now for this broker.

    Statement `read_pauses`, params `broker` (empty for none) → rows `(kind, topic, subject, automatic)` of pauses
    without broker or of this one, whose `until` is None or ahead.
    """
    rows = yield Statement("read_pauses", {"broker": broker or ""})
    return Pauses(
        destinations=frozenset(row[1] for row in rows if row[0] == "destination"),
        keys=frozenset((row[1], row[2]) for row in rows if row[0] == "key"),
        subscriptions=frozenset(row[2] for row in rows if row[0] == "subscription"),
        automatic=frozenset(row[1] for row in rows if row[0] == "destination" and row[3]),
    )


def pause_destination(broker: str | None, topic: str, code: str, reason: str) -> Steps[bool]:
    """Pause a destination automatically; one that is paused stays as it is. Says whether it was not.

    Statement `insert_automatic_pause`, params `broker`, `topic`, `code`, `reason` → a row where it was written.
    Source: OB-39.
    """
    params = {"broker": broker or "", "topic": topic, "code": code, "reason": reason}
    rows = yield Statement("insert_automatic_pause", params)
    return bool(rows)


def resume_destination(broker: str | None, topic: str) -> Steps[bool]:
    """End an automatic pause, never a person's. Says whether there was one.

    Statement `delete_automatic_pause`, params `broker`, `topic` → a row for each pause ended.
    """
    rows = yield Statement("delete_automatic_pause", {"broker": broker or "", "topic": topic})
    return bool(rows)
