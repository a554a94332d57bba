"""How the settings secure a connection: TLS and passwords, as the drivers take them.

Invariant: where a certificate is given, the server's is checked, and its name unless the mode says `verify-ca`; a secret
leaves here only to a driver. Source: spec/outbox.md section 14; hazard X11.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode

from outrider.bootstrap.settings_model import Broker, BrokerTls, Database, DatabaseTls

SYSTEM: Final = "system"
"""As `ca`: the authorities that this machine trusts."""
CHECKING: Final = ("verify-ca", "verify-full")
LIBPQ: Final = {"mode": "sslmode", "ca": "sslrootcert", "cert": "sslcert", "key": "sslkey"}
SERVERS: Final = ("postgresql:", "mysql:", "mariadb:")
LIBRDKAFKA: Final = {
    "cert": "ssl.certificate.location",
    "key": "ssl.key.location",
    "username": "sasl.username",
    "password": "sasl.password",
}
PROTOCOLS: Final = {
    (False, False): "plaintext", (True, False): "ssl", (False, True): "sasl_plaintext", (True, True): "sasl_ssl"
}  # fmt: skip

Fault = tuple[tuple[str, ...], str]
"""The keys that contradict each other, and one line."""


def database_url(database: Database) -> str:
    """The URL that our own connections go to, with TLS as the settings say."""
    return with_tls(database.url, database.tls)


def with_tls(url: str, tls: DatabaseTls) -> str:
    """A database's URL with TLS in it, in libpq's words, which our connections to MySQL and MariaDB understand as well.

    As it is where it says something about TLS itself, and a file's.
    """
    told = libpq_tls(tls)
    if not told or "sslmode=" in url or not url.startswith(SERVERS):
        return url
    return f"{url}{'&' if '?' in url else '?'}{urlencode(told, quote_via=quote)}"


def libpq_tls(tls: DatabaseTls) -> dict[str, str]:
    """What libpq is told about TLS; nothing where nothing is said."""
    mode = tls_mode(tls)
    ca = SYSTEM if mode in CHECKING and tls.ca is None else tls.ca
    said = {"mode": mode, "ca": ca, "cert": tls.cert, "key": tls.key}
    return {LIBPQ[name]: value for name, value in said.items() if value}


def kafka_client(broker: Broker) -> Mapping[str, object]:
    """What librdkafka is told about TLS and SASL; nothing where neither is given."""
    tls, sasl = broker.tls, broker.sasl
    by_password = sasl.mechanism is not None
    if not is_given(tls) and not by_password:
        return {}
    told: dict[str, object] = {"security.protocol": PROTOCOLS[is_given(tls), by_password]}
    if is_given(tls):
        told["ssl.ca.location"] = "probe" if tls.ca in {None, SYSTEM} else tls.ca
        told["ssl.endpoint.identification.algorithm"] = "https"
    told |= {LIBRDKAFKA[name]: value for name, value in (("cert", tls.cert), ("key", tls.key)) if value}
    if by_password:
        told["sasl.mechanism"] = sasl.mechanism
    secrets = (("username", sasl.username), ("password", sasl.password))
    return told | {LIBRDKAFKA[name]: value.get_secret_value() for name, value in secrets if value}


def tls_mode(tls: DatabaseTls) -> str | None:
    """How strictly the server is looked at: in full, where a certificate is given and nothing else is said."""
    return tls.mode or ("verify-full" if is_given(tls) else None)


def is_given(tls: DatabaseTls | BrokerTls) -> bool:
    """Whether anything is said about TLS."""
    return tls != type(tls)()


def connection_faults(database: Database, broker: Broker) -> Iterator[Fault]:
    """What is wrong about securing the connections, files that cannot be read included."""
    for key, tls in (("database.tls", database.tls), ("broker.tls", broker.tls)):
        if (tls.cert is None) != (tls.key is None):
            there, lacking = ("cert", "key") if tls.cert else ("key", "cert")
            yield (f"{key}.cert", f"{key}.key"), f"{key}.{lacking}: is required beside {key}.{there}"
        for name in ("ca", "cert", "key"):
            path = getattr(tls, name)
            if path and not (name == "ca" and path == SYSTEM) and (why := _unreadable(path)):
                yield (f"{key}.{name}",), f"{key}.{name}: the file {path} cannot be read: {why}"
    yield from _database_faults(database)
    yield from _broker_faults(broker)


def _database_faults(database: Database) -> Iterator[Fault]:
    tls, mode = database.tls, tls_mode(database.tls)
    if not is_given(tls):
        return
    if database.url.startswith("sqlite:"):
        yield ("database.tls",), "database.tls: a SQLite file has no connection to secure"
    if tls.ca and mode not in CHECKING:
        yield ("database.tls.mode",), f"database.tls.ca: is not looked at in mode {mode}: say verify-ca or verify-full"
    if mode == "prefer" and database.url.startswith(("mysql:", "mariadb:")):
        yield ("database.tls.mode",), "database.tls.mode: prefer is PostgreSQL's alone; say require, or verify-full"
    if tls.ca in {None, SYSTEM} and mode == "verify-ca":
        yield ("database.tls.ca",), "database.tls.ca: verify-ca needs a file; who trusts the system's must verify-full"
    if twice := {name for name, _ in parse_qsl(database.url.partition("?")[2])} & set(LIBPQ.values()):
        yield ("database.url",), f"database.url: has {', '.join(sorted(twice))}, and database.tls is given: say it once"


def _broker_faults(broker: Broker) -> Iterator[Fault]:
    sasl = broker.sasl
    if broker.kind != "kafka":
        for key, section in (("broker.tls", broker.tls), ("broker.sasl", sasl)):
            if section != type(section)():
                yield (key,), f"{key}: only Kafka is reached so; broker.url is {broker.kind}:"
    lacking = [name for name in ("mechanism", "username", "password") if getattr(sasl, name) is None]
    if 0 < len(lacking) < len(type(sasl).model_fields):
        keys = [f"broker.sasl.{name}" for name in lacking]
        yield tuple(keys), f"{', '.join(keys)}: required where another of broker.sasl is given"


def _unreadable(path: str) -> str | None:
    """Why a file cannot be read."""
    try:
        os.close(os.open(Path(path), os.O_RDONLY))
    except OSError as error:
        return error.strerror or type(error).__name__
    return None
