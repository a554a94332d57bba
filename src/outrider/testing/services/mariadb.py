"""A MariaDB server of one's own, with durability as shipped (every commit is flushed to the log).

Invariant: port and data stay the same from the first start to `close`, so a restart is a restart of the same server.
"""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from outrider.testing.services.processes import (
    POLL_SECONDS,
    ServerFailed,
    ServerMissing,
    ServerProcess,
    as_user,
    free_port,
)

if TYPE_CHECKING:
    from pymysql.connections import Connection

READY_SECONDS = 60.0
STOP_SECONDS = 30.0
CLOSE_SECONDS = 10.0
SERVER_USER = "mysql"
SUPERUSER = "root"
PROGRAMS = ("mariadbd", "mariadb-install-db")
FOLDERS = ("/usr/sbin", "/usr/bin", "/usr/local/bin", "/usr/local/sbin")  # a person's PATH seldom has sbin
REDO_BYTES = str(32 << 20)  # a template is copied per server, and its redo log is the largest file


def mariadb_programs() -> dict[str, Path]:
    """Return where mariadbd and mariadb-install-db are, by name. Raises ServerMissing when one is not."""
    path = os.pathsep.join([os.environ.get("PATH", ""), *FOLDERS])
    found = {program: shutil.which(program, path=path) for program in PROGRAMS}
    programs = {program: Path(place) for program, place in found.items() if place is not None}
    if len(programs) < len(PROGRAMS):
        raise ServerMissing("MariaDB is not installed; ./run services installs it")
    return programs


class MariaDBServer:
    """One server on a free port of 127.0.0.1, its data in a temporary folder copied from a cached template.

    `settings` are system variables by name, given on the command line. `place` is where that folder is made: on a file
    system in memory all is quick, and what was committed survives the server's death but not the machine's. As root it
    runs as the user mysql. A context manager: started and ready on entry, closed on exit. Synchronous: call it from a
    thread in async code.
    """

    def __init__(
        self, settings: Mapping[str, str] | None = None, *, place: Path | None = None, outlive: bool = False
    ) -> None:
        self._programs = mariadb_programs()
        self.settings = dict(settings or {})
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="outrider-mariadb-", dir=place))
        if os.geteuid() == 0:
            as_user(SERVER_USER)  # refuses early where that user is missing
            shutil.chown(self.folder, SERVER_USER, SERVER_USER)
        self.data = self.folder / "data"
        self._process = ServerProcess(
            self._command(),
            log=self.folder / "server.log",
            user=SERVER_USER,
            environment=_environment(),
            outlive=outlive,
        )

    @property
    def url(self) -> str:
        """The URL of the database `test`, without a driver's name in the scheme."""
        return self.database_url("test")

    @property
    def pid(self) -> int | None:
        """The server's pid while it runs, else None."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """True while the server has not ended."""
        return self._process.running

    def database_url(self, name: str) -> str:
        """Return the URL of a database of this server."""
        return f"mariadb://{SUPERUSER}@127.0.0.1:{self.port}/{name}"

    def start(self) -> None:
        """Start it, on the data of the last run if there was one, and return when it answers."""
        if not self.data.exists():
            template = _template(self._programs)
            _run([*as_user(SERVER_USER), "cp", "-a", str(template), str(self.data)])
        self._process.command = self._command()  # settings may have changed since the last start
        self._process.start()
        self.wait_ready()

    def wait_ready(self, seconds: float = READY_SECONDS) -> None:
        """Return when a connection answers SELECT 1. Raises ServerFailed, with the log's end, when it does not."""
        import pymysql  # noqa: PLC0415 - the driver is needed only by who runs this server

        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.running:
            with contextlib.suppress(pymysql.OperationalError):
                self._execute("SELECT 1")
                return
            time.sleep(POLL_SECONDS)
        raise ServerFailed(f"MariaDB on port {self.port} does not answer:\n{self._process.log_tail()}")

    def stop(self) -> None:
        """Stop it in good order (SIGTERM: sessions end, data is written)."""
        self._process.stop(signal.SIGTERM, STOP_SECONDS)

    def kill(self) -> None:
        """SIGKILL it; the data stays as the crash left it."""
        self._process.kill()

    def restart(self) -> None:
        """Stop it if it runs and start it again, on the same port and data."""
        self.stop()
        self.start()

    def close(self) -> None:
        """End what runs and remove the data. Safe to repeat."""
        self._process.stop(signal.SIGKILL, CLOSE_SECONDS)
        shutil.rmtree(self.folder, ignore_errors=True)

    def create_database(self, name: str) -> str:
        """Create an empty database and return its URL."""
        self._execute(f"CREATE DATABASE `{name}`")
        return self.database_url(name)

    def drop_database(self, name: str) -> None:
        """Drop a database, ending the sessions that stand in it. Nothing happens when there is none."""
        sessions = self._execute("SELECT id FROM information_schema.processlist WHERE db = %s", name)
        for (session,) in sessions:
            with contextlib.suppress(Exception):  # it ended by itself
                self._execute(f"KILL {session}")
        self._execute(f"DROP DATABASE IF EXISTS `{name}`")

    def _execute(self, statement: str, *values: object) -> tuple[Any, ...]:
        with contextlib.closing(self._connect()) as connection, connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return tuple(cursor.fetchall())

    def _connect(self) -> "Connection[Any]":
        import pymysql  # noqa: PLC0415 - as above

        return pymysql.connect(
            host="127.0.0.1", port=self.port, user=SUPERUSER, autocommit=True, connect_timeout=5, charset="utf8mb4"
        )

    def _command(self) -> list[str]:
        settings = {
            "datadir": str(self.data),
            "port": str(self.port),
            "bind-address": "127.0.0.1",
            "socket": str(self.folder / "s.sock"),
            "pid-file": str(self.folder / "server.pid"),
            "innodb-log-file-size": REDO_BYTES,
            **self.settings,
        }
        options = [f"--{key}={value}" for key, value in settings.items()]
        return [str(self._programs["mariadbd"]), "--no-defaults", *options]

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()


