"""The program `steward` in a folder of its own."""

import contextlib
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from steward.cli.main import app

PROGRAM = (sys.executable, "-c", "from steward.cli import main; main()")


@dataclass
class Said:
    """What the program said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401  JSON is of any kind
        return json.loads(self.out)


@dataclass
class Folder:
    """Where it is run; its database is `steward.db` there."""

    path: Path

    def run(self, *arguments: str, **environment: str) -> Said:
        """Run the program within this process: quick, and all but the interpreter's start is the real thing."""
        out, err, code = io.StringIO(), io.StringIO(), 0
        with (
            contextlib.chdir(self.path),
            patch.dict(os.environ, self.environment(environment), clear=True),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            try:
                app(list(arguments), prog_name="steward")
            except SystemExit as exit_:
                code = int(exit_.code or 0)
        return Said(code, out.getvalue(), err.getvalue())

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start it as a process of its own."""
        return subprocess.Popen(
            [*PROGRAM, *arguments], cwd=self.path, env=self.environment(environment), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    @staticmethod
    def environment(more: dict[str, str]) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("OUTRIDER_", "STEWARD_"))}
        return kept | {"COLUMNS": "80", "NO_COLOR": "1"} | more
