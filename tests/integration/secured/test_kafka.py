"""TLS and passwords to Kafka by settings: who is let in, and what is said to whom where not. Hazard X11."""

import os
import subprocess
import sys
import uuid
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from outrider.bootstrap.brokers import kafka_settings
from outrider.bootstrap.settings import make
from outrider.brokers.kafka.config import KafkaSettings
from outrider.brokers.kafka.publisher import KafkaPublisher
from outrider.brokers.kafka.subscriber import KafkaSubscriber
from outrider.brokers.kafka.transactional import KafkaTransactionalPublisher
from outrider.cli.frame import USAGE, exit_code
from outrider.core.errors import AccessRefused, BrokerUnavailable
from outrider.core.lane import LaneKey
from outrider.ports.broker import Mark
from outrider.testing.conformance.broker_harness import DEADLINE_SECONDS, decoder, encoder, numbers, row, take
from tests.integration.secured.conftest import SECRET, SecuredKafka

pytestmark = [pytest.mark.timeout(90), pytest.mark.xdist_group("secured kafka")]

LEASE = timedelta(seconds=15)
SHOP = 'from outrider import Catalog\ncatalog = Catalog("orders")\ncatalog.declare("order.counted", owner="orders")\n'
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


def settings(url: str, **given: str) -> KafkaSettings:
    """The adapter's settings, from ours: `tls_ca` is `broker.tls.ca`."""
    values = {f"broker.{key.replace('_', '.', 1)}": value for key, value in given.items()}
    made = make({"service.name": "orders", "database.url": "sqlite:///orders.db", "broker.url": url, **values})
    assert SECRET not in repr(made)
    found: KafkaSettings = kafka_settings(made.broker)
    assert SECRET not in repr(found)
    return found


def login(mechanism: str, password: str = SECRET, username: str = "orders") -> Mapping[str, str]:
    return {"sasl_mechanism": mechanism, "sasl_username": username, "sasl_password": password}


async def carried(kafka: SecuredKafka, known: KafkaSettings) -> list[int]:
    """Send three messages and read them back."""
    topic = f"secured.{uuid.uuid4().hex[:12]}"
    kafka.server.create_topic(topic, 1)
    publisher = KafkaPublisher(known, encoder(), LEASE)
    await publisher.start()
    published = await publisher.publish([row(n, topic) for n in (1, 2, 3)], DEADLINE_SECONDS, urgent=True)
    await publisher.close()
    assert not published.exceptions
    subscriber = KafkaSubscriber(known, decoder(), timedelta(seconds=6))
    await subscriber.start([topic], f"{topic}.reader")
    found = numbers(await take(subscriber, 3))
    await subscriber.close()
    return found


async def refusal(known: KafkaSettings) -> AccessRefused:
    """What is said at the start of each client, which must not wait for its own timeout."""
    for client in (KafkaPublisher(known, encoder(), LEASE), transactional(known)):
        with pytest.raises(AccessRefused):
            await client.start()
        await client.close()
    subscriber = KafkaSubscriber(known, decoder(), timedelta(seconds=6))
    with pytest.raises(AccessRefused) as caught:
        await subscriber.start(["any"], "group")
    await subscriber.close()
    assert SECRET not in f"{caught.value}{caught.value!r}{vars(caught.value)}"
    assert caught.value.server == "broker"
    assert exit_code(caught.value) == USAGE
    return caught.value


def transactional(known: KafkaSettings) -> KafkaTransactionalPublisher:
    return KafkaTransactionalPublisher(
        known, encoder(), LEASE, name_lane=lambda lane: f"secured.{lane.lane}", mark_topic="secured.marks"
    )


async def test_messages_travel_within_tls(kafka: SecuredKafka) -> None:
    assert await carried(kafka, settings(kafka.url("tls"), tls_ca=str(kafka.authority.ca))) == [1, 2, 3]


async def test_a_certificate_of_ones_own_opens_a_port_for_known_clients(kafka: SecuredKafka) -> None:
    """Mutual TLS: with ours, without one, and with one that another authority signed, or that has expired."""
    url, ca, own, false = kafka.url("mutual"), str(kafka.authority.ca), kafka.client, kafka.impostor
    assert await carried(kafka, settings(url, tls_ca=ca, tls_cert=str(own.cert), tls_key=str(own.key))) == [1, 2, 3]
    assert "broker.tls.cert" in (await refusal(settings(url, tls_ca=ca))).remedy
    old = kafka.authority.issue("orders.old", days=-1)
    for wrong in (false, old):
        known = settings(url, tls_ca=ca, tls_cert=str(wrong.cert), tls_key=str(wrong.key))
        assert "broker.tls.cert" in (await refusal(known)).remedy


