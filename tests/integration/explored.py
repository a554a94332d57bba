"""An application on a socket, and schemathesis over its own OpenAPI document."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import uvicorn

CONFIG = Path(__file__).with_name("schemathesis.toml")


class _Server(uvicorn.Server):
    """Leaves signals to pytest."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def on_a_socket(app: Any) -> AsyncIterator[str]:  # noqa: ANN401  an application
    """Serve the application in this loop; gives its address."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = _Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off"))
    serving = asyncio.get_running_loop().create_task(server.serve(sockets=[listening]))
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


async def explore(address: str, token: str, folder: Path, *options: str, document: str = "/openapi.json") -> str:
    """Ask every operation whatever the document allows, and what it does not; gives what was found, empty for nothing.

    It asks the same each time. `options` are more of the command line's.
    """
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(CONFIG), "run", address + document,
        "--header", f"Authorization: Bearer {token}", "--generation-deterministic", "--no-color", *options,
    ]  # fmt: skip
    ended = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await ended.communicate()
    return "" if ended.returncode == 0 else said.decode(errors="replace")
