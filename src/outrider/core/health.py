"""What `doctor` judges: facts of the database's server and of the tables, each with a verdict and what to do.

Invariant: a check that finds something never hides the others. Source: spec/outbox.md section 13, OB-34.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from outrider.core.errors import ForeignPosition, SchemaMismatch
from outrider.core.meta import FAMILIES, HASH, INSTANCE, OUTBOX, SERVICE, check_meta, families_of
from outrider.core.overview import LaneLine
from outrider.core.prune import Retention
from outrider.core.snapshot import Snapshot

OLD_SNAPSHOT: Final = timedelta(minutes=5)
POSTGRES_MINIMUM: Final = 14
SQLITE_MINIMUM: Final = (3, 35)
MYSQL_MINIMUM: Final = {"MariaDB": (10, 6), "MySQL": (8, 0)}


class Verdict(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Finding(NamedTuple):
    """One check: its name, how it came out, what was seen, and what to do (empty where nothing)."""

    check: str
    verdict: Verdict
    seen: str
    advice: str = ""


def judge_meta(meta: Mapping[str, str]) -> list[Finding]:
    """Schema, hash function, instance (OB-34, OB-13)."""
    wanted = families_of(meta.get(SERVICE, ""))
    families = [family for family in FAMILIES if family in wanted or family.pre in meta]
    try:
        check_meta(meta, families)
    except SchemaMismatch as error:
        return [Finding("schema", Verdict.FAIL, str(error), "run  outrider migrate, or upgrade outrider")]
    schemas = [
        Finding("schema" if family == OUTBOX else f"{family.name} schema", Verdict.OK, f"version {meta[family.pre]}")
        for family in families
    ]
    return [
        *schemas,
        Finding("hash function", Verdict.OK, meta[HASH]),
        Finding("instance", Verdict.OK, meta.get(INSTANCE, "?")),
    ]


def judge_server(facts: Iterable[tuple[str, str]]) -> list[Finding]:
    """The server's own settings, by the names that the storage's `server_facts` gives."""
    return [found for name, value in facts if (found := _fact(name, value)) is not None]


class _Rule(NamedTuple):
    """A server's setting: its name for people, the values that are right, and what another one means."""

    shown: str
    right: frozenset[str]
    otherwise: Verdict
    advice: str


_CRASH: Final = "a crash of the host loses committed messages: switch it on"
_RULES: Final = {
    "replica": _Rule("replica", frozenset({"false"}), Verdict.FAIL, "give the primary's URL: a replica lags (OB-7)"),
    "read_only": _Rule("replica", frozenset({"off"}), Verdict.FAIL, "give the primary's URL: a replica lags (OB-7)"),
    "auto_increment_increment": _Rule(
        "auto_increment_increment", frozenset({"1"}), Verdict.FAIL,
        "with several writable primaries ids do not rise as they are given: write to one, with an increment of 1 (OB-16)",
    ),
    "innodb_flush_log_at_trx_commit": _Rule(
        "innodb_flush_log_at_trx_commit", frozenset({"1"}), Verdict.WARN,
        "the last commits are lost in a crash; fine only where that is meant",
    ),
    "binary_log": _Rule(
        "binary log", frozenset({"on"}), Verdict.WARN,
        "a commit is seen before it is on disk: a crash of the server can undo what has been published; set log_bin and"
        " sync_binlog = 1 (OB-1)",
    ),
    "fsync": _Rule("fsync", frozenset({"on"}), Verdict.FAIL, _CRASH),
    "full_page_writes": _Rule("full_page_writes", frozenset({"on"}), Verdict.FAIL, _CRASH),
    "synchronous_commit": _Rule(
        "synchronous_commit", frozenset({"on", "local", "remote_write", "remote_apply"}), Verdict.WARN,
        "the last commits are lost in a crash; fine only where that is meant",
    ),
    "autovacuum": _Rule("autovacuum", frozenset({"on"}), Verdict.WARN, "exception rows will bloat (H15)"),
    "sequence_cache": _Rule("sequence cache", frozenset({"1"}), Verdict.FAIL, "ids would not rise: set CACHE 1 (H56)"),
    "journal_mode": _Rule("journal mode", frozenset({"wal"}), Verdict.FAIL, "WAL is needed: another program changed it"),
    "synchronous": _Rule(
        "synchronous", frozenset({"normal", "full", "extra"}), Verdict.FAIL, "a crash of the host can damage the file",
    ),
}  # fmt: skip


def _fact(name: str, value: str) -> Finding | None:
    match name:
        case "version" | "mysql":
            return _mysql_version(value) if name == "mysql" else _version(value)
        case "snapshot":
            return _snapshot(value)
        case "sees_sessions":
            return _sees(value)
        case "replication_slot":
            return _slot(value)
        case "connections":
            return None  # judged against the settings, see `judge_connections`
        case "prepared_transaction":
            gid, seconds = value.rsplit(" ", 1)
            advice = "commit or roll it back: vacuum cannot pass it"
            return Finding("prepared transaction", Verdict.WARN, f"{gid} for {seconds} s", advice)
    rule = _RULES.get(name)
    if rule is None:
        return None
    good = value in rule.right
    return Finding(rule.shown, Verdict.OK if good else rule.otherwise, value, "" if good else rule.advice)


def _found(name: str, good: bool, seen: str, advice: str) -> Finding:
    return Finding(name, Verdict.OK if good else Verdict.FAIL, seen, "" if good else advice)


