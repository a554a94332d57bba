"""What a recipient prefers: zone, locale, quiet hours, the order of channels, mutes.

Source: spec/notification.md §12, NT-31.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from json import loads
from typing import Any, Final

from outrider.core.canonical import canonical_json
from outrider.core.errors import SettingsRefused, VersionMismatch
from outrider.core.steps import Steps
from outrider.notification.policy import NotificationPolicy, is_zone
from outrider.notification.preferences import PreferenceRow, read_spans
from outrider.notification.sender import Desk
from outrider.notification.store import people
from outrider.runtime.sessions import SessionPool

SPANS_MAX: Final = 50
NAMES_MAX: Final = 50
NAME_MAX: Final = 64
_LOCALE: Final = re.compile(r"[A-Za-z0-9-]{1,16}")
_NAME: Final = re.compile(r"[\x21-\x7e]{1,64}")
_TIME: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)
_SPAN: Final = ("weekday", "start", "end")
_MUTED: Final = ("channels", "kinds")
_FIELDS: Final = frozenset({"zone", "locale", "quiet", "order", "muted"})


@dataclass(frozen=True, slots=True)
class PreferenceView:
    """A recipient's preferences as they count; version 0: nothing was said, and these are the service's own."""

    zone: str
    locale: str
    quiet: Sequence[Mapping[str, Any]] = ()
    order: Sequence[str] = ()
    muted: Mapping[str, Sequence[str]] = field(default_factory=dict)
    version: int = 0


class PreferenceOperations:
    """Preferences of each recipient."""

    def __init__(self, desk: Desk, sessions: SessionPool) -> None:
        self._desk, self._sessions = desk, sessions

    async def get(self, recipient_id: str) -> PreferenceView:
        """What counts for this recipient."""
        row, _ = await self._sessions.run(people.read_preference(recipient_id))
        return self._view(row)

    async def put(self, recipient_id: str, said: Mapping[str, Any], *, seen: int | None = None) -> PreferenceView:
        """Save them whole: what is left out is the service's own, or nothing. In the JSON forms of `PreferenceView`.

        Raises SettingsRefused, VersionMismatch where the version is not `seen`.
        """
        zone, locale = said.get("zone", self._policy.default_zone), said.get("locale", self._policy.default_locale)
        if refused := list(_faults(said, zone, locale, self._desk.channels)):
            raise SettingsRefused(refused)

        def saving() -> Steps[PreferenceRow | None]:
            columns = [
                canonical_json(said[name]).decode() if said.get(name) else None for name in ("quiet", "order", "muted")
            ]
            yield from people.save_preference(recipient_id, zone, locale, *columns)
            saved, _ = yield from people.read_preference(recipient_id)
            if seen is not None and (
                saved is None or saved.version != seen + 1
            ):  # judged behind the lock that writing took
                raise VersionMismatch("the preferences changed since they were read")
            return saved

        return self._view(await self._sessions.transact(saving()))

    @property
    def _policy(self) -> NotificationPolicy:
        return self._desk.rules.settings

    def _view(self, row: PreferenceRow | None) -> PreferenceView:
        if row is None:
            return PreferenceView(self._policy.default_zone, self._policy.default_locale)
        return PreferenceView(
            row.zone, row.locale, _loaded(row.quiet_json, []), _loaded(row.order_json, []), _loaded(row.muted_json, {}),
            row.version,
        )  # fmt: skip


def _loaded(text: str | None, default: Any) -> Any:  # noqa: ANN401  JSON
    return loads(text) if text else default


def _faults(said: Mapping[str, Any], zone: object, locale: object, channels: Mapping[str, Any]) -> Any:  # noqa: ANN401
    for name in sorted(said.keys() - _FIELDS):
        yield name, "validation_failed", "is no preference"
    if not isinstance(zone, str) or not is_zone(zone) or len(zone) > NAME_MAX:
        yield "zone", "validation_failed", "must be the name of an IANA zone"
    if not isinstance(locale, str) or _LOCALE.fullmatch(locale) is None:
        yield "locale", "validation_failed", "must be a locale of 1…16 letters, digits and dashes"
    if (quiet := said.get("quiet")) is not None and not _is_quiet(quiet):
        yield "quiet", "validation_failed", "must be a list of {weekday 0…6, start HH:MM, end HH:MM}"
    if (order := said.get("order")) is not None and not _are_names(order, channels):
        yield "order", "validation_failed", "must be a list of channels, each once"
    muted = {} if said.get("muted") is None else said["muted"]
    if not isinstance(muted, dict) or muted.keys() - set(_MUTED):
        yield "muted", "validation_failed", "must have channels and kinds alone"
    elif not _are_names(muted.get("channels", []), channels) or not _are_names(muted.get("kinds", []), None):
        yield "muted", "validation_failed", "must be lists of channels and of kinds, each once"


def _is_quiet(value: object) -> bool:
    if not isinstance(value, list) or len(value) > SPANS_MAX:
        return False
    try:
        read_spans(value)
    except ValueError:
        return False
    times = [one[name] for one in value for name in ("start", "end")]
    return all(_TIME.fullmatch(one) for one in times) and all(len(one) == len(_SPAN) for one in value)


def _are_names(value: object, known: Mapping[str, Any] | None) -> bool:
    if not isinstance(value, list) or len(value) > NAMES_MAX or len(value) != len(set(map(str, value))):
        return False
    return all(isinstance(one, str) and _NAME.fullmatch(one) and (known is None or one in known) for one in value)
