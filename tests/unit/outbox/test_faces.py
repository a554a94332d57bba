"""The two faces of the outbox, and what is re-exported."""

import ast
import inspect
import sys
from pathlib import Path

import pytest

import outrider
from outrider import AsyncOutbox, Catalog, Message, MessageState, Outbox
from outrider.core.errors import CatalogError, MissingExtra, NoTransaction, UnregisteredType
from outrider.storages.memory.storage import MemoryStorage


def methods(face: type) -> dict[str, tuple[list[str], str | None]]:
    found = inspect.getmembers(face, inspect.isfunction)
    return {
        name: (list(inspect.signature(method).parameters), method.__doc__)
        for name, method in found
        if not name.startswith("_") or name == "__init__"
    }


def test_both_faces_have_the_same_methods() -> None:
    """OB-8: names, parameters and docstrings are equal; only the waiting differs."""
    assert methods(Outbox) == methods(AsyncOutbox)
    assert {"add", "get", "status", "due", "wake"} <= set(methods(Outbox))
    for name in ("add", "get", "status", "due"):
        assert inspect.iscoroutinefunction(getattr(AsyncOutbox, name))
        assert not inspect.iscoroutinefunction(getattr(Outbox, name))


def test_an_unknown_service_is_refused() -> None:
    """OB-32: an outbox is bound to one service of its catalog."""
    with pytest.raises(CatalogError, match="shipping"):
        Outbox(Catalog("orders"), "shipping")


def test_type_checkers_see_what_is_loaded_lazily() -> None:
    """OB-99: the table of public names and the imports for type checkers are equal."""
    tree = ast.parse(Path(outrider.__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.asname: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert seen == outrider._NAMES


def test_without_psycopg_notify_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """OB-43: an outbox on asyncpg alone can do without; who asks for NOTIFY is told what to install."""
    monkeypatch.setitem(sys.modules, "outrider.storages.postgres.notify", None)
    Outbox(Catalog("orders"), "orders")
    with pytest.raises(MissingExtra, match=r"outrider\[postgres\]"):
        Outbox(Catalog("orders"), "orders", notify="postgresql://localhost/shop")


def test_memory_transactions_are_joined_too() -> None:
    """OB-2, OB-8, OB-82: the storage for tests has the same outbox."""
    catalog = Catalog("orders")
    catalog.declare("order.placed", owner="orders")
    storage, outbox = MemoryStorage("orders_"), Outbox(catalog, "orders")
    with storage.begin() as tx:
        (added,) = outbox.add(tx, Message("order.placed", {"n": 1}))
        assert outbox.status(tx, added.message_id).state is MessageState.PENDING
        assert [one.log_id for one in outbox.due(tx)] == [added.log_id]

    def failing() -> None:
        with storage.begin() as tx:
            outbox.add(tx, Message("order.placed", {"n": 2}), Message("order.placed", {"n": 3}))
            outbox.add(tx, Message("order.lost", {}))

    with pytest.raises(UnregisteredType):
        failing()
    assert [record.payload for record in storage.records()] == [b'{"n":1}']
    with pytest.raises(NoTransaction):
        outbox.add(tx, Message("order.placed", {}))
