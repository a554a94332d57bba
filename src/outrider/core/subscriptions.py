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
FILL_BATCH: Final = 5000
"""Messages whose side rows one statement fills in."""


def ensure_subscription(
    name: str, kind: SubscriptionKind, *, broker: str | None = None, lanes: int = 1, start: Start = "beginning"
) -> Steps[Subscription]:
    """Give the subscription `name`, made with `lanes` cursors at `start` where there is none.

    Each statement may be committed by itself: without cursors it is not active yet, and whoever finds it so goes on.
    Statements: `insert_subscription`, params `name`, `kind`, `broker`, `lanes`: nothing where the name is taken, and a
    concurrent twin is waited for; `is_active`, params `subscription_id` → one row, whether it has cursors;
    `fill_subscription`, params `subscription_id`, `after`, `limit`: writes the side rows of messages above `after` → the last
    id looked at, no row at the end, or where there are no side rows; `insert_cursors`, `many` of `subscription_id`, `lane`,
    `beginning` bool: nothing where the cursor exists; at `now` a row that commits later is read. Raises ConfigurationError
    where the name has another kind. Source: OB-21.
    """
    found = yield from find_subscription(name)
    if found is None:
        yield Statement("insert_subscription", {"name": name, "kind": kind, "broker": broker, "lanes": lanes})
        found = yield from find_subscription(name)
        if found is None:
            raise ConfigurationError(f"subscription {name!r} could not be made")
    if found.kind != kind:
        raise ConfigurationError(f"subscription {name!r} is a {found.kind}, not a {kind}: choose another name")
    active = yield Statement("is_active", {"subscription_id": found.id})
    if not active[0][0]:
        yield from _activate(found, start)
    return found


def _activate(found: Subscription, start: Start) -> Steps[None]:
    after = 0
    while start == "beginning":
        rows = yield Statement("fill_subscription", {"subscription_id": found.id, "after": after, "limit": FILL_BATCH})
        if not rows:
            break
        after = rows[0][0]
    sets = [
        {"subscription_id": found.id, "lane": lane, "beginning": start == "beginning"} for lane in range(found.lanes)
    ]
    yield Statement("insert_cursors", many=sets)


def find_subscription(name: str) -> Steps[Subscription | None]:
    """Give the subscription of this name, or None.

    Statement `find_subscription`, params `name` → at most one row `(id, name, kind, broker, lanes)`.
    """
    rows = yield Statement("find_subscription", {"name": name})
    if not rows:
        return None
    id_, found, kind, broker, lanes = rows[0]
    return Subscription(id=id_, name=found, kind=kind, broker=broker, lanes=lanes)
