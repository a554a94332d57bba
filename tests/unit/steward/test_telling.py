"""What becomes of facts: §17."""

import dataclasses
from uuid import uuid4

from outrider.core.events import ApplicationEvent, HandlerFailed, ReceiptRecorded
from outrider.testing.events import EventSink
from steward.bootstrap.counting import Counting
from steward.bootstrap.metric_list import METRICS
from steward.bootstrap.telling import HELD_MAX, HeldFacts, Teller
from steward.domain.facts import Fact, ImportEnded, ModelAsked, Repaired
from tests.integration.steward.parts import SetChance
from tools.reference_facts import fact_classes


class Known:
    """Metrics that remember which of them were fed."""

    def __init__(self) -> None:
        self.fed: set[str] = set()

    def add(self, name: str, *labels: str, by: int = 1) -> None:
        del labels, by
        self.fed.add(name)

    def observe(self, name: str, value: float, *labels: str) -> None:
        del value, labels
        self.fed.add(name)

    put = observe


def bare(kind: type[Fact]) -> Fact:
    """One whose fields say nothing."""
    made = kind.__new__(kind)
    for field in dataclasses.fields(kind):
        object.__setattr__(made, field.name, {} if field.name in {"jobs", "previews"} else ())
    return made


def test_each_metric_is_fed_by_the_facts_that_its_line_names() -> None:
    """§17: and by no others; of tables without a row the gauges by state are fed by none."""
    by_state = {"jobs", "previews", "candidates_total"}
    for kind in fact_classes():
        known = Known()
        Counting(known)(bare(kind))
        assert known.fed == {one.name for one in METRICS if kind in one.events} - by_state, kind


def test_a_fact_is_counted_and_becomes_a_line_of_its_level() -> None:
    """§17: what was measured at debug, what changed at info, what went wrong as a warning."""
    sink, counted = EventSink(), list[Fact]()
    teller = Teller(sink, lambda: 7.0, SetChance(), count=counted.append)
    facts = [ModelAsked(0.5), Repaired("job_added"), ImportEnded("src_1", "feed", "failed")]
    for fact in facts:
        teller.tell(fact)
    assert counted == [event.said for event in sink.of(ApplicationEvent)] == facts
    assert [event.level for event in sink.of(ApplicationEvent)] == ["debug", "info", "warning"]
    assert teller.seconds() == 7.0


def test_what_a_handler_told_is_heard_once_its_consumer_has_committed() -> None:
    """§17: not what failed, and of several tries the last one's."""
    heard = list[Fact]()
    held = HeldFacts(heard.append)
    good, bad = str(uuid4()), str(uuid4())
    held.hold(good, [Repaired("first try")])
    held.hold(good, [Repaired("second try")])
    held.hold(bad, [Repaired("lost")])
    held.emit(HandlerFailed("steward", "steward", bad, "t", "topic"))
    assert not heard
    held.emit(ReceiptRecorded("steward", "steward", 2, (good, bad), 0.1))
    assert heard == [Repaired("second try")]
    for number in range(HELD_MAX + 1):
        held.hold(str(number), [Repaired(str(number))])
    held.emit(ReceiptRecorded("steward", "steward", 2, ("0", "1"), 0.1))
    assert heard[1:] == [Repaired("1")]
