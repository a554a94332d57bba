"""`./run bench NAME`: measure, print the figures beside their bars, exit 1 where a bar is missed."""

import argparse
import json
import sys
import time
from importlib import import_module

from benchmarks.bars import BARS
from benchmarks.machine import machine
from benchmarks.report import as_json, print_table
from benchmarks.rounds import Options

DATABASES = ("postgresql", "mariadb")
DEFAULT_MESSAGES = 200_000
ROUNDS_MINIMUM = 5
EXAMPLES = """examples:
  ./run bench relay --json                       the spec's sizes, one JSON object on the last line
  ./run bench enqueue --messages 5000            a quick try: the figures say with how many
  ./run bench relay --database mariadb           the same road on MariaDB; enqueue has it, too
  ./run bench relay --only read_vs_copy,null_vs_copy
"""


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="./run bench", description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=[name for name in BARS if "_" not in name])
    parser.add_argument(
        "--database", choices=DATABASES, default=DATABASES[0], help="enqueue and relay run on MariaDB, too"
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS_MINIMUM, help=f"of all sides (default {ROUNDS_MINIMUM})")
    parser.add_argument(
        "--messages", type=int, default=DEFAULT_MESSAGES, help=f"of a data set (default {DEFAULT_MESSAGES})"
    )
    parser.add_argument("--only", help="figures to measure, by comma; the rest is left out")
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    return parser.parse_args(arguments)


def main() -> int:
    """Run from the command line."""
    arguments = parse()
    name = arguments.name if arguments.database == DATABASES[0] else f"{arguments.name}_{arguments.database}"
    if name not in BARS:
        sys.exit(f"./run bench: {arguments.name} has no side on {arguments.database}")
    only = frozenset(arguments.only.split(",")) if arguments.only else None
    if only and (unknown := only - set(BARS[name])):
        sys.exit(f"./run bench: {name} has no {', '.join(sorted(unknown))}; it has {', '.join(BARS[name])}")
    options = Options(arguments.rounds, arguments.messages, only)
    started = time.monotonic()
    result = import_module(f"benchmarks.{name}").run(options)
    took = time.monotonic() - started
    values = as_json(name, options, result, machine(), took)
    if arguments.json:
        print(json.dumps(values, ensure_ascii=False))
    else:
        print_table(name, result, values)
    return 1 if values["missed"] else 0


if __name__ == "__main__":
    sys.exit(main())
