"""One of our modules in a process of its own. Source: `ports.apart`."""

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from datetime import timedelta

from steward.ports.apart import ApartFailed

_CHUNK = 1 << 16


class ProcessApart:
    """`ports.apart.Apart`; `python` is the interpreter that has what the modules import."""

    def __init__(self, python: str = sys.executable) -> None:
        self._python = python

    async def run(self, module: str, given: bytes, *, wall_limit: timedelta, answer_max: int) -> bytes:
        """What the module writes."""
        process = await asyncio.create_subprocess_exec(
            self._python, "-m", module, stdin=PIPE, stdout=PIPE, stderr=DEVNULL
        )
        try:
            async with asyncio.timeout(wall_limit.total_seconds()):
                _, answer = await asyncio.gather(_give(process, given), _take(process, answer_max))
                code = await process.wait()
        except TimeoutError:
            raise ApartFailed("timeout") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if code:
            raise ApartFailed("died")
        return answer


async def _give(process: Process, given: bytes) -> None:
    """Write all of it; a process that does not read it to its end says so by how it ends."""
    assert process.stdin is not None  # noqa: S101  it was asked for
    try:
        process.stdin.write(given)
        await process.stdin.drain()
    except (BrokenPipeError, ConnectionResetError):
        return
    finally:
        process.stdin.close()


async def _take(process: Process, most: int) -> bytes:
    """All that it writes. Raises ApartFailed."""
    assert process.stdout is not None  # noqa: S101  it was asked for
    answer = bytearray()
    while chunk := await process.stdout.read(_CHUNK):
        answer += chunk
        if len(answer) > most:
            raise ApartFailed("too_large")
    return bytes(answer)
