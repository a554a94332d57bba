"""Steward's settings and what they derive for Outrider: spec/scheduling.md §16, ST-71."""

from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from outrider.core.errors import ConfigurationError
from outrider.runtime.system_clock import SystemClock
from steward.bootstrap import solving
from steward.bootstrap.chance import SystemChance
from steward.bootstrap.database import limits_of, url_of
from steward.bootstrap.derive import derived
from steward.bootstrap.faults import SettingsWrong
from steward.bootstrap.keys import keys_of
from steward.bootstrap.settings import Read, load
from steward.bootstrap.settings_model import Settings, known_keys
from steward.bootstrap.solving import solver_of
from steward.domain.ids import base32
from steward.solvers.apart import ApartSolver

POSTGRES = "postgresql://steward:secret@db.example/day"


def read(environment: dict[str, str] | None = None, **flags: object) -> Read:
    return load({key.replace("__", "."): value for key, value in flags.items()}, environment=environment or {})


def faults(environment: dict[str, str] | None = None, **flags: object) -> str:
    with pytest.raises(SettingsWrong) as caught:
        read(environment, **flags)
    return str(caught.value)


def test_defaults_are_those_of_the_specification() -> None:
    settings = read().settings
    assert settings.database.url == "sqlite:///steward.db"
    assert (settings.broker.url, settings.public_url) == ("log:", "http://127.0.0.1:8765")
    assert (settings.scan.interval, settings.scan.batch) == (timedelta(seconds=30), 50)
    assert (settings.prepare.horizon, settings.preview.ttl) == (timedelta(days=14), timedelta(hours=1))
    assert (settings.http.body_max, settings.calendar.bytes_max) == (65_536, 5_242_880)
    assert settings.http.rate == 1.0


def test_flags_go_over_the_environment_over_the_file_over_defaults(tmp_path: Path) -> None:
    file = tmp_path / "steward.toml"
    file.write_text('namespace = "home"\n[scan]\nbatch = 1\ninterval = "1 min"\nlease = "9 s"\n')
    found = load(
        {"scan.batch": 3}, config=file, environment={"STEWARD_SCAN__BATCH": "2", "STEWARD_SCAN__INTERVAL": "2 min"}
    )
    scan = found.settings.scan
    assert (scan.batch, scan.interval, scan.lease) == (3, timedelta(minutes=2), timedelta(seconds=9))
    assert found.origins == {
        "namespace": str(file),
        "scan.batch": "flag",
        "scan.interval": "STEWARD_SCAN__INTERVAL",
        "scan.lease": str(file),
    }


def test_unknown_keys_are_refused_with_the_nearest_one(tmp_path: Path) -> None:
    file = tmp_path / "steward.toml"
    file.write_text("[scan]\nintervall = 3\n")
    with pytest.raises(SettingsWrong) as caught:
        load(config=file, environment={"STEWARD_PREPARE__CONCURENCY": "2", "STEWARD_NONSENSE": "1"})
    lines = caught.value.faults
    assert any("scan.intervall" in line and "did you mean scan.interval?" in line for line in lines)
    assert any("STEWARD_PREPARE__CONCURENCY" in line and "STEWARD_PREPARE__CONCURRENCY?" in line for line in lines)
    assert any(line.startswith("STEWARD_NONSENSE: no such setting") for line in lines)


def test_every_fault_is_named_at_once() -> None:
    said = faults({"STEWARD_SCAN__BATCH": "0", "STEWARD_PREVIEW__TTL": "soon"}, selector__kind="oracle")
    assert all(name in said for name in ("scan.batch (STEWARD_SCAN__BATCH)", "preview.ttl", "selector.kind (flag)"))


