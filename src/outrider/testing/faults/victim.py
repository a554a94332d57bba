"""A process that is started to be killed."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from outrider.testing.faults.board import Board

POLL_SECONDS = 0.001
ORPHAN_SECONDS = 0.5


def die_with_parent() -> None:
    """Have this process end when the one that started it is gone; a victim calls it first."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(ORPHAN_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class Victim:
    """A Python process that keeps a `Board`.

    `command` is what follows the interpreter; `{board}` in it becomes the board's file. `environment` is added to ours.
    """

    def __init__(
        self, name: str, command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self._path = folder / f"{name}.board"
        self._log = folder / f"{name}.log"
        self.board = Board(self._path).reset()
        self.started_at = time.monotonic()
        """When it was started, just before its exec."""
        arguments = [part.replace("{board}", str(self._path)) for part in command]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, *arguments], stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
                env={**os.environ, **(environment or {})},
            )  # fmt: skip

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process.poll() is None

    def await_ready(self, seconds: float) -> bool:
        """Wait until it has started its work; False if it died or the time ran out."""
        return self._await(lambda: self.board.ready, seconds)

    def await_settled(self, seconds: float) -> bool:
        """Wait until it has settled something since its start; False if it died or the time ran out."""
        return self._await(lambda: self.board.settled > 0, seconds)

    def await_in_flight(self, seconds: float) -> bool:
        """Wait until it has begun something that is not settled; False if it died or the time ran out."""
        return self._await(lambda: self.board.in_flight, seconds, POLL_SECONDS / 10)

    def _await(self, condition: Callable[[], bool], seconds: float, poll_seconds: float = POLL_SECONDS) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.running:
            if condition():
                return True
            time.sleep(poll_seconds)
        return False

    def kill(self) -> bool:
        """SIGKILL, and wait for its end. Gives whether something was in flight at its death."""
        self._process.kill()
        self._process.wait()
        return self.board.in_flight

    def wait(self) -> int:
        """Wait for its end by itself. Gives the exit code."""
        return self._process.wait()

    def freeze(self) -> None:
        """SIGSTOP: the process stands still without knowing it."""
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        os.kill(self._process.pid, signal.SIGCONT)

    def stop(self, seconds: float = 30.0) -> int:
        """SIGTERM, and wait; SIGKILL when the time has run out. Gives the exit code."""
        self._process.terminate()
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def said(self, text: str) -> bool:
        """Whether it, or one before it of the same name, has written `text` to stdout or stderr."""
        return text in self._log.read_text(errors="replace")

    def log_tail(self, lines: int = 30) -> str:
        """The last lines that it and those before it of the same name wrote."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-lines:])
