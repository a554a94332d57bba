"""Every error that Outrider raises; the tree answers "who acts?".

::

    OutriderError             each: a stable string `code`, `retryable`, typed fields; the message is built from them
    ├─ ConfigurationError     the deployer acts   MissingExtra · RetentionTooShort · SchemaMismatch · ForeignPosition
    │                                             CatalogError · AccessRefused
    ├─ UsageError             the caller acts     NoTransaction · WrongDatabase · UnregisteredType · ForeignType
    │                                             UnknownDestination · InvalidMessage · MessageTooLarge
    │                                             MessageIdConflict · MessageNotFound · ServiceStateError
    │                                             OperationRefused · StateConflict · VersionMismatch
    │                                             NotificationNotFound · SettingsRefused
    ├─ StorageError                               StorageUnavailable (retryable) · LeaseLost (stop at once)
    ├─ BrokerError                                BrokerUnavailable (retryable, no attempt spent) · DestinationPaused
    ├─ CodecError             to quarantine       UnknownType · UnknownVersion · Undecodable
    │                         the deployer acts   SecretUnreadable
    └─ ChannelError                               carries outcome, provider code, retry_after: PayloadTooLarge
    InvariantViolated         outside the tree: the process drains and exits; never caught, never retried

Invariant: an error survives `pickle` and `copy` with its class, text and fields. Source: spec/outbox.md §15.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Self, cast
from uuid import UUID

from outrider.core.text import clean_text

ROW_CODES = frozenset(
    {
        "publish.too_large", "publish.unencodable", "publish.forbidden", "publish.refused", "suspect.crash",
        "suspect.unknown", "handler.failed", "handler.timeout", "handler.breaker", "handler.rejected",
        "handler.transaction", "consume.missing", "id.collision", "receipt.expired", "route.unknown", "order.late",
    }
)  # fmt: skip
"""Codes that stand only in rows, logs and metrics; no exception carries them."""


def _restore(cls: type["OutriderError"], args: tuple[Any, ...], fields: dict[str, Any]) -> "OutriderError":
    error = cls.__new__(cls)
    error.args = args
    error.__dict__.update(fields)
    return error


class OutriderError(Exception):
    """Base of all errors.

    `code` is stable, `retryable` says whether the same call may succeed later without a change.
    """

    code: str = "outrider.error"
    retryable: bool = False

    def __init__(self, message: str = "", **fields: object) -> None:
        super().__init__(message)
        self.__dict__.update(fields)

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.args, self.__dict__)

    def __copy__(self) -> Self:
        return cast("Self", _restore(type(self), self.args, self.__dict__))


class ConfigurationError(OutriderError):
    """A setting, package or environment is wrong; the deployer acts, and no retry helps."""

    code = "config.invalid"


class MissingExtra(ConfigurationError):
    """A library that an adapter needs is not installed; `extra` names Outrider's extra that brings it."""

    code = "config.missing_extra"

    def __init__(self, extra: str, needed_for: str = "") -> None:
        purpose = f" for {needed_for}" if needed_for else ""
        super().__init__(f"a package{purpose} is not installed: run  pip install 'outrider[{extra}]'", extra=extra)
        self.extra = extra
        self.needed_for = needed_for


class AccessRefused(ConfigurationError):
    """A server does not let us in, or we do not trust it: a password, a certificate, a name or a privilege is wrong.

    `server` is `database` or `broker`, `reason` what was said, `remedy` what the deployer looks at.
    """

    code = "config.access"

    def __init__(self, server: str, reason: str, remedy: str) -> None:
        self.server, self.reason, self.remedy = server, clean_text(reason), remedy
        super().__init__(f"no access to the {server}: {self.reason}; {remedy}")


class RetentionTooShort(ConfigurationError):
    """Receipts would be pruned before the messages they guard (OB-77); `kept` and `needed` are the two spans."""

    code = "config.retention"

    def __init__(self, name: str, kept: timedelta, needed: timedelta) -> None:
        super().__init__(f"{name} keeps {kept}, but at least {needed} is needed: raise it or shorten what it guards")
        self.name, self.kept, self.needed = name, kept, needed


class SchemaMismatch(ConfigurationError):
    """The tables are not those of this release; the deployer runs `outrider migrate`."""

    code = "schema.mismatch"


