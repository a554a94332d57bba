"""What `doctor` makes of the facts."""

from outrider.core.health import ConnectionsNeeded, Verdict, judge_connections, judge_server, judge_state_dir
from outrider.core.privileges import DUTIES, NOTIFYING, OWNER, judge_privileges, read_grants


def granted(*duties: str) -> set[tuple[str, str]]:
    return {(table, privilege) for duty in duties for table, some in DUTIES[duty].items() for privilege in some.split()}


def test_old_snapshots_are_named_with_their_pids() -> None:
    """OB-79: the pid that holds the oldest snapshot, and every other that is old, each with what to do."""
    found = judge_server(
        [
            ("snapshot", "17 psql, idle in transaction 900"),
            ("snapshot", "18 my app, active 400"),
            ("snapshot", "19 x 3"),
        ]
    )
    assert [(one.check, one.verdict) for one in found] == [
        ("old snapshot", Verdict.WARN), ("old snapshot", Verdict.WARN), ("oldest snapshot", Verdict.OK),
    ]  # fmt: skip
    assert found[1].seen == "pid 18 (my app, active) for 400 s"
    assert "pg_terminate_backend(17)" in found[0].advice
    assert judge_server([("sees_sessions", "true")]) == []
    assert "pg_read_all_stats" in judge_server([("sees_sessions", "false")])[0].advice
    (slot,) = judge_server([("replication_slot", "old reader 7340032")])
    assert (slot.verdict, slot.seen) == (Verdict.WARN, "old reader has no reader, 7 MiB kept")


def test_connections_are_held_against_what_the_settings_ask_for() -> None:
    """OB-79: one more process must find a connection."""
    needed = ConnectionsNeeded(relay=3, consumer=10)
    (enough,) = judge_connections([("version", "150000"), ("connections", "87 97")], needed)
    assert (enough.verdict, enough.advice) == (Verdict.OK, "")
    (short,) = judge_connections([("connections", "88 97")], needed)
    assert (short.verdict, "max_connections" in short.advice) == (Verdict.WARN, True)
    assert judge_connections([("version", "3.40")], needed) == []


def test_privileges_are_told_by_duty() -> None:
    """OB-17, OB-94: an owner may do all of it; a role is told what it may not; UPDATE on the log is one too many."""
    assert judge_privileges([]) == []
    (owner,) = judge_privileges({*granted(*DUTIES), ("outbox_message", OWNER), ("outbox_message", "UPDATE")})
    assert (owner.verdict, owner.seen) == (
        Verdict.OK, "owner of the tables, may add, relay, consume, prune, operate",
    )  # fmt: skip
    (relay,) = judge_privileges(granted("relay"))
    assert (relay.verdict, relay.seen.split(";")[0]) == (Verdict.OK, "may relay")
    assert "add (no INSERT on outbox_message)" in relay.seen
    (much,) = judge_privileges({*granted("add"), ("outbox_message", "UPDATE")})
    assert (much.verdict, "REVOKE UPDATE" in much.advice) == (Verdict.WARN, True)
    (nothing,) = judge_privileges({("outbox_message", "SELECT")})
    assert nothing.verdict is Verdict.FAIL


def test_the_notifiers_duties_are_judged_where_it_has_tables() -> None:
    """OB-94, NT-44: `notify` and `serve`; of who may do nothing there nothing is said."""
    tables = {(table, one) for table, needed in NOTIFYING["notify"].items() for one in needed.split()}
    (found,) = judge_privileges(tables)
    assert (found.verdict, found.seen.split(";")[0]) == (Verdict.OK, "may notify")
    assert "serve (no INSERT UPDATE on preference, INSERT DELETE on address" in found.seen
    (relay,) = judge_privileges(granted("relay"))
    assert "notify" not in relay.seen
    owner = ["GRANT ALL PRIVILEGES ON `shop`.* TO `u`@`%`"]
    (whole,) = judge_privileges(read_grants(owner, "shop", "notification_"), side_rows=True)
    assert whole.seen.endswith("may add, relay, consume, prune, operate, notify, serve")
    (other,) = judge_privileges(read_grants(owner, "shop", "orders_"), side_rows=True)
    assert other.seen.endswith("operate")


def test_grants_are_read_as_mysql_and_mariadb_say_them() -> None:
    """OB-94: of this database alone, on columns or on whole tables, of a user or of its role; OB-21: the side rows."""
    lines = [
        "GRANT USAGE ON *.* TO `u`@`%` IDENTIFIED BY PASSWORD '*0'",
        "GRANT `orders_add` TO `u`@`%`",
        "GRANT PROXY ON ''@'%' TO 'u'@'%' WITH GRANT OPTION",
        "GRANT SELECT (`id`, `type`), INSERT (`type`) ON `shop`.`orders_outbox_message` TO `orders_add`",
        "GRANT INSERT ON `shop`.`orders_outbox_pending` TO `orders_add`",
        "GRANT DELETE ON `shop`.`other_outbox_message` TO `u`@`%`",
        "GRANT UPDATE ON `elsewhere`.`orders_outbox_message` TO `u`@`%`",
        "GRANT EXECUTE ON PROCEDURE `shop`.`orders_outbox_message` TO `u`@`%`",
    ]
    assert set(read_grants(lines, "shop", "orders_")) == {
        ("outbox_message", "SELECT"), ("outbox_message", "INSERT"), ("outbox_pending", "INSERT"),
    }  # fmt: skip
    for line in (
        "GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost`",
        r"GRANT ALL PRIVILEGES ON `my\_sh%`.* TO `u`@`%`",
    ):
        (owner,) = judge_privileges(read_grants([line], "my_shop", "orders_"), side_rows=True)
        assert (owner.verdict, owner.seen) == (
            Verdict.OK, "owner of the tables, may add, relay, consume, prune, operate",
        )  # fmt: skip
    assert not set(read_grants([r"GRANT DELETE ON `my\_sh%`.* TO `u`@`%`"], "myxshop", "orders_"))
    assert not set(read_grants(["GRANT DELETE ON `my_shop`.`orders_outbox_message` TO `u`@`%`"], "myxshop", "orders_"))
    (adding,) = judge_privileges(granted("add"), side_rows=True)
    assert "INSERT on outbox_pending" in adding.seen


def test_a_folder_that_proves_no_death_is_told_of() -> None:
    """OB-100, OB-79: the lease decides there."""
    assert judge_state_dir("/run/outrider", "").verdict is Verdict.OK
    found = judge_state_dir("/run/outrider", "is no folder")
    assert (found.verdict, found.seen) == (Verdict.WARN, "/run/outrider is no folder")
    assert "runtime.state_dir" in found.advice


def test_a_server_of_mysql_or_mariadb_is_judged_by_its_own_facts() -> None:
    """OB-16: one writable primary, ids by ones, of a version that has what is needed; OB-7: no replica."""
    good = [
        ("mysql", "10.11.19-MariaDB-0+deb12u1"), ("read_only", "off"), ("auto_increment_increment", "1"),
        ("innodb_flush_log_at_trx_commit", "1"), ("binary_log", "on"),
    ]  # fmt: skip
    assert [one.verdict for one in judge_server(good)] == [Verdict.OK] * 5
    bad = [
        ("mysql", "5.7.44-log"), ("read_only", "on"), ("auto_increment_increment", "2"),
        ("innodb_flush_log_at_trx_commit", "2"), ("binary_log", "off"),
    ]  # fmt: skip
    assert [one.verdict for one in judge_server(bad)] == [Verdict.FAIL] * 3 + [Verdict.WARN] * 2
