"""The command line over the same services: ST-17, ST-67, ST-70."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from steward.cli.main import app
from tests.unit.steward.calendars.texts import calendar, event

LECTURES = event("DTSTART:20201123T010000Z", "DTEND:20201123T023000Z", "RRULE:FREQ=WEEKLY")


class Shell:
    """Calls `steward` over the database of this test."""

    def __init__(self, folder: Path) -> None:
        self._environment = {"STEWARD_DATABASE__URL": f"sqlite:///{folder}/steward.db", "NO_COLOR": "1"}

    def __call__(self, *arguments: str, code: int = 0) -> str:
        done = CliRunner().invoke(app, list(arguments), env=self._environment)
        assert done.exit_code == code, f"{done.output}\n{done.exception}"
        return done.stdout

    def json(self, *arguments: str, code: int = 0) -> Any:  # noqa: ANN401
        return json.loads(self(*arguments, "--json", code=code))


@pytest.fixture
def steward(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.chdir(tmp_path)
    shell = Shell(tmp_path)
    shell("migrate")
    shell("user", "add", "Anna")
    return shell


@pytest.mark.timeout(120)
def test_a_calendar_and_a_task_lead_to_a_trigger(steward: Shell, tmp_path: Path) -> None:
    """ST-16, ST-70: `import`, `task`, `scan` and `trace`, as text and as JSON."""
    (tmp_path / "uni.ics").write_bytes(calendar(LECTURES, event(uid="bad")))
    shown = steward("import", "uni.ics", code=3)
    assert shown.startswith("uni: ")
    assert " 1 refused; " in shown
    assert steward.json("import", "uni.ics", "--as", "uni", code=3)["added"] == 0
    task = steward.json("task", "add", "Lab report", "--minutes", "90", "--urgent", "2026-01-05 09:00")
    assert task["urgency_threshold_at"] == "2026-01-05T01:00:00Z"
    looked = steward.json("scan", "--dry-run")
    assert [job["task_id"] for job in looked["jobs"]] == [task["task_id"]]
    (job,) = steward.json("scan", "--once")["jobs"]
    assert job["status"] == "triggered"
    story = steward.json("trace", job["trigger_id"])
    assert [entry["kind"] for entry in story["entries"]][:2] == ["job", "trigger"]
    assert job["trigger_id"] in steward("trace", job["job_id"])
    assert "Lab report" in steward("task", "list")
    assert steward.json("task", "done", task["task_id"])["changed"] is True
    assert "Lab report" not in steward("task", "list")
    assert "completed" in steward("task", "list", "--all")
    steward("task", "undo", task["task_id"])
    steward("task", "rm", task["task_id"])
    assert steward.json("preview", "list")["items"] == []


@pytest.mark.timeout(120)
def test_what_is_wrong_is_told_by_the_exit_code(steward: Shell, tmp_path: Path) -> None:
    """ST-70: 1 failed, 2 usage."""
    steward("confirm", "prv_nobody", code=1)
    steward("trace", "trg_nobody", code=1)
    steward("import", str(tmp_path / "missing.ics"), code=2)
    (tmp_path / "page.ics").write_bytes(b"<html>")
    steward("import", "page.ics", code=2)
    steward("import", "http://127.0.0.1/a.ics", "--as", "work", code=1)
    steward("task", "add", "Lab report", "--minutes", "90", "--due", "tomorrow", code=2)


@pytest.mark.timeout(120)
def test_the_doctor_sees_what_is_left_undone(steward: Shell) -> None:
    """ST-70: every check has something that was seen; what is not well says what to do."""
    found = steward.json("doctor")
    assert found["wrong"] == 0
    by_name = {one["check"]: one for one in found["checks"]}
    assert by_name["search"]["verdict"] == "ok"
    assert by_name["tables"]["seen"] == "at head"
    steward("import", "http://127.0.0.1/a.ics", "--as", "work", code=1)
    (feeds,) = (one for one in steward.json("doctor")["checks"] if one["check"] == "feeds that cannot be read")
    assert (feeds["verdict"], feeds["seen"]) == ("warn", "1")
    assert feeds["advice"]
