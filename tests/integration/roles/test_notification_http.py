"""The HTTP interface as a user with the roles that the how-to gives it, on PostgreSQL: nothing more is needed."""

import uuid
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest

from outrider.bootstrap.migrations import make_roles
from outrider.bootstrap.settings import make
from outrider.core.notification.codes import Code, Outcome
from outrider.testing.services import PostgresServer
from tests.unit.integrations.town import ASKED, URL, Town

OPERATOR, SERVICE, ANNA = "olga:operator", "shop:service", "anna:recipient"


@pytest.fixture
async def towns(postgres_url: str, postgres_server: PostgresServer) -> AsyncIterator[tuple[Town, Town]]:
    """The interface as such a user, and the owner's notifier, which sends."""
    owner = Town(postgres_url)
    make_roles(make({"service.name": "notification", "database.url": postgres_url}), "notification_")
    name = f"u_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN".encode())
        connection.execute(f"GRANT notification_serve, notification_add TO {name}".encode())
    serving = Town(postgres_url.replace("postgres@", f"{name}@"), make_tables=False)
    yield serving, owner
    for town in (serving, owner):
        await town.close()
    with psycopg.connect(postgres_server.url, autocommit=True) as connection:
        connection.execute(f"DROP ROLE {name}".encode())


async def test_everything_that_is_offered_may_be_done(towns: tuple[Town, Town]) -> None:
    """OB-94, NT-52: settings, a test send, a request, a replay, an end by hand, pauses, the inbox."""
    town, owner = towns

    async def done(method: str, path: str, who: str, said: object = None, **headers: str) -> Any:  # noqa: ANN401  JSON
        answer = await town.call(
            method, path, who, said, {name.replace("_", "-"): text for name, text in headers.items()}
        )
        assert answer.status_code in {200, 202}, (method, path, answer.text, town.sink.events)
        return answer.json()

    await done("PUT", "/channels/webhook", ANNA, {"webhook_url": URL})
    await done("DELETE", "/channels/webhook", ANNA)
    await done("PUT", "/recipients/anna/channels/mock", SERVICE, {})
    await done("POST", "/channels/mock/test", ANNA)
    await done("PUT", "/preferences", ANNA, {"zone": "UTC"})
    made = await done("POST", "/records", SERVICE, ASKED, Idempotency_Key="k")
    inbox, mock = made["records"]
    owner.mock.answer(Outcome.PERMANENT_FAIL, Code.RECIPIENT_REFUSED)
    await owner.notifier.sweep()
    await done("PUT", "/recipients/anna/channels/mock", SERVICE, {})
    seen = (await town.call("GET", f"/records/{mock['id']}", OPERATOR)).headers["ETag"]
    await done("POST", f"/records/{mock['id']}/replay", OPERATOR, {"mode": "resume"}, If_Match=seen)
    await done("POST", f"/records/{mock['id']}/cancel", OPERATOR, {"reason": "enough"})
    said = {"filter": {"status": "canceled"}, "mode": "resend"}
    assert (await done("POST", "/records/replay", OPERATOR, said, Idempotency_Key="r"))["count"] == 1
    await done("GET", f"/records/{mock['id']}/attempts", "olga:operator+texts")
    (there,) = (await done("GET", "/destinations", OPERATOR))["items"]
    await done("POST", f"/destinations/{there['key']}/pause", OPERATOR)
    await done("POST", f"/destinations/{there['key']}/resume", OPERATOR)
    (item,) = (await done("GET", "/inbox", ANNA))["items"]
    assert item["record_id"] == inbox["id"]
    await done("POST", f"/inbox/{item['id']}/read", ANNA)
    await done("POST", "/inbox/read-all", ANNA)
    await done("DELETE", f"/inbox/{item['id']}", ANNA)
    assert (await done("GET", "/inbox/count", ANNA)) == {"unread": 0}
    await town.notifier.look()
    assert await town.notifier.operations("olga").flush_digests() == 0
    await town.notifier.operations("olga").stats()
