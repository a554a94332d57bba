"""`outrider resume`: end a pause."""

from outrider.admin.operations import PauseKind
from outrider.bootstrap.operations import operations
from outrider.bootstrap.wiring import site
from outrider.cli.frame import DONE, FAILED, Call, command, new_app
from outrider.cli.pause import Key, Name, Topic, spoken
from outrider.core.subscriptions import RELAY_SUBSCRIPTION

app = new_app("End a pause, a person's or an automatic one; what waited follows in order.")

DESTINATION = (('outrider resume destination shop.orders --reason "topic exists now"', "a topic"),)
KEY = (('outrider resume key shop.orders order-17 --reason "corrected"', "one key of a topic"),)
RELAY = (('outrider resume relay --reason "broker upgraded"', "all publishing"),)
CONSUMER = (('outrider resume consumer billing --reason "ledger open"', "all handling of a consumer"),)


async def _resume(call: Call, kind: PauseKind, topic: str, subject: str) -> int:
    reason = call.reason()
    made = site(call.settings())
    what = spoken(kind, topic, subject)
    verbs = operations(made, actor=call.actor)
    ended = await verbs.resume(kind, topic=topic, subject=subject, reason=reason, dry_run=call.dry_run)
    if call.out.as_json:
        call.out.json(
            {"dry_run": call.dry_run, "resumed": kind, "topic": topic, "subject": subject, "was_paused": ended}
        )
    if not ended:
        call.out.say(f"{what} is not paused")
        return FAILED
    call.out.say(f"{what} {'would go on' if call.dry_run else 'goes on'}")
    return DONE


@command(app, "destination", examples=DESTINATION, writes=True)
async def destination(call: Call, topic: Topic) -> int:
    """Send to a topic again."""
    return await _resume(call, "destination", topic, "")


@command(app, "key", examples=KEY, writes=True)
async def key(call: Call, topic: Topic, key_: Key) -> int:
    """Send a key's messages to a topic again."""
    return await _resume(call, "key", topic, key_)


@command(app, "relay", examples=RELAY, writes=True)
async def relay(call: Call) -> int:
    """Publish again."""
    return await _resume(call, "subscription", "", RELAY_SUBSCRIPTION)


@command(app, "consumer", examples=CONSUMER, writes=True)
async def consumer(call: Call, name: Name) -> int:
    """Handle again."""
    return await _resume(call, "subscription", "", name)
