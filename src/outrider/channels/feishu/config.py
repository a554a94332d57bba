"""Hosts, paths and what a recipient may set. Source: reference/feishu.md §1; spec/notification.md §10, §11, NT-43.

Invariant: no credential goes to a host that is not in these tables, but to a fake server that the deployer named.
"""

import re
from collections.abc import Collection, Iterator
from typing import Final
from urllib.parse import urlsplit

from outrider.core.errors import ConfigurationError
from outrider.core.notification.address import AddressSettings, Problem
from outrider.ports.http import HttpClient

OPEN_HOSTS: Final = frozenset({"open.feishu.cn", "open.larksuite.com"})
ACCOUNT_HOSTS: Final = frozenset({"accounts.feishu.cn", "accounts.larksuite.com"})
FLOW_HOSTS: Final = frozenset({"www.feishu.cn", "feishu.cn"})
LARK_FLOW_HOSTS: Final = frozenset({"www.larksuite.com"})
BOT_PATH: Final = re.compile(r"/open-apis/bot/v2/hook/[A-Za-z0-9_-]{1,128}")
FLOW_PATH: Final = re.compile(r"/flow/api/trigger-webhook/[A-Za-z0-9_-]{1,128}")
ID_TYPES: Final = ("open_id", "user_id", "union_id", "email", "chat_id")
_VISIBLE: Final = re.compile(r"[\x21-\x7e]{1,1024}")
_RECEIVER: Final = re.compile(r"[\x21-\x7e]{1,256}")


def url_problems(
    settings: AddressSettings, client: HttpClient, hosts: Collection[str], path: re.Pattern[str]
) -> Iterator[Problem]:
    """What is wrong with the webhook's URL: absent, not to be called, or not Feishu's."""
    secret = settings.secrets.get("webhook_url")
    url = secret.reveal() if secret is not None else ""
    if not url.strip():
        yield Problem("webhook_url", "validation_failed", "is required")
    elif reason := client.problem(url):
        yield Problem("webhook_url", "unsafe_url", reason)
    elif not client.is_exempt(url):
        parts = urlsplit(url)
        if parts.hostname not in hosts or path.fullmatch(parts.path) is None or parts.query:
            yield Problem("webhook_url", "unsafe_url", f"must be a webhook of {' or '.join(sorted(hosts))}")


def auth_problems(settings: AddressSettings, auth_type: str, secret_name: str) -> Iterator[Problem]:
    """What is wrong with the way to prove who calls: `none` or `auth_type`, whose secret is `secret_name`."""
    secret = settings.secrets.get(secret_name)
    if settings.auth_type not in {"none", auth_type}:
        yield Problem("auth_type", "validation_failed", f"must be none or {auth_type}")
    elif settings.auth_type == auth_type and not secret:
        yield Problem(secret_name, "validation_failed", f"is required where auth_type is {auth_type}")
    if secret and _VISIBLE.fullmatch(secret.reveal()) is None:
        yield Problem(secret_name, "validation_failed", "must be 1…1024 visible ASCII characters without spaces")


def receiver_problems(settings: AddressSettings) -> Iterator[Problem]:
    """What is wrong with an app's receiver."""
    if settings.values.get("receive_id_type") not in ID_TYPES:
        yield Problem("receive_id_type", "validation_failed", f"must be one of {', '.join(ID_TYPES)}")
    receiver = settings.values.get("receive_id", "")
    if _RECEIVER.fullmatch(receiver) is None:
        yield Problem("receive_id", "validation_failed", "must be 1…256 visible ASCII characters without spaces")
    elif settings.values.get("receive_id_type") == "email" and "@" not in receiver:
        yield Problem("receive_id", "validation_failed", "must be an e-mail address")


def check_endpoint(setting: str, url: str, client: HttpClient, hosts: Collection[str]) -> None:
    """Raise ConfigurationError, naming the setting, for an endpoint that is not Feishu's own."""
    reason = client.problem(url)
    if reason is None and not client.is_exempt(url) and urlsplit(url).hostname not in hosts:
        reason = f"must be on {' or '.join(sorted(hosts))}"
    if reason is not None:
        raise ConfigurationError(f"{setting}: {reason}")
