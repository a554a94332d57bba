"""The play on servers: HTTP and each kind of role in a process of its own. Source: spec/scheduling.md ST-69, ST-70."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

PROCESSES: Final[Mapping[str, tuple[str, ...]]] = {
    "http": ("serve", "--http-only"),
    "scan": ("worker", "--role", "scan"),
    "prepare": ("worker", "--role", "prepare,reconcile,feeds"),
    "relay": ("worker", "--role", "relay"),
    "consumer": ("worker", "--role", "consumer"),
    "notifier": ("worker", "--role", "notifier"),
}
PROGRAM: Final = "from steward.cli import main; main()"
END_SECONDS: Final = 10.0
OURS: Final = ("STEWARD_", "OUTRIDER_")


@contextlib.contextmanager
def started(folder: Path) -> Iterator[Mapping[str, "subprocess.Popen[bytes]"]]:
    """The six, by name, with the settings that lie in the folder; what each says lands in a file there."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    running: dict[str, subprocess.Popen[bytes]] = {}
    with contextlib.ExitStack() as files:
        try:
            for name, arguments in PROCESSES.items():
                log = files.enter_context((folder / f"{name}.log").open("wb"))
                command = [sys.executable, "-c", PROGRAM, *arguments]
                running[name] = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
            yield running
        finally:
            for process in running.values():
                process.terminate()
            for process in running.values():
                _end(process)


def ended(running: Mapping[str, "subprocess.Popen[bytes]"], folder: Path) -> str | None:
    """Which of them has ended by itself, and where it said why."""
    for name, process in running.items():
        if process.poll() is not None:
            return f"the process {name} has ended: {folder.name}/{name}.log"
    return None


def _end(process: "subprocess.Popen[bytes]") -> None:
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
