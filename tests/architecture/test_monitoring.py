"""The board and the alert rules that ship name metrics and labels that exist, and every alert has its runbook."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

from outrider.telemetry.metric import PREFIX, Metric
from outrider.telemetry.metric_list import METRICS
from tools import reference
from tools.reference_words import WORDS

ROOT = Path(__file__).parents[2]
BOARD = ROOT / "deploy" / "grafana" / "outrider.json"
RULES = ROOT / "deploy" / "prometheus" / "outrider.rules.yml"
KNOWN = {f"{PREFIX}{one.name}": one for one in METRICS}
ALERT = re.compile(r"- alert: (\w+)\n(.*?)(?=\n +- alert:|\Z)", re.DOTALL)
EXPRESSION = re.compile(r"expr: (?:>-\n)?(.*?)\n +(?:for|labels):", re.DOTALL)


def expressions() -> Iterator[str]:
    """Every query of the board and of the rules."""
    board = json.loads(BOARD.read_text(encoding="utf-8"))
    yield from (target["expr"] for panel in board["panels"] for target in panel.get("targets", ()))
    yield from (variable["query"]["query"] for variable in board["templating"]["list"] if variable["type"] == "query")
    for _, body in ALERT.findall(RULES.read_text(encoding="utf-8")):
        found = EXPRESSION.search(body)
        assert found is not None, body
        yield found[1]


def metric(name: str) -> Metric | None:
    """The metric of a series: a histogram has three."""
    if name in KNOWN:
        return KNOWN[name]
    found = KNOWN.get(re.sub(r"_(bucket|sum|count)$", "", name))
    return found if found is not None and found.kind == "histogram" else None


def test_every_metric_that_board_and_rules_name_exists_and_the_board_shows_all() -> None:
    """OB-92: a board and alert rules ship with the metrics."""
    named = {name for text in expressions() for name in re.findall(rf"\b{PREFIX}\w+", text)}
    assert not {name for name in named if metric(name) is None}
    shown = json.loads(BOARD.read_text(encoding="utf-8"))["panels"]
    on_board = {name for panel in shown for target in panel.get("targets", ())
                for name in re.findall(rf"\b{PREFIX}\w+", target["expr"])}  # fmt: skip
    assert {found.name for name in on_board if (found := metric(name))} == {one.name for one in METRICS}


def test_queries_ask_for_labels_that_their_metrics_have() -> None:
    """OB-92: a label that is not there would group everything under nothing."""
    for text in expressions():
        found = [one for name in re.findall(rf"\b{PREFIX}\w+", text) if (one := metric(name))]
        asked = {label.strip() for group in re.findall(r"\b(?:by|on) \(([^)]*)\)", text) for label in group.split(",")}
        asked |= set(re.findall(r"(\w+)=~?\"", text))
        for one in found:
            assert asked - {"le"} <= set(one.labels), text
        assert text.count("(") == text.count(")"), text


def test_counters_are_asked_for_their_rate_and_gauges_for_what_they_are() -> None:
    """A counter begins at 0 with each process, and a gauge has no rate."""
    for text in expressions():
        for name in re.findall(rf"\b{PREFIX}\w+", text):
            found = metric(name)
            within = re.search(rf"(?:rate|increase)\({name}", text) is not None
            assert found is not None
            assert within is (found.kind != "gauge"), text


def test_dead_and_quarantined_alarm_from_the_first() -> None:
    """OB-92: from 1, at once."""
    rules = dict(ALERT.findall(RULES.read_text(encoding="utf-8")))
    for name in ("Dead", "Quarantined"):
        body = rules[f"Outrider{name}"]
        assert f"(outrider_{name.lower()}) >= 1\n" in body
        assert "for:" not in body


def test_every_alert_has_a_runbook() -> None:
    runbooks = re.findall(r"^### (\w+)$", (ROOT / "docs" / "operations.md").read_text(encoding="utf-8"), re.MULTILINE)
    alerts = ALERT.findall(RULES.read_text(encoding="utf-8"))
    assert [name for name, _ in alerts] == runbooks
    for name, body in alerts:
        assert f"runbook: docs/operations.md#{name.lower()}" in body
        assert "summary:" in body


def test_every_event_is_waited_for_or_looked_at_by_a_test() -> None:
    """OB-93: each boundary is told of where it is crossed, not only listed."""
    seen: set[str] = set()
    suites = (ROOT / "src" / "outrider" / "testing" / "conformance").rglob("*.py")
    for path in (*(ROOT / "tests").rglob("*.py"), *suites):
        if "unit/telemetry" not in path.as_posix() and "architecture" not in path.as_posix():
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                match node:
                    case ast.Name(id=name) | ast.Attribute(attr=name) | ast.Constant(value=str(name)):
                        seen.add(name)
    untold = {
        one.__name__ for one in reference.event_classes() if not {one.__name__, reference.line(one)[0]} & seen
    } - set(WORDS["idle"]["events"])
    assert not untold
