"""A statement's name is the contract between rooms and storages: every storage has every one of them (style §7)."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from outrider.storages.memory.statements import STATEMENTS

SRC = Path(__file__).parents[2] / "src" / "outrider"
NAME = re.compile(r"^-- name: (\w+)", re.MULTILINE)
YIELDED = re.compile(r"""\b(?:Statement|_write|over)\(\s*f?"(\w+)["{]""")

# {statement: (storages that have it, why the others do not)}, compared for equality
ONLY: Mapping[str, tuple[frozenset[str], str]] = {
    **dict.fromkeys(
        ("read_tick", "read_late", "read_fresh", "read_tick_unseen", "read_late_unseen", "read_fresh_unseen"),
        (
            frozenset({"postgres"}),
            "each LogReader has its own reads; these are a tick's two parts, each with its index",
        ),
    ),
    **dict.fromkeys(
        ("read_log", "read_log_unseen"),
        (frozenset({"sqlite", "memory"}), "each LogReader has its own reads; here one walk along the ids"),
    ),
    "resume_tick": (frozenset({"postgres", "memory"}), "ticks are of snapshots, which SQLite has not"),
    "open_tick": (frozenset({"memory"}), "PostgreSQL opens a tick and reads its first rows by one statement"),
    **dict.fromkeys(
        ("add_new_message", "add_new_messages", "add_plain_message"),
        (
            frozenset({"postgres"}),
            "without ON CONFLICT an insert costs less there; RowWriter has one statement for both",
        ),
    ),
    **dict.fromkeys(
        ("open_pass", "read_pass", "read_pass_beside", "delete_pending", "delete_pending_run"),
        (frozenset({"mysql"}), "side rows say there what is to be read (OB-21)"),
    ),
    "record_receipts": (frozenset({"postgres"}), "one statement for many, from arrays"),
    "record_receipt": (frozenset({"sqlite", "mysql", "memory"}), "once a message"),
}
STORAGES = ("postgres", "sqlite", "mysql", "memory")
ROOMS = ("core", "outbox", "relay", "consumer", "admin", "notification")
NOT_IN_MEMORY = re.compile(r"verify_\w+")  # `outrider verify` looks at tables on disk; memory has no command line


def names_of(storage: str) -> set[str]:
    if storage == "memory":
        return set(STATEMENTS)
    files = (SRC / "storages" / storage / "sql").glob("*.sql")
    return {name for file in files for name in NAME.findall(file.read_text(encoding="utf-8"))}


def test_every_statement_exists_in_every_storage_but_the_listed_ones() -> None:
    """OB-16: one dialect more is one set of texts more, never a statement less."""
    having = {storage: names_of(storage) for storage in STORAGES}
    everywhere = set[str].union(*having.values())
    found = {}
    for name in everywhere:
        storages = frozenset(storage for storage, names in having.items() if name in names)
        if NOT_IN_MEMORY.fullmatch(name):
            assert storages == set(STORAGES) - {"memory"}, name
        elif storages != set(having):
            found[name] = storages
    assert found == {name: storages for name, (storages, _) in ONLY.items()}


def test_no_statement_is_kept_twice_in_one_storage() -> None:
    for storage in ("postgres", "sqlite", "mysql"):
        files = (SRC / "storages" / storage / "sql").glob("*.sql")
        names = [(name, file.name) for file in files for name in NAME.findall(file.read_text(encoding="utf-8"))]
        twice = {name: [file for other, file in names if other == name] for name, _ in names}
        texts = {name: found for name, found in twice.items() if len(found) > 1}
        assert not texts, f"{storage}: the file that is read last would win"


@pytest.mark.parametrize("storage", STORAGES)
def test_every_statement_that_a_room_yields_exists(storage: str) -> None:
    """A misspelt name would fail only when it is reached."""
    files = [file for room in ROOMS for file in (SRC / room).rglob("*.py")]
    yielded = {name for file in files for name in YIELDED.findall(file.read_text("utf-8"))}
    whole = {name for name in yielded if not name.endswith("_")}
    exempt = {name for name, (storages, _) in ONLY.items() if storage not in storages}
    if storage == "memory":
        exempt |= {name for name in whole if NOT_IN_MEMORY.fullmatch(name)}
    assert len(whole) > 60
    assert whole - names_of(storage) - exempt == set()
