"""The filters of records, as options. Source: spec/notification.md NT-47."""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from outrider.cli.filters import Since, Until, instant
from outrider.core.notification.codes import ErrorClass
from outrider.notification.states import Status
from outrider.notification.store.listing import RecordFilter

State = Annotated[str | None, typer.Option("--status", metavar="STATUS", help="Only this status, as dead.")]
Channel = Annotated[str | None, typer.Option("--channel", metavar="NAME", help="Only this channel.")]
Kind = Annotated[str | None, typer.Option("--kind", metavar="KIND", help="Only this kind.")]
Code = Annotated[str | None, typer.Option("--code", metavar="CODE", help="Only this code, as provider_5xx.")]
Class = Annotated[str | None, typer.Option("--class", metavar="CLASS", help="Only this class, as unavailable.")]
Recipient = Annotated[str | None, typer.Option("--recipient", metavar="ID", help="Only this recipient.")]
DedupeKey = Annotated[str | None, typer.Option("--dedupe-key", metavar="KEY", help="Only this key.")]
Correlation = Annotated[str | None, typer.Option("--correlation", metavar="ID", help="Only this correlation id.")]

FILTERS: dict[str, Any] = {
    "status": State, "channel": Channel, "kind": Kind, "code": Code, "error_class": Class, "recipient": Recipient,
    "dedupe_key": DedupeKey, "correlation": Correlation, "since": Since, "until": Until,
}  # fmt: skip


def chosen(given: dict[str, Any]) -> RecordFilter:
    """The filter that the options ask for. Raises BadParameter for a word that no record can have."""
    _one_of(given["status"], Status, "--status")
    _one_of(given["error_class"], ErrorClass, "--class")
    return RecordFilter(
        status=given["status"],
        channel=given["channel"],
        kind=given["kind"],
        code=given["code"],
        error_class=given["error_class"],
        recipient_id=given["recipient"],
        dedupe_key=given["dedupe_key"],
        correlation_id=given["correlation"],
        since=None if given["since"] is None else instant(given["since"], "--since"),
        until=None if given["until"] is None else instant(given["until"], "--until"),
    )


def _one_of(said: str | None, words: type[Status] | type[ErrorClass], option: str) -> None:
    if said is not None and said not in list(words):
        raise typer.BadParameter(f"must be one of {', '.join(words)}", param_hint=option)


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
