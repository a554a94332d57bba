"""Proof of death: a file that is locked while its process lives, with real processes that are killed."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import pytest

from outrider.core.processes import owner_id, same_boot
from outrider.runtime.proof import STALE_SECONDS, ProofOfLife, is_local, obstacle

BOOT = "8a8a1f0b-f424-47fe-9622-01defef0232a"
OTHER_BOOT = "11111111-f424-47fe-9622-01defef0232a"
PROCESS = """
import sys
from pathlib import Path
from outrider.runtime.proof import ProofOfLife
proof = ProofOfLife(sys.argv[1], Path(sys.argv[2]))
print(proof.hold(), flush=True)
sys.stdin.readline()
proof.let_go()
"""
Begin = Callable[[str], "subprocess.Popen[str]"]


def owner(number: int, *, host: str = "vm", boot: str = BOOT) -> str:
    return owner_id(host, boot, UUID(int=number))


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    """Starts a process that holds its proof in `tmp_path` until a line comes or it is killed."""
    running = []

    def begun(name: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-c", PROCESS, name, str(tmp_path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        running.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        return process

    yield begun
    for process in running:
        process.kill()
        process.communicate()


@pytest.fixture
def watcher(tmp_path: Path) -> Iterator[ProofOfLife]:
    """Another process's proof, which asks about the first."""
    made = ProofOfLife(owner(1), tmp_path)
    assert made.hold()
    yield made
    made.let_go()


def test_a_killed_process_is_dead_at_once_and_a_living_one_is_not(watcher: ProofOfLife, begin: Begin) -> None:
    """OB-100: locked is alive; once the process is gone the lock is, and it is proved dead, again and again."""
    process = begin(owner(2))
    assert not watcher.is_dead(owner(2))
    process.kill()
    process.wait()
    assert watcher.is_dead(owner(2))
    assert watcher.is_dead(owner(2)), "asking changes nothing"


def test_without_its_file_nothing_is_proved(watcher: ProofOfLife, begin: Begin, tmp_path: Path) -> None:
    """OB-100: a missing file leaves it to the lease, and is never made by who asks; a clean stop removes it."""
    process = begin(owner(2))
    assert (tmp_path / owner(2)).exists()
    process.communicate("stop\n")
    assert not (tmp_path / owner(2)).exists()
    assert not watcher.is_dead(owner(2))
    assert not (tmp_path / owner(2)).exists()


@pytest.mark.parametrize(
    "other",
    [owner(2, host="other"), owner(2, boot=OTHER_BOOT), owner(2, boot=""), "somebody", f"../{owner(2)}"],
    ids=["host", "boot", "no boot id", "another form", "a path"],
)
def test_only_a_process_of_the_same_host_and_boot_is_judged(watcher: ProofOfLife, tmp_path: Path, other: str) -> None:
    """OB-100: an unlocked file proves nothing of another host, of another boot, or where none is known."""
    (tmp_path / other).touch()
    assert not watcher.is_dead(other)
    assert not same_boot(owner(1), other)


def test_a_process_without_a_proof_of_its_own_judges_nobody(tmp_path: Path) -> None:
    """OB-100: no folder, one that is not there, or one on another's disk: the lease decides."""
    (tmp_path / owner(2)).touch()
    for folder in (None, tmp_path / "missing", Path("/proc")):
        proof = ProofOfLife(owner(1), folder)
        assert not proof.hold()
        assert not proof.is_dead(owner(2))
        proof.let_go()


def test_what_is_in_the_way_of_a_proof_is_said_in_words(tmp_path: Path) -> None:
    """OB-100, OB-79: it is tried, and nothing is left behind."""
    assert obstacle(tmp_path, owner(1)) == ""
    assert list(tmp_path.iterdir()) == []
    assert obstacle(tmp_path / "missing", owner(1)) == "is no folder"
    assert "disk" in obstacle(Path("/proc"), owner(1))
    (tmp_path / owner(1)).touch()
    assert obstacle(tmp_path, owner(1)) == "takes no locked file: File exists"
    assert (tmp_path / owner(1)).exists()


def test_a_folder_on_a_network_file_system_is_not_local(tmp_path: Path) -> None:
    """OB-100: what is mounted there last decides; names with blanks are read as the kernel writes them."""
    place = tmp_path / "with blank"
    place.mkdir()
    line = "{number} 1 0:{number} / {where} rw,relatime shared:1 - {kind} source rw\n"
    escaped = str(place).replace(" ", "\\040")
    mounts = tmp_path / "mountinfo"
    local = line.format(number=20, where="/", kind="ext4")
    mounts.write_text(local)
    assert is_local(place, mounts)
    for kind in ("nfs4", "cifs", "fuse.sshfs", "9p"):
        mounts.write_text(local + line.format(number=21, where=escaped, kind=kind))
        assert not is_local(place, mounts)
    mounts.write_text(mounts.read_text() + line.format(number=22, where=escaped, kind="tmpfs"))
    assert is_local(place, mounts)
    assert not is_local(place, tmp_path / "no table")


def test_what_dead_processes_left_long_ago_is_swept(begin: Begin, tmp_path: Path) -> None:
    """OB-100: files of this host that nobody holds and that are older than any lease; nothing else is touched."""
    begin(owner(2))
    left = {owner(3), owner(4, boot=OTHER_BOOT), owner(5), owner(6, host="other"), "vm:notes"}
    for name in left:
        (tmp_path / name).touch()
    long_ago = (tmp_path / owner(2)).stat().st_mtime - STALE_SECONDS - 60
    for name in (owner(2), owner(3), owner(4, boot=OTHER_BOOT), owner(6, host="other"), "vm:notes"):
        os.utime(tmp_path / name, (long_ago, long_ago))
    proof = ProofOfLife(owner(1), tmp_path)
    assert proof.hold()
    assert proof.hold(), "held once"
    assert {path.name for path in tmp_path.iterdir()} == {
        owner(1), owner(2), owner(5), owner(6, host="other"), "vm:notes"
    }  # fmt: skip
    proof.let_go()


def test_an_owner_id_is_fit_to_be_the_name_of_a_file_and_fits_its_column() -> None:
    """OB-100: it names host and boot and ends in what is unique, whatever the host is called."""
    name = owner_id("söme/host" * 20, BOOT + "\n", UUID(int=7))
    assert name.isascii()
    assert "/" not in name
    assert len(name) <= 128
    assert name.endswith(str(UUID(int=7)))
    assert same_boot(name, owner_id("söme/host" * 20, BOOT, UUID(int=8)))
