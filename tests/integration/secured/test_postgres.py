"""TLS to PostgreSQL by settings: who is let in, and what is said to whom where not. Hazard X11."""

import asyncio

import psycopg
import pytest

from outrider.bootstrap.migrations import schema_of
from outrider.bootstrap.settings import make, notify_url
from outrider.bootstrap.wiring import site
from outrider.cli.frame import USAGE, exit_code
from outrider.core.errors import AccessRefused, OutriderError, StorageUnavailable
from outrider.core.steps import Rows, Statement, Steps
from tests.integration.secured.conftest import SECRET, Secured

pytestmark = pytest.mark.timeout(60)


def now() -> Steps[Rows]:
    rows = yield Statement("database_now")
    return rows


async def ask(url: str, **tls: object) -> Rows:
    """Ask the database for the time, over a connection as these settings say."""
    values = {"service.name": "orders", "database.url": url} | {
        f"database.tls.{key}": value for key, value in tls.items()
    }
    session = await site(make(values)).storage.connect()
    try:
        return await session.run(now())
    finally:
        await session.close()


async def refusal(url: str, **tls: object) -> AccessRefused:
    with pytest.raises(AccessRefused) as caught:
        await ask(url, **tls)
    said = f"{caught.value}{caught.value!r}{vars(caught.value)}"
    assert SECRET not in said
    assert caught.value.server == "database"
    assert exit_code(caught.value) == USAGE
    return caught.value


async def test_a_password_goes_over_a_connection_that_was_checked_in_full(secured: Secured) -> None:
    url = secured.url("orders_pass", SECRET)
    assert await ask(url, ca=str(secured.authority.ca))
    assert await ask(url, ca=str(secured.authority.ca), mode="verify-full")
    assert await ask(url, mode="require")
    assert await ask(secured.url("postgres"), mode="disable")


async def test_a_certificate_of_ones_own_takes_the_place_of_a_password(secured: Secured) -> None:
    """Mutual TLS: the user is the name in the certificate."""
    own = {"cert": str(secured.client.cert), "key": str(secured.client.key)}
    url, ca = secured.url("orders_cert"), str(secured.authority.ca)
    assert await ask(url, ca=ca, **own)
    assert "database.tls.cert" in (await refusal(url, ca=ca)).remedy
    false = {"cert": str(secured.impostor.cert), "key": str(secured.impostor.key)}
    assert "database.tls.cert" in (await refusal(url, ca=ca, **false)).remedy
    assert "database.tls" in (await refusal(secured.url("orders_pass", SECRET), mode="disable")).remedy


async def test_a_server_that_another_authority_signed_is_not_trusted(secured: Secured) -> None:
    for mode in ("verify-ca", "verify-full"):
        found = await refusal(secured.url("orders_pass", SECRET), ca=str(secured.stranger.ca), mode=mode)
        assert "database.tls.ca" in found.remedy


async def test_a_server_of_another_name_is_not_trusted(secured: Secured) -> None:
    """The certificate is for `localhost` alone."""
    url, ca = secured.url("orders_pass", SECRET, host="127.0.0.1"), str(secured.authority.ca)
    assert "another name" in (await refusal(url, ca=ca)).remedy
    assert await ask(url, ca=ca, mode="verify-ca")


async def test_a_wrong_password_or_user_is_told_at_once(secured: Secured) -> None:
    """Nobody waits for a mistake to pass by itself, and what was tried is not shown."""
    ca = str(secured.authority.ca)
    assert "password" in (await refusal(secured.url("orders_pass", f"{SECRET}x"), ca=ca)).remedy
    assert "password" in (await refusal(secured.url("orders_pass"), ca=ca)).remedy
    assert "database.url" in (await refusal(secured.url("nobody", SECRET), ca=ca)).remedy


async def test_a_server_without_tls_is_refused_where_tls_is_wanted(postgres_url: str) -> None:
    assert "switched off" in (await refusal(postgres_url, mode="require")).remedy


async def test_what_was_good_once_is_waited_for(secured: Secured) -> None:
    """A password that is being renewed must not end a process that runs; at its start it does."""
    url = secured.url("orders_renewed", SECRET)
    made = site(make({"service.name": "orders", "database.url": url, "database.tls.mode": "require"}))
    session = await made.storage.connect()
    await session.close()
    with psycopg.connect(secured.server.url, autocommit=True) as connection:
        connection.execute(b"ALTER ROLE orders_renewed PASSWORD 'another'")
    with pytest.raises(StorageUnavailable, match="password authentication failed"):
        await made.storage.connect()


async def test_migrations_and_hints_go_the_same_way(secured: Secured) -> None:
    """What makes the tables, and what sends a NOTIFY, have connections of their own."""
    url, ca = secured.url("orders_pass", SECRET), str(secured.authority.ca)
    values = {"service.name": "orders", "database.url": url, "database.tls.ca": ca}
    assert await asyncio.to_thread(schema_of(make(values), "orders_").meta) is None
    with pytest.raises(AccessRefused):
        schema_of(make({**values, "database.tls.ca": str(secured.stranger.ca)}), "orders_").meta()
    told = {"OUTRIDER_DATABASE__URL": url, "OUTRIDER_DATABASE__TLS__CA": ca, "OUTRIDER_WAKEUP__NOTIFY": "on"}
    notify = notify_url(told)
    assert notify is not None
    with psycopg.connect(notify) as connection:
        assert connection.pgconn.ssl_in_use


async def test_a_role_without_a_privilege_is_told_what_it_lacks(secured: Secured) -> None:
    """What a statement may not do is no outage: nobody but a deployer mends it."""
    with psycopg.connect(secured.server.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE guarded_outrider_meta (name text PRIMARY KEY, value text)")
    url = secured.url("orders_pass", SECRET)
    made = make({"service.name": "guarded", "database.url": url, "database.tls.mode": "require"})
    with pytest.raises(
        OutriderError, match=r"permission denied for table guarded_outrider_meta.*migrate --roles"
    ) as caught:
        async with site(made).session():
            pass
    assert caught.value.code == "config.access"
