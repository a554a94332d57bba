"""One call of Apprise, in a thread. Source: spec/notification.md §8."""

import asyncio
from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import apprise

from outrider.core.action_link import with_link
from outrider.core.canonical import canonical_json
from outrider.core.errors import PayloadTooLarge
from outrider.core.masking import mask_url
from outrider.core.notification.address import Address, AddressSettings, Destination, Problem, destination_key
from outrider.core.notification.codes import Code, ErrorClass, Outcome
from outrider.core.notification.content import Content, Payload
from outrider.core.notification.sending import Assurance, SendRequest, SendResult
from outrider.core.notification.traits import ChannelTraits, Form, Rate, SendPolicy
from outrider.core.secret import Secret
from outrider.core.text import clean_text, redact_known
from outrider.ports.clock import Clock
from outrider.runtime.provider_results import shown_body, too_late, unusable
from outrider.runtime.threads import Threads

NAME: Final = "apprise"
TRAITS: Final = ChannelTraits(
    SendPolicy.AT_LEAST_ONCE,
    timeout=timedelta(seconds=20),
    ambiguous_max=1,
    rates=(Rate(1, timedelta(seconds=5)),),
    max_bytes=20_000,
)
SCHEMES: Final = frozenset(
    [
        "dingtalk",
        "discord",
        "feishu",
        "gchat",
        "gotifys",
        "lark",
        "matrixs",
        "mmosts",
        "ntfys",
        "pover",
        "rockets",
        "schan",
        "signals",
        "slack",
        "tgram",
        "wecombot",
    ]
)
"""Providers that may be used where nothing else is set; never the ones that call what host a URL names, in the clear."""
URL: Final = "apprise_url"
IN_FLIGHT_MAX: Final = 4
DETAIL_MAX: Final = 300


class AppriseChannel:
    """`ports.channel.Channel` over whatever provider the operator's URL names, if its scheme is in `schemes`."""

    def __init__(self, clock: Clock, schemes: Collection[str] = SCHEMES, traits: ChannelTraits = TRAITS) -> None:
        self.name = NAME
        self.traits = traits
        self._schemes = frozenset(schemes)
        self._clock = clock
        self._threads = Threads(IN_FLIGHT_MAX, "outrider-apprise")
        _plugin("json://localhost")  # reads all of its plugins, which takes a second: here, and not at the first send

    def problems(self, settings: AddressSettings) -> list[Problem]:
        """A URL that Apprise can read, of a scheme that is allowed."""
        url = settings.secrets.get(URL, Secret("")).reveal()
        if not url.strip():
            return [Problem(URL, "validation_failed", "is required")]
        if url.partition("://")[0].lower() not in self._schemes:
            return [Problem(URL, "unsafe_url", f"its scheme must be one of {', '.join(sorted(self._schemes))}")]
        return [] if _plugin(url) is not None else [Problem(URL, "validation_failed", "is no URL of Apprise")]

    def destinations(self, address: Address) -> tuple[Destination, ...]:
        """The URL."""
        url = address.settings.secrets[URL].reveal()
        return (Destination(destination_key(NAME, url), NAME, mask_url(url), self.traits.rates),)

    def render(self, content: Content, form: Form) -> Payload:
        """Title and plain text; what providers make of markup in it is theirs, so nothing is marked up."""
        neutral = form is Form.NEUTRAL
        text = with_link(content.neutral if neutral else content.text, content.action_url)
        body = {"title": "" if neutral else content.title, "body": text}
        size = len(canonical_json(body))
        if self.traits.max_bytes is not None and size > self.traits.max_bytes:
            raise PayloadTooLarge(size, self.traits.max_bytes)
        return Payload(form, body, text)

    async def send(self, request: SendRequest, deadline: float) -> SendResult:
        """Ask once: yes is accepted, no and silence are unknown."""
        seconds = min(self.traits.timeout.total_seconds(), deadline - self._clock.boottime())
        if seconds <= 0:
            return too_late()
        settings = request.address.settings
        if faults := self.problems(settings):
            return unusable(faults)
        secret, body = settings.secrets[URL], request.payload.body
        shown = {"url": mask_url(secret.reveal()), "body": shown_body(body, [secret])}
        return replace(await self._ask(secret.reveal(), body, seconds), request_json=shown)

    async def lookup(self, provider_key: str, address: Address) -> SendResult | None:  # noqa: ARG002
        """None: Apprise keeps nothing."""
        return None

    async def _ask(self, url: str, body: Any, seconds: float) -> SendResult:  # noqa: ANN401  a payload's body
        work = self._threads.submit(lambda: _notify(url, body["title"], body["body"]))
        try:
            async with asyncio.timeout(seconds):
                told = await work
        except TimeoutError:
            return _unknown(Code.PROVIDER_TIMEOUT, "no answer in time")
        except Exception as error:  # noqa: BLE001  whatever a plugin raises, and whenever: it may have sent before
            return _unknown(Code.CONNECTION_LOST, clean_text(redact_known(str(error), [url]), DETAIL_MAX))
        finally:
            self._threads.write_off(work)
        if told:
            return SendResult(Outcome.SUCCESS, assurance=Assurance.ACCEPTED)
        return _unknown(Code.ANSWER_UNREADABLE, "Apprise says no, and not why")


def _plugin(url: str) -> Any:  # noqa: ANN401  the provider's own class
    asset = apprise.AppriseAsset(async_mode=False, secure_logging=True, storage_mode="memory")
    return apprise.Apprise.instantiate(url, asset=asset)


def _notify(url: str, title: str, body: str) -> bool:
    sender = apprise.Apprise()
    sender.add(_plugin(url))
    return bool(sender.notify(body=body, title=title, body_format="text", interpret_escapes=False))


def _unknown(code: Code, message: str) -> SendResult:
    return SendResult(Outcome.UNKNOWN, ErrorClass.AMBIGUOUS, code, message=message, maybe_done=True)
