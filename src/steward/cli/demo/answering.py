"""The end of the play with `--once`: what a person and their browser would do, by HTTP. Source: ST-69, lines 12 to 16."""

from collections.abc import Mapping
from typing import Any, Final

from steward.cli.demo.http import Reply
from steward.cli.demo.play import Suggested, entries, expect
from steward.cli.demo.stage import Differs, Stage
from steward.cli.demo.words import line, said

OK: Final = 200
MISMATCH: Final = 422
KEY: Final = "demo-confirm"
EXPECTED_MESSAGES: Final = 5
EXPECTED_RECEIPTS: Final = 3
ENDED: Final = 2
SUCCEEDED: Final = "schedule.apply.succeeded"
UNDONE: Final = "schedule.apply.undone"


async def answered(stage: Stage, suggested: Suggested, *, exact: bool) -> None:
    """Confirm, confirm again, confirm something else under the same key, undo, and count. Raises Differs.

    Not `exact`, with a person's own calendar: only the statuses are asked for.
    """
    preview = suggested.preview
    able = [one for one in preview["candidates"] if one["changes"]]
    if not able:
        why = ", ".join(issue["code"] for issue in preview["issues"]) or preview["selected_candidate_id"]
        stage.tell(line(stage.locale, 12, "confirm", said(stage.locale, "nothing", why=why)))
        await _ledger(stage, suggested, exact=exact)
        return
    before = await _calendar(stage, preview)
    chosen = next((one for one in able if one["candidate_id"] == preview["selected_candidate_id"]), able[0])
    other = next((one for one in preview["candidates"] if one["method"] == "compress"), preview["candidates"][-1])
    body = await _confirm(stage, suggested, chosen, exact=exact)
    await _again(stage, preview, chosen, body)
    await _other(stage, preview, chosen, other)
    await _undo(stage, suggested, before)
    await _ledger(stage, suggested, exact=exact)


async def _confirm(stage: Stage, suggested: Suggested, chosen: Mapping[str, Any], *, exact: bool) -> Mapping[str, Any]:
    reply = await _confirming(stage, suggested.preview, chosen, chosen["base_version"])
    body: Mapping[str, Any] = expect(reply, OK)
    kinds = [change["change_type"] for change in body["applied_changes"]]
    added, moved = kinds.count("add"), kinds.count("move")
    if exact and (added, moved) != (1, 1):
        raise Differs(f"{kinds}")
    await _sent(stage, suggested, SUCCEEDED)
    facts = {"status": reply.status, "apply_id": body["apply_id"], "added": added, "moved": moved}
    stage.tell(line(stage.locale, 12, "confirm", said(stage.locale, "confirm", **facts)))
    return body


async def _again(stage: Stage, preview: Mapping[str, Any], chosen: Mapping[str, Any], first: Mapping[str, Any]) -> None:
    reply = await _confirming(stage, preview, chosen, chosen["base_version"])
    if (reply.status, reply.body, reply.headers.get("idempotency-replayed")) != (OK, first, "true"):
        raise Differs(f"HTTP {reply.status} {reply.body}")
    stage.tell(line(stage.locale, 13, "same key", said(stage.locale, "same key", status=reply.status)))


async def _other(stage: Stage, preview: Mapping[str, Any], chosen: Mapping[str, Any], other: Mapping[str, Any]) -> None:
    written = await _written(stage)
    reply = await _confirming(stage, preview, other, chosen["base_version"])
    body = expect(reply, MISMATCH)
    if body["code"] != "idempotency_mismatch" or await _written(stage) != written:
        raise Differs(f"{body}")
    stage.tell(
        line(stage.locale, 14, "other body", said(stage.locale, "other body", status=reply.status, code=body["code"]))
    )


async def _undo(stage: Stage, suggested: Suggested, before: Mapping[str, Any]) -> None:
    preview_id = suggested.preview["preview_id"]
    reply = await stage.api.post(f"/previews/{preview_id}/undo", {}, key="demo-undo")
    expect(reply, OK)
    after = await _calendar(stage, suggested.preview)
    if after != before:
        raise Differs(f"{after}")
    await _sent(stage, suggested, UNDONE)
    stage.tell(line(stage.locale, 15, "undo", said(stage.locale, "undo", status=reply.status)))


async def _ledger(stage: Stage, suggested: Suggested, *, exact: bool) -> None:
    """Each message and each receipt that is expected, and nothing that waits or is dead."""

    async def through() -> dict[str, int] | None:
        found = await entries(stage, suggested.trigger_id, "message")
        states = [one["state"] for entry in found for one in entry["consumers"]]
        facts = {
            "messages": await stage.count("steward_outbox_message"),
            "receipts": sum([await stage.count(name) for name in RECEIPTS]),
            "expected": EXPECTED_RECEIPTS,
            "ended": await stage.count("notification_outbox_message"),
            "waiting": sum([await stage.count(name) for name in WAITING]),
            "dead": states.count("dead"),
        }
        return facts if facts["receipts"] >= EXPECTED_RECEIPTS and facts["ended"] >= ENDED else None

    facts = await stage.until("receipts are missing", through)
    stage.tell(line(stage.locale, 16, "ledger", said(stage.locale, "ledger", **facts)))
    wanted = {"messages": EXPECTED_MESSAGES, "receipts": EXPECTED_RECEIPTS, "ended": ENDED, "waiting": 0, "dead": 0}
    if exact and any(facts[name] != value for name, value in wanted.items()):
        raise Differs(f"{facts}")


RECEIPTS: Final = ("steward_inbox_receipt", "notification_inbox_receipt")
WAITING: Final = (
    "steward_outbox_delivery",
    "steward_inbox_delivery",
    "notification_outbox_delivery",
    "notification_inbox_delivery",
)


async def _confirming(
    stage: Stage, preview: Mapping[str, Any], candidate: Mapping[str, Any], base_version: str
) -> Reply:
    body = {"candidate_id": candidate["candidate_id"], "action": "confirm"}
    return await stage.api.post(f"/previews/{preview['preview_id']}/confirm", body, key=KEY, if_match=base_version)


async def _sent(stage: Stage, suggested: Suggested, type_: str) -> None:
    """The message was added: with its row, since the story is read at one moment."""
    if type_ not in {entry["type"] for entry in await entries(stage, suggested.trigger_id, "message")}:
        raise Differs(f"no {type_}")


async def _calendar(stage: Stage, preview: Mapping[str, Any]) -> Mapping[str, Any]:
    """Places and titles of the events that live on the days that the preview shows."""
    shown = [*preview["before"], *preview["after"]]
    first, last = min(one["start_at"] for one in shown), max(one["end_at"] for one in shown)
    found = expect(await stage.api.get(f"/events?from={first}&to={last}&limit=200"), OK)
    names = ("event_id", "title", "start_at", "end_at", "mobility", "status")
    live = [one for one in found["items"] if one["status"] != "cancelled"]
    return {one["event_id"]: [one[name] for name in names] for one in live}


async def _written(stage: Stage) -> tuple[int, ...]:
    """Rows that a confirm would write."""
    return tuple([await stage.count(name) for name in ("steward_apply", "steward_event", "steward_outbox_message")])
