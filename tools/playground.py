"""`./run services up|down`: a PostgreSQL, a MariaDB and a Kafka left running, to play with by hand.

What runs is written to `.services/state.json`; `down` signals a pid only while its command line still names our folder.
"""

import contextlib
import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path

from outrider.testing.services import KafkaServer, MariaDBServer, PostgresServer, ServerFailed, ServerMissing

STATE = Path(__file__).resolve().parent.parent / ".services" / "state.json"
STOP_SECONDS = 20.0


def ours(pid: int, folder: str) -> bool:
    """Whether `pid` is still the server that we started on `folder`."""
    try:
        return folder.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def running() -> dict[str, dict[str, str]]:
    """Return the servers of the last `up` that still run, by name."""
    state: dict[str, dict[str, str]] = json.loads(STATE.read_text()) if STATE.exists() else {}
    return {name: server for name, server in state.items() if ours(int(server["pid"]), server["folder"])}


def up() -> int:
    """Start what does not run yet and print the URLs."""
    state = running()
    STATE.parent.mkdir(exist_ok=True)
    servers = {"database": PostgresServer, "mariadb": MariaDBServer, "broker": KafkaServer}
    for name, kind in servers.items():
        if name not in state:
            server: PostgresServer | MariaDBServer | KafkaServer = kind(outlive=True)
            server.start()
            state[name] = {"url": server.url, "pid": str(server.pid), "folder": str(server.folder)}
            STATE.write_text(json.dumps(state, indent=2))
    for name, started in state.items():
        print(f"{name}: {started['url']}")
    return 0


def down() -> int:
    """Stop what `up` started, remove its data, and say so."""
    for name, server in running().items():
        pid, folder = int(server["pid"]), server["folder"]
        os.kill(pid, signal.SIGINT if name == "database" else signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while ours(pid, folder) and time.monotonic() < deadline:
            time.sleep(0.05)
        if ours(pid, folder):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)
        print(f"{name}: stopped")
    STATE.unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(up() if sys.argv[1:] == ["up"] else down())
    except (ServerMissing, ServerFailed) as error:
        sys.exit(str(error))