class ForeignPosition(ConfigurationError):
    """A stored position comes from another cluster or another log.

    Nothing is read until `outrider cursor rebase` has made the position anew (OB-20).
    """

    code = "position.foreign"


class CatalogError(ConfigurationError):
    """The catalog contradicts itself; `faults` names every fault found, each one line."""

    code = "catalog.invalid"

    def __init__(self, faults: str | Iterable[str]) -> None:
        found = (faults,) if isinstance(faults, str) else tuple(faults)
        super().__init__("the catalog is wrong: " + "; ".join(found))
        self.faults = found


class UsageError(OutriderError):
    """This call was wrong; its author acts. Nothing was written."""

    code = "usage.invalid"


class NoTransaction(UsageError):
    """`add` was given no open transaction of a supported kind (OB-8)."""

    code = "add.no_transaction"


class WrongDatabase(UsageError):
    """The transaction belongs to a database without this service's tables, or to another instance (OB-99)."""

    code = "add.wrong_database"


class UnregisteredType(UsageError):
    """The message's type is not in the catalog (OB-32)."""

    code = "route.unregistered"

    def __init__(self, type: str) -> None:  # noqa: A002  the field's name in the spec
        super().__init__(
            f"type {type!r} is not in the catalog: declare it with catalog.event(...) or catalog.declare(...)"
        )
        self.type = type


class ForeignType(UsageError):
    """This service is not among the type's producers (OB-32)."""

    code = "route.foreign"

    def __init__(self, type: str, service: str, owner: str, producers: Iterable[str]) -> None:  # noqa: A002
        self.type, self.service, self.owner, self.producers = type, service, owner, tuple(producers)
        super().__init__(
            f"service {service!r} may not add type {type!r}: its owner is {owner!r}, its producers are "
            f"{', '.join(self.producers)}; add it there, or name {service!r} in producers="
        )


class UnknownDestination(UsageError):
    """The message names a topic that its route does not list."""

    code = "route.destination"

    def __init__(self, type: str, topic: str, allowed: Iterable[str]) -> None:  # noqa: A002
        self.type, self.topic, self.allowed = type, topic, tuple(allowed)
        super().__init__(
            f"type {type!r} may not go to topic {topic!r}, only to {', '.join(self.allowed)}: list it in topics="
        )


class InvalidMessage(UsageError):
    """A field of the message breaks its rule; `path` leads into a payload (`$.items[3].price`), else it is empty."""

    code = "message.invalid"

    def __init__(self, field: str, path: str = "", reason: str = "is not valid") -> None:
        where = f" at {path}" if path else ""
        super().__init__(f"{field}{where}: {reason}")
        self.field, self.path, self.reason = field, path, reason


class MessageTooLarge(UsageError):
    """The message as it would be sent, or its headers, exceed a limit; in bytes, or a count for `header count`."""

    code = "message.too_large"

    def __init__(self, size: int, limit: int, field: str = "message") -> None:
        super().__init__(
            f"{field} has {size}, more than {limit}: send a reference, or raise the limit with the broker's"
        )
        self.size, self.limit, self.field = size, limit, field


class MessageIdConflict(UsageError):
    """A message with this id and other content is in the log already (OB-11)."""

    code = "message.id_conflict"

    def __init__(self, message_id: UUID) -> None:
        super().__init__(f"message {message_id} exists with other content: use another id or idempotency key")
        self.message_id = message_id


class MessageNotFound(UsageError):
    """There is no such message in this service's log; it may have been pruned."""

    code = "message.not_found"

    def __init__(self, message_id: UUID | int | str) -> None:
        super().__init__(
            f"message {message_id} is not in the log of this service (never added, rolled back, or pruned)"
        )
        self.message_id = message_id


class ServiceStateError(UsageError):
    """Start, stop or run was called in a state that does not allow it."""

    code = "service.state"


class OperationRefused(UsageError):
    """An operator's command would break a promise; nothing was changed."""

    code = "operation.refused"


class StateConflict(UsageError):
    """A notification's record is in a state in which this cannot be done with it; `status` names the state."""

    code = "record.state"

    def __init__(self, status: str, wanted: str) -> None:
        super().__init__(f"a record that is {status} cannot be {wanted}")
        self.status, self.wanted = status, wanted


class VersionMismatch(UsageError):
    """A notification's record, or a setting, changed since it was read; nothing was done."""

    code = "version.mismatch"


