"""Secrets where there is no key: plain in their one column, `plain:` in front, with a warning at start.

Invariant: what a key sealed is never taken for plain. Source: spec/notification.md NT-44.
"""

from typing import Final

from outrider.core.errors import SecretUnreadable
from outrider.core.secret import Secret
from outrider.ports.codec import SecretPlace

PLAIN: Final = "plain"
SEALED: Final = "s1"


class PlainSecrets:
    """Where there is no key: secrets lie plain in their one column. Production settings refuse to start so."""

    def seal(self, secret: Secret, place: SecretPlace) -> str:  # noqa: ARG002  plain in every place
        """The secret, marked as plain."""
        return f"{PLAIN}:{secret.reveal()}"

    def open(self, sealed: str, place: SecretPlace) -> Secret:
        """What lies plain. Raises SecretUnreadable for what a key sealed."""
        form, _, rest = sealed.partition(":")
        if form != PLAIN:
            raise SecretUnreadable(place.channel, place.field, rest.partition(":")[0][:32] if form == SEALED else "")
        return Secret(rest)

    def is_current(self, sealed: str) -> bool:
        """Whether it lies plain."""
        return sealed.startswith(f"{PLAIN}:")
