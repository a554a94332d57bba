"""The pages of real processes: scraped and probed over TCP, as Prometheus and an orchestrator do."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from outrider import Catalog, Message, Outbox
from outrider.testing.services import KafkaServer
from outrider.testing.services.processes import free_port
from tests.acceptance.cli.conftest import PROGRAM, Shop, open_shop

LABELS = ("service", "subscription", "lane", "destination", "consumer", "type", "outcome", "code", "le")
CONSUMER = """
from outrider import Catalog, Consumer, Reject

catalog = Catalog("orders", "billing")
catalog.declare("order.placed", owner="orders", consumers=["billing"])
catalog.declare("order.counted", owner="orders")
billing = Consumer("billing", catalog, transactions={url!r}, start="beginning", service="orders")


@billing.handler("order.placed")
def handle(event, tx, context):
    if event["n"] == 2:
        raise Reject("no")
"""


class Process:
    """A running `outrider` with pages on a port of its own."""

    def __init__(self, folder: Path, *arguments: str, **environment: str) -> None:
        env = {
            "PATH": "/usr/bin:/bin",
            "OUTRIDER_RUNTIME__HEALTH_PORT": "0",
            "OUTRIDER_LOG__LEVEL": "debug",
            **environment,
        }
        command = [str(PROGRAM), *arguments]
        self._process = subprocess.Popen(command, cwd=folder, env=env, stderr=subprocess.PIPE, text=True)
        self.port = self.wait_for("health.opened")["port"]

    def wait_for(self, *names: str) -> dict[str, Any]:
        """Read log lines until each of these events has come; gives the last."""
        assert self._process.stderr is not None
        missing, seen = set(names), list[str]()
        for text in self._process.stderr:
            seen.append(text)
            line: dict[str, Any] = json.loads(text) if text.startswith("{") else {}
            missing.discard(line.get("event", ""))
            if not missing:
                return line
        raise AssertionError(f"no {missing}: {''.join(seen[-20:])}")

    def page(self, path: str) -> tuple[int, str]:
        try:
            with urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            return error.code, error.read().decode()

    def metrics(self) -> dict[str, float]:
        """Samples by name and the values of their labels in the order of `LABELS`, as `name{a,b}`."""
        status, text = self.page("/metrics")
        assert status == 200
        return {
            f"{sample.name}{{{','.join(sample.labels[name] for name in LABELS if sample.labels.get(name))}}}": sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def stop(self) -> int:
        self._process.send_signal(signal.SIGTERM)
        self._process.communicate(timeout=30)
        return self._process.returncode

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


@contextmanager
def running(folder: Path, *arguments: str, **environment: str) -> Iterator[Process]:
    process = Process(folder, *arguments, **environment)
    try:
        yield process
    finally:
        process.kill()


def test_a_relay_is_scraped_and_probed(shop: Shop) -> None:
    """OB-92, OB-44: what it published and what lies in the tables; alive and ready, until it is told to stop."""
    shop.init()
    shop.add(5)
    shop.kill([1])
    with running(shop.folder, "relay") as relay:
        relay.wait_for("publish.acknowledged", "gauges.read")
        found = relay.metrics()
        assert found["outrider_published_total{orders,relay,outrider.orders.outbox,acknowledged}"] == 4
        assert found["outrider_publish_seconds_count{orders,relay}"] >= 1
        assert found["outrider_lease_held{orders,relay,0}"] == 1
        assert found["outrider_dead{orders,relay}"] == 1
        assert found["outrider_table_bytes{orders}"] > 8_192
        assert "outrider_backlog_messages{orders,relay,0}" in found
        assert relay.page("/livez")[0] == 200
        assert relay.page("/readyz") == (200, '{"ready": true, "reasons": {}}\n')
        assert relay.page("/")[0] == 404
        assert relay.stop() == 0


def test_a_second_relay_that_stands_by_is_ready(sqlite_shop: Shop) -> None:
    """OB-44, OB-35: the lane is held by another process, which is what a standby is for."""
    sqlite_shop.init()
    with running(sqlite_shop.folder, "relay") as first:
        first.wait_for("lane.taken")
        with running(sqlite_shop.folder, "relay") as second:
            while second.page("/readyz")[0] != 200:
                assert second.page("/livez")[0] == 200
            assert "outrider_lease_held{orders,relay,0}" not in second.metrics()


def test_a_consumer_is_scraped_and_probed(shop: Shop) -> None:
    """OB-92, OB-93: what was handled, how long it took, and what is dead, by type and consumer."""
    shop.init()
    (shop.folder / "shop.py").write_text(CONSUMER.format(url=shop.url), encoding="utf-8")
    shop.add(3)
    with running(shop.folder, "consume", "shop:billing", OUTRIDER_BROKER__URL="log:") as consumer:
        consumer.wait_for("message.died")
        found = consumer.metrics()
        assert found["outrider_consumed_total{orders,billing,order.placed,dead,handler.rejected}"] == 1
        while "outrider_consumed_total{orders,billing,order.placed,handled}" not in found:
            consumer.wait_for("receipt.recorded")
            found = consumer.metrics()
        assert found["outrider_handler_seconds_count{orders,billing,order.placed}"] >= 2
        assert consumer.page("/readyz") == (200, '{"ready": true, "reasons": {}}\n')
        assert consumer.stop() == 0


@pytest.mark.timeout(120)
def test_a_relay_to_kafka_is_ready_only_while_the_broker_answers(
    kafka_server: KafkaServer, kafka_topic: Callable[..., str], postgres_url: str, tmp_path: Path
) -> None:
    """OB-92, OB-44: on PostgreSQL and Kafka; a broker that gives no answer is a reason not to be ready, and said."""
    shop, topic = open_shop(tmp_path, postgres_url), kafka_topic(partitions=2)
    declared = f"catalog.service('orders', topic={topic!r})\ncatalog.declare('order.placed', owner='orders')"
    (tmp_path / "shop.py").write_text(f"from outrider import Catalog\ncatalog = Catalog()\n{declared}\n", "utf-8")
    away, here = f"kafka://127.0.0.1:{free_port()}", f"kafka://{kafka_server.bootstrap_servers}"
    given = ("--service", "orders", "--database", shop.url, "--catalog", "shop:catalog")
    assert shop.run("init", *given, OUTRIDER_BROKER__URL=away).code == 0
    add_to(topic, shop.url)
    with running(tmp_path, "relay", OUTRIDER_BROKER__URL=away) as relay:
        relay.wait_for("lane.taken")
        status, said = relay.page("/readyz")
        assert (status, json.loads(said)["ready"]) == (503, False)
        assert relay.page("/livez")[0] == 200
        assert relay.stop() == 0
    with running(tmp_path, "relay", OUTRIDER_BROKER__URL=here) as relay:
        relay.wait_for("publish.acknowledged")
        assert relay.metrics()[f"outrider_published_total{{orders,relay,{topic},acknowledged}}"] == 1
        assert relay.page("/readyz")[0] == 200
        assert relay.stop() == 0


def add_to(topic: str, url: str) -> None:
    """Add a message as the application would."""
    catalog = Catalog()
    catalog.service("orders", topic=topic)
    catalog.declare("order.placed", owner="orders")
    with psycopg.connect(url) as opened, opened.transaction():
        Outbox(catalog, "orders").add(opened, Message("order.placed", {"n": 1}, key="order-1"))


def test_a_port_that_is_taken_is_refused_at_start(sqlite_shop: Shop) -> None:
    """OB-90: exit 2, and the setting is named."""
    sqlite_shop.init()
    with running(sqlite_shop.folder, "relay") as relay:
        answer = sqlite_shop.run("relay", OUTRIDER_RUNTIME__HEALTH_PORT=str(relay.port))
    assert (answer.code, "runtime.health_port" in answer.err) == (2, True)


def test_without_the_port_nothing_of_it_is_loaded(sqlite_shop: Shop) -> None:
    """Prometheus' client and the server cost nothing where nobody asked for them."""
    sqlite_shop.init()
    loaded = """
import contextlib, sys
import outrider.cli
sys.argv = ["outrider", "relay", "--once"]
with contextlib.suppress(SystemExit):
    outrider.cli.main()
print(sorted({"prometheus_client", "http.server", "opentelemetry.sdk"} & set(sys.modules)))
"""
    command = [sys.executable, "-c", loaded]
    said = subprocess.run(command, cwd=sqlite_shop.folder, capture_output=True, text=True, check=True)
    assert said.stdout.strip().endswith("[]")
