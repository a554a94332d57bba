"""The services `steward` and `notification`, and the types that travel between them.

Source: spec/scheduling.md ST-64, §14.
"""

from collections.abc import Mapping
from typing import Any, Final

from outrider import Catalog, canonical_json
from outrider.bootstrap.notification_catalog import SERVICE as NOTIFICATION
from outrider.bootstrap.notification_catalog import declare_notifications
from steward.bootstrap.messages import BODIES, HANDLED

STEWARD: Final = "steward"
NAMESPACE: Final = "outrider"


def make_catalog(namespace: str = NAMESPACE) -> Catalog:
    """Both services and every type; `namespace` is of topics and groups."""
    catalog = Catalog(STEWARD, NOTIFICATION, namespace=namespace)
    for name, body in BODIES.items():
        consumers = [STEWARD] if name in HANDLED else []
        catalog.event(name, owner=STEWARD, consumers=consumers, key="user_id")(body)
    declare_notifications(catalog, [STEWARD])
    return catalog


def checked_body(type: str, body: Mapping[str, Any]) -> dict[str, Any]:  # noqa: A002 - the field's name in the spec
    """The body as it is sent: fields that say nothing are left out. Raises ValidationError for one of ours that is wrong."""
    said = {name: value for name, value in body.items() if value is not None}
    if type in BODIES:
        BODIES[type].model_validate_json(canonical_json(said))
    return said
