"""What an operator does, from the first table to a dead letter, on SQLite and PostgreSQL, in part on MariaDB."""

import os
import re
import shlex
import signal
import subprocess
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.cli.conftest import EVERYWHERE

if TYPE_CHECKING:
    from tests.acceptance.cli.conftest import Shop

pytestmark = pytest.mark.timeout(120)


@EVERYWHERE
def test_from_tables_to_published_messages(shop: "Shop") -> None:
    """OB-81, OB-97: init, migrate --check, add, relay --once, status, messages; codes 0, data on stdout, words on stderr."""
    assert shop.run("migrate", "--check", "--service", "orders", OUTRIDER_DATABASE__URL=shop.url).code == 1
    first = shop.init()
    assert (first.code, first.out) == (0, "")
    assert "routes: 2 written" in first.err
    assert shop.init().err.count("were there") == 1
    assert shop.run("migrate", "--check").code == 0
    shop.add(5)
    assert shop.run("status", "--json").json["lanes"][0]["backlog"] == 5
    published = shop.run("relay", "--once", "--json", "--quiet")
    assert (published.code, published.err) == (0, "")
    assert published.json == {"lanes": 1, "read": 5, "published": 5, "excepted": 0, "unknown": 0, "errors": []}
    lane = shop.program("status", "--json").json["lanes"][0]
    assert (lane["subscription"], lane["backlog"], lane["passed"], lane["owner"]) == ("relay", 0, 5, None)
    page = shop.run("messages", "list", "--json", "--limit", "2").json
    assert [item["log_id"] for item in page["items"]] == [5, 4]
    assert page["items"][0]["state"] == "published"
    rest = shop.run("messages", "list", "--json", "--cursor", page["next_cursor"]).json
    assert [item["log_id"] for item in rest["items"]] == [3, 2, 1]
    assert rest["next_cursor"] is None
    one = shop.run("messages", "show", rest["items"][-1]["message_id"], "--json")
    assert "body" not in one.json
    assert shop.run("messages", "show", "1", "--body", "--json").json["body"]["text"] == '{"n":0}'
    assert shop.run("verify").code == 0
    checks = shop.run("doctor", "--json")
    assert {check["verdict"] for check in checks.json["checks"]} <= {"ok", "warn"}, checks.out
    assert checks.code == 0


@EVERYWHERE
def test_a_dead_letter_is_found_replayed_and_published(shop: "Shop") -> None:
    """OB-79, OB-91, OB-27: filters, dry run, reason and audit; generation rises, attempts begin anew."""
    shop.init()
    shop.add(6)
    assert shop.run("relay", "--once", "-q").code == 0
    shop.kill([1, 2, 4])
    listed = shop.run("dead", "list", "--json").json["items"]
    assert [(item["row_id"], item["status"], item["attempts"]) for item in listed] == [
        (1, "dead", 3),
        (2, "dead", 3),
        (4, "dead", 3),
    ]
    assert "hunter2" not in shop.run("dead", "list").out + shop.run("messages", "show", "1").out
    assert shop.run("dead", "replay", "--reason", "x", "--yes").code == 2
    assert shop.run("dead", "replay", "--key", "order-0", "--yes").code == 2
    assert shop.run("dead", "replay", "--key", "order-0", "--reason", "x").code == 2
    dry = shop.run("dead", "replay", "--key", "order-0", "--dry-run", "--json").json
    assert dry == {"dry_run": True, "matched": 2, "changed": 2, "refused": 0}
    assert len(shop.run("dead", "list", "--json").json["items"]) == 3
    done = shop.run("dead", "replay", "--key", "order-0", "--reason", "topic is there now", "--yes", "--json")
    assert (done.code, done.json["changed"]) == (0, 2)
    rows = shop.sql("SELECT log_id, status, attempts, generation FROM orders_outbox_delivery ORDER BY log_id")
    assert rows == [(1, "retrying", 0, 1), (2, "dead", 3, 0), (4, "retrying", 0, 1)]
    ((actor, verb, affected, reason),) = shop.sql("SELECT actor, verb, affected, reason FROM orders_outrider_audit")
    assert (bool(actor), verb, affected, reason) == (True, "replay", 2, "topic is there now")
    assert shop.run("relay", "--once", "-q", "--json").json["published"] == 2
    assert shop.run("messages", "show", "4", "--json").json["message"]["state"] == "published"
    assert shop.run("dead", "discard", "--id", "2", "--reason", "test data", "--yes").code == 0
    assert shop.run("messages", "show", "2", "--json").json["message"]["resolution"] == "discarded"
    assert shop.run("dead", "list", "--json").json["items"] == []


