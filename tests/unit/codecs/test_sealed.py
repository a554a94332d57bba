"""Secrets at rest: NT-44."""

from base64 import b64encode, urlsafe_b64decode
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.codecs.plain_secrets import PlainSecrets
from outrider.codecs.sealed import SealedSecrets, new_key
from outrider.core.errors import ConfigurationError, SecretUnreadable
from outrider.core.secret import Secret
from outrider.ports.codec import SecretPlace

HOOK = Secret("https://open.feishu.cn/open-apis/bot/v2/hook/c4n4ry-S3cret")
PLACE = SecretPlace("u-1", "feishu_bot", "webhook_url")


def counted() -> Callable[[int], bytes]:
    """Bytes of chance that differ each time."""
    count = 0

    def give(size: int) -> bytes:
        nonlocal count
        count += 1
        return count.to_bytes(size)

    return give


CHANCE = counted()
OLD, NEW = (Secret(f"{name}:{new_key(CHANCE).reveal()}") for name in ("2025", "2026"))


def test_sealed_and_rekeyed() -> None:
    """NT-44: the first key writes, all read; what is opened and sealed again is under the new key, the old one can go."""
    before = SealedSecrets([OLD], CHANCE)
    sealed = before.seal(HOOK, PLACE)
    both = SealedSecrets([NEW, OLD], CHANCE)
    assert both.open(sealed, PLACE) == HOOK
    assert not both.is_current(sealed)
    again = both.seal(both.open(sealed, PLACE), PLACE)
    assert both.is_current(again)
    after = SealedSecrets([NEW], CHANCE)
    assert after.open(again, PLACE) == HOOK
    with pytest.raises(SecretUnreadable) as caught:
        after.open(sealed, PLACE)
    assert caught.value.key_id == "2025"


def test_a_sealed_text_shows_the_id_of_its_key_and_nothing_else() -> None:
    """NT-44: the same secret is sealed otherwise each time, and no part of it stands there."""
    codec = SealedSecrets([OLD], CHANCE)
    first, second = codec.seal(HOOK, PLACE), codec.seal(HOOK, PLACE)
    assert first.startswith("s1:2025:")
    assert first != second
    assert b"S3cret" not in urlsafe_b64decode(first.rpartition(":")[2])
    assert "S3cret" not in first


@pytest.mark.parametrize(
    "other",
    [PLACE._replace(recipient_id="u-2"), PLACE._replace(channel="webhook"), PLACE._replace(field="sign_secret")],
)
def test_a_secret_opens_in_its_own_place_alone(other: SecretPlace) -> None:
    """NT-44: recipient, channel and field are associated data: a row copied to another person opens nothing."""
    codec = SealedSecrets([OLD], CHANCE)
    with pytest.raises(SecretUnreadable) as caught:
        codec.open(codec.seal(HOOK, PLACE), other)
    assert "S3cret" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "s1", "s1:2025", "s1:2025:", "s1:2025:%%%", "s1:2025:AAAA", "s2:2025:AAAA", "x"])
def test_what_no_key_sealed_is_unreadable(text: str) -> None:
    """NT-44: and said so; never an error of another kind."""
    with pytest.raises(SecretUnreadable):
        SealedSecrets([OLD], CHANCE).open(text, PLACE)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=200), st.integers(0, 200))
def test_a_changed_text_never_opens(secret: str, at: int) -> None:
    """NT-44: every secret comes back as it was, and none after a letter of its sealed text was changed."""
    codec = SealedSecrets([OLD], CHANCE)
    sealed = codec.seal(Secret(secret), PLACE)
    assert codec.open(sealed, PLACE).reveal() == secret
    place = len("s1:2025:") + at % (len(sealed) - len("s1:2025:") - 4)
    changed = sealed[:place] + ("A" if sealed[place] != "A" else "B") + sealed[place + 1 :]
    with pytest.raises(SecretUnreadable):
        codec.open(changed, PLACE)


def test_without_a_key_they_lie_plain_and_are_sealed_later() -> None:
    """NT-44: what lay plain is read once there is a key, and is not current then."""
    lying = PlainSecrets().seal(HOOK, PLACE)
    codec = SealedSecrets([OLD], CHANCE)
    assert PlainSecrets().open(lying, PLACE) == codec.open(lying, PLACE) == HOOK
    assert PlainSecrets().is_current(lying)
    assert not codec.is_current(lying)
    with pytest.raises(SecretUnreadable) as caught:
        PlainSecrets().open(codec.seal(HOOK, PLACE), PLACE)
    assert caught.value.key_id == "2025"


def test_a_key_has_32_bytes_and_an_id_of_its_own() -> None:
    """NT-44: a bad key stops the start and is not shown; without an id it is called by its hash."""
    unnamed = SealedSecrets([Secret(b64encode(b"\xff" * 32).decode())], CHANCE).seal(HOOK, PLACE)
    assert len(unnamed.split(":")[1]) == 8
    for bad in ("", "c4n4ry", b64encode(b"x" * 31).decode(), "a b:" + b64encode(b"x" * 32).decode()):
        with pytest.raises(ConfigurationError) as caught:
            SealedSecrets([Secret(bad)], CHANCE)
        assert "c4n4ry" not in str(caught.value)
    for keys in ([], [OLD, OLD]):
        with pytest.raises(ConfigurationError):
            SealedSecrets(keys, CHANCE)
