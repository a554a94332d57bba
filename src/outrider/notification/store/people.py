"""What recipients set: addresses and preferences. Source: spec/notification.md §9, NT-27, NT-30.

Secrets lie sealed in one column, by who calls: here they are text as it is stored.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from json import loads
from typing import Any, Final
from uuid import UUID

from outrider.core.canonical import canonical_json
from outrider.core.notification.address import AddressState
from outrider.core.steps import Statement, Steps
from outrider.notification.preferences import PreferenceRow


@dataclass(frozen=True, slots=True)
class AddressRow:
    """A row of `notification_address`, its columns in order. `secrets` is as `codecs.sealed` made it."""

    id: UUID
    recipient_id: str
    channel: str
    enabled: bool
    state: str
    reason: str | None
    settings_json: str
    secrets: str | None
    destination_key: bytes
    version: int
    last_test_status: str | None
    last_test_error: str | None
    last_test_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @property
    def usable(self) -> bool:
        """Whether a message may be sent to it."""
        return self.enabled and self.state == AddressState.OK

    @property
    def settings(self) -> Mapping[str, str]:
        """What is no secret."""
        values: Mapping[str, str] = loads(self.settings_json)
        return values


ADDRESS_COLUMNS: Final = tuple(AddressRow.__dataclass_fields__)


def address_of(row: tuple[Any, ...]) -> AddressRow:
    """The address in a row."""
    values: dict[str, Any] = dict(zip(ADDRESS_COLUMNS, row[: len(ADDRESS_COLUMNS)], strict=True))
    values["enabled"] = bool(values["enabled"])
    return AddressRow(**values)


def read_addresses(recipient_id: str) -> Steps[dict[str, AddressRow]]:
    """A recipient's addresses by channel: statement `notification_addresses`, param `recipient_id` → addresses."""
    rows = yield Statement("notification_addresses", {"recipient_id": recipient_id})
    return {one.channel: one for one in map(address_of, rows)}


def read_addresses_of(recipient_ids: Collection[str]) -> Steps[dict[str, dict[str, AddressRow]]]:
    """Those of several recipients, by recipient: the same statement."""
    found: dict[str, dict[str, AddressRow]] = {one: {} for one in recipient_ids}
    if found:
        rows = yield Statement("notification_addresses", many=[{"recipient_id": one} for one in found])
        for address in map(address_of, rows):
            found[address.recipient_id][address.channel] = address
    return found


def read_address(recipient_id: str, channel: str) -> Steps[AddressRow | None]:
    """One of them: statement `read_notification_address`, params `recipient_id`, `channel` → an address."""
    rows = yield Statement("read_notification_address", {"recipient_id": recipient_id, "channel": channel})
    return address_of(rows[0]) if rows else None


def read_those(wanted: Collection[tuple[str, str]]) -> Steps[dict[tuple[str, str], AddressRow]]:
    """Several of them, asked for and given by recipient and channel: the same statement."""
    if not wanted:
        return {}
    sets = [{"recipient_id": recipient_id, "channel": channel} for recipient_id, channel in dict.fromkeys(wanted)]
    rows = yield Statement("read_notification_address", many=sets)
    return {(one.recipient_id, one.channel): one for one in map(address_of, rows)}


def save_address(
    address_id: UUID, recipient_id: str, channel: str, *, enabled: bool, settings: Mapping[str, str], secrets: str | None,
    destination_key: bytes, known_version: int | None = None,
) -> Steps[AddressRow | None]:  # fmt: skip
    """Write an address whole, new or in place of the one there is, whose tests' results stay; usable again in any case.

    None, and nothing written, where `known_version` is given and is not the stored one. Statements:
    `lock_notification_address` → an address; `insert_notification_address` (left alone where there is one),
    `update_notification_address`, params `id`, `recipient_id`, `channel`, `enabled`, `settings_json`, `secrets`,
    `destination_key`.
    """
    found = {"recipient_id": recipient_id, "channel": channel}
    params = {
        **found, "id": address_id, "enabled": enabled, "settings_json": canonical_json(dict(settings)).decode(),
        "secrets": secrets, "destination_key": destination_key,
    }  # fmt: skip
    rows = yield Statement("lock_notification_address", found)
    if known_version is not None and (not rows or address_of(rows[0]).version != known_version):
        return None
    if not rows:
        yield Statement("insert_notification_address", params)
    else:
        yield Statement("update_notification_address", {name: params[name] for name in params if name != "id"})
    return (yield from read_address(recipient_id, channel))


def delete_address(recipient_id: str, channel: str) -> Steps[None]:
    """Take an address away: statement `delete_notification_address`, params `recipient_id`, `channel`."""
    yield Statement("delete_notification_address", {"recipient_id": recipient_id, "channel": channel})


def note_test(recipient_id: str, channel: str, status: str, error: str | None) -> Steps[None]:
    """Keep what a test send gave: statement `note_notification_test`, params those and `status`, `error`."""
    params = {"recipient_id": recipient_id, "channel": channel, "status": status, "error": error}
    yield Statement("note_notification_test", params)


def mark_address(recipient_id: str, channel: str, state: AddressState, reason: str | None) -> Steps[None]:
    """An address that its provider refused, or that is switched off with its destination, or works again; its version stays.

    Statement `mark_notification_address`, params `recipient_id`, `channel`, `state`, `reason`.
    """
    params = {"recipient_id": recipient_id, "channel": channel, "state": str(state), "reason": reason}
    yield Statement("mark_notification_address", params)


def read_preference(recipient_id: str) -> Steps[tuple[PreferenceRow | None, datetime]]:
    """A recipient's preferences, if there are any, with the time.

    Statement `read_notification_preference`, param `recipient_id` → always one row of the columns (None where there are no
    preferences) and `clock`.
    """
    rows = yield Statement("read_notification_preference", {"recipient_id": recipient_id})
    return _preference(rows[0]), rows[0][-1]


def read_preferences_of(recipient_ids: Collection[str]) -> Steps[tuple[dict[str, PreferenceRow | None], datetime]]:
    """Those of several recipients, at least one: the same statement."""
    rows = yield Statement("read_notification_preference", many=[{"recipient_id": one} for one in recipient_ids])
    return {one: _preference(row) for one, row in zip(recipient_ids, rows, strict=True)}, rows[0][-1]


def read_people(
    wanted: Sequence[tuple[str, str]],
) -> Steps[list[tuple[AddressRow | None, PreferenceRow | None]]]:
    """What several recipients set, each with a channel: the address there and the preferences, in the order asked."""
    addresses = yield from read_those(wanted)
    given, _ = yield from read_preferences_of(dict.fromkeys(recipient_id for recipient_id, _ in wanted))
    return [(addresses.get(one), given[one[0]]) for one in wanted]


def save_preference(
    recipient_id: str, zone: str, locale: str, quiet_json: str | None, order_json: str | None, muted_json: str | None
) -> Steps[None]:
    """Write a recipient's preferences whole: statement `write_notification_preference`, params of its columns."""
    params = {
        "recipient_id": recipient_id, "zone": zone, "locale": locale, "quiet_json": quiet_json, "order_json": order_json,
        "muted_json": muted_json,
    }  # fmt: skip
    yield Statement("write_notification_preference", params)


def _preference(row: tuple[Any, ...]) -> PreferenceRow | None:
    return None if row[0] is None else PreferenceRow(*row[:-1])