def _template(programs: Mapping[str, Path]) -> Path:
    """Return a data folder made by mariadb-install-db once per version and user, kept in the temporary folder."""
    version = _run([str(programs["mariadbd"]), "--no-defaults", "--version"]).split()[2].replace("/", "-")
    template = Path(tempfile.gettempdir()) / f"outrider-mariadb-template-{version}-{os.geteuid()}"
    if template.exists():
        if template.owner() != (SERVER_USER if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name):
            raise ServerFailed(f"{template} belongs to {template.owner()}, not to us: remove it")
        return template
    making = Path(tempfile.mkdtemp(prefix="outrider-install-db-"))
    if os.geteuid() == 0:
        shutil.chown(making, SERVER_USER, SERVER_USER)
    install = [str(programs["mariadb-install-db"]), "--no-defaults", f"--datadir={making}", "--skip-test-db"]
    install += [f"--innodb-log-file-size={REDO_BYTES}", "--auth-root-authentication-method=normal"]
    _run([*as_user(SERVER_USER), *install])
    _run([*as_user(SERVER_USER), "mkdir", str(making / "test")])  # a folder is an empty database
    try:
        making.rename(template)
    except OSError:  # another run was faster
        shutil.rmtree(making, ignore_errors=True)
    return template


def _environment() -> dict[str, str]:
    """Return our environment without what would steer the server or leak a user's settings into it."""
    foreign = ("MYSQL", "MARIADB", "LC_", "LANG")
    return {key: value for key, value in os.environ.items() if not key.startswith(foreign)} | {"LC_ALL": "C"}


def _run(command: list[str]) -> str:
    """Run a command to its end and return its output. Raises ServerFailed with what it said when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", env=_environment())
    if done.returncode != 0:
        raise ServerFailed(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout
