"""Digests: members wait, and one of them closes it for all. Source: spec/notification.md NT-34, T13."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from outrider.core.canonical import canonical_json
from outrider.core.steps import Statement, Steps
from outrider.notification.attempt import Transition
from outrider.notification.destination import Hold
from outrider.notification.digest import Joins, OpenDigest, Opens, placing
from outrider.notification.record import Record, record_of
from outrider.notification.states import Event, Status, transition
from outrider.notification.store import rows
from outrider.notification.store.ending import tell_ends
from outrider.notification.store.rules import Rules

MEMBERS_MAX = 1_000


def joined(rules: Rules, draft: Record, now: datetime, *, pushes: bool) -> Steps[Record]:
    """A new record in its digest, if it waits for one.

    Statements: `open_digest`, params `channel`, `recipient_id`, `kind` → `(digest_id, closes_at)`, locked;
    `insert_digest`, those, `id` and `closes_at`, left alone where one is open; `close_digest`, params `id`, `record_id`.
    """
    policy = rules.settings.digest_of(draft.kind)
    if placing(policy, draft.urgency, None, now, pushes=pushes) is None:
        return draft
    found = yield from _open(draft)
    placed = placing(policy, draft.urgency, found, now, pushes=pushes)
    if isinstance(placed, Opens):
        if found is not None and (yield from _members(draft.recipient_id, found.id, 1)):
            return _member(draft, found)  # due, and about to be closed by one of its members
        if found is not None:
            yield from _close(found.id, None)
        made = OpenDigest(rules.new_id(), placed.closes_at)
        yield Statement("insert_digest", {**_key(draft), "id": made.id, "closes_at": made.closes_at})
        now_open = (yield from _open(draft)) or made
        waits = placed.waits or now_open.id != made.id
        return _member(draft, now_open) if waits else draft
    return _member(draft, placed.digest) if isinstance(placed, Joins) else draft


def close(rules: Rules, recipient_id: str, digest_id: UUID, now: datetime) -> Steps[Record | None]:
    """Close a digest whose time has come: its members merge into one new record, which is due now, and is given back.

    None where another closed it, or where a single member goes by itself. Any due member does this before it begins;
    what another notifier has claimed of it is fenced. Statements: `lock_digest`, param `id` → `(open_flag)`;
    `digest_members`, params `recipient_id`, `digest_id`, `limit` → records, locked, oldest first.
    """
    flags = yield Statement("lock_digest", {"id": digest_id})
    if not flags or not flags[0][0]:
        return None
    found = yield from _members(recipient_id, digest_id, MEMBERS_MAX)
    members = [one for one in found if one.status == Status.PENDING and not one.has_begun]
    if len(members) <= 1:
        yield from _close(digest_id, None)
        yield from rows.write_all([(one, replace(one, digest_id=None, hold=None)) for one in members])
        return None
    record = _digest_record(rules, digest_id, members, now)
    yield from rows.insert(record)
    yield from _close(digest_id, record.id)
    yield from _merge(rules, members, record, now)
    return record


def flush(
    wanted: Mapping[str, str | None], behind: UUID | None, limit: int, *, dry_run: bool = False
) -> Steps[tuple[int, UUID | None]]:
    """Make due now what waits in open digests, at most `limit` of them; any member that is claimed then closes its digest.

    `wanted` has `channel`, `recipient_id`, `kind`, None for any. Gives how many records were moved, or in a dry run would be,
    and where to go on.
    Statement `open_digests`, params those, `behind`, `limit` → `(digest_id, recipient_id)`, by id.
    """
    found = yield Statement("open_digests", {**wanted, "behind": behind, "limit": limit})
    moved = 0
    for digest_id, recipient_id in found:
        now = yield from rows.read_clock()
        members = yield from _members(recipient_id, digest_id, MEMBERS_MAX)
        waiting = [one for one in members if one.hold == Hold.DIGEST]
        if not dry_run:
            yield from rows.write_all([(one, replace(one, next_retry_at=now, hold=None)) for one in waiting])
        moved += len(waiting)
    return moved, found[-1][0] if len(found) >= limit else None


def read_members(recipient_id: str, record_id: UUID, limit: int = MEMBERS_MAX) -> Steps[list[Record]]:
    """The members of a digest's record, oldest first.

    Statement `merged_notifications`, params `recipient_id`, `record_id`, `limit` → records.
    """
    params = {"recipient_id": recipient_id, "record_id": record_id, "limit": limit}
    found = yield Statement("merged_notifications", params)
    return [record_of(row) for row in found]


def _merge(rules: Rules, members: Sequence[Record], record: Record, now: datetime) -> Steps[None]:
    changes, ends = [], []
    for one in members:
        transition(one.status, Event.MERGED, Status.MERGED)
        made = Transition(Event.MERGED, Status.MERGED, one.attempt_count)
        after = replace(rows.moved(one, made, now), digest_record_id=record.id, epoch=one.epoch + 1)
        changes.append((one, after))
        ends.append((after, made))
    yield from rows.write_all(changes)
    yield from tell_ends(rules, ends)


def _digest_record(rules: Rules, digest_id: UUID, members: Sequence[Record], now: datetime) -> Record:
    """The list's own record: the newest member's request under an id of its own, as urgent as the most urgent."""
    newest, record_id = members[-1], rules.new_id()
    return replace(
        newest,
        id=record_id,
        request_id=rules.new_id(),
        request_hash=newest.request_hash,
        parent_id=None,
        step=0,
        subject_type=None,
        subject_id=None,
        dedupe_key=None,
        route_json=canonical_json({"always": [newest.channel], "first_of": []}).decode(),
        priority=min(one.priority for one in members),
        expires_at=max(one.expires_at for one in members),
        status=str(Status.PENDING),
        hold=None,
        next_retry_at=now,
        digest_id=digest_id,
        generation=1,
        form=None,
        content_json=None,
        content_hash=None,
        ambiguous_since=None,
        address_version=None,
        lease_owner=None,
        lease_until=None,
        epoch=0,
    )


def _member(draft: Record, digest: OpenDigest) -> Record:
    due = draft.next_retry_at or digest.closes_at
    if due >= digest.closes_at:
        return replace(draft, digest_id=digest.id)
    return replace(
        draft, digest_id=digest.id, next_retry_at=min(digest.closes_at, draft.expires_at), hold=str(Hold.DIGEST)
    )


def _open(draft: Record) -> Steps[OpenDigest | None]:
    found = yield Statement("open_digest", _key(draft))
    return OpenDigest(*found[0]) if found else None


def _close(digest_id: UUID, record_id: UUID | None) -> Steps[None]:
    yield Statement("close_digest", {"id": digest_id, "record_id": record_id})


def _members(recipient_id: str, digest_id: UUID, limit: int) -> Steps[list[Record]]:
    params = {"recipient_id": recipient_id, "digest_id": digest_id, "limit": limit}
    return [record_of(row) for row in (yield Statement("digest_members", params))]


def _key(draft: Record) -> dict[str, str]:
    return {"channel": draft.channel, "recipient_id": draft.recipient_id, "kind": draft.kind}
