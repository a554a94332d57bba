"""Steps on subscriptions: making one with its lanes, and finding it again.

Invariant: a subscription's lanes live in the database; asking for another number changes nothing here (OB-45).
Source: spec/outbox.md OB-21, OB-34.
"""

from typing import Final, Literal

from outrider.core.errors import ConfigurationError
from outrider.core.lane import Subscription, SubscriptionKind
from outrider.core.steps import Statement, Steps

Start = Literal["beginning", "now"]

RELAY_SUBSCRIPTION: Final = "relay"
"""Name of the subscription whose sink is the broker."""


def ensure_subscription(
    name: str, kind: SubscriptionKind, *, broker: str | None = None, lanes: int = 1, start: Start = "beginning"
) -> Steps[Subscription]:
    """Give the subscription `name`, made with `lanes` cursors at `start` where there is none. In a transaction.

    Statements: `insert_subscription`, params `name`, `kind`, `broker`, `lanes`: nothing where the name is taken, and a
    concurrent twin is waited for; `insert_cursors`, `many` of `subscription_id`, `lane`, `beginning` bool: nothing
    where the cursor exists; at `now` a row that commits later is read. Raises ConfigurationError where the name has
    another kind. Source: OB-21.
    """
    found = yield from find_subscription(name)
    if found is None:
        yield Statement("insert_subscription", {"name": name, "kind": kind, "broker": broker, "lanes": lanes})
        found = yield from find_subscription(name)
        if found is None:
            raise ConfigurationError(f"subscription {name!r} could not be made")
        sets = [
            {"subscription_id": found.id, "lane": lane, "beginning": start == "beginning"}
            for lane in range(found.lanes)
        ]
        yield Statement("insert_cursors", many=sets)
    if found.kind != kind:
        raise ConfigurationError(f"subscription {name!r} is a {found.kind}, not a {kind}: choose another name")
    return found


def find_subscription(name: str) -> Steps[Subscription | None]:
    """Give the subscription of this name, or None.

    Statement `find_subscription`, params `name` → at most one row `(id, name, kind, broker, lanes)`.
    """
    rows = yield Statement("find_subscription", {"name": name})
    if not rows:
        return None
    id_, found, kind, broker, lanes = rows[0]
    return Subscription(id=id_, name=found, kind=kind, broker=broker, lanes=lanes)
