"""A shop of its own for each test: a folder with a catalog, a database, and the program `outrider` run in it."""

import contextlib
import io
import json
import os
import pty
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psycopg
import pymysql
import pytest

from outrider import Catalog, Message, Outbox
from outrider.cli.main import app
from outrider.runtime.mysql_url import server_of

PROGRAM = Path(sys.executable).parent / "outrider"
SHOP = """
from outrider import Catalog

catalog = Catalog("orders", "billing")
catalog.declare("order.placed", owner="orders", consumers=["billing"])
catalog.declare("order.counted", owner="orders")
nothing = 1
"""
CATALOG = Catalog("orders", "billing")
CATALOG.declare("order.placed", owner="orders", consumers=["billing"])
CATALOG.declare("order.counted", owner="orders")


@dataclass
class Answer:
    """What the program said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401  JSON is of any kind
        return json.loads(self.out)


@dataclass
class Shop:
    """A folder in which the program is run."""

    folder: Path
    url: str

    def run(self, *arguments: str, stdin: str = "", **environment: str) -> Answer:
        """Run the program within this process: quick, and all but the interpreter's start is the real thing."""
        out, err, code = io.StringIO(), io.StringIO(), 0
        with (
            contextlib.chdir(self.folder),
            patch.dict(os.environ, self._environment(environment), clear=True),
            patch.object(sys, "path", [str(self.folder), *sys.path]),
            patch.object(sys, "stdin", io.StringIO(stdin)),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            try:
                app(list(arguments), prog_name="outrider")
            except SystemExit as exit_:
                code = int(exit_.code or 0)
            finally:
                sys.modules.pop("shop", None)
        return Answer(code, out.getvalue(), err.getvalue())

    def program(self, *arguments: str, **environment: str) -> Answer:
        """Run the installed program as its own process."""
        done = subprocess.run(
            [str(PROGRAM), *arguments], cwd=self.folder, capture_output=True, text=True, check=False,
            stdin=subprocess.DEVNULL, env=self._environment(environment),
        )  # fmt: skip
        return Answer(done.returncode, done.stdout, done.stderr)

    def on_terminal(self, answer: str, *arguments: str) -> Answer:
        """Run the installed program as a person does, who types `answer` when asked; all that it prints is in `out`."""
        ours, theirs = pty.openpty()
        with subprocess.Popen(
            [str(PROGRAM), *arguments],
            cwd=self.folder,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=self._environment({}),
        ) as process:
            os.close(theirs)
            os.write(ours, f"{answer}\n".encode())
            printed = b""
            with contextlib.suppress(OSError):  # the terminal is gone with the program
                while part := os.read(ours, 4096):
                    printed += part
        os.close(ours)
        return Answer(process.returncode, printed.decode(), "")

    def _environment(self, more: dict[str, str]) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OUTRIDER_")}
        return kept | {"COLUMNS": "80"} | more

    def init(self, *more: str) -> Answer:
        return self.run(
            "init",
            "--service",
            "orders",
            "--database",
            self.url,
            "--broker",
            "memory:",
            "--catalog",
            "shop:catalog",
            *more,
        )

    def add(self, count: int) -> None:
        """Add messages as the application would, in a transaction of its own."""
        outbox = Outbox(CATALOG, "orders")
        messages = [
            Message("order.placed", {"n": n}, key=f"order-{n % 3}", idempotency_key=f"n{n}") for n in range(count)
        ]
        if self.url.startswith("sqlite"):
            with closing(sqlite3.connect(self.url.removeprefix("sqlite:///"), isolation_level=None)) as connection:
                connection.execute("BEGIN IMMEDIATE")
                outbox.add(connection, *messages)
                connection.execute("COMMIT")
        elif self.url.startswith("mariadb"):
            with pymysql.connect(**server_of(self.url)) as joined:
                outbox.add(joined, *messages)
                joined.commit()
        else:
            with psycopg.connect(self.url) as opened, opened.transaction():
                outbox.add(opened, *messages)

    def sql(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements as a stranger would, and give the rows of the last."""
        rows: list[tuple[Any, ...]] = []
        if self.url.startswith("sqlite"):
            with closing(sqlite3.connect(self.url.removeprefix("sqlite:///"))) as connection, connection:
                for statement in statements:
                    rows = connection.execute(statement).fetchall()
            return rows
        if self.url.startswith("mariadb"):
            with pymysql.connect(**server_of(self.url), autocommit=True) as joined, joined.cursor() as run:
                for statement in statements:
                    run.execute(statement)
                return [tuple(_text(value) for value in row) for row in run.fetchall()]
        with psycopg.connect(self.url) as opened:
            for statement in statements:
                cursor = opened.execute(statement.encode())
                rows = cursor.fetchall() if cursor.description else []
        return rows

    def kill(self, log_ids: Sequence[int], status: str = "dead", cause: str = "refused", reader: str = "1") -> None:
        """Plant exception rows, as a relay would have written them."""
        ids = ", ".join(map(str, log_ids))
        self.sql(
            "INSERT INTO orders_outbox_delivery (subscription_id, log_id, message_id, topic, message_key, key_hash,"
            " status, cause, attempts, max_retry, error_code, last_error, first_failed_at, updated_at)"
            f" SELECT {reader}, id, message_id, topic, message_key, key_hash, '{status}', '{cause}', 3, max_retry,"
            " 'publish.refused', 'no: password=hunter2', created_at, created_at"
            f" FROM orders_outbox_message WHERE id IN ({ids})"
        )


def _text(value: Any) -> Any:  # noqa: ANN401  MariaDB keeps words as bytes
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def open_shop(folder: Path, url: str) -> Shop:
    (folder / "shop.py").write_text(SHOP, encoding="utf-8")
    return Shop(folder, url)


@pytest.fixture
def sqlite_shop(tmp_path: Path) -> Shop:
    return open_shop(tmp_path, f"sqlite:///{tmp_path}/shop.db")


EVERYWHERE = pytest.mark.parametrize("shop", ["sqlite", "postgresql", "mariadb"], indirect=True)
"""For what is to be seen on MariaDB, too."""


@pytest.fixture(params=["sqlite", "postgresql"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Shop:
    if request.param == "sqlite":
        return open_shop(tmp_path, f"sqlite:///{tmp_path}/shop.db")
    return open_shop(tmp_path, request.getfixturevalue("mariadb_url" if request.param == "mariadb" else "postgres_url"))
