"""The command `outrider demo`."""

import shutil
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from outrider.cli.demo.play import QUIET_SECONDS, Play, StuckError
from outrider.cli.demo.prepare import prepare
from outrider.cli.demo.report import judge, show
from outrider.cli.demo.shop import CONSUMERS, Plan, check_orders, counts, orders
from outrider.cli.frame import FAILED, USAGE, Call, command, new_app

LEASE_SECONDS = 1.0
SESSION_SECONDS = 6.0  # the shortest that a Kafka takes as it is shipped
PRODUCERS = 3
ROLLBACK_SHARE = 0.2
ORDERS_PER_SECOND = 60.0
LOOK_SECONDS = 0.2
EXAMPLES = (
    ("outrider demo --once", "SQLite, the log as its own broker; ends by itself"),
    ("outrider demo --orders orders.csv --once", "your own rows, in order per customer"),
    ("outrider demo --database postgresql://me@db/shop --broker kafka://kafka:9092", "real servers"),
)

app = new_app()


@command(app, "demo", examples=EXAMPLES)
def demo(
    call: Call,
    once: Annotated[
        bool, typer.Option("--once", help="End when the orders are through; exit 1 if a promise broke.")
    ] = False,
    orders_file: Annotated[
        Path | None, typer.Option("--orders", metavar="FILE.csv", help="Your own rows, with a header line.")
    ] = None,
    key: Annotated[
        str | None, typer.Option("--key", metavar="COLUMN", help="The column that orders are kept in order by.")
    ] = None,
    count: Annotated[int, typer.Option("--count", min=100, help="How many orders to make up.")] = 2000,
    kills: Annotated[int, typer.Option("--kills", min=0, help="How many processes to kill.")] = 24,
    database: Annotated[
        str | None,
        typer.Option("--database", metavar="URL", help="postgresql://… or sqlite:///FILE (default: a new file)."),
    ] = None,
    broker: Annotated[str, typer.Option("--broker", metavar="URL", help="log: or kafka://host:port.")] = "log:",
    seed: Annotated[int, typer.Option("--seed", help="Seed of all chance.")] = 1,
) -> int:
    """An order service whose processes are really killed while you watch, and a table of what became of the orders."""
    folder = Path(tempfile.mkdtemp(prefix="outrider-demo-"))
    plan = Plan(
        database=database or f"sqlite:///{folder}/shop.db",
        broker=broker,
        namespace=f"demo-{int(time.time()):x}",
        orders=count if once else 100 * count,
        orders_file=str(orders_file) if orders_file else None,
        key_column=key,
        producers=PRODUCERS,
        orders_per_second=ORDERS_PER_SECOND,
        rollback_share=ROLLBACK_SHARE,
        lease_seconds=LEASE_SECONDS,
        session_seconds=SESSION_SECONDS,
        seed=seed,
    )
    if fault := check_orders(plan):
        call.out.fail(fault)
        return USAGE
    try:
        return _play(call, plan, kills if once else 100 * kills, folder)
    except StuckError as error:
        call.out.fail(str(error))
        return FAILED
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _play(call: Call, plan: Plan, kills: int, folder: Path) -> int:
    words = Console(stderr=True, quiet=call.out.quiet, no_color=not call.out.color, highlight=False)
    shown = {"database": plan.dialect, "broker": plan.broker.split(":")[0]}
    words.print(
        f"[bold]Outrider demo[/]: {len(orders(plan)):,} orders on {shown['database']}, broker {shown['broker']}."
    )
    words.print(
        f"{plan.producers} producers roll {plan.rollback_share:.0%} of their transactions back;"
        f" {' and '.join(name.removeprefix('demo-') for name in CONSUMERS)} consume, each with a standby."
    )
    words.print(
        f"Processes are killed with SIGKILL. It runs with a lease of {plan.lease_seconds:.0f} s (shipped: 15 s),"
        " so that a standby goes on soon enough to watch.\n"
    )
    prepare(plan)
    started = time.monotonic()
    play = Play(plan, folder, kills, say=lambda text: words.print(f"{time.monotonic() - started:5.1f} s  {text}"))
    interrupted = False
    with play.running():
        try:
            _watch(words, play)
        except KeyboardInterrupt:
            interrupted = True
            words.print("Stopping: what is committed still comes through.")
            play.stop_placing()
            _watch(words, play)
    result = judge(plan, play.kills)
    facts = shown | {"seconds": time.monotonic() - started}
    if call.out.as_json:
        call.out.json(asdict(result) | {"interrupted": interrupted, "lease_seconds": plan.lease_seconds} | facts)
    else:
        show(Console(no_color=not call.out.color, highlight=False), result, facts)
    return 0 if result.right else FAILED


def _watch(words: Console, play: Play) -> None:
    """Show how far it is until all is through, or nothing has moved for a while."""
    total = len(orders(play.plan))
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=words, transient=True, disable=not words.is_terminal) as progress:
        committed = progress.add_task("committed", total=total)
        effects = progress.add_task("effects", total=total * len(CONSUMERS))
        before, moved_at = -1, time.monotonic()
        while True:
            play.check()
            found = counts(play.plan)
            done = sum(found[name] for name in CONSUMERS)
            progress.update(committed, completed=found["committed"])
            progress.update(effects, completed=done)
            if found["committed"] + done != before:
                before, moved_at = found["committed"] + done, time.monotonic()
            if not play.placing and done >= found["committed"] * len(CONSUMERS):
                return
            if time.monotonic() > moved_at + QUIET_SECONDS:
                return
            time.sleep(LOOK_SECONDS)
