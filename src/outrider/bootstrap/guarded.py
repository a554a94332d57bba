"""For applications built on Outrider: the guarded way out to addresses that people set (NT-43), and sealed texts (NT-44).

Invariant: what may be called, and under which keys a text is sealed, are the deployer's settings alone.
"""

from collections.abc import Collection, Sequence

from outrider.bootstrap.registry import adapter
from outrider.core.errors import SecretUnreadable
from outrider.core.secret import Secret
from outrider.ports.clock import Clock
from outrider.ports.codec import SecretCodec, SecretPlace
from outrider.ports.http import HttpAnswer, HttpClient, HttpFailure, HttpRequest

__all__ = [
    "HttpAnswer",
    "HttpClient",
    "HttpFailure",
    "HttpRequest",
    "SealedTexts",
    "SecretUnreadable",
    "guarded_client",
]


def guarded_client(*, ports: Collection[int] = (443,), allow: Collection[str] = ()) -> HttpClient:
    """The client that channels send with; `allow` holds `host:port` that the deployer named. Raises MissingExtra."""
    client: HttpClient = adapter("client", "http")(ports=ports, allow=allow)
    return client


class SealedTexts:
    """Texts of an application's rows at rest, under the first of `keys`; without a key they lie plain, and say so.

    Raises ConfigurationError for a key that is none, MissingExtra.
    """

    def __init__(self, keys: Sequence[str], clock: Clock) -> None:
        secrets = [Secret(key) for key in keys]
        made = adapter("secrets", "sealed")(secrets, clock.random_bytes) if keys else adapter("secrets", "plain")()
        self._codec: SecretCodec = made

    def seal(self, text: str, owner: str, field: str) -> str:
        """The text for the row, bound to its owner and field."""
        return self._codec.seal(Secret(text), SecretPlace(owner, "", field))

    def open(self, sealed: str, owner: str, field: str) -> str:
        """What was sealed. Raises SecretUnreadable."""
        return self._codec.open(sealed, SecretPlace(owner, "", field)).reveal()
