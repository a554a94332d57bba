"""`outrider notify channels`: recipients' settings on each channel. Secrets come from stdin or a file and are never shown."""

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from outrider.cli.frame import DONE, Call, command, new_app
from outrider.cli.notify.given import STDIN, read_secret
from outrider.cli.notify.records import operations
from outrider.notification.operations.channels import ChannelView

app = new_app("Recipients' settings on each channel.")

LIST = (("outrider notify channels list anna", "every channel, set or not; secrets are masked"),)
SET = (
    ("outrider notify channels set anna feishu_bot --webhook-url - < url.txt", "the webhook from stdin"),
    ("outrider notify channels set anna feishu_bot --sign-secret sign.txt", "and its signing secret"),
    ("outrider notify channels set anna email --set email=anna@example.com", "what is no secret may be said"),
    ("outrider notify channels set anna webhook --clear bearer_token", "take a secret away"),
)
ENABLE = (("outrider notify channels enable anna feishu_bot", "what was skipped since goes out"),)
DISABLE = (("outrider notify channels disable anna feishu_bot", "keep the settings, send nothing"),)
REMOVE = (("outrider notify channels rm anna feishu_bot --yes", "settings and secrets are gone"),)
SHOWN = (
    "channel", "configured", "enabled", "state", "reason", "webhook_url_mask", "auth_type", "has_bearer_token",
    "has_sign_secret", "last_test_status", "version",
)  # fmt: skip
UNSET: Final = SHOWN[:2]
"""What is to be shown of a channel without settings."""

Recipient = Annotated[str, typer.Argument(metavar="RECIPIENT", help="Whose settings.")]
Name = Annotated[str, typer.Argument(metavar="CHANNEL", help="Of which channel.")]


FROM: Final = "The file of this secret; - is stdin."
WebhookUrl = Annotated[Path | None, typer.Option("--webhook-url", metavar="FILE", help=FROM)]
BearerToken = Annotated[Path | None, typer.Option("--bearer-token", metavar="FILE", help=FROM)]
SignSecret = Annotated[Path | None, typer.Option("--sign-secret", metavar="FILE", help=FROM)]
AppriseUrl = Annotated[Path | None, typer.Option("--apprise-url", metavar="FILE", help=FROM)]


@app.callback()
def group() -> None:
    """Recipients' settings on each channel."""


@command(app, "list", examples=LIST)
async def list_(call: Call, recipient: Recipient) -> None:
    """A recipient's settings on every channel that pushes."""
    async with operations(call) as verbs:
        found = await verbs.channels.search(recipient)
    if call.out.as_json:
        call.out.json({"items": found})
        return
    call.out.table(SHOWN, [[_told(one, name) for name in SHOWN] for one in found])


@command(app, "set", examples=SET, changes=True)
async def set_(
    call: Call,
    recipient: Recipient,
    channel: Name,
    webhook_url: WebhookUrl = None,
    bearer_token: BearerToken = None,
    sign_secret: SignSecret = None,
    apprise_url: AppriseUrl = None,
    values: Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="What is no secret.")] = None,
    clear: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Take this secret away.")] = None,
) -> int:
    """Save settings and switch the channel on; what is not named stays. A destination that was switched off opens again."""
    files = {
        "webhook_url": webhook_url, "bearer_token": bearer_token, "sign_secret": sign_secret, "apprise_url": apprise_url,
    }  # fmt: skip
    given = {name: file for name, file in files.items() if file is not None}
    if list(given.values()).count(STDIN) > 1:
        raise typer.BadParameter("only one secret can come from stdin", param_hint="FILE")
    said: dict[str, Any] = {name: read_secret(file) for name, file in given.items()}
    said |= dict(map(_value, values or ())) | dict.fromkeys(clear or ())
    if not said:
        raise typer.BadParameter("say what to set", param_hint="--set, --webhook-url …")
    return await _put(call, recipient, channel, said, "set")


@command(app, "enable", examples=ENABLE, changes=True)
async def enable(call: Call, recipient: Recipient, channel: Name) -> int:
    """Send to it again; its settings must be complete."""
    return await _put(call, recipient, channel, {"enabled": True}, "enabled")


@command(app, "disable", examples=DISABLE, changes=True)
async def disable(call: Call, recipient: Recipient, channel: Name) -> int:
    """Send nothing to it, and keep its settings."""
    return await _put(call, recipient, channel, {"enabled": False}, "disabled")


@command(app, "rm", examples=REMOVE, changes=True)
async def remove(call: Call, recipient: Recipient, channel: Name) -> int:
    """Take the settings away, secrets too."""
    async with operations(call) as verbs:
        found = await verbs.channels.get(recipient, channel)
        deleted = found.configured
        if deleted and not call.dry_run:
            call.confirm(f"Take away the settings of {recipient} on {channel}?")
            deleted = await verbs.channels.delete(recipient, channel)
    if call.out.as_json:
        call.out.json({"dry_run": call.dry_run, "deleted": deleted})
    would = "would be " if call.dry_run else ""
    call.out.say(f"{channel} of {recipient} {would}gone" if deleted else "nothing was set")
    return DONE


async def _put(call: Call, recipient: str, channel: str, said: dict[str, Any], done: str) -> int:
    async with operations(call) as verbs:
        view = await verbs.channels.put(recipient, channel, said, dry_run=call.dry_run)
    if call.out.as_json:
        call.out.json({"dry_run": call.dry_run, **_shown(view)})
    call.out.say(f"{channel} of {recipient} {'would be ' if call.dry_run else ''}{done}")
    return DONE


def _told(view: ChannelView, name: str) -> Any:  # noqa: ANN401  whatever the field holds
    """What is told of a field; of a channel without settings that it has none."""
    return getattr(view, name) if view.configured or name in UNSET else None


def _shown(view: ChannelView) -> dict[str, Any]:
    return {name: getattr(view, name) for name in SHOWN}


def _value(said: str) -> tuple[str, Any]:
    name, sign, value = said.partition("=")
    if not sign or not name:
        raise typer.BadParameter("must be NAME=VALUE, as email=anna@example.com", param_hint="--set")
    return name, value