def test_a_person_is_asked_about_so_many_messages(sqlite_shop: "Shop") -> None:
    """OB-80: what is dangerous is asked on a terminal, and done after a yes alone; elsewhere --yes must stand there."""
    sqlite_shop.init()
    sqlite_shop.add(6)
    sqlite_shop.run("relay", "--once", "-q")
    sqlite_shop.kill([1, 2, 4])
    discard = ("dead", "discard", "--key", "order-0", "--reason", "x")
    refused = sqlite_shop.run(*discard)
    assert (refused.code, "--yes" in refused.err) == (2, True)
    no = sqlite_shop.on_terminal("n", *discard)
    assert (no.code, "Discard 2 messages, never to be sent or handled? [y/N]" in no.out) == (1, True), no.out
    replay = sqlite_shop.on_terminal("n", "dead", "replay", "--id", "2", "--reason", "x")
    assert "Replay 1 message? [y/N]" in replay.out
    assert sqlite_shop.sql("SELECT count(*) FROM orders_outbox_delivery WHERE status = 'dead'") == [(3,)]
    yes = sqlite_shop.on_terminal("y", *discard)
    assert (yes.code, "2 of 2 discarded" in yes.out) == (0, True), yes.out


def test_what_would_break_a_promise_is_refused_and_changes_nothing(shop: "Shop") -> None:
    """OB-91: unknown id, replay of a consumed message, discard of a running one: exit 1, nothing changed."""
    shop.init("--lanes", "2")
    shop.add(3)
    shop.kill([1, 2, 3])
    shop.sql("UPDATE orders_outbox_delivery SET status = 'retrying' WHERE log_id = 2")
    shop.sql("INSERT INTO orders_inbox_consumer (id, name) VALUES (1, 'billing')")
    now = "1" if shop.url.startswith("sqlite") else "now()"
    shop.sql(
        "INSERT INTO orders_inbox_receipt (consumer_id, message_id, fingerprint, consumed_at)"
        f" SELECT 1, message_id, 1, {now} FROM orders_outbox_message WHERE id = 3"
    )
    before = shop.sql("SELECT log_id, status, generation FROM orders_outbox_delivery ORDER BY log_id")
    write = ("--reason", "x", "--yes")
    unknown = shop.run("dead", "replay", "--id", "99", *write)
    assert (unknown.code, "not in the log" in unknown.err) == (1, True)
    consumed = shop.run("dead", "replay", "--id", "3", *write)
    assert (consumed.code, "consumed" in consumed.err) == (1, True)
    running = shop.run("dead", "discard", "--id", "2", *write)
    assert (running.code, "pause its key first" in running.err) == (1, True)
    assert shop.run("messages", "show", "4f9c0b5e-0000-4000-8000-000000000000").code == 1
    assert shop.run("messages", "show", "nonsense").code == 2
    assert shop.sql("SELECT log_id, status, generation FROM orders_outbox_delivery ORDER BY log_id") == before
    some = shop.run("dead", "replay", "--state", "dead", *write, "--json")
    assert (some.code, some.json["changed"], some.json["refused"]) == (3, 1, 1)


def test_a_pause_stops_a_topic_until_it_is_resumed(shop: "Shop") -> None:
    """OB-42: by a person, with reason and audit; it outlives the process, and what waited follows."""
    shop.init()
    topic = "outrider.orders.outbox"
    assert shop.run("pause", "destination", topic).code == 2
    assert shop.run("pause", "destination", topic, "--reason", "maintenance").code == 0
    shop.add(3)
    held = shop.run("relay", "--once", "-q", "--json")
    assert (held.code, held.json["published"]) == (3, 0)
    seen = shop.run("status", "--json").json
    assert [(pause["kind"], pause["topic"], pause["reason"]) for pause in seen["pauses"]] == [
        ("destination", topic, "maintenance")
    ]
    assert [(one["status"], one["rows"]) for one in seen["exceptions"]] == [("parked", 3)]
    assert "maintenance" in shop.run("status").out
    assert shop.run("resume", "destination", topic, "--reason", "done").code == 0
    assert shop.run("resume", "destination", topic, "--reason", "done").code == 1
    assert shop.run("relay", "--once", "-q", "--json").json["published"] == 3
    assert shop.sql("SELECT verb, affected FROM orders_outrider_audit ORDER BY at") == [
        ("pause", 1),
        ("resume", 1),
        ("resume", 0),
    ]
    for what in (["key", topic, "order 1"], ["relay"], ["consumer", "billing"]):
        paused = shop.run("pause", *what, "--reason", "x")
        assert (paused.code, f"outrider resume {shlex.join(what)} --reason …" in paused.err) == (0, True), paused.err
        assert shop.run("resume", *what, "--reason", "x").code == 0


