"""Help, laziness and exit codes of the command line."""

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest
import typer
from typer.testing import CliRunner

from outrider.cli.frame import exit_code
from outrider.cli.main import Commands, app
from outrider.core.errors import (
    BrokerUnavailable,
    ConfigurationError,
    InvalidMessage,
    InvariantViolated,
    LeaseLost,
    MessageNotFound,
    OperationRefused,
    OutriderError,
    SchemaMismatch,
    StorageError,
    StorageUnavailable,
)

HEAVY = {
    "aio_pika", "asyncpg", "confluent_kafka", "django", "fastapi", "psycopg", "pydantic", "sqlalchemy", "starlette",
    "sqlite3", "asyncio",
}  # fmt: skip
GROUPS = {
    "messages": ("list", "show"), "dead": ("list", "show", "replay", "discard"),
    "pause": ("destination", "key", "relay", "consumer"), "resume": ("destination", "key", "relay", "consumer"),
    "cursor": ("show",),
    "notify": (
        "run", "list", "show", "replay", "cancel", "resolve", "send", "test", "sweep", "stats", "rekey", "channels list",
        "channels set", "channels enable", "channels disable", "channels rm", "destinations list", "destinations pause",
        "destinations resume", "digest flush", "templates check",
    ),
}  # fmt: skip


def commands() -> Iterator[tuple[str, ...]]:
    for name in Commands.table:
        yield (name,)
        yield from ((name, *under.split()) for under in GROUPS.get(name, ()))


@pytest.mark.timeout(60)
def test_help_loads_no_driver_orm_or_settings() -> None:
    """Commands are loaded when they are called: `outrider --help` imports nothing heavy, so it answers at once."""
    program = (
        "import sys, json\nfrom outrider.cli import main\nsys.argv = ['outrider', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\nprint(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}
    assert not loaded & HEAVY
    assert "outrider init" in done.stdout


@pytest.mark.parametrize("command", [(), *commands()], ids=" ".join)
def test_every_help_has_examples_and_fits_80_columns(command: tuple[str, ...]) -> None:
    """OB-80: help at every level, with examples."""
    answer = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "80", "TERMINAL_WIDTH": "80"})
    assert answer.exit_code == 0
    if command not in {(name,) for name in GROUPS}:
        assert "Examples:" in answer.stdout
        assert f"outrider {' '.join(command)}".strip() in answer.stdout
    too_long = [line for line in answer.stdout.splitlines() if len(line) > 80]
    assert not too_long


@pytest.mark.parametrize("command", [c for c in commands() if c not in {(name,) for name in GROUPS}], ids=" ".join)
def test_every_command_has_the_common_options(command: tuple[str, ...]) -> None:
    """OB-80: --service --config --json --quiet --no-color everywhere; --dry-run --yes --reason where something is written."""
    said = CliRunner().invoke(app, [*command, "--help"]).stdout
    assert all(option in said for option in ("--service", "--config", "--json", "--quiet", "--no-color"))
    asked_why = {"replay", "discard", "cancel", "resolve", "pause", "resume", "rekey"}
    if command[0] in {"pause", "resume", "prune", "routes"} or command[-1] in asked_why:
        assert all(option in said for option in ("--dry-run", "--yes", "--reason"))
    if command[1:] in {("send",), *(("channels", verb) for verb in ("set", "enable", "disable", "rm"))}:
        assert "--dry-run" in said
    if command in {("notify", "list"), ("notify", "replay")}:
        filters = "status channel kind code class recipient dedupe-key correlation since until cursor"
        assert all(f"--{name}" in said for name in filters.split())
    elif command[1:] == ("list",):
        filters = "state type destination key consumer code cause since until min-attempts id limit cursor"
        assert all(f"--{name}" in said for name in filters.split())


def test_version_is_printed() -> None:
    assert CliRunner().invoke(app, ["--version"]).stdout.startswith("outrider ")


def test_an_unknown_command_names_the_nearest_and_exits_2() -> None:
    answer = CliRunner().invoke(app, ["statsu"])
    assert answer.exit_code == 2
    assert "'status'" in answer.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (StorageUnavailable("x"), 75), (BrokerUnavailable("x"), 75), (LeaseLost("x"), 75),
        (MessageNotFound("x"), 1), (OperationRefused("x"), 1), (StorageError("x"), 1),
        (ConfigurationError("x"), 2), (SchemaMismatch("x"), 2), (InvalidMessage("id"), 2),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_each_error_has_its_exit_code(error: OutriderError, code: int) -> None:
    """OB-81: 1 failed, 2 usage or settings, 75 temporary."""
    assert exit_code(error) == code


def test_what_breaks_the_code_s_own_promise_is_never_an_exit_code() -> None:
    assert not issubclass(InvariantViolated, OutriderError)
    assert isinstance(app, typer.Typer)
