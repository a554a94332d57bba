"""A PostgreSQL server of one's own, with durability as shipped (fsync and synchronous_commit on).

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
    from psycopg import Connection

READY_SECONDS = 60.0
STOP_SECONDS = 30.0
CLOSE_SECONDS = 5.0
SUPERUSER = "postgres"
PROGRAMS = ("initdb", "postgres")


def postgres_programs() -> Path:
    """Return the folder of initdb and postgres: `pg_config --bindir`, else Debian's newest, else what PATH has.

    Raises ServerMissing when none has both.
    """
    folders: list[Path] = []
    if config := shutil.which("pg_config"):
        answer = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=False)
        folders.append(Path(answer.stdout.strip()))
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: path.parent.name, reverse=True)
    if initdb := shutil.which("initdb"):
        folders.append(Path(initdb).resolve().parent)
    for folder in folders:
        if all((folder / program).is_file() for program in PROGRAMS):
            return folder
    raise ServerMissing("PostgreSQL is not installed; ./run services installs it")


class PostgresServer:
    """One server on a free port of 127.0.0.1, its data in a temporary folder copied from a cached template.

    `settings` are configuration parameters by name, given on the command line. `place` is where that folder is made: on a
    file system in memory all is quick, and what was committed survives the server's death but not the machine's. As root
    it runs as the user postgres. A context manager: started and ready on entry, closed on exit. Synchronous: call it from a
    thread in async code.
    """

    def __init__(
        self,
        settings: Mapping[str, str] | None = None,
        *,
        place: Path | None = None,
        outlive: bool = False,
        own_cluster: bool = False,
    ) -> None:
        self._own_cluster = own_cluster
        self._programs = postgres_programs()
        self.settings = dict(settings or {})
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="outrider-postgres-", dir=place))
        if os.geteuid() == 0:
            as_user(SUPERUSER)  # refuses early where that user is missing
            shutil.chown(self.folder, SUPERUSER, SUPERUSER)
        self.data = self.folder / "data"
        self._process = ServerProcess(
            self._command(), log=self.folder / "server.log", user=SUPERUSER, environment=_environment(), outlive=outlive
        )

    @property
    def url(self) -> str:
        """The URL of the database `postgres`, without a driver's name in the scheme."""
        return self.database_url("postgres")

    @property
    def pid(self) -> int | None:
        """The postmaster's pid while it runs, else None."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """True while the postmaster has not ended."""
        return self._process.running

    def database_url(self, name: str) -> str:
        """Return the URL of a database of this server."""
        return f"postgresql://{SUPERUSER}@127.0.0.1:{self.port}/{name}"

    def start(self) -> None:
        """Start it, on the data of the last run if there was one, and return when it answers."""
        if not self.data.exists():
            if self._own_cluster:
                _made(self._programs).rename(self.data)
            else:
                _run([*as_user(SUPERUSER), "cp", "-a", str(_template(self._programs)), str(self.data)])
        self._process.command = self._command()  # settings may have changed since the last start
        self._process.start()
        self.wait_ready()

    def wait_ready(self, seconds: float = READY_SECONDS) -> None:
        """Return when a connection answers SELECT 1. Raises ServerFailed, with the log's end, when it does not."""
        import psycopg  # noqa: PLC0415 - the driver is needed only by who runs this server

        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.running:
            with contextlib.suppress(psycopg.OperationalError), self._connect() as connection:
                connection.execute("SELECT 1")
                return
            time.sleep(POLL_SECONDS)
        raise ServerFailed(f"PostgreSQL on port {self.port} does not answer:\n{self._process.log_tail()}")

    def stop(self, *, immediate: bool = False) -> None:
        """Stop it: fast (SIGINT: sessions end, data is written), or `immediate` (SIGQUIT: recovery at next start)."""
        self._process.stop(signal.SIGQUIT if immediate else signal.SIGINT, STOP_SECONDS)

    def kill(self) -> None:
        """SIGKILL the postmaster and every backend; the data stays as the crash left it."""
        self._process.kill()

    def restart(self) -> None:
        """Stop it if it runs and start it again, on the same port and data."""
        self.stop()
        self.start()

    def close(self) -> None:
        """End what runs and remove the data. Safe to repeat."""
        self._process.stop(signal.SIGQUIT, CLOSE_SECONDS)  # one that is killed leaves its shared memory behind
        shutil.rmtree(self.folder, ignore_errors=True)

    def create_database(self, name: str, template: str | None = None) -> str:
        """Create a database, a copy of `template` (default: an empty one), and return its URL."""
        source = f' TEMPLATE "{template}"' if template else ""
        with self._connect() as connection:
            connection.execute(f'CREATE DATABASE "{name}"{source}'.encode())
        return self.database_url(name)

    def drop_database(self, name: str) -> None:
        """Drop a database, ending its sessions. Nothing happens when there is none."""
        with self._connect() as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())

    def _connect(self) -> "Connection[Any]":
        import psycopg  # noqa: PLC0415 - as above

        return psycopg.connect(self.url, autocommit=True, connect_timeout=5)

    def _command(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.folder),
            **self.settings,
        }
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        return [str(self._programs / "postgres"), "-D", str(self.data), "-p", str(self.port), *options]

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()


def _template(programs: Path) -> Path:
    """Return a data folder made by initdb once per version and user, kept in the temporary folder."""
    version = _run([str(programs / "postgres"), "--version"]).split()[-1].strip("()").replace("/", "-")
    template = Path(tempfile.gettempdir()) / f"outrider-postgres-template-{version}-{os.geteuid()}"
    if template.exists():
        if template.owner() != (SUPERUSER if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name):
            raise ServerFailed(f"{template} belongs to {template.owner()}, not to us: remove it")
        return template
    making = _made(programs)
    try:
        making.rename(template)
    except OSError:  # another run was faster
        shutil.rmtree(making, ignore_errors=True)
    return template


def _made(programs: Path) -> Path:
    """Return a data folder fresh from initdb."""
    making = Path(tempfile.mkdtemp(prefix="outrider-initdb-"))
    if os.geteuid() == 0:
        shutil.chown(making, SUPERUSER, SUPERUSER)
    initdb = [str(programs / "initdb"), "-D", str(making), "-A", "trust", "-U", SUPERUSER]
    _run([*as_user(SUPERUSER), *initdb, "--encoding=UTF8", "--locale=C", "--no-sync"])
    return making


def _environment() -> dict[str, str]:
    """Return our environment without what would steer the server or leak a user's settings into it."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "LC_", "LANG"))}
    return kept | {"LC_ALL": "C"}


def _run(command: list[str]) -> str:
    """Run a command to its end and return its output. Raises ServerFailed with what it said when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", env=_environment())
    if done.returncode != 0:
        raise ServerFailed(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout
