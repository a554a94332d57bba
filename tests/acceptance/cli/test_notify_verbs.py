"""The verbs of `outrider notify` as an operator types them, on every database: what they do, print and exit with."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from outrider.codecs.sealed import new_key
from outrider.runtime.system_clock import SystemClock
from tests.acceptance.cli.conftest import Answer, Shop

HOOK = "http://127.0.0.1:9/hook/0123456789abcdef"
KEY = f"k1:{new_key(SystemClock().random_bytes).reveal()}"
OTHER = f"k2:{new_key(SystemClock().random_bytes).reveal()}"
SETTINGS = {
    "OUTRIDER_SERVICE__NAME": "notification", "OUTRIDER_BROKER__URL": "log:", "OUTRIDER_SERVICE__CATALOG": "none",
    "OUTRIDER_NOTIFICATION__CHANNELS__CONSOLE__ENABLED": "true", "OUTRIDER_NOTIFICATION__SECRET_KEYS": KEY,
    "OUTRIDER_NOTIFICATION__CHANNELS__WEBHOOK__ENABLED": "true",
    "OUTRIDER_NOTIFICATION__SSRF__ALLOW": "127.0.0.1:9",
}  # fmt: skip


class Desk:
    """The notifier's tables, and the program in a folder beside them."""

    def __init__(self, folder: Path, url: str) -> None:
        self.shop = Shop(folder, url)
        assert self.say("migrate").code == 0

    def say(self, *arguments: str, given: str = "", **more: str) -> Answer:
        """Run the program, with `given` on stdin."""
        return self.shop.run(*arguments, stdin=given, **{**SETTINGS, "OUTRIDER_DATABASE__URL": self.shop.url, **more})

    def notify(self, *arguments: str, code: int = 0, given: str = "", settings: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401  JSON
        """Run a verb with `--json`, whose exit code must be this."""
        answer = self.say("notify", *arguments, "--json", given=given, **(settings or {}))
        assert answer.code == code, answer.err
        assert "0123456789abcdef" not in answer.out + answer.err
        return json.loads(answer.out) if answer.out else None

    def send(self, channel: str = "console") -> str:
        """Ask for a notification to anna there; gives its record's id."""
        found = self.notify("send", "anna", "important_urgent_task", "--channel", channel, "--summary", "Buy milk")
        return str(found["records"][0]["record_id"])

    def status(self, record_id: str) -> str:
        return str(self.notify("show", record_id)["status"])

    def end(self, record_id: str, status: str) -> None:
        """As an attempt would have left it."""
        self.shop.sql(
            f"UPDATE notification_record SET status = '{status}', next_retry_at = NULL, ended_at = created_at"
            f" WHERE id = {self._id(record_id)}"
        )

    def audited(self) -> list[tuple[str, str]]:
        return [(verb, reason) for verb, reason in self.shop.sql(
            "SELECT verb, reason FROM notification_outrider_audit ORDER BY verb"
        )]  # fmt: skip

    def _id(self, record_id: str) -> str:
        return f"'{record_id}'" if self.shop.url.startswith("postgresql") else f"x'{record_id.replace('-', '')}'"


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Desk:
    if request.param == "sqlite":
        return Desk(tmp_path, f"sqlite:///{tmp_path}/notices.db")
    return Desk(tmp_path, request.getfixturevalue("postgres_url" if request.param == "postgresql" else "mariadb_url"))


def test_a_request_by_hand_is_accepted_swept_and_shown(desk: Desk) -> None:
    """NT-1, NT-53: a dry run keeps nothing; a repeat is answered; a sweep sends; texts only where they are asked for."""
    dry = desk.notify("send", "anna", "important_urgent_task", "--summary", "Buy milk", "--dry-run")
    assert [one["channel"] for one in dry["records"]] == ["inbox"]
    assert desk.notify("list")["items"] == []
    record = desk.send()
    assert desk.notify("sweep")["sent"] == 1
    assert desk.status(record) == "sent"
    assert "Buy milk" in desk.notify("show", record, "--texts")["sent_text"]
    assert "Buy milk" not in json.dumps(desk.notify("show", record))
    assert [one["id"] for one in desk.notify("list", "--recipient", "anna", "--status", "sent")["items"]] == [record]
    assert desk.notify("list", "--kind", "other", "--limit", "200")["items"] == []
    assert [verb for verb, _ in desk.audited()] == ["notify send"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("send", "anna", "never_heard_of"), ("send", "anna", "test", "--priority", "high"),
        ("send", "anna", "test", "--url", "//evil"), ("send", "anna", "test", "--subject", "task"),
        ("list", "--status", "gone"), ("list", "--class", "bad"), ("replay",), ("show", "no-uuid"),
        ("show", "01990000-0000-7000-8000-000000000001"), ("channels", "set", "anna", "webhook"),
        ("channels", "set", "anna", "webhook", "--set", "email"), ("destinations", "pause", "ff", "--reason", "x"),
        ("channels", "set", "anna", "webhook", "--webhook-url", "missing.txt"),
        ("channels", "set", "anna", "webhook", "--set", "bearer=x"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_what_makes_no_sense_is_refused_as_usage(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """OB-81: 2, and words that say what to change."""
    desk = Desk(tmp_path, f"sqlite:///{tmp_path}/notices.db")
    answer = desk.say("notify", *arguments)
    assert answer.code == 2, answer.err
    assert answer.err


def test_a_replay_is_counted_audited_and_asked_about(desk: Desk) -> None:
    """NT-47: by id or by filter; what it would do first; who and why stay; nobody is asked where nobody can be."""
    records = [desk.send("console") for _ in range(2)]
    records.append(desk.send("inbox"))
    desk.notify("sweep")
    for record in records[:2]:
        desk.end(record, "dead")
    dry = desk.notify("replay", "--status", "dead", "--dry-run")
    assert (dry["dry_run"], dry["replayed"], dry["left"]) == (True, 2, 0)
    assert desk.say("notify", "replay", "--status", "dead", "--reason", "mended").code == 2, "nobody was asked"
    assert desk.status(records[0]) == "dead"
    done = desk.notify("replay", "--status", "dead", "--reason", "mended", "--yes", "--rate", "10000")
    assert (done["replayed"], desk.status(records[0])) == (2, "pending")
    assert desk.notify("replay", "--id", records[2], "--mode", "resume", "--reason", "x", code=1) is None
    again = desk.notify("replay", "--id", records[2], "--mode", "resend", "--reason", "she lost it")
    assert (again["status"], again["generation"]) == ("pending", 2)
    audited = desk.audited()
    assert ("notify replay resume", "mended") in audited
    assert ("notify replay resend", "she lost it") in audited


def test_cancel_and_resolve_say_what_may_not_be(desk: Desk) -> None:
    """T12, T16, OB-81: a state in which it cannot be done is 1; a dry run changes nothing; the reason is audited."""
    record = desk.send("console")
    assert desk.notify("resolve", record, "--as", "sent", "--reason", "x", code=1) is None
    assert desk.notify("cancel", record, "--dry-run")["status"] == "pending"
    assert desk.notify("cancel", record, "--reason", "no longer true")["status"] == "canceled"
    assert desk.notify("cancel", record, "--reason", "again", code=1) is None
    other = desk.send("console")
    desk.end(other, "unknown")
    assert desk.notify("resolve", other, "--as", "dead", "--reason", "she says no")["status"] == "dead"
    assert {("notify cancel", "no longer true"), ("notify resolve dead", "she says no")} <= set(desk.audited())


def test_settings_come_with_their_secrets_from_stdin_and_show_none(desk: Desk, tmp_path: Path) -> None:
    """NT-44, NT-45, §12: kept where they are not named, masked everywhere, gone when they are taken away."""
    (tmp_path / "token.txt").write_text("bearer-0123456789abcdef\n", encoding="utf-8")
    given = ("--webhook-url", "-", "--bearer-token", "token.txt", "--set", "auth_type=bearer")
    dry = desk.notify("channels", "set", "anna", "webhook", *given, "--dry-run", given=HOOK)
    assert (dry["dry_run"], dry["configured"]) == (True, False)
    made = desk.notify("channels", "set", "anna", "webhook", *given, given=HOOK)
    assert (made["configured"], made["enabled"], made["has_bearer_token"]) == (True, True, True)
    assert made["webhook_url_mask"].endswith("0123...cdef")
    off = desk.notify("channels", "disable", "anna", "webhook")
    assert (off["enabled"], off["has_bearer_token"]) == (False, True)
    assert desk.notify("channels", "enable", "anna", "webhook")["enabled"]
    cleared = desk.notify("channels", "set", "anna", "webhook", "--clear", "bearer_token", "--set", "auth_type=none")
    assert not cleared["has_bearer_token"]
    listed = desk.notify("channels", "list", "anna")["items"]
    assert [(one["channel"], one["configured"]) for one in listed] == [("webhook", True)]
    assert desk.say("notify", "channels", "rm", "anna", "webhook").code == 2, "nobody was asked"
    assert desk.notify("channels", "rm", "anna", "webhook", "--yes")["deleted"]
    assert not desk.notify("channels", "rm", "anna", "webhook", "--yes")["deleted"]
    assert desk.notify("test", "anna", "webhook", code=1)["status"] == "skipped"
    assert desk.notify("test", "anna", "carrier_pigeon", code=1) is None


def test_a_destination_is_paused_and_resumed_by_the_beginning_of_its_key(desk: Desk) -> None:
    """NT-26: what is due there waits and ends for nothing; resumed, it is due at once."""
    desk.notify("channels", "set", "anna", "webhook", "--webhook-url", "-", given=HOOK)
    record = desk.send("webhook")
    assert desk.notify("sweep")["failed"] == 1
    (place,) = desk.notify("destinations", "list")["items"]
    assert "hook" not in place["label"]
    dry = desk.notify("destinations", "pause", place["key"][:8], "--dry-run")
    assert (dry["dry_run"], desk.notify("destinations", "list")["items"][0]["state"]) == (True, "closed")
    desk.notify("destinations", "pause", place["key"][:8], "--reason", "their maintenance")
    assert desk.notify("destinations", "list")["items"][0]["state"] == "paused"
    desk.notify("destinations", "resume", place["key"][:8], "--reason", "it is back")
    assert desk.notify("destinations", "list")["items"][0]["state"] == "closed"
    assert desk.status(record) == "failed"
    assert ("notify destinations pause", "their maintenance") in desk.audited()


def test_secrets_are_sealed_anew_under_the_first_key(desk: Desk) -> None:
    """NT-44: plain ones too; a dry run counts; what no key opens is named and exits 3; nothing is shown."""
    plain = {"OUTRIDER_NOTIFICATION__SECRET_KEYS": ""}
    desk.notify("channels", "set", "anna", "webhook", "--webhook-url", "-", given=HOOK, settings=plain)
    desk.notify("channels", "set", "ben", "webhook", "--webhook-url", "-", given=HOOK)
    both = {"OUTRIDER_NOTIFICATION__SECRET_KEYS": f"{OTHER},{KEY}"}
    dry = desk.notify("rekey", "--dry-run", settings=both)
    assert (dry["looked_at"], dry["changed"], dry["unreadable"]) == (2, 2, [])
    assert desk.notify("rekey", settings=both)["changed"] == 2
    assert desk.notify("rekey", settings=both)["changed"] == 0
    stored = [text for (text,) in desk.shop.sql("SELECT secrets FROM notification_address")]
    assert all('"s1:k2:' in text for text in stored)
    lost = desk.notify("rekey", code=3)
    assert (lost["changed"], len(lost["unreadable"])) == (0, 2)
    assert desk.say("notify", "rekey", **plain).code == 2
    assert desk.audited()[-1] == ("rekey", "sealed anew by hand")


def test_totals_templates_and_digests(desk: Desk) -> None:
    """NT §13, NT-35: counts by channel and state; words in every locale; lists that go now."""
    desk.send("console")
    assert [(one["channel"], one["status"], one["count"]) for one in desk.notify("stats")["records"]] == [
        ("console", "pending", 1)
    ]
    assert desk.notify("templates", "check")["locales"] == ["en", "zh-CN"]
    wrong = {"OUTRIDER_NOTIFICATION__TEMPLATES": "json"}
    assert desk.say("notify", "templates", "check", **wrong).code == 1
    assert desk.notify("digest", "flush", "--recipient", "anna") == {"dry_run": False, "records": 0}
    for words in (("stats",), ("list",), ("channels", "list", "anna"), ("destinations", "list")):
        assert desk.say("notify", *words).code == 0


def test_a_dry_run_of_a_sweep_counts_and_does_nothing(desk: Desk) -> None:
    """NT §13, OB-81: what would be tried; afterwards it waits as before."""
    record = desk.send("console")
    assert desk.notify("sweep", "--dry-run") == {"dry_run": True, "recovered": 0, "reopened": 0, "tried": 1}
    told = desk.say("notify", "sweep", "--dry-run")
    assert (told.code, "1 tried" in told.out + told.err) == (0, True)
    assert desk.status(record) == "pending"
    assert desk.notify("sweep")["sent"] == 1


def test_production_refuses_plain_secrets(desk: Desk) -> None:
    """NT-44: settings for production without a key stop every start, and name the key."""
    said = {"OUTRIDER_SERVICE__PROFILE": "production", "OUTRIDER_NOTIFICATION__SECRET_KEYS": ""}
    answer = desk.say("notify", "sweep", **said)
    assert answer.code == 2
    assert "notification.secret_keys" in answer.err
