"""All of Steward's roles, killed at random while tasks grow urgent: each task ends with one preview or a reason, and each
preview is told once.

The workers are the command that users run, two processes of each kind; a person has one task, and no digest.
Source: spec/scheduling.md ST-8, ST-21, ST-22, ST-68, ST-70.
"""

import random
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any

import psycopg

from faults.campaign import Stuck
from faults.options import Options
from faults.rig import LEASE_SECONDS, Rig
from faults.urgent import Urgent, migrate
from outrider.testing.faults import Victim

NAME = "steward"
ROLES = ("scan,prepare,reconcile,feeds", "relay", "consumer,notifier")
EACH = 2
SERVICES = ("steward", "notification")
PARTITIONS = 4
KILL_SECONDS = 2.5  # about what one kill takes, to spread the tasks over the campaign
MOMENT_SECONDS = 2.0
WORKING = "working: "  # a worker says so when it begins
POLL_SECONDS = 0.02
WORKER = "from steward.cli import main; main()"
START_SECONDS = 120.0
QUIET_SECONDS = 60.0
LOOK_SECONDS = 0.5

Tick = Callable[[], None]


def pipeline(rig: Rig, options: Options, tick: Tick) -> dict[str, Any]:
    """SIGKILL workers of every role at random while `messages` tasks grow urgent."""
    database = rig.server.create_database(NAME)
    environment = settings(database, f"kafka://{rig.kafka.bootstrap_servers}")
    for service in SERVICES:
        rig.kafka.create_topic(f"{NAME}.{service}.outbox", PARTITIONS)
    migrate(environment)
    workers = [_worker(rig, environment, number) for number in range(EACH * len(ROLES))]
    for worker in workers:
        _await_working(worker)
    urgent = Urgent(environment, options.messages, options.messages / max(1.0, options.kills * KILL_SECONDS))
    urgent.start()
    kills = _kill(rig, environment, workers, options, tick)
    urgent.join()
    _await_ended(database, options.messages)
    for worker in workers:
        worker.stop()
    return {"kills": kills, "tasks": options.messages, **judge(database)}


def settings(database: str, broker: str) -> dict[str, str]:
    """The environment of every process: leases as in all campaigns, and nothing that waits for minutes."""
    lease = f"{LEASE_SECONDS:g} s"
    known = {
        "database.url": database, "broker.url": broker, "namespace": NAME, "scan.interval": "1 s", "scan.lease": lease,
        "prepare.lease": lease, "reconcile.interval": "1 s",
        "secret_key": urlsafe_b64encode(bytes(range(32))).decode(),
    }  # fmt: skip
    outrider = {
        "relay.lease": lease, "relay.publish_timeout": f"{LEASE_SECONDS / 4:g} s", "notification.lease": "12 s",
        "consumer.session_timeout": "6 s",
    }  # fmt: skip
    return {
        **{f"STEWARD_{name.upper().replace('.', '__')}": value for name, value in known.items()},
        **{f"OUTRIDER_{name.upper().replace('.', '__')}": value for name, value in outrider.items()},
    }


def _worker(rig: Rig, environment: dict[str, str], number: int) -> Victim:
    role = ROLES[number % len(ROLES)]
    state = rig.folder / f"{NAME}-{number}.state"
    state.mkdir(exist_ok=True)
    own = {**environment, "OUTRIDER_RUNTIME__STATE_DIR": str(state)}
    worker = Victim(f"{NAME}-{number}", ["-c", WORKER, "worker", "--role", role], rig.folder, own)
    rig.running.append(worker)
    return worker


def _await_working(worker: Victim) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not worker.said(WORKING):
        if not worker.running or time.monotonic() > deadline:
            raise Stuck(f"{worker.name} did not start:\n{worker.log_tail()}")
        time.sleep(POLL_SECONDS)


def _kill(rig: Rig, environment: dict[str, str], workers: list[Victim], options: Options, tick: Tick) -> int:
    """Kill one after the other, each replaced; gives how many died of it."""
    chance, killed = random.Random(options.seed), 0
    for number in range(options.kills):
        place = chance.randrange(len(workers))
        victim = workers[place]
        _await_working(victim)
        time.sleep(chance.random() * MOMENT_SECONDS)
        victim.kill()
        killed += 1
        again = number * len(ROLES) + EACH * len(ROLES) + place % len(ROLES)
        workers[place] = _worker(rig, environment, again)
        tick()
    return killed


