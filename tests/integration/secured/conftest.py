"""Servers that want certificates and passwords, which are made here."""

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import psycopg
import pymysql
import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # public, but the package does not say so
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from outrider.runtime.mysql_url import server_of
from outrider.testing.services import Authority, Certificate, KafkaServer, MariaDBServer, PostgresServer, ServerMissing
from outrider.testing.services.processes import free_port

# what must never be shown
SECRET = "canary-0x7f-hunter2"
HBA = """\
local all all trust
hostssl all orders_cert 127.0.0.1/32 cert
hostssl all orders_pass,orders_renewed 127.0.0.1/32 scram-sha-256
host all postgres 127.0.0.1/32 trust
"""


@dataclass(frozen=True, slots=True)
class Secured:
    """A server behind TLS, who signed its certificate, somebody else who signs, and a client's certificate by each."""

    server: PostgresServer
    authority: Authority
    stranger: Authority
    client: Certificate
    impostor: Certificate

    def url(self, user: str, password: str = "", host: str = "localhost") -> str:
        """The database as one user reaches it."""
        said = f"{user}:{password}" if password else user
        return f"postgresql://{said}@{host}:{self.server.port}/postgres"


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """A PostgreSQL server for `localhost`, with a user for each way to come in."""
    folder = tmp_path_factory.mktemp("certificates")
    try:
        authority, stranger = Authority(folder), Authority(folder, "stranger")
        server = PostgresServer()
    except ServerMissing as missing:
        _lacking(missing)
    own = authority.issue("server", ["localhost"])
    (server.folder / "hba.conf").write_text(HBA)
    for name, path in (("server.crt", own.cert), ("server.key", own.key), ("ca.crt", authority.ca)):
        shutil.copyfile(path, server.folder / name)
    for path in server.folder.iterdir():
        _give(path, server)
    server.settings |= {
        "ssl": "on", "ssl_cert_file": str(server.folder / "server.crt"), "ssl_key_file": str(server.folder / "server.key"),
        "ssl_ca_file": str(server.folder / "ca.crt"), "hba_file": str(server.folder / "hba.conf"),
    }  # fmt: skip
    with server:
        with psycopg.connect(server.url, autocommit=True) as connection:
            for user in ("orders_cert", "orders_pass", "orders_renewed"):
                connection.execute(f"CREATE ROLE {user} LOGIN PASSWORD '{SECRET}'".encode())
        client, impostor = authority.issue("orders_cert"), stranger.issue("orders_cert.false")
        yield Secured(server, authority, stranger, client, impostor)


@dataclass(frozen=True, slots=True)
class SecuredMariaDB:
    """A server behind TLS, and who signed what."""

    server: MariaDBServer
    authority: Authority
    stranger: Authority
    client: Certificate
    impostor: Certificate

    def url(self, user: str, password: str = "", host: str = "localhost") -> str:
        """The database as one user reaches it."""
        return f"mariadb://{user}:{password}@{host}:{self.server.port}/test"


@pytest.fixture(scope="module")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredMariaDB]:
    """A MariaDB server for `localhost`, with a user for each way to come in."""
    folder = tmp_path_factory.mktemp("certificates")
    try:
        authority, stranger, server = Authority(folder), Authority(folder, "stranger"), MariaDBServer()
    except ServerMissing as missing:
        _lacking(missing)
    own = authority.issue("server", ["localhost"])
    for name, path in (("server.crt", own.cert), ("server.key", own.key), ("ca.crt", authority.ca)):
        shutil.copyfile(path, server.folder / name)
        _give(server.folder / name, server)
    server.settings |= {
        "ssl_cert": str(server.folder / "server.crt"), "ssl_key": str(server.folder / "server.key"),
        "ssl_ca": str(server.folder / "ca.crt"),
    }  # fmt: skip
    with server:
        with pymysql.connect(**server_of(server.url)) as connection, connection.cursor() as cursor:
            for user, wants in (("orders_pass", "SSL"), ("orders_cert", "X509"), ("orders_renewed", "SSL")):
                cursor.execute(f"CREATE USER {user}@'%' IDENTIFIED BY '{SECRET}' REQUIRE {wants}")
                cursor.execute(f"GRANT ALL ON test.* TO {user}@'%'")
        client, impostor = authority.issue("orders_cert"), stranger.issue("orders_cert.false")
        yield SecuredMariaDB(server, authority, stranger, client, impostor)


@dataclass(frozen=True, slots=True)
class SecuredKafka:
    """A broker with a port for each way to come in, and who signed what."""

    server: KafkaServer
    ports: Mapping[str, int]
    authority: Authority
    stranger: Authority
    client: Certificate
    impostor: Certificate

    def url(self, way: str, host: str = "localhost") -> str:
        """The broker by `tls`, `mutual` or `sasl`."""
        return f"kafka://{host}:{self.ports[way]}"


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    """A Kafka for `localhost`: TLS, TLS for known clients alone, and passwords within TLS."""
    folder = tmp_path_factory.mktemp("certificates")
    try:
        authority, stranger, server = Authority(folder), Authority(folder, "stranger"), KafkaServer(quick=True)
    except ServerMissing as missing:
        _lacking(missing)
    ports = {way: free_port() for way in ("tls", "mutual", "sasl")}
    server.settings |= _listeners(server, ports, authority.issue("broker", ["localhost"]), authority)
    with server:
        admin = AdminClient({"bootstrap.servers": server.bootstrap_servers})
        for mechanism in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512):
            asked = UserScramCredentialUpsertion("orders", ScramCredentialInfo(mechanism, 4096), SECRET.encode())
            for future in admin.alter_user_scram_credentials([asked]).values():
                future.result(20)
        client, impostor = authority.issue("orders"), stranger.issue("orders.false")
        yield SecuredKafka(server, ports, authority, stranger, client, impostor)


def _listeners(
    server: KafkaServer, ports: Mapping[str, int], own: Certificate, authority: Authority
) -> Mapping[str, str]:
    """The broker's properties beside those of a plain one."""
    login = "org.apache.kafka.common.security"
    scram = f"{login}.scram.ScramLoginModule required;"
    plain = f"PLAINTEXT://{server.bootstrap_servers}"
    return {
        "listeners": ",".join([plain, server.controller, *(f"{n.upper()}://127.0.0.1:{p}" for n, p in ports.items())]),
        "advertised.listeners": ",".join([plain, *(f"{n.upper()}://localhost:{p}" for n, p in ports.items())]),
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,TLS:SSL,MUTUAL:SSL,SASL:SASL_SSL",
        "inter.broker.listener.name": "PLAINTEXT",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(own.chain),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(authority.ca),
        "listener.name.mutual.ssl.client.auth": "required",
        "listener.name.sasl.sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
        "listener.name.sasl.plain.sasl.jaas.config": (
            f'{login}.plain.PlainLoginModule required user_orders="{SECRET}";'
        ),
        "listener.name.sasl.scram-sha-256.sasl.jaas.config": scram,
        "listener.name.sasl.scram-sha-512.sasl.jaas.config": scram,
    }


def _lacking(missing: ServerMissing) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI=true leaves nothing out: {missing}", pytrace=False)
    pytest.skip(f"lacks its server: {missing}")


def _give(path: Path, server: PostgresServer | MariaDBServer) -> None:
    """Let the server's user read a file, and nobody else."""
    path.chmod(0o600)
    owner = server.folder.stat()
    os.chown(path, owner.st_uid, owner.st_gid)