@pytest.mark.parametrize("mechanism", MECHANISMS)
async def test_a_password_opens(kafka: SecuredKafka, mechanism: str) -> None:
    url, ca = kafka.url("sasl"), str(kafka.authority.ca)
    assert await carried(kafka, settings(url, tls_ca=ca, **login(mechanism.lower()))) == [1, 2, 3]


@pytest.mark.parametrize("mechanism", MECHANISMS)
async def test_a_wrong_password_or_user_is_told_at_once(kafka: SecuredKafka, mechanism: str) -> None:
    url, ca = kafka.url("sasl"), str(kafka.authority.ca)
    assert "broker.sasl" in (await refusal(settings(url, tls_ca=ca, **login(mechanism, f"{SECRET}x")))).remedy
    assert "broker.sasl" in (await refusal(settings(url, tls_ca=ca, **login(mechanism, username="nobody")))).remedy


async def test_transactions_need_no_other_way_in(kafka: SecuredKafka) -> None:
    """OB-101: what fences, and what reads the mark, are clients of their own."""
    known = settings(kafka.url("sasl"), tls_ca=str(kafka.authority.ca), **login("SCRAM-SHA-512"))
    for topic in ("secured.marks", "secured.kept"):
        kafka.server.create_topic(topic, 1)
    publisher, lane = transactional(known), LaneKey(1, 0)
    await publisher.start()
    assert await publisher.fence(lane, []) is None
    await publisher.begin()
    assert not (await publisher.publish([row(1, "secured.kept")], DEADLINE_SECONDS, urgent=True)).exceptions
    assert await publisher.commit(Mark(1, "far"), DEADLINE_SECONDS)
    assert await publisher.fence(lane, []) == Mark(1, "far")
    await publisher.close()


async def test_brokers_that_another_authority_signed_or_of_another_name_are_not_trusted(kafka: SecuredKafka) -> None:
    for known in (
        settings(kafka.url("tls"), tls_ca=str(kafka.stranger.ca)),
        settings(kafka.url("tls"), tls_ca="system"),
        settings(kafka.url("tls", host="127.0.0.1"), tls_ca=str(kafka.authority.ca)),
        settings(kafka.url("sasl"), tls_ca=str(kafka.stranger.ca), **login("PLAIN")),
    ):
        assert "broker.tls.ca" in (await refusal(known)).remedy


async def test_a_port_without_tls_is_refused_where_tls_is_wanted(kafka: SecuredKafka) -> None:
    assert "no TLS" in (await refusal(settings(kafka.server.url, tls_ca=str(kafka.authority.ca)))).remedy


async def test_a_file_that_is_no_certificate_is_told(kafka: SecuredKafka, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    found = await refusal(settings(kafka.url("tls"), tls_ca=str(tmp_path / "ca.pem")))
    assert "broker.tls" in found.remedy


async def test_a_broker_that_is_away_is_no_refusal(kafka: SecuredKafka) -> None:
    known = settings("kafka://localhost:1", tls_ca=str(kafka.authority.ca))
    with pytest.raises(BrokerUnavailable):
        await KafkaPublisher(known, encoder(), LEASE).start()


def test_the_program_ends_with_a_word_and_without_the_secret(kafka: SecuredKafka, tmp_path: Path) -> None:
    """OB-95: a wrong password, from a file, is named by nobody, and whoever deploys is told where to look."""
    (tmp_path / "password").write_text(f"{SECRET}x\n")
    (tmp_path / "shop.py").write_text(SHOP)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("OUTRIDER_")},
        "OUTRIDER_SERVICE__NAME": "orders",
        "OUTRIDER_SERVICE__CATALOG": "shop:catalog",
        "OUTRIDER_DATABASE__URL": "sqlite:///orders.db",
        "OUTRIDER_BROKER__URL": kafka.url("sasl"),
        "OUTRIDER_BROKER__TLS__CA": str(kafka.authority.ca),
        "OUTRIDER_BROKER__SASL__MECHANISM": "SCRAM-SHA-256",
        "OUTRIDER_BROKER__SASL__USERNAME": "orders",
        "OUTRIDER_BROKER__SASL__PASSWORD_FILE": str(tmp_path / "password"),
        "OUTRIDER_LOG__LEVEL": "debug",
    }
    program = Path(sys.executable).parent / "outrider"

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    assert run("migrate").returncode == 0
    for ending in (("relay",), ("relay", "--once"), ("doctor",)):
        answer = run(*ending)
        assert answer.returncode in {1, USAGE}, answer.stderr
        assert "broker.sasl" in answer.stdout + answer.stderr
        assert SECRET not in answer.stdout + answer.stderr
