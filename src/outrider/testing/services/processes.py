"""One server process as our child: started, signalled, waited for, never left behind.

Invariant: every signal goes to a process that this process started and has not reaped yet, so its pid is still its own.
"""

import atexit
import contextlib
import os
import pwd
import random
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from signal import SIGKILL, SIGSTOP, Signals

PORT_FIRST, PORT_LAST = (
    20_000,
    32_000,
)  # below the ephemeral range: no outgoing connection takes a stopped server's port
PORT_TRIES_MAX = 200
CHANCE = random.SystemRandom()  # tests seed `random` alike in each of their processes, which would then meet at a port
POLL_SECONDS = 0.02
LOG_TAIL_CHARACTERS = 2_000


class ServerMissing(Exception):
    """The server's program is not installed on this machine; the message names what to run."""


class ServerFailed(Exception):
    """The server ended or stayed silent when it should have answered; the message ends with the tail of its log."""


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on, outside the range of outgoing connections.

    Nothing reserves it: start the server at once.
    """
    for _ in range(PORT_TRIES_MAX):
        port = CHANCE.randint(PORT_FIRST, PORT_LAST)
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise ServerFailed(f"no free port in {PORT_FIRST}-{PORT_LAST}")


def as_user(user: str | None) -> list[str]:
    """Return the command prefix that runs a program as `user`: empty where we are not root or `user` is None."""
    if user is None or os.geteuid() != 0:
        return []
    try:
        pwd.getpwnam(user)
    except KeyError:
        raise ServerMissing(f"no user {user!r} to run the server as; ./run services installs it") from None
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"]


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Poll `condition` until it holds or `seconds` have passed; return whether it held."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def descendants(pid: int) -> list[int]:
    """Return the pids below `pid` in the process tree, parents first (Linux; elsewhere none)."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it ended while we looked
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    found = list(children.get(pid, []))
    for child in found:
        found.extend(children.get(child, []))
    return found


def alive(pid: int) -> bool:
    """Whether `pid` still runs: a zombie that nobody has reaped yet does not (Linux)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class ServerProcess:
    """A server's main process, with its output in a log file.

    A keeper thread forks it and waits for it: the kernel ends the child when that thread's process dies (PDEATHSIG
    belongs to the thread that forked), whichever thread called `start`. With `outlive` the child is left running
    instead: only for playing by hand. Safe to start again after it ended; `command` is what the next start runs.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        user: str | None = None,
        environment: Mapping[str, str] | None = None,
        outlive: bool = False,
    ) -> None:
        self.command = list(command)
        self._log = log
        self._user = user
        self._environment = dict(environment) if environment is not None else None
        self._outlive = outlive
        self._child: subprocess.Popen[bytes] | None = None
        self._started = threading.Event()

    @property
    def pid(self) -> int | None:
        """The main process's pid while it runs, else None."""
        return self._child.pid if self._child is not None and self._child.poll() is None else None

    @property
    def running(self) -> bool:
        """True while the main process has not ended."""
        return self.pid is not None

    def start(self) -> None:
        """Start the process; return once it was forked. Raises ServerFailed when it cannot be or already runs."""
        if self.running:
            raise ServerFailed(f"{self.command[0]} runs already as pid {self.pid}")
        self._started.clear()
        threading.Thread(target=self._keep, name=f"keeper of {Path(self.command[0]).name}", daemon=True).start()
        self._started.wait()
        if self._child is None:
            raise ServerFailed(f"{self.command[0]} could not be started")
        if not self._outlive:
            atexit.register(self.kill)

    def signal(self, number: Signals) -> None:
        """Send a signal to the main process; nothing happens when it has ended."""
        if self._child is not None:
            self._child.send_signal(number)

    def wait(self, seconds: float) -> bool:
        """Wait at most `seconds` for the main process's end; return whether it ended."""
        return wait_until(lambda: not self.running, seconds)

    def stop(self, number: Signals, seconds: float) -> None:
        """Ask with a signal to stop; kill what has not ended after `seconds`."""
        self.signal(number)
        if not self.wait(seconds):
            self.kill()
        atexit.unregister(self.kill)

    def kill(self) -> None:
        """SIGKILL the process and all below it, and return when every one is gone. Safe to repeat."""
        pid = self.pid
        if pid is None:
            return
        self.signal(SIGSTOP)  # it forks no more while we look at its children
        family = descendants(pid)
        self.signal(SIGKILL)
        for child in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, SIGKILL)
        wait_until(lambda: not self.running and not any(alive(child) for child in family), 10)
        atexit.unregister(self.kill)

    def log_tail(self) -> str:
        """Return the end of what the server wrote, for an error's message."""
        return self._log.read_text(errors="replace")[-LOG_TAIL_CHARACTERS:] if self._log.exists() else ""

    def _keep(self) -> None:
        """Fork the child, say so, and stay until it ends."""
        prefix = as_user(self._user)
        if not self._outlive and shutil.which("setpriv"):
            prefix = [*(prefix or ["setpriv"]), "--pdeathsig=KILL"]
        try:
            with self._log.open("ab") as log:
                self._child = subprocess.Popen(
                    [*prefix, *self.command],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=self._environment,
                    cwd="/",
                    start_new_session=True,
                )
        except OSError:
            self._child = None
        finally:
            self._started.set()
        if self._child is not None and not self._outlive:
            self._child.wait()