def test_a_pause_may_end_by_itself_and_people_see_who_did_what(shop: "Shop") -> None:
    """OB-42, OB-79: `--until` as a span ahead or an instant; the audit tells who, what and why."""
    shop.init()
    pause = ("pause", "destination", "outrider.orders.outbox", "--reason", "maintenance")
    assert shop.run(*pause, "--until", "yesterday").code == 2
    past = shop.run(*pause, "--until", "2020-01-01T00:00Z")
    assert (past.code, "is over" in past.err) == (1, True)
    tried = shop.run(*pause, "--dry-run", "--json").json
    assert (tried["dry_run"], shop.run("status", "--json").json["pauses"]) == (True, [])
    assert shop.run(*pause, "--until", "2h").code == 0
    (held,) = shop.run("status", "--json").json["pauses"]
    ahead = datetime.fromisoformat(held["until"]) - datetime.fromisoformat(held["paused_at"])
    assert timedelta(hours=1, minutes=59) < ahead < timedelta(hours=2, minutes=1)
    shop.run("resume", "destination", "outrider.orders.outbox", "--reason", "done")
    lines = shop.run("audit", "--json").json
    assert [(line["verb"], line["affected"], line["reason"]) for line in lines["items"]] == [
        ("resume", 1, "done"), ("pause", 1, "maintenance"),
    ]  # fmt: skip
    assert lines["items"][1]["filter"]["topic"] == "outrider.orders.outbox"
    assert "maintenance" in shop.run("audit", "--verb", "pause").out
    assert shop.run("audit", "--verb", "discard").err == "no change matches\n"


def test_verify_names_planted_faults(shop: "Shop") -> None:
    """OB-79: verify finds what must not be, and exits 1 with it."""
    shop.init()
    shop.add(6)
    assert shop.run("relay", "--once", "-q").code == 0
    shop.kill([1, 2, 3, 5])
    shop.sql(
        "UPDATE orders_outbox_delivery SET error_code = NULL WHERE log_id = 1",
        "UPDATE orders_outbox_delivery SET key_hash = 7 WHERE log_id = 2",
        "UPDATE orders_outbox_delivery SET status = 'half-done' WHERE log_id = 3",
        "UPDATE orders_outbox_delivery SET status = 'done' WHERE log_id = 5",
        "UPDATE orders_outbox_message SET key_hash = 7 WHERE id = 4",
        "UPDATE orders_outbox_cursor SET passed = 2",
        "INSERT INTO orders_outbox_delivery (subscription_id, log_id, message_id, topic, key_hash, status, cause, max_retry,"
        " updated_at) SELECT 1, 999, message_id, 't', 1, 'parked', 'key', 20, created_at FROM orders_outbox_message"
        " WHERE id = 6",
    )
    found = shop.run("verify", "--json")
    assert found.code == 1
    said = {(one["invariant"], subject) for one in found.json["findings"] for subject in one["subjects"]}
    assert ("I1", "message 999 of relay, parked") in said
    assert ("I2", "row of message 2 in relay") in said
    assert ("I3", "message 4") in said
    assert ("I6", "message 1 in the log's rows") in said
    assert ("I7", "message 5 in the log's rows") in said
    assert ("I7", "outbox_delivery: half-done x1") in said
    assert ("I7", "relay, lane 0") in said
    assert "broken" in shop.run("verify").err
    assert shop.run("doctor").code == 1, "a status of a newer release is reported"


