"""Proof of death: a file that a process holds locked for as long as it lives, so that others of its host can tell.

Invariant: the kernel frees the lock when the process ends, never before, and it is never unlocked by hand while the process
works. What cannot be proved is not dead: then leases decide. Source: spec/outbox.md OB-100.
"""

import os
import re
from contextlib import suppress
from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, flock
from pathlib import Path
from typing import Final

from outrider.core.processes import is_owner_id, same_boot

LOCAL: Final = frozenset(
    {"bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay", "ramfs", "tmpfs", "xfs", "zfs"}
)
"""File systems of the host's own. Over a network a lock may be lost while its holder lives."""
MOUNTS: Final = Path("/proc/self/mountinfo")
_OCTAL: Final = re.compile(rb"\\([0-7]{3})")
STALE_SECONDS: Final = 86_400.0
"""How old the file of a dead process must be before it is swept: longer than any lease that its death could prove."""


class ProofOfLife:
    """The file of this process, named like its `owner` id, in `folder`. Without a folder nothing is proved."""

    def __init__(self, owner: str, folder: Path | None) -> None:
        self._owner, self._folder = owner, folder
        self._held: int | None = None

    def hold(self) -> bool:
        """Lock the file, before the owner id first reaches the database. False where this system has no such proof: leases
        decide then. Safe to repeat.
        """
        if self._held is None and self._folder is not None and is_local(self._folder):
            self._held = _made(self._folder / self._owner)
            if self._held is not None:
                _sweep(self._folder, self._owner, self._held)
        return self._held is not None

    def let_go(self) -> None:
        """Remove the file, when the leases are given back: a clean stop."""
        if self._held is None or self._folder is None:
            return
        with suppress(OSError):
            (self._folder / self._owner).unlink()
        os.close(self._held)
        self._held = None

    def is_dead(self, owner: str) -> bool:
        """Whether the process `owner`, of this host since this boot, has ended. False where that cannot be proved, and
        while no proof is held here.
        """
        if self._held is None or self._folder is None or not same_boot(owner, self._owner):
            return False
        return _is_unlocked(self._folder / owner)


def is_local(folder: Path, mounts: Path = MOUNTS) -> bool:
    """Whether `folder` is there, on a file system of this host's own by the table of mounts."""
    try:
        place = folder.resolve(strict=True)
        lines = mounts.read_bytes().splitlines()
    except OSError:
        return False
    found = (0, "")
    for line in lines:
        fields, _, kind = line.partition(b" - ")
        mounted = Path(os.fsdecode(_OCTAL.sub(lambda found: bytes([int(found[1], 8)]), fields.split(b" ")[4])))
        if place.is_relative_to(mounted) and len(mounted.parts) >= found[0]:  # of two in one place the later one shows
            found = (len(mounted.parts), kind.split(b" ")[0].decode())
    return found[1] in LOCAL


def obstacle(folder: Path, owner: str) -> str:
    """Why a process could not prove its death by a file in `folder`, in words; empty where it could. Tries it with the name
    `owner`, and leaves nothing behind.
    """
    if not folder.is_dir():
        return "is no folder"
    if not is_local(folder):
        return "is not known to be on a disk of this host's own"
    try:
        opened = _open_locked(folder / owner)
    except OSError as error:
        return f"takes no locked file: {error.strerror}"
    (folder / owner).unlink()
    os.close(opened)
    return ""


def _made(path: Path) -> int | None:
    """A new file, locked; None where it cannot be."""
    try:
        return _open_locked(path)
    except OSError:
        return None


def _open_locked(path: Path) -> int:
    """A new file, locked; where it cannot be locked it is gone again. Raises OSError."""
    opened = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        flock(opened, LOCK_EX | LOCK_NB)
    except OSError:
        os.close(opened)
        with suppress(OSError):
            path.unlink()
        raise
    return opened


def _is_unlocked(path: Path) -> bool:
    """Whether the file is there and nobody holds it. Two that ask at once do not disturb each other."""
    try:
        opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        flock(opened, LOCK_SH | LOCK_NB)
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(opened)


def _sweep(folder: Path, owner: str, held: int) -> None:
    """Remove what dead processes of this host left long ago; `held` is new, so it tells the time as the folder has it."""
    now, of_host = os.fstat(held).st_mtime, f"{owner.split(':', maxsplit=1)[0]}:"
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith(of_host) or entry.name == owner:
                continue
            path = folder / entry.name
            old = entry.stat(follow_symlinks=False).st_mtime < now - STALE_SECONDS
            if old and is_owner_id(entry.name) and _is_unlocked(path):
                path.unlink(missing_ok=True)
