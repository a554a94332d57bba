"""`steward scan`: look at the jobs that are due, now."""

from typing import Annotated

import typer

from steward.cli.frame import Call, command, new_app
from steward.service.scanning import Scanned

app = new_app()
EXAMPLES = (
    ("steward scan --once", "what the role scan does every 30 seconds"),
    ("steward scan --dry-run", "the decision per job, nothing is changed"),
)


@command(app, "scan", examples=EXAMPLES)
async def run(
    call: Call,
    once: Annotated[bool, typer.Option("--once", help="One batch; otherwise until nothing is due.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing.")] = False,
) -> None:
    """Look at jobs that are due and show what became of each."""
    jobs: list[Scanned] = []
    async with call.steward() as steward:
        while True:
            report = await steward.scanning.scan_once(dry_run=dry_run)
            jobs += report.jobs
            if once or dry_run or not report.full:
                break
    if call.out.as_json:
        names = ("job_id", "task_id", "status", "code", "trigger_id")
        call.out.json({"dry_run": dry_run, "jobs": [{name: getattr(job, name) for name in names} for job in jobs]})
    else:
        rows = [(job.job_id, job.task_id, job.status, job.code, job.trigger_id) for job in jobs]
        call.out.table(("job", "task", "status", "code", "trigger"), rows)