def test_cursor_routes_and_prune_say_what_they_see(shop: "Shop") -> None:
    """OB-33: routes prints type, service, table, topic and group; OB-76: prune by hand deletes nothing that is young."""
    shop.init()
    shop.add(2)
    shop.run("relay", "--once", "-q")
    routes = shop.run("routes", "--json").json["items"]
    assert routes[1] == {
        "type": "order.placed", "version": 1, "owner": "orders", "table": "orders_outbox_message",
        "topic": "outrider.orders.outbox", "group": "outrider-orders-outbox-consumer", "producers": ["orders"],
        "consumers": ["billing"], "on_dead": "continue", "late": "apply",
    }  # fmt: skip
    assert shop.run("routes", "--forget", "order.counted").code == 2, "a change says why"
    assert shop.run("routes", "--forget", "order.counted", "--dry-run").code == 0
    assert len(shop.run("routes", "--json").json["items"]) == 2
    assert shop.run("routes", "--forget", "order.counted", "--reason", "no longer used").code == 0
    assert shop.run("routes", "--forget", "order.unknown", "--reason", "x").code == 1
    cursor = shop.run("cursor", "show", "--json").json["items"][0]
    assert (cursor["last_id"], cursor["passed"], cursor["lane"]) == (2, 2, 0)
    assert "relay" in shop.run("cursor", "show").out
    pruned = shop.run("prune", "--json")
    assert (pruned.code, pruned.json["led"]) == (0, True)
    assert shop.sql("SELECT count(*) FROM orders_outbox_message") == [(2,)]


def test_only_a_consumer_on_the_log_goes_back(shop: "Shop") -> None:
    """OB-79, OB-81: the relay's subscription is refused, a time that cannot be read is a wrong call; nothing changes."""
    shop.init()
    shop.add(3)
    shop.run("relay", "--once", "-q")
    write = ("--reason", "x", "--yes")
    relay = shop.run("cursor", "rewind", "relay", "--to", "1h", *write)
    assert (relay.code, "send everything again" in relay.err) == (1, True)
    assert shop.run("cursor", "rewind", "nobody", "--to", "1h", *write).code == 1
    assert shop.run("cursor", "rewind", "billing", "--to", "soon", *write).code == 2
    assert shop.run("cursor", "rewind", "billing", "--to", "1h", "--yes").code == 2
    shop.sql("UPDATE orders_outbox_subscription SET kind = 'handler', name = 'billing'")
    tried = shop.run("cursor", "rewind", "billing", "--to", "1h", "--dry-run", "--json")
    assert (tried.code, tried.json["lanes"]) == (
        0, [{"lane": 0, "stood_at": None, "again": 3, "again_is_at_least": False}],
    )  # fmt: skip
    assert shop.run("cursor", "rewind", "billing", "--to", "1h", "--reason", "x").code == 2, "nobody can be asked"
    assert shop.run("cursor", "show", "--json").json["items"][0]["passed"] == 3
    done = shop.run("cursor", "rewind", "billing", "--to", "1h", *write)
    assert (done.code, "before the first message" in done.out, "billing reads 3 messages again" in done.err) == (
        0,
        True,
        True,
    )
    assert shop.run("cursor", "show", "--json").json["items"][0]["passed"] == 0
    assert shop.run("verify").code == 0


def test_bench_measures_and_asks_first(sqlite_shop: "Shop") -> None:
    """OB-79, OB-80, OB-81: figures a second as data; where nobody can be asked, --yes must stand there."""
    sqlite_shop.init()
    assert sqlite_shop.run("bench").code == 2
    answer = sqlite_shop.run("bench", "--messages", "1000", "--yes", "--json", "-q")
    assert (answer.code, answer.err, answer.json["messages"]) == (0, "", 1000)
    figures = ("commits", "commits_with_add", "add_cost", "added_together", "read", "produced", "relayed")
    assert all(answer.json[name] > 0 for name in figures), answer.out


def test_a_relay_without_a_catalog_lives_by_the_table_of_routes(sqlite_shop: "Shop") -> None:
    """OB-97: service.catalog, else the table that init has filled; with neither it does not start."""
    sqlite_shop.init()
    sqlite_shop.add(2)
    bare = {"OUTRIDER_SERVICE__CATALOG": "none"}
    assert sqlite_shop.run("relay", "--once", "-q", "--json", **bare).json["published"] == 2
    sqlite_shop.sql("DELETE FROM orders_outrider_route")
    refused = sqlite_shop.run("relay", "--once", **bare)
    assert (refused.code, "service.catalog" in refused.err) == (2, True)


@pytest.mark.parametrize(("broker", "code"), [("none:", 2), ("log:", 0)])
def test_a_relay_without_a_broker_says_so(sqlite_shop: "Shop", broker: str, code: int) -> None:
    """OB-81: none: refuses to relay, log: has nothing to do."""
    sqlite_shop.init()
    answer = sqlite_shop.run("relay", "--once", OUTRIDER_BROKER__URL=broker)
    assert (answer.code, broker.rstrip(":") in answer.err) == (code, True)


