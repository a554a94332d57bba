"""Outrider: a transactional outbox platform; what commits is delivered, in order per key, and takes effect once."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # for type checkers and editors alone; a test holds it equal to the table below
    from outrider.bootstrap.consumer import Consumer as Consumer
    from outrider.bootstrap.inbox import AsyncInbox as AsyncInbox
    from outrider.bootstrap.inbox import Inbox as Inbox
    from outrider.bootstrap.notifier import Notifier as Notifier
    from outrider.bootstrap.operations import Operations as Operations
    from outrider.bootstrap.outbox import AsyncOutbox as AsyncOutbox
    from outrider.bootstrap.outbox import Outbox as Outbox
    from outrider.bootstrap.relay import Relay as Relay
    from outrider.consumer.router import Context as Context
    from outrider.core.adding import Added as Added
    from outrider.core.answers import Reject as Reject
    from outrider.core.answers import Retry as Retry
    from outrider.core.canonical import canonical_json as canonical_json
    from outrider.core.catalog import Catalog as Catalog
    from outrider.core.identity import message_id as message_id
    from outrider.core.message import Message as Message
    from outrider.core.status import MessageState as MessageState
    from outrider.core.status import MessageStatus as MessageStatus
    from outrider.integrations.fastapi.router import notification_router as notification_router
    from outrider.ports.http import Authenticator as Authenticator
    from outrider.ports.http import Principal as Principal

_NAMES = {
    "Added": "outrider.core.adding",
    "AsyncInbox": "outrider.bootstrap.inbox",
    "AsyncOutbox": "outrider.bootstrap.outbox",
    "Authenticator": "outrider.ports.http",
    "Catalog": "outrider.core.catalog",
    "Consumer": "outrider.bootstrap.consumer",
    "Context": "outrider.consumer.router",
    "Inbox": "outrider.bootstrap.inbox",
    "Message": "outrider.core.message",
    "MessageState": "outrider.core.status",
    "MessageStatus": "outrider.core.status",
    "Notifier": "outrider.bootstrap.notifier",
    "Operations": "outrider.bootstrap.operations",
    "Outbox": "outrider.bootstrap.outbox",
    "Principal": "outrider.ports.http",
    "Relay": "outrider.bootstrap.relay",
    "Reject": "outrider.core.answers",
    "Retry": "outrider.core.answers",
    "canonical_json": "outrider.core.canonical",
    "message_id": "outrider.core.identity",
    "notification_router": "outrider.integrations.fastapi.router",
}
"""The public names and the modules that hold them, each imported when first asked for (OB-99)."""

__all__ = list(_NAMES)


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any public name
    if name not in _NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_NAMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_NAMES})
