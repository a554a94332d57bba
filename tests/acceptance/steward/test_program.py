"""The command line of Steward: spec/scheduling.md §15, ST-70, ST-71."""

import json
import signal
import subprocess
import sys
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.acceptance.steward.program import Folder

VERBS = ["serve", "worker", "migrate", "config", "user"]
LEAVES = [
    ["serve"], ["worker"], ["migrate"], ["config", "show"],
    *(["user", verb] for verb in ("add", "list", "token", "link")),
]  # fmt: skip
LIBRARIES = ["aiosqlite", "alembic", "asyncmy", "fastapi", "psycopg", "sqlalchemy", "starlette", "uvicorn"]
LOADED = """
import sys
from contextlib import closing
from http.client import HTTPConnection
from steward.cli import main
for arguments in (["--help"], ["user", "--help"], ["user", "add", "--help"], ["migrate", "--help"]):
    sys.argv = ["steward", *arguments]
    try:
        main()
    except SystemExit as ended:
        assert not ended.code, ended.code
print("loaded", sorted({name.partition(".")[0] for name in sys.modules}))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.fixture
def made(folder: Folder) -> Folder:
    """A folder whose tables are made, and one person in it."""
    assert folder.run("migrate").code == 0
    assert folder.run("user", "add", "Anna", "--id", "usr_anna").code == 0
    return folder


def test_help_loads_no_driver_no_sqlalchemy_and_no_web_framework() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    loaded = done.stdout.splitlines()[-1]
    assert "'typer'" in loaded
    assert [name for name in LIBRARIES if f"'{name}'" in loaded] == []


def test_help_lists_the_verbs_with_examples(folder: Folder) -> None:
    said = folder.run("--help")
    assert said.code == 0
    assert all(f"  {verb} " in said.out for verb in VERBS)
    for leaf in LEAVES:
        shown = folder.run(*leaf, "--help")
        assert shown.code == 0
        assert "Examples:" in shown.out
        assert f"steward {' '.join(leaf)}" in shown.out
        assert "--json" in shown.out
    assert folder.run("--version").out.startswith("steward ")
    assert folder.run("srve").code == 2


def test_migrate_makes_every_table_and_checks(folder: Folder) -> None:
    """ST-64, ST-70."""
    behind = folder.run("migrate", "--check", "--json")
    assert behind.code == 1
    assert len(behind.json["missing"]) == 3
    ran = folder.run("migrate", "--json")
    assert ran.code == 0
    assert ran.json["ran"][-1] == "steward: alembic 0001"
    again = folder.run("migrate", "--check")
    assert (again.code, again.out) == (0, "")
    assert "up to date" in again.err


def test_without_tables_every_verb_names_the_command_that_mends_it(folder: Folder) -> None:
    """ST-70."""
    for verb in (["user", "list"], ["worker"], ["serve"]):
        said = folder.run(*verb)
        assert said.code == 2
        assert "steward migrate" in said.err


def test_a_worker_without_a_broker_is_refused(made: Folder) -> None:
    """ST-70."""
    said = made.run("worker", STEWARD_BROKER__URL="none:")
    assert said.code == 2
    assert "broker.url is none" in said.err
    unknown = made.run("worker", "--role", "dance")
    assert unknown.code == 2
    assert "relay, consumer, notifier, scan, prepare, reconcile, feeds" in unknown.err


def test_persons_tokens_and_links(made: Folder) -> None:
    added = made.run("user", "add", "Olga", "--role", "admin", "--zone", "Europe/Berlin", "--locale", "en", "--json")
    assert added.code == 0
    assert added.json["token"].startswith("stw_")
    assert added.json["zone"] == "Europe/Berlin"
    people = made.run("user", "list", "--json").json["items"]
    assert {one["name"]: one["role"] for one in people} == {"Anna": "user", "Olga": "admin"}
    assert made.run("user", "token").code == 2
    token = made.run("user", "token", "--user", "usr_anna", "--scope", "previews", "--days", "7", "--json")
    assert token.json["scopes"] == ["previews"]
    assert token.json["expires_at"] is not None
    link = made.run("user", "link", "--user", "usr_anna", "--json")
    assert link.json["url"].startswith("http://127.0.0.1:8765/sign-in/")
    quiet = made.run("user", "link", "--user", "usr_anna", "--quiet")
    assert (quiet.code, quiet.err) == (0, "")


def test_refusals_say_which_code_and_exit(made: Folder) -> None:
    wrong = made.run("user", "add", "Ben", "--zone", "Mars/Base")
    assert wrong.code == 2
    assert "zone" in wrong.err
    taken = made.run("user", "add", "Ben", "--id", "usr_anna")
    assert taken.code == 2
    assert "user_id" in taken.err
    scope = made.run("user", "token", "--user", "usr_anna", "--scope", "everything")
    assert scope.code == 2


def test_settings_are_shown_with_their_origins_and_without_secrets(folder: Folder) -> None:
    """§16, ST-71."""
    (folder.path / "steward.toml").write_text('[scan]\ninterval = "1 min"\n')
    said = folder.run(
        "config", "show", "--json", STEWARD_DATABASE__URL="postgresql://u:hidden@db/x", STEWARD_SECRET_KEY="s3cret"
    )
    assert said.code == 0
    assert "hidden" not in said.out
    assert "s3cret" not in said.out
    assert said.json["scan.interval"] == {"value": "1 min", "origin": "steward.toml"}
    assert said.json["database.url"] == {"value": "postgresql://u:***@db/x", "origin": "STEWARD_DATABASE__URL"}
    assert said.json["secret_key"]["value"] == "***"
    assert said.json["http.port"] == {"value": "8765", "origin": "default"}
    assert "scan.interval" in folder.run("config", "show").out


def test_wrong_and_contradicting_settings_exit_with_2(folder: Folder) -> None:
    """ST-71: every fault at once."""
    wrong = folder.run("config", "show", STEWARD_SCAN__BATCH="many", STEWARD_SKAN__LEASE="1 s")
    assert wrong.code == 2
    assert "STEWARD_SCAN__BATCH" in wrong.err
    assert "did you mean STEWARD_SCAN__LEASE?" in wrong.err
    differing = folder.run("migrate", OUTRIDER_DATABASE__URL="postgresql://u:hidden@db/x")
    assert differing.code == 2
    assert "STEWARD_DATABASE__URL" in differing.err
    assert "OUTRIDER_DATABASE__URL" in differing.err
    assert "hidden" not in differing.err


def test_nothing_listens_where_a_token_would_cross_a_network_in_the_clear(made: Folder) -> None:
    """X4."""
    said = made.run("serve", "--host", "0.0.0.0")  # noqa: S104  what is refused
    assert said.code == 2
    assert "http.public_url" in said.err
    assert made.run("serve", "--all", "--http-only").code == 2


@pytest.mark.timeout(120)
def test_a_worker_drains_on_sigterm(made: Folder) -> None:
    """ST-70, OB-44: exit 0."""
    with made.start("worker") as process:
        assert process.stderr is not None
        first = process.stderr.readline()
        assert "relay, consumer, notifier, scan, prepare, reconcile, feeds" in first
        while "consumer.started" not in (line := process.stderr.readline()):  # from then on signals are heard
            assert line, "it ended before it worked"
        process.send_signal(signal.SIGTERM)
        _, rest = process.communicate(timeout=40)
        assert process.returncode == 0, rest


@pytest.mark.timeout(120)
def test_serve_answers_until_sigterm(made: Folder) -> None:
    """ST-70: on SQLite all roles run in the same process; ready once they work."""
    with made.start("serve", "--port", "0") as process:
        assert process.stderr is not None
        address = ""
        while not address:
            line = process.stderr.readline()
            assert line, "it ended before it answered"
            address = line.partition("answering on ")[2].strip()
        with closing(HTTPConnection(address.removeprefix("http://"), timeout=30)) as connection:
            connection.request("GET", "/livez")
            alive = connection.getresponse()
            assert (alive.status, json.loads(alive.read())) == (200, {"alive": True})
            connection.request("GET", "/api/v1/tasks")
            refused = connection.getresponse()
            assert (refused.status, json.loads(refused.read())["code"]) == (401, "unauthenticated")
            token = made.run("user", "token", "--json").json["token"]
            connection.request("GET", "/api/v1/tasks", headers={"Authorization": f"Bearer {token}"})
            listed = connection.getresponse()
            assert (listed.status, json.loads(listed.read())["items"]) == (200, [])
        process.send_signal(signal.SIGTERM)
        _, rest = process.communicate(timeout=40)
        assert process.returncode == 0, rest
