"""`outrider doctor`: every check that a start makes, each with what to do."""

from outrider.bootstrap.operations import operations
from outrider.bootstrap.wiring import site
from outrider.cli.frame import DONE, FAILED, Call, command, new_app
from outrider.core.health import Verdict

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
    found = await operations(made, actor=call.actor).doctor()
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
