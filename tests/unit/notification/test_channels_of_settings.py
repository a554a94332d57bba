"""The channels that settings switch on, and how settings tighten them."""

from datetime import timedelta
from typing import Any

import pytest

from outrider.bootstrap.notification_channels import channels_of, envelopes_of
from outrider.bootstrap.notifying import policy_of
from outrider.bootstrap.settings import make, notification_of
from outrider.bootstrap.settings_notification import Notification
from outrider.core.errors import ConfigurationError
from outrider.core.notification.traits import Rate, SendPolicy
from outrider.testing.clock import ManualClock


def said(**values: Any) -> Notification:  # noqa: ANN401  any setting
    named = {"notification." + name.replace("__", "."): value for name, value in values.items()}
    return notification_of(make({"service.name": "notification", "database.url": "sqlite:///n.db", **named}))


EVERY = {
    "channels__console__enabled": True,
    "channels__webhook__enabled": True,
    "channels__feishu_bot__enabled": True,
    "channels__feishu_flow__enabled": True,
    "channels__feishu_app__enabled": True,
    "channels__feishu_app__app_id": "cli_1",
    "channels__feishu_app__app_secret": "canary-secret",
    "channels__email__enabled": True,
    "channels__email__host": "mail.example",
    "channels__email__sender": "steward@example.org",
}


def test_every_channel_can_be_switched_on() -> None:
    """NT §8, §10: by name, each with its own traits; the default policy fits their time limits."""
    made = channels_of(said(**EVERY), ManualClock())
    assert set(made) == {"inbox", "console", "webhook", "feishu_bot", "feishu_flow", "feishu_app", "email"}
    assert {name: channel.name for name, channel in made.items()} == {name: name for name in made}
    assert made["inbox"].traits.policy is SendPolicy.EXACTLY_ONCE
    assert made["feishu_app"].traits.dedupe_window == timedelta(hours=1)
    policy_of(said(**EVERY)).check_channels({name: channel.traits for name, channel in made.items()})


def test_settings_tighten_a_channel() -> None:
    """NT §10: policy, repeats, time limit, rate, envelope; a window is only ever shortened."""
    values = said(
        channels__webhook__enabled=True, channels__webhook__policy="at_most_once", channels__webhook__ambiguous_max=0,
        channels__webhook__timeout="3 s", channels__webhook__rate="2/s, 30/min", channels__webhook__envelope="[S]",
    )  # fmt: skip
    traits = channels_of(values, ManualClock())["webhook"].traits
    assert (traits.policy, traits.ambiguous_max, traits.timeout) == (SendPolicy.AT_MOST_ONCE, 0, timedelta(seconds=3))
    assert traits.rates == (Rate(2, timedelta(seconds=1)), Rate(30, timedelta(minutes=1)))
    assert envelopes_of(values) == {"webhook": "[S]"}


@pytest.mark.parametrize(
    ("wrong", "key"),
    [
        ({"channels__feishu_app__enabled": True}, "app_id"),
        ({"channels__email__enabled": True}, "host"),
        ({**EVERY, "channels__feishu_app__window": "2 h"}, "feishu_app.window"),
        ({"channels__inbox__policy": "at_most_once"}, "inbox.policy"),
        ({**EVERY, "channels__feishu_app__base_url": "https://evil.example"}, "base_url"),
    ],
)
def test_what_cannot_be_is_refused_by_its_name(wrong: dict[str, Any], key: str) -> None:
    """NT §10: a bad value stops the start and names its key, and no secret."""
    with pytest.raises(ConfigurationError, match=key) as caught:
        channels_of(said(**wrong), ManualClock())
    assert "canary-secret" not in str(caught.value)
