"""The demo prints what the specification says, line by line, and ends well: ST-69."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

PLAY_SECONDS = 120
ENGLISH = """\
steward demo   Mon … Asia/Shanghai, data in .demo
 1 schema      sqlite, at head
 2 server      http://127.0.0.1:…, broker log, 1 process
 3 calendar    demo.ics: 17 busy, 1 not busy, 0 refused; by hand: 4 blocks
 4 task        tsk_… "Lab report" 90 min, due Mon … 18:00, urgent in 5 s
 5 job         job_… pending, written with the task
 6 scan        due: trg_… + active_schedule.triggered + task.urgency.promote.requested, one transaction
 7 consume     2 of 2, slowest … ms after the commit; "Lab report" is now group 1
 8 candidates  move_one: "Read chapter 4" 10:30 -> 19:00 | compress: 45 of 90 min | late: 19:00 | keep
 9 selection   move_one, source rule
10 preview     prv_… ready for 60 min; notification.requested, one transaction
11 notify      inbox sent, console sent: Lab report fits Mon … 10:30-12:00 if Read chapter 4 moves to 19:00
12 confirm     200 applied apl_…: 1 added, 1 moved; schedule.apply.succeeded, one transaction
13 same key    200 stored answer, Idempotency-Replayed
14 other body  422 idempotency_mismatch, nothing written
15 undo        200 calendar as before; schedule.apply.undone, one transaction
16 ledger      steward: 5 messages, 3 of 3 expected receipts; notification: 2 messages, 0 expected; 0 waiting, 0 dead
"""
CHINESE = """\
steward demo   … 周一 Asia/Shanghai，数据在 .demo
 1 表结构      sqlite，已是最新
 2 服务        http://127.0.0.1:…，消息通道 log，1 个进程
 3 日历        demo.ics：占用 17 项，不占用 1 项，拒绝 0 项；手动安排 4 项
 4 任务        tsk_… “实验报告” 90 分钟，截止 … 周一 18:00，5 秒后变为紧急
 5 作业        job_… pending，与任务一同写入
 6 扫描        到期：trg_… + active_schedule.triggered + task.urgency.promote.requested，同一事务
 7 消费        2 条中已处理 2 条，提交后最慢 … 毫秒；“实验报告”现为第 1 组
 8 候选        move_one: “阅读第四章” 10:30 -> 19:00 | compress: 90 分钟中的 45 分钟 | late: 19:00 | keep
 9 选择        move_one，来源 rule
10 预览        prv_… ready，60 分钟内有效；notification.requested，同一事务
11 通知        inbox sent, console sent：“实验报告”可安排在… 周一 10:30-12:00，需要将“阅读第四章”移到19:00
12 确认        200 已应用 apl_…：新增 1 项，移动 1 项；schedule.apply.succeeded，同一事务
13 同键重发    200 返回已存答复，Idempotency-Replayed
14 同键异文    422 idempotency_mismatch，未写入任何内容
15 撤销        200 日历恢复原样；schedule.apply.undone，同一事务
16 账目        steward：5 条消息，应有回执 3 条，已有 3 条；notification：2 条消息，应有 0 条；等待 0 条，失效 0 条
"""


def pattern(transcript: str) -> str:
    """`…` stands for text within its line."""
    return re.escape(transcript).replace("…", ".+?")


def demo(folder: Path, *options: str) -> "subprocess.Popen[str]":
    command = [str(Path(sys.executable).with_name("steward")), "demo", *options]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("STEWARD_", "OUTRIDER_"))}
    return subprocess.Popen(
        command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=_hears_interrupts,  # noqa: PLW1509 - no thread of ours holds a lock that it needs
    )  # fmt: skip


def _hears_interrupts() -> None:
    """A shell's background job, as these tests may be, has its children ignore SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.timeout(PLAY_SECONDS)
@pytest.mark.parametrize(("locale", "transcript"), [("en", ENGLISH), ("zh-CN", CHINESE)])
def test_demo_transcript(tmp_path: Path, locale: str, transcript: str) -> None:
    """ST-69: to its end, with `--once`; nothing is left behind."""
    said, words = demo(tmp_path, "--once", "--locale", locale).communicate(timeout=PLAY_SECONDS)
    assert re.fullmatch(pattern(transcript), said), f"{said}\n{words[-4000:]}"
    assert not (tmp_path / ".demo").exists()


@pytest.mark.timeout(PLAY_SECONDS)
@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
def test_the_demo_waits_for_a_tap(tmp_path: Path, told: signal.Signals) -> None:
    """ST-69: until somebody interrupts, with its data kept."""
    playing = demo(tmp_path, "--locale", "en")
    try:
        assert playing.stdout is not None
        lines = []
        for line in playing.stdout:
            lines.append(line)
            if line.startswith("12 "):
                break
        assert re.fullmatch(r"12 waiting     http://127\.0\.0\.1:\d+/p/\S+   open it and tap Confirm\n", lines[-1]), (
            lines
        )
        playing.send_signal(told)
        assert playing.wait(PLAY_SECONDS) == 130
        assert (tmp_path / ".demo" / "steward.db").exists()
    finally:
        playing.kill()
        playing.communicate()


