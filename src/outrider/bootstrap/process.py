"""Who this process is to others: its owner id, and the proof that it lives."""

import os
import socket
from importlib.metadata import version
from pathlib import Path
from typing import Final
from uuid import UUID

from outrider.bootstrap.wiring import Site
from outrider.core.processes import Process, owner_id
from outrider.runtime.proof import ProofOfLife

BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


def process_of(made: Site, role: str) -> Process:
    """This process, under an owner id that is unique for ever (OB-100)."""
    host = socket.gethostname()
    boot_id = BOOT_ID.read_text(encoding="ascii") if BOOT_ID.exists() else ""
    unique = UUID(bytes=made.clock.random_bytes(16), version=4)
    return Process(owner_id(host, boot_id, unique), role, host, os.getpid(), version("outrider"))


def proof_of(made: Site, process: Process) -> ProofOfLife:
    """The proof that `process` lives, in the folder of the settings."""
    return ProofOfLife(process.owner, made.settings.runtime.state_dir)
