"""The filters of lists and changes, as options. Source: spec/outbox.md OB-80."""

import functools
import inspect
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from outrider.admin.pages import by_id
from outrider.bootstrap.settings_fields import parse_duration
from outrider.core.operations import Filter
from outrider.runtime.system_clock import SystemClock

State = Annotated[str | None, typer.Option("--state", metavar="STATE", help="Only this state.")]
Type = Annotated[str | None, typer.Option("--type", metavar="TYPE", help="Only this type.")]
Destination = Annotated[str | None, typer.Option("--destination", metavar="TOPIC", help="Only this topic.")]
Key = Annotated[str | None, typer.Option("--key", metavar="KEY", help="Only this key.")]
Consumer = Annotated[str | None, typer.Option("--consumer", metavar="NAME", help="Only this consumer or subscription.")]
Code = Annotated[str | None, typer.Option("--code", metavar="CODE", help="Only this error code, as publish.refused.")]
Cause = Annotated[str | None, typer.Option("--cause", metavar="CAUSE", help="Only this cause.")]
Since = Annotated[str | None, typer.Option("--since", metavar="TIME", help="From then on: RFC 3339, or an age as 2h.")]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Before then.")]
MinAttempts = Annotated[int | None, typer.Option("--min-attempts", min=1, metavar="N", help="At least N attempts.")]
Id = Annotated[str | None, typer.Option("--id", metavar="ID", help="This message: its UUID or log id.")]

FILTERS: dict[str, Any] = {
    "state": State, "type": Type, "destination": Destination, "key": Key, "consumer": Consumer, "code": Code,
    "cause": Cause, "since": Since, "until": Until, "min_attempts": MinAttempts, "id": Id,
}  # fmt: skip

_AGE = re.compile(r"\d+(\.\d+)?\s*(s|min|m|h|d)")


def instant(text: str, option: str, *, ahead: bool = False) -> datetime:
    """An instant of RFC 3339 with its zone, or so long ago (`ahead`: from now). Raises BadParameter (exit 2)."""
    if _AGE.fullmatch(text.strip().lower()):
        now = SystemClock().now()
        return now + span(text, option) if ahead else now - span(text, option)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        kind = "a time from now" if ahead else "an age"
        raise typer.BadParameter(f"must be RFC 3339 (2026-11-21T10:00:00Z) or {kind} (2h)", param_hint=option) from None
    if found.tzinfo is None:
        raise typer.BadParameter("must name its zone, as Z or +02:00", param_hint=option)
    return found.astimezone(UTC)


def span(text: str, option: str) -> timedelta:
    """A span as `30s`, `2h`, `7d`. Raises BadParameter (exit 2)."""
    found = parse_duration(text) if _AGE.fullmatch(text.strip().lower()) else None
    if not isinstance(found, timedelta):
        raise typer.BadParameter("must be a number and s, min, h or d, as 7d", param_hint=option)
    return found


def wanted(given: dict[str, Any], states: tuple[str, ...]) -> Filter:
    """The filter that the options ask for. Raises BadParameter for an unknown state, InvalidMessage for no id."""
    if given["state"] not in {None, *states}:
        raise typer.BadParameter(f"must be one of {', '.join(states)}", param_hint="--state")
    named = by_id(given["id"]) if given["id"] is not None else Filter()
    return Filter(
        state=given["state"],
        type=given["type"],
        destination=given["destination"],
        message_key=given["key"],
        consumer=given["consumer"],
        code=given["code"],
        cause=given["cause"],
        since=None if given["since"] is None else instant(given["since"], "--since"),
        until=None if given["until"] is None else instant(given["until"], "--until"),
        min_attempts=given["min_attempts"],
        id=named.id,
        log_id=named.log_id,
    )


def with_filters(function: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator: the options above come to the command as `filters`, a dict by name."""
    own = [one for one in inspect.signature(function, eval_str=True).parameters.values() if one.name != "filters"]
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
        for name, kind in FILTERS.items()
    ]

    @functools.wraps(function)
    def run(*args: Any, **given: Any) -> Any:  # noqa: ANN401  whatever the command returns
        return function(*args, filters={name: given.pop(name) for name in FILTERS}, **given)

    run.__signature__ = inspect.Signature([*own, *added])  # type: ignore[attr-defined]  # the frame reads it
    return run