def _mysql_version(value: str) -> Finding:
    name = "MariaDB" if "mariadb" in value.lower() else "MySQL"
    minimum = MYSQL_MINIMUM[name]
    good = tuple(int(part) for part in value.partition("-")[0].split(".")[:2]) >= minimum
    return _found("server", good, f"{name} {value}", f"at least {'.'.join(map(str, minimum))} is needed (OB-16)")


def _version(value: str) -> Finding:
    if value.isdecimal():
        major = int(value) // 10_000
        good, seen, needed = (
            major >= POSTGRES_MINIMUM,
            f"PostgreSQL {major}.{int(value) % 10_000}",
            f"{POSTGRES_MINIMUM}",
        )
    else:
        good = tuple(int(part) for part in value.split(".")[:2]) >= SQLITE_MINIMUM
        seen, needed = f"SQLite {value}", ".".join(map(str, SQLITE_MINIMUM))
    return _found("server", good, seen, f"at least {needed} is needed (OB-16)")


def _snapshot(value: str) -> Finding:
    pid, rest = value.split(" ", 1)
    program, seconds = rest.rsplit(" ", 1)
    age = timedelta(seconds=int(seconds))
    seen = f"pid {pid} ({program}) for {seconds} s"
    if age < OLD_SNAPSHOT:
        return Finding("oldest snapshot", Verdict.OK, seen)
    advice = f"it holds back vacuum: SELECT pg_terminate_backend({pid}) (H42)"
    return Finding("old snapshot", Verdict.WARN, seen, advice)


def _sees(value: str) -> Finding | None:
    if value == "true":
        return None
    advice = "GRANT pg_read_all_stats to this user, or run doctor as the owner"
    return Finding("sessions", Verdict.WARN, "others' snapshots cannot be seen by this user", advice)


def _slot(value: str) -> Finding:
    name, kept = value.rsplit(" ", 1)
    advice = "it keeps WAL and may hold back vacuum: start its reader or drop it (H18)"
    return Finding("replication slot", Verdict.WARN, f"{name} has no reader, {int(kept) // 2**20:,} MiB kept", advice)


class ConnectionsNeeded(NamedTuple):
    """How many connections the settings ask for, by who opens them."""

    relay: int
    consumer: int


def judge_connections(facts: Iterable[tuple[str, str]], needed: ConnectionsNeeded) -> list[Finding]:
    """Whether the server has connections left for one more process; nothing where it does not count them."""
    found = []
    for name, value in facts:
        if name == "connections":
            used, limit = map(int, value.split())
            short = limit - used < max(needed)
            seen = f"{used:,} of {limit:,} in use; one relay takes {needed.relay}, one consumer {needed.consumer}"
            advice = "one more process may be refused: raise max_connections, or lower database.pool_size"
            verdict = Verdict.WARN if short else Verdict.OK
            found.append(Finding("connections", verdict, seen, advice if short else ""))
    return found


def judge_lanes(lanes: Iterable[LaneLine], cluster: str, now: Snapshot | None) -> list[Finding]:
    """Whether every position was made in this cluster and lies in its past (OB-19)."""
    found = []
    for line in lanes:
        name = f"position of {line.subscription}, lane {line.lane}"
        try:
            _own(line, cluster, now)
        except ForeignPosition as error:
            advice = "a restored or upgraded database: before writers are let in, run  outrider cursor rebase"
            found.append(Finding(name, Verdict.FAIL, str(error), advice))
        else:
            found.append(Finding(name, Verdict.OK, f"{line.passed:,} passed"))
    return found


def _own(line: LaneLine, cluster: str, now: Snapshot | None) -> None:
    if line.cluster != cluster:
        raise ForeignPosition(f"made in cluster {line.cluster}, this is {cluster}")
    if now is not None and line.done is not None and now.xmax < Snapshot.parse(line.done).xmax:
        raise ForeignPosition("lies in the future of this server")


def judge_state_dir(folder: str, obstacle: str) -> Finding:
    """Whether what crashes and starts again here goes on at once (OB-100)."""
    if not obstacle:
        return Finding("state folder", Verdict.OK, f"{folder} takes a process's locked file")
    advice = "after a crash the lease decides: set runtime.state_dir to a folder of this host that this user may write"
    return Finding("state folder", Verdict.WARN, f"{folder} {obstacle}", advice)


def judge_retention(retention: Retention) -> Finding:
    """Receipts against the log rows that they guard (OB-77)."""
    enough = retention.receipts_keep >= retention.keep
    seen = f"receipts {retention.receipts_keep.days} d, log {retention.keep.days} d"
    return _found("retention", enough, seen, "raise prune.receipts_keep: a late copy would take effect twice")


def judge_sources(retention: Retention, sources: Mapping[str, timedelta | None]) -> list[Finding]:
    """Receipts against what each topic keeps; None is one that keeps for ever (OB-77, H34)."""
    advice = "an old message that comes again would go to quarantine as receipt.expired: raise prune.receipts_keep"
    return [
        Finding(
            f"retention of {topic}", Verdict.WARN, f"keeps {'for ever' if kept is None else f'{kept.days} d'}", advice
        )
        for topic, kept in sources.items()
        if kept is None or kept > retention.receipts_keep
    ]


def judge_statuses(unknown: Iterable[tuple[str, str, int]]) -> list[Finding]:
    """Rows with a status of a newer release: left alone (OB-91)."""
    found = [
        Finding("statuses", Verdict.FAIL, f"{table}: {status} x{count}", "a newer release wrote it: upgrade outrider")
        for table, status, count in unknown
    ]
    return found or [Finding("statuses", Verdict.OK, "all known")]
