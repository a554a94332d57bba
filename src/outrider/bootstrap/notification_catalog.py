"""The notifier's service and types in a catalog, for producers as for the notifier itself.

Source: spec/notification.md NT-53; spec/outbox.md OB-31.
"""

from collections.abc import Iterable
from typing import Final

from outrider.core.catalog import Catalog
from outrider.core.notification.request import CHANNEL_DISABLED, ENDED, ORIGINAL, REQUESTED

SERVICE: Final = "notification"


def declare_notifications(catalog: Catalog, producers: Iterable[str]) -> None:
    """Make the notifier's types known: requests of `producers`, and what it tells of their ends."""
    catalog.service(SERVICE)
    senders = tuple(producers)
    for name in (REQUESTED, ORIGINAL):
        catalog.declare(name, owner=SERVICE, producers=senders, consumers=[SERVICE], key="recipient_id")
    for name in (ENDED, CHANNEL_DISABLED):
        catalog.declare(name, owner=SERVICE)
