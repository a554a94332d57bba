"""`outrider doctor`: every check that a start makes, each with what to do."""

from outrider.admin.doctor import examine, preflight
from outrider.bootstrap.brokers import publisher_of, retention_of_topics, topics_of
from outrider.bootstrap.pruning import retention
from outrider.bootstrap.wiring import Site, known_catalog, site
from outrider.cli.frame import DONE, FAILED, Call, command, new_app
from outrider.core.health import Finding, Verdict, judge_sources

app = new_app()

EXAMPLES = (
    ("outrider doctor", "exit 1 if something is wrong, with what to do"),
    ("outrider doctor --json", "the checks for a program"),
)
MARKS = {Verdict.OK: "ok", Verdict.WARN: "WARN", Verdict.FAIL: "FAIL"}


@command(app, "doctor", examples=EXAMPLES)
async def doctor(call: Call) -> int:
    """Check database, tables, positions, retention and destinations; say what to do about what is wrong."""
    made = site(call.settings())
    found = await everything(made)
    worst = max((one.verdict for one in found), key=list(Verdict).index)
    if call.out.as_json:
        call.out.json({"service": made.service, "verdict": worst, "checks": [one._asdict() for one in found]})
    else:
        call.out.table(("", "check", "seen"), [(MARKS[one.verdict], one.check, one.seen) for one in found])
        for one in found:
            if one.advice:
                call.out.text(f"\n{MARKS[one.verdict]} {one.check}: {one.advice}")
    wrong = sum(one.verdict is Verdict.FAIL for one in found)
    call.out.say(f"\n{summary(len(found), wrong, sum(one.verdict is Verdict.WARN for one in found))}")
    return FAILED if wrong else DONE


def summary(checks: int, failed: int, warned: int) -> str:
    """How the checks came out, in a line."""
    told = [f"{count} {what}" for count, what in ((failed, "failed"), (warned, "to look at")) if count]
    return f"{checks} checks: {', '.join(told)}" if told else f"all {checks} checks passed"


async def everything(made: Site) -> list[Finding]:
    """Database first; the broker only where the tables are right."""
    async with made.session(check=False) as session:
        found = await examine(session, retention(made))
        if any(one.check == "schema" and one.verdict is Verdict.FAIL for one in found):
            return found
        catalog = await known_catalog(made, session)
    publisher = publisher_of(made)
    if publisher is None:
        return [*found, Finding("broker", Verdict.OK, f"{made.settings.broker.kind}: nothing is published to a broker")]
    topics = topics_of(made, catalog.routes.values())
    found += await preflight(publisher, topics)
    if found[-1].check != "broker":
        found += judge_sources(retention(made), await retention_of_topics(made, topics))
    return found
