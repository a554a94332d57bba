"""A result as JSON and as a table."""

from typing import Any

from benchmarks.bars import BARS
from benchmarks.figures import Result, short
from benchmarks.rounds import Options


def as_json(name: str, options: Options, result: Result, machine: dict[str, Any], took: float) -> dict[str, Any]:
    """One object: each figure's median under its own name, then its spread, its bar, and how it was taken."""
    bars = BARS[name]
    return {
        "benchmark": name,
        **{key: short(figure.median) for key, figure in result.figures.items()},
        "missed": [key for key, figure in result.figures.items() if not bars[key].met(figure.median)],
        "left_out": [key for key in bars if key not in result.figures],
        "spread": {key: figure.as_json() for key, figure in result.figures.items()},
        "bars": {key: str(bars[key]) for key in result.figures},
        "sides": {key: figure.as_json() for key, figure in result.sides.items()},
        "rounds": options.rounds,
        "messages": options.messages,
        "settings": result.settings,
        "notes": result.notes,
        "machine": machine,
        "took_s": round(took, 1),
    }


def print_table(name: str, result: Result, values: dict[str, Any]) -> None:
    """Print the figures for a person."""
    bars = BARS[name]
    print(f"{'figure':<30}{'median':>10}{'min':>10}{'max':>10}  {'bar':<9}")
    for key, figure in result.figures.items():
        verdict = "" if bars[key].met(figure.median) else "MISSED"
        print(f"{key:<30}{_columns(figure)}  {bars[key]!s:<9}{verdict}")
    print(f"\n{'side':<30}{'median':>10}{'min':>10}{'max':>10}")
    for key, figure in result.sides.items():
        print(f"{key:<30}{_columns(figure)}")
    for title in ("settings", "notes", "machine"):
        print(f"\n{title}: " + ", ".join(f"{key} {value}" for key, value in values[title].items()))
    print(f"\n{values['rounds']} rounds, {values['messages']} messages, {values['took_s']} s")


def _columns(figure: tuple[float, float, float]) -> str:
    return "".join(f"{short(value):>10g}" for value in figure)
