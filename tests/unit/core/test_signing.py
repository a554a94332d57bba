"""Signatures: NT-46 and reference/feishu.md §2."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta

import pytest

from outrider.core.errors import ConfigurationError
from outrider.core.secret import Secret
from outrider.core.signing import feishu_sign, secrets_in_force, webhook_secret, webhook_signature

SECRET = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
WEBHOOK_ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
TIMESTAMP = 1_614_265_330
BODY = b'{"test": 2432232314}'
VECTOR = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_standard_webhooks_vector() -> None:
    """NT-46: the published vector."""
    assert webhook_signature([SECRET], WEBHOOK_ID, TIMESTAMP, BODY) == VECTOR


def test_old_and_new_secret_sign_side_by_side_for_a_day() -> None:
    """NT-46: after a rotation both sign for 24 hours, the new one first, then it alone."""
    new, now = webhook_secret(bytes(range(32))), datetime(2026, 11, 20, tzinfo=UTC)
    both = secrets_in_force(new, SECRET, now - timedelta(hours=23, minutes=59), now)
    assert both == (new, SECRET)
    assert webhook_signature(both, WEBHOOK_ID, TIMESTAMP, BODY).split(" ")[1] == VECTOR
    assert secrets_in_force(new, SECRET, now - timedelta(hours=24), now) == (new,)
    assert secrets_in_force(new, None, now, now) == (new,)


@pytest.mark.parametrize("size", [23, 65])
def test_a_secret_has_24_to_64_bytes(size: int) -> None:
    """NT-46: any other is refused, and the error does not show it."""
    text = "whsec_" + b64encode(b"k" * size).decode()
    with pytest.raises(ConfigurationError) as caught:
        webhook_signature([Secret(text)], WEBHOOK_ID, TIMESTAMP, BODY)
    assert text not in str(caught.value)


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_%%%", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_é"])
def test_what_is_no_secret_is_refused(text: str) -> None:
    """NT-46: base64 under `whsec_`, nothing else."""
    with pytest.raises(ConfigurationError):
        webhook_signature([Secret(text)], WEBHOOK_ID, TIMESTAMP, BODY)


def test_feishu_sign_vectors() -> None:
    """NT-46, reference/feishu.md §2: the two worked examples, and not the wrong way round."""
    assert feishu_sign(Secret("demo"), 1_599_360_473) == "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8="
    right = feishu_sign(Secret("demo-secret-please-change"), 1_599_360_473)
    assert right == "M/WxK2PzGFX3yVFA3ohZt7bqP+r0K77X8PGkdUJcOdA="
    assert right != "zZpdpTO9fQmW2ic2XiU/WWTTQZpuSUC7Vciv1RyzS0E="