@pytest.mark.timeout(5 * PLAY_SECONDS)
def test_the_demo_on_servers_is_the_same(tmp_path: Path, postgres_url: str) -> None:
    """ST-69: in six processes, on an empty database, which is empty again at the end; another's is left alone."""
    options = ("--once", "--locale", "en", "--database", postgres_url)
    said, words = demo(tmp_path, *options).communicate(timeout=4 * PLAY_SECONDS)
    logs = "".join(path.read_text() for path in (tmp_path / ".demo").glob("*.log"))
    expected = ENGLISH.replace("sqlite, at head", "postgresql, at head").replace("1 process\n", "6 processes\n")
    assert re.fullmatch(pattern(expected), said), f"{said}\n{words[-4000:]}\n{logs[-4000:]}"
    with psycopg.connect(postgres_url) as connection:
        left = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
        assert left == (0,), words[-3000:]
        connection.execute("CREATE TABLE steward_user (user_id text)")
        connection.execute("INSERT INTO steward_user VALUES ('usr_anna')")
    refused = demo(tmp_path, *options)
    assert "not a demo's" in refused.communicate(timeout=PLAY_SECONDS)[1]
    assert refused.returncode == 2


OWN_CALENDAR = """\
BEGIN:VCALENDAR
PRODID:-//Microsoft Corporation//Outlook 16.0 MIMEDIR//EN
VERSION:2.0
METHOD:PUBLISH
X-WR-CALNAME:Calendar
BEGIN:VTIMEZONE
TZID:Customized Time Zone
BEGIN:STANDARD
DTSTART:16010101T000000
TZOFFSETFROM:+0800
TZOFFSETTO:+0800
END:STANDARD
END:VTIMEZONE
BEGIN:VEVENT
UID:meeting@office
DTSTAMP:20260101T000000Z
DTSTART;TZID="Customized Time Zone":20260105T090000
DTEND;TZID="Customized Time Zone":20260105T103000
RRULE:FREQ=WEEKLY;BYDAY=MO
SUMMARY;LANGUAGE=en-us:Team meeting with a title that is long enough to be fo
 lded over two lines
X-MICROSOFT-CDO-BUSYSTATUS:BUSY
BEGIN:VALARM
TRIGGER:-PT15M
ACTION:DISPLAY
DESCRIPTION:Reminder
END:VALARM
END:VEVENT
BEGIN:VEVENT
UID:lost@office
DTSTAMP:20260101T000000Z
DTSTART;TZID=Nowhere/At all:20260105T160000
DTEND;TZID=Nowhere/At all:20260105T170000
SUMMARY:Lost
END:VEVENT
END:VCALENDAR
"""


@pytest.mark.timeout(PLAY_SECONDS)
def test_the_demo_with_ones_own_calendar(tmp_path: Path) -> None:
    """ST-69: the lines follow from the file, whatever it is called; what is refused is told with its reason."""
    file = tmp_path / "mine & theirs.ics"
    file.write_bytes(b"\xef\xbb\xbf" + OWN_CALENDAR.replace("\n", "\r\n").encode())
    playing = demo(tmp_path, "--once", "--locale", "en", "--calendar", str(file))
    said, words = playing.communicate(timeout=PLAY_SECONDS)
    assert playing.returncode == 0, f"{said}\n{words[-4000:]}"
    assert re.search(
        r"^ 3 calendar    mine & theirs\.ics: \d+ busy, 0 not busy, 1 refused; by hand: 4 blocks$", said, re.MULTILINE
    )
    assert "refused lost@office: its time zone Nowhere/At all is not known" in said
    assert re.search(r"^ 8 candidates  move_one: (?!.*09:00)", said, re.MULTILINE)  # the meeting stands there
    assert re.search(r"^16 ledger .* 0 waiting, 0 dead$", said, re.MULTILINE)


@pytest.mark.timeout(PLAY_SECONDS)
def test_the_demo_says_what_is_no_calendar(tmp_path: Path) -> None:
    """ST-69: in a line, as a wrong argument, and nothing is left behind."""
    (tmp_path / "page.ics").write_text("<html>Please sign in</html>", encoding="utf-8")
    playing = demo(tmp_path, "--once", "--locale", "en", "--calendar", "page.ics")
    words = playing.communicate(timeout=PLAY_SECONDS)[1]
    assert "page.ics: not an iCalendar text" in words
    assert "Traceback" not in words
    assert playing.returncode == 2
    assert not (tmp_path / ".demo").exists()
