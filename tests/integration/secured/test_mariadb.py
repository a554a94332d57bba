"""TLS to MariaDB by settings: who is let in, and what is said to whom where not. Hazard X11."""

from pathlib import Path

import pymysql
import pytest

from outrider.bootstrap.begins import begins_of
from outrider.bootstrap.secured import database_url
from outrider.bootstrap.settings_model import Database, DatabaseTls
from outrider.cli.frame import USAGE, exit_code
from outrider.core.errors import AccessRefused, ConfigurationError, StorageUnavailable
from outrider.runtime.mysql_url import server_of
from outrider.runtime.system_clock import SystemClock
from outrider.runtime.wakeup import in_process
from outrider.storages.mysql.queries import queries
from outrider.storages.mysql.schema import MysqlSchema
from outrider.storages.mysql.storage import MysqlStorage
from tests.integration.secured.conftest import SECRET, SecuredMariaDB

pytestmark = [pytest.mark.timeout(60), pytest.mark.xdist_group("secured mariadb")]


def url_of(url: str, **tls: object) -> str:
    return database_url(Database(url=url, tls=DatabaseTls.model_validate(tls)))


def storage_of(url: str, **tls: object) -> MysqlStorage:
    listen = in_process("orders").listen
    return MysqlStorage(url_of(url, **tls), queries("orders_"), listener=listen, clock=SystemClock())


async def ask(url: str, **tls: object) -> None:
    """Connect as relay and migrations do, by both drivers."""
    session = await storage_of(url, **tls).connect()
    await session.close()
    assert MysqlSchema(url_of(url, **tls), "orders_").meta() is None


async def refusal(url: str, **tls: object) -> AccessRefused:
    """What is said, the same by both drivers."""
    with pytest.raises(AccessRefused) as other:
        MysqlSchema(url_of(url, **tls), "orders_").meta()
    with pytest.raises(AccessRefused) as caught:
        await storage_of(url, **tls).connect()
    assert caught.value.remedy == other.value.remedy
    assert SECRET not in f"{caught.value}{caught.value!r}{vars(caught.value)}{other.value}"
    assert exit_code(caught.value) == USAGE
    return caught.value


async def test_a_password_goes_over_a_connection_that_was_checked(mariadb: SecuredMariaDB) -> None:
    url, ca = mariadb.url("orders_pass", SECRET), str(mariadb.authority.ca)
    await ask(url, ca=ca)
    await ask(url, mode="require")
    await ask(mariadb.url("orders_pass", SECRET, host="127.0.0.1"), ca=ca, mode="verify-ca")


async def test_a_certificate_of_ones_own_is_shown(mariadb: SecuredMariaDB) -> None:
    """Mutual TLS: with ours, without one, and with one that another authority signed."""
    url, ca, own, false = (
        mariadb.url("orders_cert", SECRET),
        str(mariadb.authority.ca),
        mariadb.client,
        mariadb.impostor,
    )
    await ask(url, ca=ca, cert=str(own.cert), key=str(own.key))
    assert "certificate" in (await refusal(url, ca=ca)).remedy
    # in TLS 1.3 the server's no comes after the handshake: as a word, or as a connection that is cut
    with pytest.raises((AccessRefused, StorageUnavailable)):
        await storage_of(url, ca=ca, cert=str(false.cert), key=str(false.key)).connect()


async def test_wrong_authority_wrong_name_wrong_password_are_told_at_once(
    mariadb: SecuredMariaDB, tmp_path: Path
) -> None:
    url, ca = mariadb.url("orders_pass", SECRET), str(mariadb.authority.ca)
    assert "database.tls.ca" in (await refusal(url, ca=str(mariadb.stranger.ca))).remedy
    assert "another name" in (await refusal(mariadb.url("orders_pass", SECRET, host="127.0.0.1"), ca=ca)).remedy
    assert "password" in (await refusal(mariadb.url("orders_pass", f"{SECRET}x"), ca=ca)).remedy
    assert "password" in (await refusal(mariadb.url("nobody", SECRET), ca=ca)).remedy
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(AccessRefused, match=r"database\.tls"):
        storage_of(url, ca=str(tmp_path / "ca.pem"))


async def test_a_user_who_must_use_tls_is_refused_without(mariadb: SecuredMariaDB) -> None:
    """As asyncmy says; PyMySQL takes TLS by itself where the server offers it."""
    with pytest.raises(AccessRefused, match=r"database\.url"):
        await storage_of(mariadb.url("orders_pass", SECRET), mode="disable").connect()


async def test_a_server_without_tls_is_refused_where_tls_is_wanted(mariadb_url: str) -> None:
    assert "switched off" in (await refusal(mariadb_url, mode="require")).remedy


async def test_what_was_good_once_is_waited_for(mariadb: SecuredMariaDB) -> None:
    storage = storage_of(mariadb.url("orders_renewed", SECRET), mode="require")
    await (await storage.connect()).close()
    with pymysql.connect(**server_of(mariadb.server.url)) as connection, connection.cursor() as cursor:
        cursor.execute("SET PASSWORD FOR orders_renewed@'%' = PASSWORD('another')")
    with pytest.raises(StorageUnavailable, match="Access denied"):
        await storage.connect()


@pytest.mark.parametrize("prefer_async", [True, False])
async def test_a_consumers_own_connections_go_the_same_way(mariadb: SecuredMariaDB, prefer_async: bool) -> None:
    """The pool of a consumer that was given a URL."""
    url = mariadb.url("orders_pass", SECRET)
    known = Database(url=url, tls=DatabaseTls(ca=str(mariadb.stranger.ca)))
    made = begins_of(url, prefer_async=prefer_async, database=known)
    with pytest.raises(Exception, match="CERTIFICATE_VERIFY_FAILED"):  # noqa: PT012 - the driver's own error
        if prefer_async:
            async with made.transactions.begin():
                pass
        else:
            with made.transactions.begin():
                pass


def test_what_a_url_may_say_is_known() -> None:
    with pytest.raises(ConfigurationError, match="sslmode=prefer"):
        server_of("mariadb://me@db/shop?sslmode=prefer")
    assert "ssl" not in server_of("mariadb://me@db/shop?sslmode=disable")
    with pytest.raises(ConfigurationError, match="unknown options sslverify"):
        server_of("mariadb://me@db/shop?sslverify=1")
