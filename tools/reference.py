"""Write the tables of docs/reference from the code: settings, errors, events, metrics, commands, tables.

Each stands between `<!-- begin: name -->` and `<!-- end: name -->`; the prose around it is written by hand. `--check` writes
nothing and exits 1 where a page differs from the code. Words that no code says are in reference.toml beside this file.
"""

import dataclasses
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from outrider.cli import frame
from outrider.core import errors, events
from outrider.core.notification.codes import CLASSES, Code
from outrider.runtime.sql import NOTIFICATION_TABLES, TABLES, read_sql
from outrider.telemetry.logs import level_of, name_of
from outrider.telemetry.metric import PREFIX
from outrider.telemetry.metric_list import METRICS
from steward.service.codes import CODES
from tools.reference_commands import OUTRIDER, STEWARD, command_tables, prose
from tools.reference_facts import telemetry_tables
from tools.reference_settings import settings, steward_settings
from tools.reference_words import idle, table, words

ROOT = Path(__file__).resolve().parents[1]
PAGES = ROOT / "docs" / "reference"
STORAGES = ("postgres", "sqlite")
MIGRATION = "migrations/0001_pre.sql"
FAMILIES = {"": MIGRATION, "notification_": "migrations/notification/0001_pre.sql"}
LEVELS = {10: "debug", 20: "info", 30: "warning", 40: "error"}
ROLES = ((errors.ConfigurationError, "deployer"), (errors.UsageError, "caller"), (errors.StorageError, "platform"),
         (errors.BrokerError, "platform"), (errors.CodecError, "operator"), (errors.ChannelError, "operator"))  # fmt: skip
_BLOCK = re.compile(r"(<!-- begin: (\w+) -->\n).*?(<!-- end: \2 -->)", re.DOTALL)
_CREATE = re.compile(r"CREATE TABLE \{(\w+)\} \((.*?)\n\)", re.DOTALL)
_COLUMN = re.compile(r"^    ([a-z_]+) (.+?),?$", re.MULTILINE)
_INDEX = re.compile(r"CREATE (UNIQUE )?INDEX \S+ ON \{(\w+)\} (?:USING (\w+) )?\(([^)]*)\)")
_TYPE_END = re.compile(r" (?:COLLATE|NOT NULL|DEFAULT|CHECK|REFERENCES|GENERATED|PRIMARY|UNIQUE|AUTOINCREMENT).*")


# -- errors ------------------------------------------------------------------------------------------------------------


def error_classes() -> list[type[BaseException]]:
    """The errors of `core/errors.py`, in the order of the file."""
    return [one for one in vars(errors).values() if isinstance(one, type) and one.__module__ == errors.__name__]


def error_tables() -> str:
    """The classes, and the codes that only rows carry."""
    rows = [
        (f"`{one.__name__}`", f"`{vars(one).get('code') or one.code}`", f"`{base(one)}`", actor(one),  # type: ignore[attr-defined]
         "yes" if getattr(one, "retryable", False) else "no", exit_code(one), prose(one.__doc__))
        for one in error_classes()
    ]  # fmt: skip
    said = words("row_codes", sorted(errors.ROW_CODES))
    codes = [(f"`{code}`", said[code] + idle("codes", code)) for code in sorted(errors.ROW_CODES)]
    heads = ("class", "code", "base", "who acts", "retryable", "exit", "means")
    about = "### Codes without a class\n\nThey stand in rows and log lines.\n"
    said = words("notification_codes", sorted(Code))
    ends = [(f"`{code}`", str(CLASSES.get(Code(code), "-")), said[code]) for code in sorted(Code)]
    people = "\n### Codes of notifications\n\nThey stand in records and attempts.\n"
    listed = table(("code", "class", "means"), ends)
    return f"{table(heads, rows)}\n{about}\n{table(('code', 'means'), codes)}{people}\n{listed}"


def base(one: type[BaseException]) -> str:
    """The name of the class that it extends."""
    return one.__mro__[1].__name__


def actor(one: type[BaseException]) -> str:
    """Who acts, by the tree."""
    return next((who for root, who in ROLES if issubclass(one, root)), "we do" if one.__name__[0] == "I" else "-")


