"""`steward doctor`: everything that can be seen to be wrong, each with what to do."""

from dataclasses import asdict
from importlib import import_module

from steward.cli.frame import DONE, FAILED, Call, command, new_app

app = new_app()
EXAMPLES = (
    ("steward doctor", "exit 1 if something is wrong, with what to do"),
    ("steward doctor --json", "for a program"),
)
MARKS = {"ok": "ok", "warn": "WARN", "fail": "FAIL"}


@command(app, "doctor", examples=EXAMPLES)
async def run(call: Call) -> int:
    """Check settings, database, clock, tables, broker, lag, jobs, dead messages, and the search itself."""
    async with call.steward(check=False) as steward:
        found = await import_module("steward.bootstrap.examining").examine(steward)
    wrong = sum(one.verdict == "fail" for one in found)
    if call.out.as_json:
        call.out.json({"wrong": wrong, "checks": [asdict(one) for one in found]})
    else:
        call.out.table(("", "check", "seen"), [(MARKS[one.verdict], one.check, one.seen) for one in found])
        for one in found:
            if one.advice:
                call.out.text(f"\n{MARKS[one.verdict]} {one.check}: {one.advice}")
    call.out.say(f"{wrong} of {len(found)} checks failed" if wrong else f"all {len(found)} checks passed")
    return FAILED if wrong else DONE
