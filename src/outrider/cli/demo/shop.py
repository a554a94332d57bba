"""The demo's application: orders of customers, each counted under its customer's row lock, and their effects."""

import csv
import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from outrider import Catalog

SERVICE = "demo-shop"
CONSUMERS = ("demo-billing", "demo-shipping")
TYPE = "demo.order-placed"
KEY_COLUMNS = ("customer", "customer_id", "key", "account", "id")
TABLES = {
    "demo_customer": "key text PRIMARY KEY, n bigint NOT NULL",
    "demo_placed": "token text PRIMARY KEY, row_number bigint NOT NULL, key text NOT NULL, n bigint NOT NULL",
    "demo_rolled_back": "token text PRIMARY KEY",
    "demo_effect": "id {serial}, consumer text NOT NULL, token text NOT NULL, key text NOT NULL",
}
SERIAL = {
    "sqlite": "INTEGER PRIMARY KEY AUTOINCREMENT",
    "postgresql": "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
}


@dataclass(frozen=True)
class Plan:
    """What every process of the demo is told, as JSON on its command line."""

    database: str
    broker: str
    namespace: str
    orders: int
    orders_file: str | None
    key_column: str | None
    producers: int
    orders_per_second: float
    rollback_share: float
    lease_seconds: float
    session_seconds: float
    seed: int

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return "sqlite" if self.database.startswith("sqlite:") else "postgresql"

    @property
    def path(self) -> str:
        """The file of a SQLite database."""
        return self.database.removeprefix("sqlite:///")

    def to_json(self) -> str:
        """As one argument."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Plan":
        """Back from the argument."""
        return cls(**json.loads(text))


def catalog(namespace: str) -> Catalog:
    """The services and the one type of the demo."""
    made = Catalog(SERVICE, *CONSUMERS, namespace=namespace)
    made.declare(TYPE, owner=SERVICE, consumers=CONSUMERS)
    return made


def orders(plan: Plan) -> Sequence[tuple[str, dict[str, Any]]]:
    """The rows to place, each with its key: the person's own, or made up."""
    if plan.orders_file is None:
        return [
            (f"customer-{number * 7919 % 97:02}", {"order": number, "amount": f"{number % 90 + 10}.00"})
            for number in range(plan.orders)
        ]
    with Path(plan.orders_file).open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    column = plan.key_column or _key_column(rows)
    return [(row[column] or f"row-{number}", dict(row)) for number, row in enumerate(rows)]


def check_orders(plan: Plan) -> str | None:
    """Say what is wrong with the person's file, if anything."""
    if plan.orders_file is None:
        return None
    try:
        with Path(plan.orders_file).open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
    except OSError as error:
        return f"{plan.orders_file}: {error.strerror}"
    except (UnicodeDecodeError, csv.Error) as error:
        return f"{plan.orders_file}: {error}"
    if long := next((number for number, row in enumerate(rows, 1) if None in row), None):
        return f"{plan.orders_file}: row {long} has more fields than the header line"
    if not rows or not reader.fieldnames:
        return f"{plan.orders_file}: no rows below a header line"
    if plan.key_column and plan.key_column not in reader.fieldnames:
        return f"{plan.orders_file}: no column {plan.key_column!r}; there are: {', '.join(reader.fieldnames)}"
    return None


def _key_column(rows: Sequence[dict[str, str]]) -> str:
    columns = list(rows[0])
    return next((column for column in columns if column.lower() in KEY_COLUMNS), columns[0])


@contextmanager
def connect(plan: Plan) -> Iterator[Any]:
    """A connection in autocommit, closed at the end: sqlite3 or psycopg, both with `execute(text, values)`."""
    if plan.dialect == "sqlite":
        with closing(sqlite3.connect(plan.path, isolation_level=None, timeout=20)) as connection:
            yield connection
        return
    import psycopg  # noqa: PLC0415 - an extra, only for PostgreSQL

    with psycopg.connect(plan.database, autocommit=True) as connection:
        yield connection


def sql(plan: Plan, text: str) -> str:
    """`text` with `?` as the driver's mark."""
    return text if plan.dialect == "sqlite" else text.replace("%", "%%").replace("?", "%s")


def create_tables(plan: Plan) -> None:
    """Make the demo's own tables anew."""
    with connect(plan) as connection:
        if plan.dialect == "sqlite":
            connection.execute("PRAGMA journal_mode = WAL")
        for name, columns in TABLES.items():
            connection.execute(f"DROP TABLE IF EXISTS {name}")
            connection.execute(f"CREATE TABLE {name} ({columns.format(serial=SERIAL[plan.dialect])})")


def committed(plan: Plan) -> dict[str, list[str]]:
    """The tokens of committed orders by customer, in causal order."""
    found: dict[str, list[str]] = defaultdict(list)
    with connect(plan) as connection:
        for key, token in connection.execute("SELECT key, token FROM demo_placed ORDER BY key, n").fetchall():
            found[key].append(token)
    return found


def effects(plan: Plan, consumer: str) -> list[tuple[str, str]]:
    """The effects of a consumer, key and token, in the order in which they were made."""
    query = sql(plan, "SELECT key, token FROM demo_effect WHERE consumer = ? ORDER BY id")
    with connect(plan) as connection:
        return [(key, token) for key, token in connection.execute(query, (consumer,)).fetchall()]


def counts(plan: Plan) -> dict[str, int]:
    """How many orders are committed and rolled back, and how many effects each consumer has."""
    with connect(plan) as connection:

        def count(table: str, where: str = "") -> int:
            return int(connection.execute(f"SELECT count(*) FROM {table} {where}").fetchone()[0])

        found = {"committed": count("demo_placed"), "rolled back": count("demo_rolled_back")}
        return found | {name: count("demo_effect", f"WHERE consumer = '{name}'") for name in CONSUMERS}
