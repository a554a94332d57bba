"""TLS and passwords in the settings, as the drivers take them, and what contradicts itself. OB-90."""

from pathlib import Path
from urllib.parse import quote

import pytest
from psycopg.conninfo import conninfo_to_dict

from outrider.bootstrap.secured import connection_faults, database_url, kafka_client
from outrider.bootstrap.settings import make, notify_url
from outrider.bootstrap.settings_model import Broker, Database, DatabaseTls
from outrider.core.errors import ConfigurationError

POSTGRES = {"service.name": "orders", "database.url": "postgresql://me:pw@db/shop"}
KAFKA = {**POSTGRES, "broker.url": "kafka://a:9093"}


def faults_of(values: dict[str, str]) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        make(values)
    return list(vars(caught.value)["faults"])


@pytest.fixture
def file(tmp_path: Path) -> str:
    """A file with a name that a URL must not take literally."""
    (tmp_path / "a&b c.pem").write_text("-")
    return str(tmp_path / "a&b c.pem")


def test_a_connection_without_settings_is_as_the_url_says() -> None:
    for url in ("postgresql://db/shop?sslmode=require", "sqlite:///shop.db"):
        assert database_url(make({**POSTGRES, "database.url": url}).database) == url
    assert kafka_client(make(KAFKA).broker) == {}


def test_what_a_database_is_told(file: str) -> None:
    """A certificate is checked in full where nothing else is said, by the machine's authorities where none are named."""
    for given, told in (
        ({"ca": file}, {"sslmode": "verify-full", "sslrootcert": file}),
        ({"ca": file, "mode": "verify-ca"}, {"sslmode": "verify-ca", "sslrootcert": file}),
        ({"mode": "require"}, {"sslmode": "require"}),
        ({"mode": "verify-full"}, {"sslmode": "verify-full", "sslrootcert": "system"}),
        (
            {"cert": file, "key": file},
            {"sslmode": "verify-full", "sslrootcert": "system", "sslcert": file, "sslkey": file},
        ),
    ):
        for url in ("postgresql://me:pw@db/shop", "postgresql://me:pw@db/shop?application_name=x"):
            made = make(
                {**POSTGRES, "database.url": url} | {f"database.tls.{key}": value for key, value in given.items()}
            )
            found = conninfo_to_dict(database_url(made.database))
            assert {key: value for key, value in found.items() if key.startswith("ssl")} == told
            assert (found["host"], found["dbname"], found["password"]) == ("db", "shop", "pw")


def test_what_kafka_is_told(file: str) -> None:
    login = {"broker.sasl.mechanism": "scram-sha-256", "broker.sasl.username": "me", "broker.sasl.password": "pw"}
    told = {"sasl.mechanism": "SCRAM-SHA-256", "sasl.username": "me", "sasl.password": "pw"}
    assert kafka_client(make(KAFKA | login).broker) == {"security.protocol": "sasl_plaintext", **told}
    checked = {"ssl.ca.location": file, "ssl.endpoint.identification.algorithm": "https"}
    within = make(KAFKA | login | {"broker.tls.ca": file})
    assert kafka_client(within.broker) == {"security.protocol": "sasl_ssl", **checked, **told}
    system = make({**KAFKA, "broker.tls.ca": "system"})
    assert kafka_client(system.broker) == {"security.protocol": "ssl", **checked, "ssl.ca.location": "probe"}


def test_contradictions_are_named(file: str, tmp_path: Path) -> None:
    for given, fault in (
        ({"database.tls.cert": file}, "database.tls.key: is required beside database.tls.cert"),
        (
            {"database.tls.mode": "require", "database.tls.ca": file},
            "database.tls.ca: is not looked at in mode require",
        ),
        ({"database.tls.mode": "verify-ca"}, "database.tls.ca: verify-ca needs a file"),
        ({"database.tls.mode": "strict"}, "database.tls.mode (argument): must be 'disable', 'prefer'"),
        ({"database.tls.ca": str(tmp_path / "no")}, "database.tls.ca: the file"),
        ({"database.url": "sqlite:///x", "database.tls.mode": "require"}, "database.tls: a SQLite file"),
        ({"database.url": "postgresql://db/x?sslmode=prefer", "database.tls.ca": file}, "database.url: has sslmode"),
        ({"broker.url": "kafka://a", "broker.tls.key": file}, "broker.tls.cert: is required beside broker.tls.key"),
        ({"broker.url": "kafka://a", "broker.tls.ca": str(tmp_path / "no")}, "broker.tls.ca: the file"),
        ({"broker.url": "kafka://a", "broker.sasl.username": "me"}, "broker.sasl.mechanism, broker.sasl.password: req"),
        (
            {"broker.url": "kafka://a", "broker.sasl.mechanism": "GSSAPI"},
            "broker.sasl.mechanism (argument): must be 'PL",
        ),
        ({"broker.tls.ca": file}, "broker.tls: only Kafka is reached so; broker.url is log:"),
    ):
        found = faults_of(POSTGRES | given)
        assert found[0].startswith(fault), found
        assert len(found) == 1, found


def test_mariadb_is_told_the_same_in_the_same_words(file: str) -> None:
    database = Database(url="mariadb://me@db/shop", tls=DatabaseTls(ca=file))
    assert database_url(database) == f"mariadb://me@db/shop?sslmode=verify-full&sslrootcert={quote(file, safe='')}"
    wanted = Database(url="mariadb://me@db/shop", tls=DatabaseTls(mode="prefer"))
    ((keys, said),) = connection_faults(wanted, Broker())
    assert keys == ("database.tls.mode",)
    assert "prefer is PostgreSQL's alone" in said


def test_a_hint_goes_over_a_secured_connection_too(file: str) -> None:
    """OB-43: what sends a NOTIFY connects as the settings say, and wrong ones are told by others."""
    given = {
        "OUTRIDER_DATABASE__URL": "postgresql://db/x",
        "OUTRIDER_WAKEUP__NOTIFY": "on",
        "OUTRIDER_DATABASE__TLS__CA": file,
    }
    assert "sslmode=verify-full" in (notify_url(given) or "")
    assert notify_url(given | {"OUTRIDER_DATABASE__TLS__MODE": "strict"}) is None
