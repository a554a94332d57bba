"""What each duty must be allowed to do in the tables, and what `doctor` says of the connection's own privileges.

Invariant: a role with fewer privileges than the owner is no fault: what it may do is named, and what it lacks for the rest.
Source: spec/outbox.md OB-17, OB-94.
"""

from collections.abc import Iterable, Mapping
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
OWNER: Final = "OWNER"
"""The privilege that a connection has on tables that are its own, or as superuser."""
_LOG: Final = "outbox_message"


def judge_privileges(granted: Iterable[tuple[str, str]]) -> list[Finding]:
    """What may be done with these (table, privilege) pairs; nothing to say where the storage has no privileges."""
    have = frozenset(granted)
    if not have:
        return []
    lacking = {duty: _lacking(tables, have) for duty, tables in DUTIES.items()}
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
