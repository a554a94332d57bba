"""Where an error becomes an answer, and a request that changes nothing sees one moment of the database.

Source: spec/scheduling.md ST-55, ST-62.
"""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from steward.http.routes import SAFE
from steward.ports.storage import Storage


async def answer_at_edge(
    request: Request, storage: Storage, work: Callable[[], Awaitable[Response]], refuse: Callable[[Exception], Response]
) -> Response:
    """What the work answers, or a refusal of what it raised. Never raises but for cancellation."""

    async def answer() -> Response:
        try:
            return await work()
        except Exception as error:  # noqa: BLE001 - the edge: whatever it is, who asked gets an answer
            return refuse(error)

    if request.method not in SAFE:
        return await answer()
    try:
        return await storage.at_one_moment(answer)
    except Exception as error:  # noqa: BLE001 - what the moment's end, or a note after it, ran into
        return refuse(error)
