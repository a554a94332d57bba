"""`doctor`: every check that a start makes, and what a person may want to know, each with what to do."""

from typing import Final

from outrider.core.cursors import read_cluster
from outrider.core.errors import AccessRefused, BrokerUnavailable, SchemaMismatch
from outrider.core.health import (
    ConnectionsNeeded,
    Finding,
    Verdict,
    judge_connections,
    judge_lanes,
    judge_meta,
    judge_retention,
    judge_server,
    judge_statuses,
)
from outrider.core.meta import read_meta
from outrider.core.overview import overview
from outrider.core.privileges import judge_privileges, read_grants
from outrider.core.prune import Retention
from outrider.core.steps import Rows, Statement, Steps
from outrider.ports.broker import Publisher
from outrider.ports.storage import StorageSession

MISSING: Final = Finding("schema", Verdict.FAIL, "there are no tables of this service", "run  outrider init")


async def examine(
    session: StorageSession, retention: Retention, needed: ConnectionsNeeded, prefix: str
) -> list[Finding]:
    """Look at the database and the tables, whose names begin with `prefix`. Raises StorageUnavailable."""
    try:
        found = judge_meta(await session.run(read_meta()))
    except SchemaMismatch:
        return [MISSING]
    if found[0].verdict is Verdict.FAIL:
        return found
    facts = [(str(name), str(value)) for name, value in await session.run(rows_of("server_facts"))]
    found += judge_server(facts) + judge_connections(facts, needed)
    found += _privileges(await session.run(rows_of("table_privileges")), dict(facts).get("database"), prefix)
    try:
        found += await _tables(session)
    except AccessRefused as error:
        advice = "their state is not judged: ask again as a user that may read them"
        found.append(Finding("tables", Verdict.WARN, error.reason, advice))
    return [*found, judge_retention(retention)]


def _privileges(rows: Rows, database: str | None, prefix: str) -> list[Finding]:
    if database is None:
        return judge_privileges([(str(table), str(privilege)) for table, privilege in rows])
    return judge_privileges(read_grants([str(row[0]) for row in rows], database, prefix), side_rows=True)


async def _tables(session: StorageSession) -> list[Finding]:
    """What the rows themselves say. Raises AccessRefused where this user may not read them."""
    seen = await session.run(overview())
    cluster, now = await session.run(read_cluster())
    found = judge_lanes(seen.lanes, cluster, now)
    unknown = await session.run(rows_of("unknown_statuses"))
    return found + judge_statuses([(str(table), str(status), int(count)) for table, status, count in unknown])


async def preflight(publisher: Publisher, topics: list[str]) -> list[Finding]:
    """Ask the broker about every destination (OB-34)."""
    try:
        await publisher.start()
        refused = await publisher.check(topics)
    except AccessRefused as error:
        return [Finding("broker", Verdict.FAIL, error.reason, error.remedy)]
    except BrokerUnavailable as error:
        return [Finding("broker", Verdict.FAIL, str(error), "messages wait in the log; no attempt is spent")]
    finally:
        await publisher.close()
    found = [Finding("broker", Verdict.OK, "answers")]
    for topic in topics:
        if topic in refused:
            advice = "create it or grant access; the relay tries again by itself"
            found.append(Finding(f"destination {topic}", Verdict.FAIL, refused[topic].reason, advice))
        else:
            found.append(Finding(f"destination {topic}", Verdict.OK, "takes messages"))
    return found


def rows_of(name: str) -> Steps[Rows]:
    """The rows of a statement without parameters: `server_facts` → (name, value text); `table_privileges` →
    (table without its prefix, privilege) as granted to the connection, none where the storage has no privileges; where the
    facts name the `database`, its GRANT statements instead, one a row; `unknown_statuses` → (table, status, count).
    """
    rows = yield Statement(name)
    return rows