def test_secrets_may_stand_in_files_and_are_never_shown(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("s3cret\n")
    found = read({"STEWARD_SECRET_KEY_FILE": str(file), "STEWARD_SELECTOR__API_KEY": "sk-1"})
    assert found.settings.secret_key is not None
    assert found.settings.secret_key.get_secret_value() == "s3cret"
    assert "s3cret" not in repr(found.settings)
    assert "sk-1" not in repr(found.settings)
    assert "give one" in faults({"STEWARD_SECRET_KEY_FILE": str(file), "STEWARD_SECRET_KEY": "other"})
    assert "cannot be read" in faults({"STEWARD_SECRET_KEY_FILE": str(tmp_path / "none")})
    said = faults({"STEWARD_DATABASE__URL": "oracle://u:hidden@host/x"})
    assert "hidden" not in said


DATABASES = {
    "sqlite:///steward.db": "sqlite+aiosqlite:///steward.db",
    "sqlite:////var/day.db": "sqlite+aiosqlite:////var/day.db",
    "sqlite+aiosqlite:///steward.db": "sqlite+aiosqlite:///steward.db",
    POSTGRES: "postgresql+psycopg://steward:secret@db.example/day",
    "postgresql+psycopg://db.example/day": "postgresql+psycopg://db.example/day",
    "mysql://u:p%40@host/day": "mysql+asyncmy://u:p%40@host:3306/day",
    "mariadb://u:p@host:3307/day": "mariadb+asyncmy://u:p@host:3307/day",
    "mysql+asyncmy://u:p@host/day": "mysql+asyncmy://u:p@host:3306/day",
}


@pytest.mark.parametrize("url", DATABASES)
def test_every_scheme_of_a_database_gets_our_driver(url: str) -> None:
    """ST-71."""
    database = derived(read(database__url=url), environment={}).steward.database
    found, _ = url_of(database)
    assert found.render_as_string(hide_password=False) == DATABASES[url]


REFUSED = [
    "sqlite://",
    "sqlite:///:memory:",
    "sqlite:///",
    "sqlite+pysqlite:///steward.db",
    "postgresql+asyncpg://db/day",
    "postgres://db/day",
    "mysql+pymysql://u@host/day",
    "mssql://host/day",
    "steward.db",
]


@pytest.mark.parametrize("url", REFUSED)
def test_other_databases_and_drivers_are_refused_with_the_list(url: str) -> None:
    """ST-71."""
    assert "sqlite:///FILE, postgresql://…, mysql://… or mariadb://…" in faults(database__url=url)


def test_every_scheme_of_a_broker() -> None:
    """ST-71."""
    for url, kind in (("log:", "log"), ("kafka://a:9092,b:9092", "kafka"), ("none:", "none"), ("memory:", "memory")):
        found = read(broker__url=url)
        assert found.settings.broker.kind == kind
        assert derived(found, environment={}).notification.broker.url == url
    for url in ("", "log", "kafka://", "nats://host", "http://host"):
        assert "log:, kafka://host:port,… or none:" in faults(broker__url=url)


def test_both_services_have_the_same_database_broker_and_profile() -> None:
    """ST-71, ST-64."""
    found = derived(
        read(
            database__url=POSTGRES, broker__url="kafka://k:9092", profile="production", secret_key="k" * 32,
            http__public_url="https://day.example/",
        ),
        environment={"OUTRIDER_RELAY__LANES": "4", "OUTRIDER_NOTIFICATION__SECRET_KEYS": "x"},
    )  # fmt: skip
    assert [one.service.name for one in (found.steward, found.notification)] == ["steward", "notification"]
    for one in (found.steward, found.notification):
        assert (one.database.url, one.broker.url, one.service.profile) == (POSTGRES, "kafka://k:9092", "production")
        assert one.relay.lanes == 4
        assert one.sweep.consumers_here == ("steward", "notification")
        assert one.notification["public_base_url"] == "https://day.example"
        assert one.notification["action_paths"] == ["/previews/"]
        assert one.notification["default_zone"] == "Asia/Shanghai"
        assert one.notification["default_locale"] == "zh-CN"


DIFFERING = {
    "OUTRIDER_DATABASE__URL": ("postgresql://steward:other@db.example/night", "STEWARD_DATABASE__URL"),
    "OUTRIDER_BROKER__URL": ("kafka://other:9092", "STEWARD_BROKER__URL"),
    "OUTRIDER_SERVICE__PROFILE": ("production", "STEWARD_PROFILE"),
    "OUTRIDER_NOTIFICATION__PUBLIC_BASE_URL": ("https://other.example", "STEWARD_HTTP__PUBLIC_URL"),
    "OUTRIDER_NOTIFICATION__DEFAULT_ZONE": ("Europe/Berlin", "STEWARD_DEFAULTS__ZONE"),
    "OUTRIDER_NOTIFICATION__DEFAULT_LOCALE": ("en", "STEWARD_DEFAULTS__LOCALE"),
    "OUTRIDER_NOTIFICATION__ACTION_PATHS": ("/other/", "notification.action_paths"),
}


@pytest.mark.parametrize("name", DIFFERING)
def test_differing_outrider_setting_is_refused(name: str) -> None:
    """ST-71: with both names and where each stands, passwords masked."""
    value, own = DIFFERING[name]
    with pytest.raises(SettingsWrong) as caught:
        derived(read({"STEWARD_DATABASE__URL": POSTGRES}), environment={name: value})
    (line,) = caught.value.faults
    assert own in line
    assert name in line
    assert ("STEWARD_DATABASE__URL)" in line) == (own == "STEWARD_DATABASE__URL")
    assert "secret" not in line
    assert "other@" not in line


def test_a_differing_setting_in_outriders_file_is_refused_too(tmp_path: Path) -> None:
    """ST-71."""
    file = tmp_path / "outrider.toml"
    file.write_text('[broker]\nurl = "kafka://k:9092"\n')
    with pytest.raises(SettingsWrong, match=r"broker.url: .*by default.*outrider.toml"):
        derived(read(), config=file, environment={})


def test_the_same_said_twice_is_no_contradiction() -> None:
    """ST-71: a driver in the URL makes no difference."""
    environment = {
        "OUTRIDER_DATABASE__URL": POSTGRES,
        "OUTRIDER_NOTIFICATION__ACTION_PATHS": "/previews/",
        "OUTRIDER_NOTIFICATION__PUBLIC_BASE_URL": "http://127.0.0.1:8765/",
    }
    found = derived(read(database__url=POSTGRES.replace("://", "+psycopg://")), environment=environment)
    assert found.steward.database.url == POSTGRES


def test_the_rest_of_outriders_settings_holds_for_stewards_own_connections() -> None:
    """ST-71: TLS, pools, timeouts."""
    environment = {
        "OUTRIDER_DATABASE__STATEMENT_TIMEOUT": "3 s",
        "OUTRIDER_DATABASE__PREPARED_STATEMENTS": "false",
        "OUTRIDER_DATABASE__TLS__MODE": "require",
    }
    database = derived(read(database__url=POSTGRES), environment=environment).steward.database
    url, told = url_of(database)
    assert url.query["sslmode"] == "require"
    assert told == {"prepare_threshold": None}
    assert limits_of(database).statement == timedelta(seconds=3)
    _, told = url_of(derived(read(database__url="mysql://u:p@h/d"), environment={}).steward.database)
    assert told == {}
    with pytest.raises(ConfigurationError, match="RELAY__LANES"):
        derived(read(), environment={"OUTRIDER_RELAY__LANES": "none"})


def test_production_refuses_what_has_no_place_there() -> None:
    """ST-18: mock time; and a public URL without https, and no secret key."""
    said = faults(profile="production", trigger__allow_mock_time=True)
    assert all(name in said for name in ("trigger.allow_mock_time", "http.public_url", "secret_key"))
    sound = read(profile="production", secret_key="x", http__public_url="https://day.example")
    assert sound.settings.public_url == "https://day.example"


def test_a_key_is_made_once_beside_the_file(tmp_path: Path) -> None:
    settings = read(database__url=f"sqlite:///{tmp_path}/steward.db").settings
    random = SystemClock().random_bytes
    first, second = keys_of(settings, random), keys_of(settings, random)
    assert first.of("links") == second.of("links")
    assert first.of("links") != first.of("cursors")
    kept = tmp_path / "steward.db.key"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["steward.db.key"]


def test_an_old_key_is_still_read() -> None:
    old = keys_of(Settings(secret_key="old"), bytes)  # type: ignore[arg-type]  # pydantic makes it a secret
    new = keys_of(Settings(secret_key="new", secret_key_old="old"), bytes)  # type: ignore[arg-type]  # the same
    assert new.of("links")[1:] == old.of("links")
    with pytest.raises(SettingsWrong, match="STEWARD_SECRET_KEY"):
        keys_of(read(database__url=POSTGRES).settings, bytes)


class StandingClock(SystemClock):
    def now_ms(self) -> int:
        return 1_764_000_000_000


def test_ids_made_one_after_the_other_sort_so() -> None:
    """ST-5: also within a millisecond, and when the clock stands still for long."""
    chance = SystemChance(StandingClock())
    made = [chance.uuid7() for _ in range(5_000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert [base32(one) for one in made] == sorted(base32(one) for one in made)
    assert {(one.version, one.variant) for one in made} == {(7, UUID(int=0x8000 << 48).variant)}
    assert 0 <= chance.fraction() < 1
    assert len(chance.secret(32)) == 32


def test_every_key_has_a_section_of_the_specification() -> None:
    sections = {key.partition(".")[0] for key in known_keys() if "." in key}
    assert sections == {
        "database", "broker", "http", "web", "defaults", "scan", "reconcile", "trigger", "prepare", "search", "solver",
        "preview", "selector", "calendar", "retention",
    }  # fmt: skip


def test_a_solver_without_its_library_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """ST-34, section 16: a setting that would change nothing says so at the start, with the extra that is missing."""
    settings = load({"solver.kind": "cpsat", "solver.moves_max": 5}, environment={}).settings.solver
    assert isinstance(solver_of(settings), ApartSolver)
    assert solver_of(load({}, environment={}).settings.solver) is None
    monkeypatch.setattr(solving, "find_spec", lambda _: None)
    with pytest.raises(SettingsWrong, match=r"solver\.kind: .* pip install 'outrider\[solver\]'"):
        solver_of(settings)
