"""Masks and redaction: NT-45."""

import json

import pytest

from outrider.core.masking import mask_url
from outrider.core.text import redact, redact_known

CANARY = "c4n4ry/S3cret+99"


@pytest.mark.parametrize(
    ("url", "mask"),
    [
        ("https://open.feishu.cn/open-apis/bot/v2/hook/0123456789abcdef", "https://open.feishu.cn/…/0123...cdef"),
        ("https://www.feishu.cn/flow/api/trigger-webhook/0123456789?x=1#f", "https://www.feishu.cn/…/0123...6789"),
        ("https://h.example/a/12345678", "https://h.example/…/****"),
        ("https://h.example/123456789/", "https://h.example/…/1234...6789"),
        ("https://user:pw@h.example:8443/abcdefghijk", "https://h.example:8443/…/abcd...hijk"),
        ("https://h.example", "https://h.example"),
        ("https://h.example/?token=abcdefghijklm", "https://h.example"),
        ("https://[2001:db8::1]/abcdefghijk", "https://[2001:db8::1]/…/abcd...hijk"),
        ("tgram://123456:TOKEN/42", "tgram://****"),
        ("mailtos://user:pw@example.com", "mailtos://****"),
        ("mailto:user@example.com", "****"),
        ("no url at all", "****"),
        ("https://h.example:x/", "****"),
        ("https://[oops/", "****"),
        ("https://h\nx/abcdefghijk", "****"),
        ("", "****"),
    ],
)
def test_mask_forms(url: str, mask: str) -> None:
    """NT-45: scheme, host, `/…/`, the last segment's ends; no user, query or fragment; short ones are `****`."""
    assert mask_url(url) == mask


@pytest.mark.parametrize(
    "text",
    [
        f"cannot reach https://www.feishu.cn/flow/api/trigger-webhook/{CANARY}",
        "signed with whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "Bearer ntf_c4n4ryS3cret99",
        "token was ntf_c4n4ryS3cret99",
    ],
)
def test_notification_secrets_leave_a_text(text: str) -> None:
    """NT-45: the one redaction function knows the credentials of channels."""
    redacted = redact(text)
    assert "***" in redacted
    assert not any(part in redacted for part in (CANARY, "MfKQ9r8GKY", "c4n4ryS3cret99"))
    assert redact(redacted) == redacted


@pytest.mark.parametrize(
    "text", [f"x{CANARY}y", "c4n4ry%2FS3cret%2B99", '{"note": "c4n4ry/S3cret+99"}', f"{CANARY}{CANARY}"]
)
def test_a_known_secret_leaves_in_any_place(text: str) -> None:
    """NT-45: also where no pattern would see it, and as it stands in a URL."""
    assert "S3cret" not in redact_known(text, [CANARY, ""])
    assert "naïve" not in redact_known(json.dumps("x naïve y"), ["naïve"])
    assert redact_known("a plain text", [CANARY, "ai"]) == "a plain text"
