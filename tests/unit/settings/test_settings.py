"""Settings: names, defaults, where they come from, and how their faults are told."""

import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from outrider.bootstrap.settings import ENVIRONMENT, load, make, nearest, seconds, variable
from outrider.bootstrap.settings_model import SECRETS, Settings, known_keys
from outrider.core.errors import ConfigurationError

REQUIRED = {"service.name": "orders", "database.url": "sqlite:///shop.db"}
ENOUGH = {variable(key): value for key, value in REQUIRED.items()}


def s(number: float) -> timedelta:
    return timedelta(seconds=number)


DEFAULTS: dict[str, Any] = {
    "service.catalog": None, "service.profile": "development",
    "database.db_schema": None, "database.pool_size": 5, "database.statement_timeout": s(10),
    "database.prepared_statements": True, "database.tls.mode": None, "database.tls.ca": None,
    "database.tls.cert": None, "database.tls.key": None,
    "broker.url": "log:", "broker.tls.ca": None, "broker.tls.cert": None, "broker.tls.key": None,
    "broker.sasl.mechanism": None, "broker.sasl.username": None, "broker.sasl.password": None,
    "broker.max_bytes": 900_000, "broker.transactional": False, "broker.partitioner": "crc32", "broker.destinations": {},
    "relay.lanes": 1, "relay.batch_size": 500, "relay.lease": s(15), "relay.publish_timeout": s(5),
    "relay.poll_min": s(0.002), "relay.poll_max": s(0.1), "relay.advance_interval": s(0.02),
    "relay.preflight_interval": s(5), "relay.outage_backoff_max": s(5), "relay.park_alarm": 100_000,
    "retry.delays": tuple(map(s, (1, 2, 4, 8, 16, 32))), "retry.jitter": "full", "retry.max_retry": 20,
    "retry.min_failing": s(0), "retry.suspect_delays": (s(60), s(300)), "wakeup.notify": False,
    "runtime.drain_timeout": s(20), "runtime.health_port": None, "runtime.state_dir": Path(tempfile.gettempdir()),
    "log.level": "info", "log.format": "auto",
    "consumer.session_timeout": s(45), "consumer.concurrency": 8, "consumer.batch_size": 50,
    "consumer.handler_timeout": s(30), "consumer.in_place_retries": 2, "consumer.key_policy": "park_key",
    "consumer.breaker_failures": 20, "consumer.breaker_keys": 5, "consumer.park_limit": 10_000,
    "consumer.max_bytes": 16 * 1024 * 1024,
    "sweep.redeliver_after": s(600), "sweep.action": "resend", "sweep.max_resends": 3, "sweep.rate": 100,
    "sweep.consumers_here": (),
    "prune.keep": timedelta(days=7), "prune.every": timedelta(hours=24), "prune.batch": 5_000,
    "prune.receipts_keep": timedelta(days=14), "prune.dead_keep": None, "prune.audit_keep": timedelta(days=365),
    "prune.partition_rows": 0,
}  # fmt: skip
"""The table of spec/outbox.md section 14."""


def value_of(settings: Settings, key: str) -> object:
    found: object = settings
    for part in key.split("."):
        found = getattr(found, part)
    return found


def faults(flags: dict[str, object] | None = None, **environment: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load({**REQUIRED, **(flags or {})}, environment=environment)
    found: tuple[str, ...] = vars(caught.value)["faults"]
    return list(found)


@pytest.mark.parametrize(("key", "default"), DEFAULTS.items())
def test_each_key_has_its_default(key: str, default: object) -> None:
    """OB-90: the settings table of section 14, key by key."""
    assert value_of(make(REQUIRED), key) == default


def test_the_table_names_every_key_and_no_other() -> None:
    assert set(known_keys()) == {*DEFAULTS, *REQUIRED}


def text_of(value: object) -> str:
    match value:
        case timedelta():
            return seconds(value)
        case tuple():
            return ",".join(text_of(item) for item in value)
        case bool():
            return "on" if value else "off"
    return str(value)


@pytest.mark.parametrize("key", sorted(DEFAULTS.keys() - {"broker.destinations"}))
def test_each_key_is_read_from_the_environment_in_its_text_form(key: str) -> None:
    found = load(environment=ENOUGH | {variable(key): text_of(DEFAULTS[key])})
    assert value_of(found, key) == DEFAULTS[key]


def test_flags_outrank_environment_outranks_file(tmp_path: Path) -> None:
    file = tmp_path / "outrider.toml"
    file.write_text('[relay]\nlanes = 2\nbatch_size = 20\nlease = "20 s"\n', encoding="utf-8")
    found = load(
        {"relay.lanes": 4},
        config=file,
        environment={**ENOUGH, "OUTRIDER_RELAY__LANES": "3", "OUTRIDER_RELAY__BATCH_SIZE": "30"},
    )
    assert (found.relay.lanes, found.relay.batch_size, found.relay.lease) == (4, 30, s(20))


def test_the_file_of_this_folder_is_read_when_none_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "outrider.toml").write_text('[service]\nname = "here"\n', encoding="utf-8")
    assert load(environment={"OUTRIDER_DATABASE__URL": "sqlite:///x"}).service.name == "here"


