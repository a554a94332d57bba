"""Events as log lines."""

import io
import json
import logging

import pytest

from outrider.core import events
from outrider.core.events import LaneTaken, LogPruned, MessageDied, MessageParked, ServiceFailed
from outrider.telemetry.fan_out import FanOut
from outrider.telemetry.logs import CLIENTS, LogSink, level_of, name_of
from outrider.testing.events import EventSink


def lines(sink_level: str, *happened: events.TelemetryEvent) -> list[dict[str, object]]:
    stream = io.StringIO()
    sink = LogSink(stream, level=sink_level)  # type: ignore[arg-type]  # a plain text here
    for event in happened:
        sink.emit(event)
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_json_off_a_terminal_and_carries_ids_lane_and_epoch() -> None:
    """OB-93: an event is one record, with the ids, lane and epoch that apply."""
    (line,) = lines("info", LaneTaken("orders", "relay", 2, 7, owner="host/boot/1", starts=0))
    assert line["event"] == "lane.taken"
    assert (line["service"], line["subscription"], line["lane"], line["epoch"]) == ("orders", "relay", 2, 7)
    assert line["level"] == "info"
    assert str(line["timestamp"]).endswith("Z")


@pytest.mark.parametrize("text", ["a\r\nb", "\x1b[31mred", "a\u2028b", '{"level":"error"}\n{"x":1}', "\udc80"])
def test_hostile_text_stays_within_one_record(text: str) -> None:
    """OB-95: control characters are escaped, one record an event (X9)."""
    (line,) = lines("info", MessageParked("orders", "relay", "id", text, "topic", cause=text))
    assert "\n" not in str(line["type"])
    assert "\x1b" not in str(line["cause"])


def test_client_libraries_are_kept_quiet() -> None:
    """NT-45: they print URLs, and the URL of a chat webhook is its credential."""
    lines("debug")
    assert {logging.getLogger(name).level for name in CLIENTS} == {logging.WARNING}


def test_secrets_do_not_reach_a_line() -> None:
    """OB-95: one redaction before every log (X2)."""
    (line,) = lines("info", ServiceFailed("orders", "relay", "x", "postgresql://me:hunter2@db/shop password=hunter2"))
    assert "hunter2" not in json.dumps(line)


def test_the_healthy_flow_is_silent_at_info_and_dead_letters_are_errors() -> None:
    happened = [
        events.CursorAdvanced("orders", "relay", 0, 1, messages=3, last_id=3, passed=3, duration=0.1),
        MessageDied("orders", "relay", "id", "t", "topic", code="publish.refused"),
    ]
    assert [line["event"] for line in lines("info", *happened)] == ["message.died"]
    assert [line["level"] for line in lines("debug", *happened)] == ["debug", "error"]


def test_every_event_of_the_list_has_a_name_and_a_level() -> None:
    """OB-93: all events named there have a line."""
    listed = (
        "MessageAdded LaneTaken LeaseRenewed LeaseLost TickOpened BatchRead PublishStarted PublishAcknowledged "
        "PublishRefused PublishUnknown CursorAdvanced AdvanceRefused MessageParked MessageUnparked RetryScheduled "
        "MessageDied SuspectFound DestinationPaused DestinationResumed ReceiptRecorded DuplicateSkipped HandlerFailed "
        "MessageQuarantined MessageReleased OrderRegressed MessageSwept LogPruned MessageReplayed MessageDiscarded "
        "DrainStarted DrainEnded"
    )
    for name in listed.split():
        kind = getattr(events, name)
        event = kind.__new__(kind)
        if kind is events.DrainEnded:
            object.__setattr__(event, "clean", False)
        assert level_of(event) in {10, 20, 30, 40}
        assert name_of(event).replace(".", "") == name.lower()


def test_a_text_line_reads_well() -> None:
    stream = io.StringIO()
    LogSink(stream, format="text", color=False).emit(LogPruned("orders", "outbox_message", 5, 0.25))
    assert "log.pruned" in stream.getvalue()
    assert "rows=5" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_is_written_to_in_text_and_in_color_unless_it_is_not_wanted() -> None:
    """OB-93: `auto` means text there, padded so that columns stand below one another."""
    plain, painted = Terminal(), Terminal()
    LogSink(plain, color=False).emit(LogPruned("orders", "outbox_message", 5, 0.25))
    LogSink(painted).emit(LogPruned("orders", "outbox_message", 5, 0.25))
    assert (
        " [info     ] log.pruned           duration=0.25 rows=5 service=orders table=outbox_message\n"
        in plain.getvalue()
    )
    assert "\x1b[36mrows\x1b[0m=\x1b[35m5\x1b[0m" in painted.getvalue()


def test_a_closed_stream_stops_nobody() -> None:
    stream = io.StringIO()
    sink = LogSink(stream)
    stream.close()
    sink.emit(LogPruned("orders", "outbox_message", 5, 0.25))


def test_several_sinks_hear_the_same() -> None:
    first, second = EventSink(), EventSink()
    event = LogPruned("orders", "outbox_message", 5, 0.25)
    FanOut(first, second).emit(event)
    assert first.events == second.events == (event,)


def test_the_alarm_of_parked_messages_is_a_warning() -> None:
    """OB-42: a person should look, though nothing is lost."""
    (line,) = lines("warning", events.ParkAlarmRaised("orders", "relay", threshold=100_000))
    assert (line["event"], line["level"], line["threshold"]) == ("park.alarm.raised", "warning", 100_000)