class NotificationNotFound(UsageError):
    """There is no such record, destination, channel or item; or it is another person's, which is not told apart."""

    code = "notification.not_found"

    def __init__(self, what: str, name: object) -> None:
        super().__init__(f"there is no {what} {name}")
        self.what, self.name = what, str(name)


class SettingsRefused(UsageError):
    """What a person set cannot be used; nothing was saved. `problems`: (field, code, reason), free of the values."""

    code = "settings.refused"

    def __init__(self, problems: Iterable[tuple[str, str, str]]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{field}: {reason}" for field, _, reason in self.problems))


class StorageError(OutriderError):
    """The database refused or failed in a way that nobody expected; the operator looks."""

    code = "storage.error"


class StorageUnavailable(StorageError):
    """The database cannot be reached, or the result of a statement is not known; retried, never counted (OB-28)."""

    code = "storage.unavailable"
    retryable = True


class LeaseLost(StorageError):
    """The epoch is no longer the lane's: its owner stops at once and writes nothing more (OB-41)."""

    code = "lease.lost"


class BrokerError(OutriderError):
    """The broker refused or failed in a way that nobody expected; the operator looks."""

    code = "broker.error"


class BrokerUnavailable(BrokerError):
    """The broker cannot be reached; retried, spends no attempt (OB-28)."""

    code = "broker.unavailable"
    retryable = True


class DestinationPaused(BrokerError):
    """The destination is paused, by a person or automatically; the operator resumes it."""

    code = "destination.paused"


class CodecError(OutriderError):
    """What arrived cannot be read; it is quarantined with its bytes and the reason, never dropped."""

    code = "body.invalid"


class UnknownType(CodecError):
    """The catalog does not know this type; released from quarantine once it does."""

    code = "type.unknown"

    def __init__(self, type: str) -> None:  # noqa: A002
        super().__init__(f"type {type!r} is not known here")
        self.type = type


class UnknownVersion(CodecError):
    """No upcasters lead from this version to one that is read here; released from quarantine once they do."""

    code = "version.unknown"

    def __init__(self, type: str, version: int, newest: int) -> None:  # noqa: A002
        super().__init__(f"version {version} of type {type!r} cannot be read here, where {newest} is the newest")
        self.type, self.version, self.newest = type, version, newest


class Undecodable(CodecError):
    """A body or an envelope does not decode: `body.invalid` or `envelope.invalid`; `path` leads into the body."""

    def __init__(self, reason: str, path: str = "", code: str = "body.invalid") -> None:
        super().__init__(f"{path}: {reason}" if path else reason)
        self.reason, self.path, self.code = reason, path, code


class SecretUnreadable(CodecError):
    """A sealed secret does not open: no key of ours sealed it for this place.

    The deployer gives the key back, or the owner sets the secret anew; until then nothing is sent to that address. `key_id`
    names the key that it asks for.
    """

    code = "secret.unreadable"

    def __init__(self, channel: str, field: str, key_id: str = "") -> None:
        asked = (
            f"key {key_id!r} is not among secret_keys" if key_id else "no key of secret_keys sealed it for this place"
        )
        super().__init__(f"the {field} of channel {channel!r} cannot be opened: {asked}")
        self.channel, self.field, self.key_id = channel, field, key_id


class ChannelError(OutriderError):
    """A channel's provider answered no, or not at all; `outcome` is refused or unknown, `retry_after` a lower bound."""

    code = "channel.error"

    def __init__(
        self, reason: str, outcome: str = "unknown", provider_code: str = "", retry_after: timedelta | None = None
    ) -> None:
        super().__init__(f"{reason} ({provider_code})" if provider_code else reason)
        self.reason, self.outcome, self.provider_code, self.retry_after = reason, outcome, provider_code, retry_after


class PayloadTooLarge(ChannelError):
    """A rendered notification is over the channel's limit; a simpler form may fit. `size` and `limit` are bytes."""

    code = "channel.too_large"

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"{size} bytes, more than the {limit} that the channel takes", outcome="refused")
        self.size, self.limit = size, limit


class InvariantViolated(BaseException):
    """A promise of the code itself is broken: the process drains and exits.

    Not an `Exception`, so that no handler swallows it.
    """

    code: str = "invariant.violated"
