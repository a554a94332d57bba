"""Settings of notifications: defaults of section 10, keys of the user's own, faults by name, and who pays for them."""

import subprocess
import sys
from datetime import timedelta

import pytest

from outrider.bootstrap.settings import load, make, notification_of
from outrider.core.errors import ConfigurationError

ENOUGH = {"service.name": "notification", "database.url": "sqlite:///n.db"}
MINUTE = timedelta(minutes=1)


def test_the_defaults_of_section_10() -> None:
    """spec/notification.md §10, NT-7: nothing needs to be said; the inbox is there."""
    found = notification_of(make(ENOUGH))
    assert (found.max_attempts, found.retry_base, found.retry_max) == (5, 5 * MINUTE, 30 * MINUTE)
    assert (found.lease, found.batch, found.concurrency, found.per_destination) == (MINUTE, 100, 16, 4)
    assert found.route.always == ("inbox",)
    assert found.feishu_route == ("feishu_flow", "feishu_bot", "feishu_app")
    assert (found.default_locale, found.default_zone) == ("zh-CN", "Asia/Shanghai")
    assert (found.ssrf.ports, found.http.port, found.http.body_max) == ((443,), 8766, 32 * 1024)
    assert found.channels.inbox.enabled
    assert not found.channels.webhook.enabled
    assert found.channels.feishu_flow.event == "smartflow.schedule_adjustment_ready"


def test_kinds_stand_below_open_keys_in_the_environment_too() -> None:
    """NT-4, NT-7, NT-34: a kind keeps its case; lists, rates and spans are read from text."""
    environment = {
        "OUTRIDER_NOTIFICATION__ROUTES__Big_Task__FIRST_OF": "webhook, email",
        "OUTRIDER_NOTIFICATION__DEDUPE_WINDOWS__big_task": "2 h",
        "OUTRIDER_NOTIFICATION__DIGEST__big_task__MODE": "leading",
        "OUTRIDER_NOTIFICATION__CHANNELS__WEBHOOK__RATE": "4/s, 90/min",
        "OUTRIDER_NOTIFICATION__SSRF__PORTS": "443, 8443",
        "OUTRIDER_NOTIFICATION__SECRET_KEYS": "new:AAAA,old:BBBB",
    }
    found = notification_of(load(ENOUGH, environment=environment))
    assert found.routes["Big_Task"].first_of == ("webhook", "email")
    assert found.dedupe_windows == {"big_task": timedelta(hours=2)}
    assert found.digest["big_task"].mode == "leading"
    assert found.channels.webhook.rate == ((4, 1.0), (90, 60.0))
    assert found.ssrf.ports == (443, 8443)
    assert [key.get_secret_value() for key in found.secret_keys] == ["new:AAAA", "old:BBBB"]


def test_every_fault_is_named_and_no_secret_is() -> None:
    """NT §10, OB-90, NT-44: a bad value stops the start and names its key."""
    bad = {
        "notification.lease": "soon",
        "notification.channels.webhook.rate": "often",
        "notification.retry_bas": "1 s",
        "notification.digest.big_task.mode": "never",
    }
    environment = {"OUTRIDER_NOTIFICATION__CHANNELS__EMAIL__PASSWORD": "hunter2", "OUTRIDER_RELAY__LANES": "0"}
    with pytest.raises(ConfigurationError) as caught:
        load(ENOUGH | bad, environment=environment)
    text = str(caught.value)
    for key in (*bad, "relay.lanes"):
        assert key in text
    assert "did you mean notification.retry_base" in text
    assert "hunter2" not in text
    assert "hunter2" not in repr(make(ENOUGH | {"notification.channels.email.password": "hunter2"}))


def test_who_sends_none_pays_for_none() -> None:
    """A relay that starts anew does not build what it never reads (OB-100)."""
    code = (
        "import sys; from outrider.bootstrap.settings import make; "
        "make({'service.name': 'orders', 'database.url': 'sqlite:///x.db'}); "
        "sys.exit('outrider.bootstrap.settings_notification' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
