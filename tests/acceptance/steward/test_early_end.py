"""A service that is told to stop while it starts: spec/scheduling.md ST-70, spec/outbox.md OB-44."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.steward.program import PROGRAM, Folder

LOADING = (sys.executable, "-X", "importtime", *PROGRAM[1:])
"""Says on stderr which module it has just loaded."""
END_SECONDS = 30

pytestmark = pytest.mark.timeout(60)


@pytest.mark.parametrize("verb", ["serve", "worker"])
def test_a_service_that_is_still_loading_ends_cleanly(tmp_path: Path, verb: str) -> None:
    """ST-70, OB-44: told to stop as soon as the first of its libraries is there."""
    process = subprocess.Popen(
        [*LOADING, verb], cwd=tmp_path, env=Folder.environment({}), text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    for line in process.stderr:
        if line.rstrip().endswith(" pydantic"):
            break
    process.terminate()
    process.communicate(timeout=END_SECONDS)
    assert process.returncode == 0


def test_a_service_that_waits_for_its_database_ends_cleanly(tmp_path: Path) -> None:
    """ST-70, OB-44: told to stop while nobody answers its first connection."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(END_SECONDS)
        url = f"postgresql://anna@127.0.0.1:{silent.getsockname()[1]}/steward"
        process = Folder(tmp_path).start("worker", STEWARD_DATABASE__URL=url, STEWARD_SECRET_KEY="k")
        connection, _ = silent.accept()
        with connection:
            process.terminate()
            _, err = process.communicate(timeout=END_SECONDS)
    assert process.returncode == 0, err
    assert "Traceback" not in err