def test_a_running_relay_drains_at_sigterm(sqlite_shop: "Shop") -> None:
    """OB-44, OB-81: runs until SIGTERM, gives its lane back, exits 0."""
    from tests.acceptance.cli.conftest import PROGRAM  # noqa: PLC0415

    sqlite_shop.init()
    command = [str(PROGRAM), "relay"]
    running = subprocess.Popen(command, cwd=sqlite_shop.folder, stderr=subprocess.PIPE, text=True)
    assert running.stderr is not None
    for line in running.stderr:
        if "lane.taken" in line:
            break
    running.send_signal(signal.SIGTERM)
    rest = running.communicate(timeout=30)[1]
    assert running.returncode == 0, rest
    assert "drain.ended" in rest
    assert sqlite_shop.sql("SELECT owner FROM orders_outbox_cursor") == [(None,)]


@pytest.mark.parametrize("words", [("relay",), ("notify", "run")])
def test_a_service_that_only_begins_ends_cleanly_at_sigterm(sqlite_shop: "Shop", words: tuple[str, ...]) -> None:
    """OB-44, OB-81: what it loads takes seconds, and a supervisor does not wait for them."""
    from tests.acceptance.cli.conftest import PROGRAM  # noqa: PLC0415

    sqlite_shop.init()
    running = subprocess.Popen([str(PROGRAM), *words], cwd=sqlite_shop.folder, stderr=subprocess.PIPE, text=True)
    while not _catches(running.pid, signal.SIGTERM):
        assert running.poll() is None
        os.sched_yield()
    running.send_signal(signal.SIGTERM)
    said = running.communicate(timeout=30)[1]
    assert (running.returncode, "lane.taken" in said) == (0, False), said


def _catches(pid: int, number: signal.Signals) -> bool:
    """Whether the process has a handler of its own for this signal."""
    caught = re.search(r"^SigCgt:\s*([0-9a-f]+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return caught is not None and bool(int(caught[1], 16) >> (number - 1) & 1)


def test_temporary_failures_say_try_later(sqlite_shop: "Shop") -> None:
    """OB-81: 75 where the database is unreachable; 2 where settings are wrong; 2 where tables are missing."""
    away = {"OUTRIDER_SERVICE__NAME": "orders", "OUTRIDER_DATABASE__URL": "postgresql://nobody@127.0.0.1:1/none"}
    assert sqlite_shop.run("status", **away).code == 75
    wrong = sqlite_shop.run("status", OUTRIDER_RELAY__LANES="0", **away)
    assert (wrong.code, "relay.lanes" in wrong.err) == (2, True)
    none = sqlite_shop.run("status", OUTRIDER_SERVICE__NAME="orders", OUTRIDER_DATABASE__URL=sqlite_shop.url)
    assert (none.code, re.search(r"outrider (init|migrate)", none.err) is not None) == (2, True)


@pytest.mark.parametrize("url", ["log:", "memory:", "kafka://host:9092", "kafka://me:secret@host:9092"])
def test_init_shows_the_broker_in_the_settings_file(sqlite_shop: "Shop", url: str) -> None:
    """The two URLs are what a person changes first; one with a password stays out of a file that is committed."""
    given = ("--service", "orders", "--database", sqlite_shop.url)
    assert sqlite_shop.run("init", *given, OUTRIDER_BROKER__URL=url).code == 0
    written = (sqlite_shop.folder / "outrider.toml").read_text(encoding="utf-8")
    shown = "# url: better in OUTRIDER_BROKER__URL" if "secret" in url else f'url = "{url}"\n'
    assert f"[broker]\n{shown}" in written
    assert "secret" not in written


def test_a_log_that_nobody_reads_is_not_told_as_all_done(sqlite_shop: "Shop") -> None:
    sqlite_shop.run("init", "--service", "orders", "--database", sqlite_shop.url)
    sqlite_shop.add(2)
    said = sqlite_shop.run("status").err
    assert "nothing reads the log yet" in said
    assert "none waits" not in said


def test_a_wrong_catalog_or_consumer_is_named(sqlite_shop: "Shop") -> None:
    sqlite_shop.init()
    for place, said in {
        "shop:missing": "no 'missing'",
        "nowhere:catalog": "no module",
        "shop:nothing": "not a Catalog",
    }.items():
        answer = sqlite_shop.run("routes", OUTRIDER_SERVICE__CATALOG=place)
        assert (answer.code, said in answer.err) == (2, True), answer.err
    for place in ("shop", "shop:nothing"):
        assert sqlite_shop.run("consume", place).code == 2
