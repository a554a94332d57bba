"""What is told of a day from a due job to an undo: metrics and log lines of §17, on SQLite, in one process."""

import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client.parser import text_string_to_metric_families

from outrider.core.events import ApplicationEvent
from outrider.telemetry.fan_out import FanOut
from outrider.telemetry.logs import LogSink
from outrider.telemetry.spans import Spans
from outrider.testing.events import EventSink
from steward.bootstrap.derive import derived
from steward.bootstrap.gauging import gauges_of
from steward.bootstrap.metric_list import METRICS, PREFIX
from steward.bootstrap.settings import load
from steward.bootstrap.steward import Steward
from steward.domain.errors import StewardError, ValidationFailed
from steward.domain.facts import Repaired, TablesRead, TriggerChanged
from steward.ports.rows.suggestion import JobRow, PreviewRow, TriggerRow
from steward.ports.storage import Writing
from steward.service.answer import Caller, Keyed
from tests.integration.steward.parts import PERSON
from tests.integration.steward.test_roles import running, urgent_task

pytestmark = pytest.mark.timeout(60)
TRACE = "ab" * 16
ANNA = Caller(PERSON, TRACE, locale="en")
CANARY = "canary hunter2"
ICS = f"""BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//x//x//EN
BEGIN:VEVENT
UID:one
DTSTAMP:20260101T000000Z
DTSTART:20991123T010000Z
DTEND:20991123T020000Z
SUMMARY:{CANARY}
END:VEVENT
END:VCALENDAR
""".replace("\n", "\r\n").encode()


@dataclass
class Watched:
    """Steward, and everything that it tells."""

    steward: Steward
    events: EventSink
    stream: io.StringIO
    ids: dict[str, str] = field(default_factory=dict)

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The log at INFO, Steward's own lines alone."""
        own = {type(event.said).__name__ for event in self.events.of(ApplicationEvent)}
        names = {"".join(f".{one.lower()}" if one.isupper() else one for one in name).lstrip(".") for name in own}
        lines = [json.loads(line) for line in self.stream.getvalue().splitlines()]
        return [line for line in lines if line["event"] in names]

    def said(self, *ids: str) -> list[tuple[str, str]]:
        """What the log says of these ids: events, and the states that they came to."""
        return [
            (one["event"], one["status"])
            for one in self.lines
            if "status" in one and any(value in ids for value in one.values())
        ]

    async def told(self, kind: type[Any], **values: object) -> Any:  # noqa: ANN401  a fact
        def fits(event: ApplicationEvent) -> bool:
            said = event.said
            return isinstance(said, kind) and all(getattr(said, name) == value for name, value in values.items())

        return (await self.events.wait_for(ApplicationEvent, fits)).said

    async def row(self, kind: type[Any]) -> Any:  # noqa: ANN401  a row
        return await self.steward.storage.read(lambda tx: tx.one(kind, {"user_id": PERSON}))


@pytest.fixture
async def watched(database: Path) -> AsyncIterator[Watched]:
    async with watching(database) as made:
        yield made


@asynccontextmanager
async def watching(database: Path) -> AsyncIterator[Watched]:
    read = load({"database.url": f"sqlite:///{database}", "secret_key": CANARY}, environment={})
    events, stream = EventSink(), io.StringIO()
    telemetry = FanOut(LogSink(stream, level="info", format="json"), events)
    made = Watched(Steward(read.settings, derived(read, environment={}), telemetry=telemetry), events, stream)
    yield made
    await made.steward.close()


async def play(watched: Watched) -> None:
    """The demo's scenario, and what else there are metrics for."""
    steward = watched.steward
    await steward.importing.import_text(ANNA, CANARY, ICS)
    with pytest.raises(ValidationFailed):
        await steward.importing.import_text(ANNA, CANARY, b"<html>")
    task_id = await urgent_task(steward)
    await steward.tasks.edit(ANNA, task_id, {"title": CANARY, "note": CANARY}, if_match=None)
    await steward.scanning.scan_once()
    async with running(steward, "consumer"):
        await watched.told(TriggerChanged, status="processing")
    await steward.preparing.prepare_once()
    preview: PreviewRow = await watched.row(PreviewRow)
    asked = {"trigger_type": "important_urgent_task", "target_type": "task_pool", "target_id": task_id}
    await steward.triggers.create(ANNA, asked)
    body = {"candidate_id": preview.selected_candidate_id}
    seen = {"if_match": f'"{preview.base_version}"', "key": "tap-1"}
    answer = await steward.confirming.confirm(ANNA, preview.preview_id, body, **seen)
    await steward.confirming.confirm(ANNA, preview.preview_id, body, **seen)
    keyed = Keyed("undo-1", "POST", "/undo")
    await steward.undoing.undo(ANNA, preview.preview_id, keyed=keyed)
    with suppress(StewardError):
        await steward.undoing.undo(ANNA, preview.preview_id, keyed=replace(keyed, key="undo-2"))
    trigger: TriggerRow = await watched.row(TriggerRow)
    job: JobRow = await watched.row(JobRow)
    watched.ids = {
        "job": job.job_id, "trigger": trigger.trigger_id, "preview": preview.preview_id,
        "apply": answer.body["apply_id"], "task": task_id, "trace": str(job.trace_id), "person": PERSON,
    }  # fmt: skip
    await steward.storage.change(PERSON, lambda tx: tx.delete(JobRow, {"job_id": job.job_id}))
    await steward.reconciling.reconcile_once()
    gauges = gauges_of(steward)
    await gauges.start()
    await watched.told(TablesRead)
    await gauges.stop(5)


