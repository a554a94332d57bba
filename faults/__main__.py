"""`./run fault NAME`: run one campaign, print its figures, exit 1 if anything is not as it must be."""

import argparse
import json
import sys
import time
from typing import Any

from faults.bars import misses
from faults.options import Options
from faults.rig import LEASE_SECONDS, rig
from faults.scenarios import SCENARIOS

DEFAULT_KILLS = {
    "confirm": 50,
    "poison": 5,
    "relay": 20,
    "consume": 20,
    "add": 20,
    "postgres": 4,
    "mariadb": 4,
    "kafka": 2,
    "zombie": 5,
    "outage": 0,
    "restart": 10,
    "amnesia": 3,
    "prune": 10,
    "lanes": 8,
    "rebase": 2,
    "notification": 10,
    "notification-frozen": 10,
    "notification-points": 12,
    "notification-outage": 0,
    "pipeline": 10,
}
DATABASES = ("postgresql", "mariadb")
ON_POSTGRES = (
    "postgres", "outage", "amnesia", "poison", "prune", "notification", "notification-frozen", "notification-points",
    "pipeline",
)  # fmt: skip
"""Campaigns that look into PostgreSQL's own tables."""
OF_THEIR_OWN = frozenset(
    {"confirm", "notification", "notification-frozen", "notification-points", "notification-outage", "pipeline"}
)
"""Campaigns that set up brokers by themselves, or have none."""
MESSAGES, RECORDS, TASKS = 2000, 10_000, 200
EXAMPLES = """examples:
  ./run fault relay --kills 200 --messages 50000 --json
  ./run fault relay --kills 200 --messages 50000 --transactional --json
  ./run fault consume --database mariadb --kills 100 --messages 20000 --json
  ./run fault notification --kills 200 --messages 5000 --json
  ./run fault notification-frozen --kills 20 --messages 2000 --json
  ./run fault notification-points --kills 2000 --json
  ./run fault notification-outage --minutes 60 --virtual --json
  ./run fault confirm --rounds 500 --json
  ./run fault pipeline --kills 200 --tasks 2000 --json
  ./run fault outage --seconds 90 --messages 20000
"""


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="./run fault", description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=SCENARIOS)
    parser.add_argument(
        "--kills",
        "--changes",
        "--wipes",
        "--rounds",
        type=int,
        help="faults, changes of the number of lanes, or rounds of a race (default: a few)",
    )
    parser.add_argument(
        "--messages",
        "--tasks",
        type=int,
        help=f"committed messages at least (default {MESSAGES}; notification-outage {RECORDS}), tasks of pipeline ({TASKS})",
    )
    parser.add_argument("--seconds", type=float, default=20.0, help="length of the outage (default 20)")
    parser.add_argument("--minutes", type=float, help="the same in minutes")
    parser.add_argument("--virtual", action="store_true", help="in virtual time, as notification-outage always runs")
    parser.add_argument("--transactional", action="store_true", help="with broker.transactional")
    parser.add_argument(
        "--database", choices=DATABASES, default="postgresql", help="where the log lies (default postgresql)"
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of all chance (default 1)")
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    return parser.parse_args(arguments)


def run(name: str, options: Options, *, quiet: bool = False) -> dict[str, Any]:
    """Run the campaign `name`. Raises RuntimeError when a process cannot be brought to work."""
    done = 0

    def tick() -> None:
        nonlocal done
        done += 1
        if not quiet and sys.stderr.isatty():
            print(f"\r{name}: {done}/{options.kills}", end="", file=sys.stderr, flush=True)

    database = {"mariadb": "mariadb", "notification-outage": "sqlite"}.get(name, options.database)
    if database == "mariadb" and name in ON_POSTGRES:
        raise RuntimeError(f"{name} looks into PostgreSQL's own tables")
    started = time.monotonic()
    with rig(database) as made:
        figures = SCENARIOS[name](made, options, tick)
    told = {"campaign": name, "database": database, "seed": options.seed, "lease_s": LEASE_SECONDS}
    if name not in OF_THEIR_OWN:
        told |= {"transactional": options.transactional, "publish_timeout_s": round(LEASE_SECONDS / 3, 2),
                 "kafka_session_s": LEASE_SECONDS}  # fmt: skip
    return {**told, **figures, "took_s": round(time.monotonic() - started, 1)}


def main() -> int:
    """Run from the command line."""
    arguments = parse()
    kills = DEFAULT_KILLS[arguments.name] if arguments.kills is None else arguments.kills
    messages = arguments.messages or {"notification-outage": RECORDS, "pipeline": TASKS}.get(arguments.name, MESSAGES)
    seconds = arguments.seconds if arguments.minutes is None else arguments.minutes * 60
    if arguments.virtual != (arguments.name == "notification-outage"):
        sys.exit("./run fault: notification-outage runs in virtual time, --virtual, and no other campaign does")
    options = Options(kills, messages, seconds, arguments.transactional, arguments.seed, arguments.database)
    figures = run(arguments.name, options)
    if arguments.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:>22}  {value}")
    missed = misses(figures)
    for miss in missed:
        print(f"{arguments.name}: {miss}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