def exit_code(one: type[BaseException]) -> str:
    """What the command line exits with, asked of the command line itself."""
    if not issubclass(one, errors.OutriderError):
        return "-"
    bare = one.__new__(one)
    return str(frame.exit_code(bare))


# -- events ------------------------------------------------------------------------------------------------------------

BASES = (
    events.TelemetryEvent, events.LaneEvent, events.MessageEvent, events.NotificationEvent, events.ApplicationEvent,
)  # fmt: skip


def event_classes() -> list[type[events.TelemetryEvent]]:
    """The events, in the order of their files."""
    files = (events.base, events.carrying, events.consuming, events.keeping, events.notifying, events.running)
    values = [(file, one) for file in files for one in vars(file).values()]
    kinds = [one for file, one in values if isinstance(one, type) and one.__module__ == file.__name__]
    return [one for one in kinds if one not in BASES]


def event_tables() -> str:
    """The fields that several events share, then each event with its own."""
    shared = [(f"`{one.__name__}`", fields_of(one), prose(one.__doc__)) for one in BASES]
    rows = [
        (
            f"`{one.__name__}`",
            f"`{line(one)[0]}`",
            line(one)[1],
            fields_of(one),
            prose(one.__doc__) + idle("events", one.__name__),
        )
        for one in event_classes()
    ]
    heads = ("event", "log line", "level", "fields", "what happened")
    return f"{table(('of', 'fields', 'what it is'), shared)}\n{table(heads, rows)}"


def fields_of(one: type[events.TelemetryEvent]) -> str:
    """Its own fields, after the name of the shared ones."""
    parent = next((root for root in reversed(BASES) if issubclass(one, root) and one is not root), None)
    inherited = {field.name for field in dataclasses.fields(parent)} if parent else set()
    own = [f"`{field.name}`" for field in dataclasses.fields(one) if field.name not in inherited]
    return ", ".join([*([f"of `{parent.__name__}`"] if parent else []), *own])


def line(one: type[events.TelemetryEvent]) -> tuple[str, str]:
    """The name of its log line, and its level."""
    bare = one.__new__(one)
    for field in dataclasses.fields(one):
        object.__setattr__(bare, field.name, True if field.name == "clean" else 0)
    return name_of(bare), LEVELS[level_of(bare)]


# -- metrics -----------------------------------------------------------------------------------------------------------


def metric_tables() -> str:
    """Each metric with its labels and the events that feed it."""
    rows = [
        (
            f"`{PREFIX}{one.name}`",
            one.kind,
            ", ".join(f"`{label}`" for label in one.labels),
            one.help,
            ", ".join(f"`{event.__name__}`" for event in one.events),
        )
        for one in METRICS
    ]
    return table(("metric", "kind", "labels", "what it is", "from"), rows)


# -- tables ------------------------------------------------------------------------------------------------------------


def schema(storage: str) -> tuple[dict[str, dict[str, str]], dict[str, list[str]]]:
    """Columns with their types, and indexes, by table: those of the notifier with their prefix."""
    columns: dict[str, dict[str, str]] = {}
    indexes: dict[str, list[str]] = {}
    for prefix, path in FAMILIES.items():
        made, kept = family(read_sql(f"outrider.storages.{storage}", path))
        columns |= {prefix + name: found for name, found in made.items()}
        indexes |= {prefix + name: found for name, found in kept.items()}
    return columns, indexes


def family(text: str) -> tuple[dict[str, dict[str, str]], dict[str, list[str]]]:
    """The same of one script."""
    columns = {
        name: {
            column: _TYPE_END.sub("", rest) + ("" if required(rest) else "?") for column, rest in _COLUMN.findall(body)
        }
        for name, body in _CREATE.findall(text)
    }
    indexes: dict[str, list[str]] = {}
    for name, body in _CREATE.findall(text):
        keys = re.findall(r"(PRIMARY KEY|UNIQUE) \(([^)]*)\)", body)
        keys += [
            (kind, column) for column, rest in _COLUMN.findall(body) for kind in re.findall(r"PRIMARY KEY|UNIQUE", rest)
        ]
        indexes[name] = [f"{kind.lower()} ({on})" for kind, on in keys]
    for unique, name, method, on in _INDEX.findall(text):
        indexes[name].append(f"{'unique' if unique else method or 'index'} ({on})")
    return columns, indexes


