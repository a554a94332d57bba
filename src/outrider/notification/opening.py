"""Addresses between their rows and the channels: secrets sealed in one column, open in memory alone.

The column holds canonical JSON, the sealed text by field. Source: spec/notification.md NT-44.
"""

from collections.abc import Mapping
from json import loads

from outrider.core.canonical import canonical_json
from outrider.core.notification.address import Address, AddressSettings, AddressState
from outrider.core.secret import Secret
from outrider.notification.store.people import AddressRow
from outrider.ports.codec import SecretCodec, SecretPlace


def opened(row: AddressRow, codec: SecretCodec) -> Address:
    """The address of a row. Raises SecretUnreadable."""
    texts: Mapping[str, str] = loads(row.secrets) if row.secrets else {}
    secrets = {name: codec.open(text, SecretPlace(row.recipient_id, row.channel, name)) for name, text in texts.items()}
    return Address(
        recipient_id=row.recipient_id,
        channel=row.channel,
        settings=AddressSettings(row.settings, secrets),
        enabled=row.enabled,
        state=AddressState(row.state),
        reason=row.reason,
        id=row.id,
        version=row.version,
    )


def resealed(row: AddressRow, codec: SecretCodec) -> str | None:
    """The column's text under the first key; None where all of it is so already. Raises SecretUnreadable."""
    texts: Mapping[str, str] = loads(row.secrets) if row.secrets else {}
    if all(map(codec.is_current, texts.values())):
        return None
    return sealed(row.recipient_id, row.channel, opened(row, codec).settings.secrets, codec)


def unopened(row: AddressRow) -> Address:
    """The address of a row whose secrets cannot be read: known, and of no use to a channel."""
    state = AddressState(row.state)
    return Address(
        row.recipient_id, row.channel, AddressSettings(row.settings), row.enabled, state, version=row.version
    )


def sealed(recipient_id: str, channel: str, secrets: Mapping[str, Secret], codec: SecretCodec) -> str | None:
    """The column's text; None without secrets."""
    if not secrets:
        return None
    texts = {name: codec.seal(secret, SecretPlace(recipient_id, channel, name)) for name, secret in secrets.items()}
    return canonical_json(texts).decode()