def _await_ended(database: str, tasks: int) -> None:
    """Wait until every task has its end and every record, or until nothing has come nearer to it for a while."""
    left, since = _left(database, tasks), time.monotonic()
    while left and time.monotonic() < since + QUIET_SECONDS:
        time.sleep(LOOK_SECONDS)
        now = _left(database, tasks)
        if now != left:
            left, since = now, time.monotonic()


def _left(database: str, tasks: int) -> int:
    figures = judge(database)
    return int(figures["stuck"] + figures["lost"] + max(0, tasks - figures["committed"]))


def judge(database: str) -> dict[str, Any]:
    """The figures: what is wrong, all 0 in a right system, and how every task ended."""
    with psycopg.connect(database) as connection:
        counts = {name: int((connection.execute(query).fetchone() or (0,))[0]) for name, query in COUNTS.items()}
        ended: dict[str, int] = dict(connection.execute(ENDED).fetchall())
    counts["stuck"] += counts.pop("open_records")
    return {**counts, "ended": ended}


LIVE = "SELECT * FROM steward_preview WHERE status IN ('ready', 'pending')"
TASKS = f"""SELECT task.task_id, live.preview_id, coalesce(job.status, 'none') AS job, job.last_error_code AS job_code,
    coalesce(trigger.status, 'none') AS trigger, trigger.last_error_code AS trigger_code
    FROM steward_task AS task
    LEFT JOIN steward_job AS job ON job.task_id = task.task_id AND job.generation = task.urgency_generation
    LEFT JOIN steward_trigger AS trigger ON trigger.trigger_id = job.last_trigger_id
    LEFT JOIN ({LIVE}) AS live ON live.target_id = task.task_id"""
REASONED = """(job IN ('skipped', 'canceled') AND job_code IS NOT NULL
    OR trigger IN ('closed', 'skipped', 'rejected') AND trigger_code IS NOT NULL)"""
TOLD = f"""SELECT live.preview_id, count(item.id) AS items FROM ({LIVE}) AS live
    JOIN steward_trigger AS trigger ON trigger.trigger_id = live.trigger_id AND trigger.notify
    LEFT JOIN notification_record AS record ON record.correlation_id = live.preview_id AND record.channel = 'inbox'
    LEFT JOIN notification_inbox_item AS item ON item.record_id = record.id
    WHERE (live.decision_json::json ->> 'should_notify')::boolean GROUP BY live.preview_id"""
COUNTS = {
    "committed": "SELECT count(*) FROM steward_task",
    "stuck": f"SELECT count(*) FROM ({TASKS}) AS t WHERE preview_id IS NULL AND NOT coalesce({REASONED}, FALSE)",
    "open_records": "SELECT count(*) FROM notification_record WHERE status IN ('pending', 'failed', 'sending')",
    "previews_twice": """SELECT count(*) FROM (
        SELECT target_id FROM steward_preview GROUP BY target_id HAVING count(*) > 1) AS twice""",
    "triggers_twice": """SELECT count(*) FROM (
        SELECT target_id FROM steward_trigger GROUP BY target_id HAVING count(*) > 1) AS twice""",
    "lost": f"SELECT count(*) FROM ({TOLD}) AS told WHERE items = 0",
    "items_twice": f"SELECT count(*) FROM ({TOLD}) AS told WHERE items > 1",
    "phantom": """SELECT count(*) FROM notification_record AS record WHERE NOT EXISTS (
        SELECT FROM steward_preview AS preview WHERE preview.preview_id = record.correlation_id)""",
    "taken_over": """SELECT (SELECT count(*) FROM steward_job WHERE lease_epoch > 1)
        + (SELECT count(*) FROM steward_trigger WHERE lease_epoch > 1)""",
}
ENDED = f"""SELECT CASE WHEN preview_id IS NOT NULL THEN 'preview' ELSE coalesce(trigger_code, job_code, job) END, count(*)
    FROM ({TASKS}) AS t GROUP BY 1"""