def required(rest: str) -> bool:
    """Whether a column's definition refuses NULL."""
    return "NOT NULL" in rest or "PRIMARY KEY" in rest or "IDENTITY" in rest


def table_names() -> list[str]:
    """The tables and the view that a migration makes, in the order of the loader's list."""
    made = {name for storage in STORAGES for name in schema(storage)[0]} | {"outbox_status"}
    return [name for name in (*TABLES, *(f"notification_{table}" for table in NOTIFICATION_TABLES)) if name in made]


def table_tables() -> str:
    """Each table with its columns on both databases."""
    said = words("tables", table_names())
    (postgres, indexes), (sqlite, _) = schema("postgres"), schema("sqlite")
    parts = []
    for name in table_names():
        parts.append(f"### `{name}`\n\n{said[name]}\n")
        if name in postgres:
            rows = [(f"`{column}`", kind, sqlite[name].get(column, "-")) for column, kind in postgres[name].items()]
            rows += [
                (f"`{column}`", "-", kind) for column, kind in sqlite[name].items() if column not in postgres[name]
            ]
            parts.append(table(("column", "PostgreSQL", "SQLite"), rows))
            parts.append(f"Keys and indexes: {'; '.join(indexes[name])}.\n")
        else:
            parts.append(f"Columns: {', '.join(f'`{column}`' for column in view_columns())}.\n")
    return "\n".join(parts)


def view_columns() -> list[str]:
    """The columns of `outbox_status`."""
    text = read_sql("outrider.storages.postgres", MIGRATION)
    head = text.split("CREATE VIEW {outbox_status} AS\nSELECT\n")[1].split("\nFROM {outbox_message}")[0]
    ends = re.split(r",(?![^(]*\))|,(?=\n)", re.sub(r"CASE.*?\bEND\b", "CASE", head, flags=re.DOTALL))
    return [end.split()[-1].split(".")[-1] for end in ends if end.strip()]


# -- Steward's problems ------------------------------------------------------------------------------------------------


def problem_table() -> str:
    """The codes of Steward's HTTP interface, by status."""
    rows = [(f"`{name}`", str(code.status), code.en, code.zh) for name, code in CODES.items()]
    return table(("code", "status", "title", "标题"), sorted(rows, key=lambda row: row[1]))


# -- pages -------------------------------------------------------------------------------------------------------------

BLOCKS: Mapping[str, Callable[[], str]] = {
    "settings": settings, "errors": error_tables, "events": event_tables, "metrics": metric_tables,
    "commands": lambda: command_tables(OUTRIDER), "tables": table_tables, "problems": problem_table,
    "steward_commands": lambda: command_tables(STEWARD), "steward_settings": steward_settings,
    "steward_telemetry": telemetry_tables,
}  # fmt: skip


def path_of(name: str) -> Path:
    """Where a page stands."""
    return PAGES / f"{name}.md"


def page(name: str) -> tuple[str, str]:
    """A page as it is and as it should be. Raises WordsMissing, or ValueError where it lacks its marks."""
    text = path_of(name).read_text(encoding="utf-8")
    if [found[1] for found in _BLOCK.findall(text)] != [name]:
        raise ValueError(f"{path_of(name)} lacks its marks: <!-- begin: {name} --> and <!-- end: {name} -->")
    return text, _BLOCK.sub(lambda found: f"{found[1]}\n{BLOCKS[name]()}\n{found[3]}", text)


def main() -> int:
    """Write the pages, or with `--check` only say which differ."""
    stale = [name for name in BLOCKS for now, wanted in [page(name)] if now != wanted]
    if "--check" in sys.argv[1:]:
        print("\n".join(f"{path_of(name).name}: run  python -m tools.reference" for name in stale) or "in step")
        return 1 if stale else 0
    for name in stale:
        path_of(name).write_text(page(name)[1], encoding="utf-8")
        print(f"{path_of(name).name} written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
