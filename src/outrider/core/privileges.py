"""What each duty must be allowed to do in the tables, and what `doctor` says of the connection's own privileges.

Invariant: a role with fewer privileges than the owner is no fault: what it may do is named, and what it lacks for the rest.
Source: spec/outbox.md OB-17, OB-21, OB-94.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from outrider.core.health import Finding, Verdict

_S, _SI, _SU, _SD = "SELECT", "SELECT INSERT", "SELECT UPDATE", "SELECT DELETE"
_SIU, _SID, _ALL = "SELECT INSERT UPDATE", "SELECT INSERT DELETE", "SELECT INSERT UPDATE DELETE"

DUTIES: Final[Mapping[str, Mapping[str, str]]] = {
    "add": {"outbox_message": _SI, "outrider_meta": _S, "outrider_route": _S},
    "relay": {
        "outbox_message": _S, "outbox_subscription": _SI, "outbox_cursor": _SIU, "outbox_advance": _SI,
        "outbox_delivery": _SIU, "outbox_pause": _SID, "outrider_process": _ALL, "outrider_route": _S, "outrider_meta": _S,
    },
    "consume": {
        "inbox_consumer": _SIU, "inbox_receipt": _SID, "inbox_delivery": _SIU, "inbox_key": _SIU, "outbox_pause": _S,
        "outrider_meta": _S, "outrider_route": _S,
    },
    "prune": {
        "outbox_message": _SD, "outbox_delivery": _SD, "outbox_advance": _SD, "inbox_receipt": _SD, "inbox_delivery": _SD,
        "outrider_audit": _SD, "outrider_process": _SD, "inbox_consumer": _SU, "outbox_cursor": _SU, "outrider_meta": _ALL,
    },
    "operate": {
        "outbox_message": _S, "outbox_cursor": _SU, "outbox_delivery": _SIU, "inbox_delivery": _SU, "inbox_consumer": _SU,
        "inbox_receipt": _S, "outbox_pause": _ALL, "outrider_audit": _SI,
    },
}  # fmt: skip
"""Privileges by duty and table."""
NOTIFYING: Final[Mapping[str, Mapping[str, str]]] = {
    "notify": {
        "record": _ALL, "dedupe": _ALL, "attempt": _ALL, "digest": _ALL, "destination": _SIU, "preference": _S,
        "address": _SU, "request": "SELECT UPDATE DELETE", "inbox_item": _ALL, "outrider_meta": _S,
    },
    "serve": {
        "record": _SIU, "dedupe": _SIU, "attempt": _S, "digest": _SIU, "destination": _SIU, "preference": _SIU,
        "address": _ALL, "request": _SIU, "inbox_item": _SIU, "outrider_meta": _S, "outrider_audit": _SI,
    },
}  # fmt: skip
"""The same of the service that runs the notifier, beside what every service has: of nobody who may do nothing there."""
NOTIFIER_TABLES: Final = frozenset(NOTIFYING["notify"]) - {"outrider_meta"}
NOTIFIER_PREFIX: Final = "notification_"
SIDE_ROWS: Final[Mapping[str, Mapping[str, str]]] = {
    "add": {"outbox_pending": "INSERT", "outbox_subscription": _S, "outbox_cursor": _S},
    "consume": {"inbox_receipt": _ALL},
    "relay": {"outbox_pending": _ALL},
    "prune": {"outbox_pending": _SD},
    "operate": {"outbox_pending": _SI},
}
"""What comes on top where a message has a row for each subscription; a receipt that is there is met by an update there."""
OWNER: Final = "OWNER"
"""The privilege that a connection has on tables that are its own, or as superuser."""
_LOG: Final = "outbox_message"
_NAME: Final = r"(\*|`(?:[^`]|``)+`)"
_GRANT: Final = re.compile(rf"GRANT (.+) ON {_NAME}\.{_NAME} TO ")
_COLUMNS: Final = re.compile(r" \([^)]*\)")
_MAKES: Final = frozenset({"ALTER", "DROP"})
_TOLD: Final = frozenset({*_ALL.split(), OWNER})


def read_grants(lines: Iterable[str], database: str, prefix: str) -> Iterator[tuple[str, str]]:
    """What the answers to SHOW GRANTS, of a user and the roles in use, allow in the tables with this prefix: (table without
    it, privilege). What is granted on columns counts; who may alter and drop a table is as good as its OWNER.

    Source: MariaDB documentation, "GRANT"; the name of a database is a pattern as in LIKE, unless a table follows it.
    """
    known = (DUTIES, SIDE_ROWS, NOTIFYING) if prefix == NOTIFIER_PREFIX else (DUTIES, SIDE_ROWS)
    tables = {table for duties in known for needed in duties.values() for table in needed}
    for line in lines:
        if (found := _GRANT.match(line)) is None:
            continue
        what, where, table = found[1], _unquoted(found[2]), _unquoted(found[3])
        if not (where == database or (table == "*" and _matches(where, database))):
            continue
        privileges = set(_COLUMNS.sub("", what).split(", "))
        if "ALL PRIVILEGES" in privileges:
            privileges |= {*_ALL.split(), *_MAKES}
        if privileges >= _MAKES:
            privileges.add(OWNER)
        told = privileges & _TOLD
        yield from ((one, privilege) for one in tables if table in {"*", f"{prefix}{one}"} for privilege in told)


def judge_privileges(granted: Iterable[tuple[str, str]], *, side_rows: bool = False) -> list[Finding]:
    """What may be done with these (table, privilege) pairs; nothing to say where the storage has no privileges. `side_rows`:
    a message has a row for each subscription.
    """
    have = frozenset(granted)
    if not have:
        return []
    more = SIDE_ROWS if side_rows else {}
    duties = {**DUTIES, **NOTIFYING} if any(table in NOTIFIER_TABLES for table, _ in have) else DUTIES
    lacking = {duty: _lacking({**tables, **more.get(duty, {})}, have) for duty, tables in duties.items()}
    able = [duty for duty, lacks in lacking.items() if not lacks]
    seen = f"may {', '.join(able)}" if able else "may do nothing whole"
    unable = [f"{duty} (no {', '.join(lacks)})" for duty, lacks in lacking.items() if lacks]
    if unable:
        seen += f"; not {'; not '.join(unable)}"
    if not able:
        return [Finding("privileges", Verdict.FAIL, seen, "grant this user one of the roles of the tables")]
    if (_LOG, OWNER) in have:
        return [Finding("privileges", Verdict.OK, f"owner of the tables, {seen}")]
    if (_LOG, "UPDATE") in have:
        advice = f"nobody needs it, and the log must not change (OB-17): REVOKE UPDATE ON …{_LOG}"
        return [Finding("privileges", Verdict.WARN, f"{seen}; UPDATE on {_LOG}, too", advice)]
    return [Finding("privileges", Verdict.OK, seen)]


def _lacking(tables: Mapping[str, str], have: frozenset[tuple[str, str]]) -> list[str]:
    found = []
    for table, needed in tables.items():
        missing = [privilege for privilege in needed.split() if (table, privilege) not in have]
        if missing:
            found.append(f"{' '.join(missing)} on {table}")
    return found


def _unquoted(name: str) -> str:
    return name if name == "*" else name[1:-1].replace("``", "`")


def _matches(pattern: str, database: str) -> bool:
    if pattern == "*":
        return True
    parts = re.findall(r"\\.|.", pattern)
    meant = [{"%": ".*", "_": "."}.get(part) or re.escape(part[-1]) for part in parts]
    return re.fullmatch("".join(meant), database) is not None
