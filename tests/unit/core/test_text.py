"""One redaction, one cleaning: OB-29, OB-89, OB-95."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.core.text import clean_text, escape_controls, redact

CANARY = "c4n4ryS3cret99"


@pytest.mark.parametrize(
    "text",
    [
        f"cannot reach postgresql://app:{CANARY}@db.example/shop?x=1",
        f"cannot reach postgresql://app:p@{CANARY}/@db.example/shop",
        f"amqp://:{CANARY}@rabbit",
        f"https://{CANARY}99@sentry.example/1",
        f"password={CANARY}",
        f"sasl.password={CANARY};x=1",
        f'{{"password": "{CANARY}", "user": "a"}}',
        f"{{'client_secret': '{CANARY} with blanks'}}",
        f"OUTRIDER_DATABASE__PASSWORD={CANARY}",
        f"api-key: {CANARY}",
        f"?access_token={CANARY}&x=1",
        f"Authorization: Bearer {CANARY}",
        f"authorization=Basic {CANARY}==",
        f'"Authorization": "Bearer {CANARY}"',
        f"Proxy-Authorization: {CANARY}",
        f"sent bearer {CANARY}",
        f"Cookie: session={CANARY}; theme=dark",
        f"POST https://open.feishu.cn/open-apis/bot/v2/hook/{CANARY}",
        f"POST https://hooks.slack.com/services/T000/B000/{CANARY}",
        f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.{CANARY}",
        f"-----BEGIN RSA PRIVATE KEY-----\n{CANARY}\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_secrets_leave_the_text(text: str) -> None:
    """OB-95: one redaction function before every row, log, metric and page."""
    assert CANARY not in redact(text)
    assert "***" in redact(text)
    assert CANARY not in clean_text(text)
    assert redact(redact(text)) == redact(text)


def test_what_is_no_secret_stays() -> None:
    """OB-95: an operator can still read the error."""
    text = (
        "relation outbox_message does not exist at postgresql://db.example:5432/shop (order-17, 2026-11-20T08:30:00Z)"
    )
    assert redact(text) == text
    assert redact("postgresql://app:x@db/shop") == "postgresql://app:***@db/shop"
    assert redact("password=hunter2 host=db") == "password=*** host=db"


def test_text_of_an_error_is_stored_clean() -> None:
    """OB-89: NUL, half a character, a secret, 1 MB are stored clean."""
    assert clean_text("a\x00b\x1bc\ud800d\x85\n") == "a\ufffdb\ufffdc\ufffdd\ufffd\ufffd"
    assert clean_text("用户".encode()[:4]) == "用\ufffd"
    big = clean_text("x" * 1_000_000)
    assert len(big) == 2_000
    assert len(clean_text("界" * 3_000)) == 2_000


def test_text_is_cut_to_characters_and_then_to_bytes_on_a_boundary() -> None:
    """OB-29: 2,000 characters, then the column's bytes."""
    assert clean_text("界" * 10, limit=5) == "界" * 5
    assert clean_text("界" * 10, max_bytes=8) == "界" * 2
    assert clean_text("abc", limit=0) == ""


@pytest.mark.parametrize("start", [0, 1_990, 9_290, 9_299])
def test_a_secret_at_the_cut_does_not_leak(start: int) -> None:
    """OB-29: cutting comes after redaction, or half a secret would stay."""
    cleaned = clean_text("x" * start + f" postgresql://a:{CANARY}@h " + "y" * 20_000)
    assert CANARY[:6] not in cleaned


class _Broken(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


def test_cleaning_never_fails_on_its_input() -> None:
    """OB-29: marking a failure never fails on its text (S10)."""
    assert clean_text(_Broken()) == "<_Broken>"
    assert clean_text(ValueError("a\x00b")) == "a\ufffdb"
    assert clean_text(None) == "None"
    assert clean_text(memoryview(b"abc")) == "abc"


@given(st.text() | st.binary(), st.integers(0, 50), st.none() | st.integers(0, 50))
def test_cleaned_text_fits_every_column(text: str | bytes, limit: int, max_bytes: int | None) -> None:
    """OB-29: for any text at all."""
    cleaned = clean_text(text, limit, max_bytes)
    assert len(cleaned) <= limit
    assert max_bytes is None or len(cleaned.encode()) <= max_bytes
    assert all(character >= " " and not "\x7f" <= character <= "\x9f" for character in cleaned)


def test_control_characters_are_escaped_for_the_terminal() -> None:
    """OB-95: control characters escaped (X9): one record stays one line."""
    hostile = "a\nb\rc\x1b[31md\u2028e\u202ef\ud800g\x00"
    assert escape_controls(hostile) == "a\\nb\\rc\\x1b[31md\\u2028e\\u202ef\\ud800g\\x00"
    assert escape_controls("用户 é") == "用户 é"


def test_redaction_of_hostile_text_is_quick() -> None:
    """OB-89: repeated openings of secrets; the test's own timeout is the limit."""
    for piece in ("a", "://", "://a:", "token", "password=", "eyJ", '"', "Authorization: ", "-----BEGIN "):
        redact((piece * (20_000 // len(piece) + 1))[:20_000])