def samples(exposition: bytes) -> dict[str, list[tuple[dict[str, str], float]]]:
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(exposition.decode()):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


async def test_every_metric_shows_with_its_labels_after_a_day(watched: Watched) -> None:
    """§17: what was counted, measured and read of the tables; no id, no person and no text is in a label."""
    await play(watched)
    exposition = watched.steward.exposition()
    shown = samples(exposition)
    for metric in METRICS:
        name = PREFIX + metric.name + ("_count" if metric.kind == "histogram" else "")
        assert {frozenset(labels) for labels, _ in shown.get(name, [])} == {frozenset(metric.labels)}, name
    order = {PREFIX + metric.name: metric.labels for metric in METRICS}
    counted = {
        (name, *(labels[one] for one in order.get(name, labels))): value
        for name, found in shown.items()
        for labels, value in found
    }
    for expected in (
        ("steward_scan_total", "triggered"),
        ("steward_triggers_total", "important_urgent_task", "worker_due_job", "pending"),
        ("steward_triggers_total", "important_urgent_task", "worker_due_job", "processing"),
        ("steward_triggers_total", "important_urgent_task", "worker_due_job", "preview_generated"),
        ("steward_dedupe_hits_total", "slot"),
        ("steward_prepare_seconds_count", "load"),
        ("steward_prepare_seconds_count", "choose"),
        ("steward_prepare_seconds_count", "store"),
        ("steward_preview_seconds_count",),
        ("steward_selection_total", "rule"),
        ("steward_apply_total", "applied", ""),
        ("steward_apply_total", "undone", ""),
        ("steward_replays_total",),
        ("steward_undo_total", "undone"),
        ("steward_undo_total", "already_undone"),
        ("steward_reconciler_repairs_total", "job_added"),
        ("steward_import_total", "imported"),
        ("steward_import_total", "failed"),
        ("steward_jobs", "pending"),
        ("steward_previews", "undone"),
    ):
        assert counted.get(expected) == 1, expected
    assert counted["steward_apply_seconds_count",] == 2
    assert ("steward_candidates_total", "keep", "none") in counted
    text = exposition.decode()
    assert not [one for one in (*watched.ids.values(), "canary", "hunter2") if one in text]


async def test_a_log_line_for_each_state_and_none_with_a_secret(watched: Watched) -> None:
    """§17: each state that job, trigger, preview and apply come to is one line at INFO, found by its ids."""
    await play(watched)
    ids = watched.ids
    assert watched.said(ids["trigger"], ids["job"]) == [
        ("job.changed", "pending"),
        ("trigger.changed", "pending"),
        ("job.scanned", "triggered"),
        ("trigger.changed", "processing"),
        ("preview.made", "ready"),
        ("trigger.changed", "preview_generated"),
        ("apply.changed", "applied"),
        ("preview.ended", "applied"),
        ("preview.ended", "undone"),
        ("apply.changed", "undone"),
    ]
    chain = [line for line in watched.lines if line["event"] in {"trigger.changed", "preview.made", "apply.changed"}]
    assert {line["trace_id"] for line in chain} == {ids["trace"]}
    assert next(one for one in watched.lines if ids["apply"] in one.values())["preview_id"] == ids["preview"]
    assert "canary" not in watched.stream.getvalue()
    assert "hunter2" not in watched.stream.getvalue()


async def test_background_work_and_answers_are_spans_of_their_traces(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ST-66: a preparation is of its trigger's trace, a confirm and an undo of their requests'; ids are all they say."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr("steward.bootstrap.steward.tracer_of", lambda system: Spans(system, provider))
    async with watching(database) as watched:
        await play(watched)
    found = {span.name: span for span in exporter.get_finished_spans()}
    traces = {name: trace.format_trace_id(span.context.trace_id) for name, span in found.items()}
    assert traces == {"prepare": watched.ids["trace"], "confirm": TRACE, "undo": TRACE}
    assert dict(found["prepare"].attributes or {}) == {"steward.trigger_id": watched.ids["trigger"]}
    assert dict(found["confirm"].attributes or {}) == {"steward.preview_id": watched.ids["preview"]}


async def test_nothing_is_told_of_what_was_taken_back(watched: Watched) -> None:
    """§17, ST-4: not of a transaction that failed, nor of what a savepoint took back."""
    storage = watched.steward.storage

    async def fails(tx: Writing) -> None:
        tx.tell(Repaired("lost"))
        raise ValidationFailed("x", "y")

    async def half(tx: Writing) -> None:
        tx.tell(Repaired("kept"))
        with suppress(ValidationFailed):
            await tx.savepoint(lambda: fails(tx))

    with pytest.raises(ValidationFailed):
        await storage.change(PERSON, fails)
    await storage.change(PERSON, half)
    assert [event.said for event in watched.events.of(ApplicationEvent)] == [Repaired("kept")]
