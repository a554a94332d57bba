"""Tokens of programs: hashes in the settings, a bearer token in the call."""

import pytest

from outrider.core.errors import ConfigurationError
from outrider.notification.tokens import TokenAuthenticator, hash_of, new_token, read_tokens
from outrider.ports.http import IncomingRequest, Principal

HASH = "ab" * 32


def request(**headers: str) -> IncomingRequest:
    return IncomingRequest("GET", "/", headers, {})


async def test_a_token_names_its_principal() -> None:
    """NT-52, NT-53: 256 bits under `ntf_`; only the hash is kept."""
    token = new_token(bytes(range(32)))
    assert token.reveal().startswith("ntf_")
    assert len(token.reveal()) == 4 + 43
    knows = TokenAuthenticator(
        read_tokens([f"{hash_of(token)}:shop:service+operator", f"{HASH.upper()}:anna:recipient"])
    )
    found = await knows.authenticate(request(authorization=f"Bearer {token.reveal()}"))
    assert found == Principal("shop", frozenset({"service", "operator"}))
    assert await knows.authenticate(request(authorization=f"bearer {token.reveal()}")) == found
    for said in ("", "Bearer", "Bearer ntf_wrong", f"Basic {token.reveal()}", token.reveal(), f"Bearer {HASH}"):
        assert await knows.authenticate(request(authorization=said)) is None
    assert await knows.authenticate(request()) is None


@pytest.mark.parametrize(
    "line",
    [
        "", HASH, f"{HASH}:anna", f"{HASH}::recipient", f"{HASH}:anna:king", f"{HASH}:anna:", "abc:anna:recipient",
        f"{HASH}:a b:recipient", f"{HASH}:anna:recipient+recipient", f"{HASH}:{65 * 'a'}:recipient",
    ],
)  # fmt: skip
def test_a_wrong_line_stops_the_start_and_is_not_repeated(line: str) -> None:
    """NT-53, §10: it names the entry, and says nothing of what was in it."""
    with pytest.raises(ConfigurationError, match="entry 2") as refused:
        read_tokens([f"{'cd' * 32}:shop:service", line])
    assert not line or line not in str(refused.value)


def test_a_hash_stands_once() -> None:
    """NT-53: who calls must be one."""
    with pytest.raises(ConfigurationError):
        read_tokens([f"{HASH}:anna:recipient", f"{HASH}:bob:operator"])