@pytest.mark.parametrize(
    ("text", "meant"),
    [("15 s", s(15)), ("100 ms", s(0.1)), ("10 min", s(600)), ("24h", s(86_400)), ("7 d", s(604_800)), ("2.5", s(2.5)),
     (3, s(3))],
)  # fmt: skip
def test_a_duration_is_written_with_its_unit_or_in_seconds(text: object, meant: timedelta) -> None:
    assert make({**REQUIRED, "prune.every": text}).prune.every == meant


@pytest.mark.parametrize("text", ["-1", "soon", "1 week", "1e9999", "", True, "nan"])
def test_what_is_no_duration_is_refused(text: object) -> None:
    assert any("prune.every" in fault for fault in faults({"prune.every": text}))


def test_sizes_and_lists_have_a_text_form() -> None:
    found = load(
        environment={
            **ENOUGH, "OUTRIDER_CONSUMER__MAX_BYTES": "2 MiB", "OUTRIDER_RETRY__DELAYS": "100 ms, 1,2",
            "OUTRIDER_SWEEP__CONSUMERS_HERE": "billing,stock", "OUTRIDER_PRUNE__DEAD_KEEP": "none",
        }
    )  # fmt: skip
    assert found.consumer.max_bytes == 2 * 1024 * 1024
    assert found.retry.delays == (s(0.1), s(1), s(2))
    assert found.sweep.consumers_here == ("billing", "stock")
    assert found.prune.dead_keep is None


def test_a_destination_is_named_by_its_topic_dots_and_case_kept(tmp_path: Path) -> None:
    file = tmp_path / "outrider.toml"
    file.write_text('[broker.destinations."shop.Orders.v1"]\nmax_bytes = 5\n', encoding="utf-8")
    name = "OUTRIDER_BROKER__DESTINATIONS__shop.Orders.v1__PARTITIONER"
    found = load(config=file, environment={**ENOUGH, name: "murmur2"}).broker.destinations["shop.Orders.v1"]
    assert (found.max_bytes, found.partitioner, found.rate) == (5, "murmur2", None)


def test_a_secret_may_stand_in_a_file_and_is_never_shown(tmp_path: Path) -> None:
    secret = tmp_path / "url"
    secret.write_text("postgresql://me:hunter2@db/shop\n", encoding="utf-8")
    found = load(environment={"OUTRIDER_SERVICE__NAME": "orders", "OUTRIDER_DATABASE__URL_FILE": str(secret)})
    assert found.database.url == "postgresql://me:hunter2@db/shop"
    assert "hunter2" not in repr(found)
    said = faults({"database.url": "oracle://me:hunter2@db"})
    assert said == ["database.url (flag): must be postgresql://…, mysql://…, mariadb://… or sqlite:///FILE"]


def test_a_secret_given_twice_or_from_a_missing_file_is_refused(tmp_path: Path) -> None:
    missing = tmp_path / "none"
    name = "OUTRIDER_DATABASE__URL"
    assert "give one" in faults(None, **{name: "sqlite:///x", f"{name}_FILE": str(missing)})[0]
    assert f"{missing} cannot be read: No such file" in faults(None, **{f"{name}_FILE": str(missing)})[0]
    for content, fault in ((b" \n", "is empty"), (b"\xff", "is not text in UTF-8")):
        missing.write_bytes(content)
        said = faults(None, **{f"{name}_FILE": str(missing)})
        assert f"{name}_FILE: the file {missing}" in said[0]
        assert fault in said[0]


