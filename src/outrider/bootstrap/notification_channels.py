"""The channels that the settings switch on, each with its traits as the settings tighten them.

Source: spec/notification.md §8, §10.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from importlib import import_module
from typing import Any

from outrider.bootstrap import settings_notification as said
from outrider.bootstrap.registry import adapter
from outrider.core.errors import ConfigurationError
from outrider.core.notification.traits import ChannelTraits, Rate, SendPolicy
from outrider.core.secret import Secret
from outrider.ports.channel import Channel
from outrider.ports.clock import Clock
from outrider.ports.http import HttpClient

OVER_HTTP = frozenset({"webhook", "feishu_bot", "feishu_flow", "feishu_app"})


def client_of(settings: said.Notification) -> HttpClient | None:
    """The guarded client; None where no channel that is enabled calls a URL. Raises MissingExtra."""
    if not any(getattr(settings.channels, name).enabled for name in OVER_HTTP):
        return None
    client: HttpClient = adapter("client", "http")(ports=settings.ssrf.ports, allow=settings.ssrf.allow)
    return client


def channels_of(
    settings: said.Notification,
    clock: Clock,
    client: HttpClient | None = None,
    *,
    stream: Any = None,  # noqa: ANN401
) -> dict[str, Channel]:
    """Every channel that is enabled, by name. `client` stands for the guarded one, `stream` for the console's.

    Raises ConfigurationError naming the setting, MissingExtra.
    """
    made: dict[str, Channel] = {}
    client = client or client_of(settings)
    for name in type(settings.channels).model_fields:
        one = getattr(settings.channels, name)
        if one.enabled:
            made[name] = _channel(name, one, clock, client, stream)
    return made


def envelopes_of(settings: said.Notification) -> Mapping[str, str]:
    """What opens every title and text, by channel (NT-36)."""
    found = {name: getattr(settings.channels, name).envelope for name in type(settings.channels).model_fields}
    return {name: envelope for name, envelope in found.items() if envelope}


def _channel(name: str, one: said.Channel, clock: Clock, client: HttpClient | None, stream: Any) -> Channel:  # noqa: ANN401
    build = adapter("channel", name)
    traits = tightened(import_module(build.__module__).TRAITS, one, name)
    match one:
        case said.Apprise():
            wanted = {"schemes": one.schemes} if one.schemes else {}
            found = build(clock, traits=traits, **wanted)
        case said.Email():
            found = build(_mail_server(one), clock, traits=traits)
        case said.FeishuApp():
            found = build(client, clock, _app(one), traits=traits)
        case said.FeishuFlow():
            config = _config(build, "FlowConfig")(one.event, one.lark)
            found = build(client, clock, config, traits=traits)
        case said.Inbox():
            found = build(traits=traits)
        case _ if name == "console":
            found = build(stream, traits=traits)
        case _:
            found = build(client, clock, traits=traits)
    channel: Channel = found
    return channel


def tightened(traits: ChannelTraits, one: said.Channel, name: str) -> ChannelTraits:
    """The channel's own traits with what the settings change; a window is only ever shortened (NT-22)."""
    changes: dict[str, Any] = {}
    if one.policy is not None:
        changes["policy"] = SendPolicy(one.policy)
    if one.ambiguous_max is not None:
        changes["ambiguous_max"] = one.ambiguous_max
    if one.timeout is not None:
        changes["timeout"] = one.timeout
    if one.rate is not None:
        changes["rates"] = tuple(Rate(count, timedelta(seconds=per)) for count, per in one.rate)
    if one.window is not None:
        if not traits.keyed or (traits.dedupe_window is not None and one.window > traits.dedupe_window):
            raise ConfigurationError(f"notification.channels.{name}.window: may only shorten the provider's window")
        changes["dedupe_window"] = one.window
    if traits.policy is SendPolicy.EXACTLY_ONCE and "policy" in changes:
        raise ConfigurationError(f"notification.channels.{name}.policy: is exactly once, and stays so")
    return replace(traits, **changes) if changes else traits


def _mail_server(one: said.Email) -> Any:  # noqa: ANN401  the adapter's own
    from outrider.channels.email.config import MailServer, Security  # noqa: PLC0415  where it is switched on

    if not one.host or not one.sender:
        raise ConfigurationError("notification.channels.email: host and sender are required where it is enabled")
    password = Secret(one.password.get_secret_value() if one.password else "")
    return MailServer(one.host, one.sender, one.port, Security(one.security), one.username or "", password)


def _app(one: said.FeishuApp) -> Any:  # noqa: ANN401  the adapter's own
    if not one.app_id or one.app_secret is None:
        raise ConfigurationError(
            "notification.channels.feishu_app: app_id and app_secret are required where it is enabled"
        )
    build = _config(adapter("channel", "feishu_app"), "AppConfig")
    return build(one.app_id, Secret(one.app_secret.get_secret_value()), one.base_url, one.token_url)


def _config(build: Any, name: str) -> Any:  # noqa: ANN401  the adapter's own
    return getattr(import_module(build.__module__), name)
