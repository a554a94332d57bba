"""The closing table: what was committed against what took effect."""

from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from outrider.cli.demo.shop import CONSUMERS, Plan, committed, counts, effects
from outrider.core.history import check


@dataclass(frozen=True)
class Result:
    """The figures of a demo; `right` is whether nothing was lost, doubled, invented or out of order."""

    committed: int
    rolled_back: int
    delivered: int
    effects: int
    lost: int
    doubled: int
    phantom: int
    out_of_order: int
    kills: int

    @property
    def right(self) -> bool:
        """Whether every promise held."""
        return not (self.lost or self.doubled or self.phantom or self.out_of_order)


def judge(plan: Plan, kills: int) -> Result:
    """Read the tables and compare."""
    orders = committed(plan)
    seen = {name: effects(plan, name) for name in CONSUMERS}
    found = [check(orders, effects_) for effects_ in seen.values()]
    return Result(
        committed=sum(map(len, orders.values())),
        rolled_back=counts(plan)["rolled back"],
        delivered=sum(len({token for _, token in effects_}) for effects_ in seen.values()),
        effects=sum(map(len, seen.values())),
        lost=sum(len(one.lost) for one in found),
        doubled=sum(len(one.repeated) for one in found),
        phantom=sum(len(one.phantom) for one in found),
        out_of_order=sum(len(one.inversions) for one in found),
        kills=kills,
    )


def show(console: Console, result: Result, facts: dict[str, Any]) -> None:
    """Print the table and a sentence."""
    table = Table(title="What became of the orders", title_justify="left", show_edge=False, pad_edge=False)
    table.add_column("")
    table.add_column("count", justify="right")
    table.add_column("means", style="dim")
    consumers = " and ".join(name.removeprefix("demo-") for name in CONSUMERS)
    rows = [
        ("committed", result.committed, "orders whose transaction committed, each with its message"),
        ("rolled back", result.rolled_back, "attempts that rolled back: nobody may see them"),
        ("delivered", result.delivered, f"messages that reached {consumers}, each once"),
        ("effects", result.effects, "rows that the consumers wrote"),
        ("lost", result.lost, "committed, without an effect"),
        ("doubled", result.doubled, "effects made more than once"),
        ("invented", result.phantom, "effects of what never committed"),
        ("out of order", result.out_of_order, "effects after a later one of the same customer"),
        ("kills", result.kills, "real SIGKILLs while it ran"),
    ]
    for name, count, means in rows:
        bad = name in {"lost", "doubled", "invented", "out of order"}
        style = ("red" if count else "green") if bad else ""
        table.add_row(name, f"[{style}]{count:,}[/]" if style else f"{count:,}", means)
    console.print()
    console.print(table)
    console.print()
    verdict = "[green]Every promise held.[/]" if result.right else "[red]A promise was broken.[/]"
    console.print(f"{verdict} {facts['seconds']:.0f} s on {facts['database']}, broker {facts['broker']}.")