@pytest.mark.parametrize("key", sorted(SECRETS))
def test_every_secret_has_a_file_form(tmp_path: Path, key: str) -> None:
    """OB-95: a secret need not stand in the environment, and a fault in it is told without it."""
    (tmp_path / "secret").write_text("canary\n", encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load({"relay.lanes": 0}, environment={f"{variable(key)}_FILE": str(tmp_path / "secret")})
    assert "canary" not in str(caught.value)
    assert "no such setting" not in str(caught.value)


def test_only_secrets_have_a_file_form() -> None:
    assert "no such setting" in faults(OUTRIDER_RELAY__LANES_FILE="x")[0]


def test_all_faults_are_named_at_once() -> None:
    """OB-90: refused at start, with every fault: lease, lanes, keep, unknown key."""
    said = faults(
        {"relay.lease": "5 s", "relay.lanes": 0, "prune.keep": "20 d"},
        OUTRIDER_RELAY__BATCH_SIZES="5",
        OUTRIDER_LOG__LEVEL="loud",
    )
    assert len(said) == 5
    for word in ("relay.lease", "relay.lanes", "prune.receipts_keep", "BATCH_SIZES", "log.level"):
        assert any(word in fault for fault in said), word


def test_an_unknown_key_is_refused_with_the_nearest_known_one(tmp_path: Path) -> None:
    """OB-90: in flags, environment and file alike."""
    assert faults({"relay.batchsize": 1}) == ["relay.batchsize (flag): no such setting; did you mean relay.batch_size?"]
    assert faults(OUTRIDER_DATABASE_URL="x")[0].endswith("did you mean OUTRIDER_DATABASE__URL?")
    file = tmp_path / "outrider.toml"
    file.write_text("[relais]\nlanes = 1\n[prune]\nzebra = 1\n", encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load(REQUIRED, config=file, environment={})
    said = vars(caught.value)["faults"]
    assert "did you mean relay.lanes?" in said[0]
    assert said[1].startswith("prune.zebra")


def test_a_missing_key_says_how_to_set_it() -> None:
    with pytest.raises(ConfigurationError, match=r"service\.name: is required; set it as OUTRIDER_SERVICE__NAME"):
        load(environment={"OUTRIDER_DATABASE__URL": "sqlite:///x"})


@pytest.mark.parametrize("text", ["[relay", "\xff"])
def test_a_file_that_is_no_toml_or_not_there_is_a_fault(tmp_path: Path, text: str) -> None:
    file = tmp_path / "own.toml"
    file.write_bytes(text.encode("latin-1"))
    for path in (file, tmp_path / "missing.toml"):
        with pytest.raises(ConfigurationError, match=path.name):
            load(REQUIRED, config=path, environment={})


def test_what_this_release_does_not_do_is_refused_rather_than_passed_over() -> None:
    """OB-90: a setting without effect would promise what is not kept."""
    assert "not supported by this release" in faults({"prune.partition_rows": 1000})[0]


@pytest.mark.parametrize("scheme", ["mysql", "mariadb"])
def test_mysql_and_mariadb_take_no_transactions_of_the_broker(scheme: str) -> None:
    """OB-101: their pending set has no single position that a transaction could keep."""
    flags: dict[str, object] = {"database.url": f"{scheme}://me@db/shop", "broker.url": "kafka://a:9092"}
    assert make({**REQUIRED, **flags}).database.url == f"{scheme}://me@db/shop"
    assert "no single position" in faults({**flags, "broker.transactional": True})[0]


def test_only_kafka_takes_transactions() -> None:
    """OB-101: another broker has none, and says so at start."""
    assert "only Kafka has transactions" in faults({"broker.transactional": True})[0]
    assert make({**REQUIRED, "broker.url": "kafka://a:9092", "broker.transactional": True}).broker.transactional


@pytest.mark.parametrize("url", ["log:", "memory:", "none:", "kafka://a:9092,b:9092"])
def test_the_scheme_names_the_kind_of_broker(url: str) -> None:
    assert make({**REQUIRED, "broker.url": url}).broker.kind == url.partition(":")[0]


def test_nothing_near_suggests_nothing() -> None:
    assert nearest("zzzzzzzz") == ""


def test_names_and_spans_for_people() -> None:
    assert variable("relay.batch_size") == f"{ENVIRONMENT}RELAY__BATCH_SIZE"
    assert [seconds(span) for span in (s(0.1), s(15), s(600), s(604_800), s(0))] == [
        "100 ms",
        "15 s",
        "10 min",
        "7 d",
        "0 s",
    ]
