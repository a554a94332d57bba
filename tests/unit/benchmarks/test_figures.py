"""Figures, rounds and bars of the benchmarks."""

import json

import pytest

from benchmarks.bars import BARS, at_least, at_most
from benchmarks.figures import Result, figure, percentile, ratio, worst
from benchmarks.report import as_json
from benchmarks.rounds import Options, interleave
from benchmarks.shop import PAYLOAD_BYTES, payload


def test_ratio_is_taken_within_each_round() -> None:
    found = ratio({"ours": [2.0, 30.0, 9.0], "bare": [1.0, 10.0, 9.0]}, "ours", "bare")
    assert found == (2.0, 1.0, 3.0)


def test_worst_is_the_greatest_median() -> None:
    assert worst({"a": figure([1.0, 9.0, 2.0]), "b": figure([3.0])}) == ("b", figure([3.0]))


@pytest.mark.parametrize(("share", "expected"), [(0.5, 50), (0.99, 99), (0.0, 1), (1.0, 100)])
def test_percentile_by_the_nearest_rank(share: float, expected: float) -> None:
    assert percentile([float(value) for value in range(100, 0, -1)], share) == expected


def test_sides_take_turns_and_the_warm_up_counts_for_nothing() -> None:
    order: list[str] = []

    def side(name: str) -> float:
        order.append(name)
        return float(len(order))

    samples = interleave({"a": lambda: side("a"), "b": lambda: side("b")}, 2)
    assert order == ["a", "b"] * 3
    assert samples == {"a": [3.0, 5.0], "b": [4.0, 6.0]}


def test_bars_look_the_right_way() -> None:
    assert at_least(0.4).met(0.4)
    assert not at_least(0.4).met(0.39)
    assert at_most(3).met(3.0)
    assert not at_most(3).met(3.1)


def test_a_result_names_what_it_missed_and_what_it_left_out() -> None:
    result = Result({"read_vs_copy": figure([0.3]), "null_vs_copy": figure([0.3])}, {}, {}, {})
    values = as_json("relay", Options(5, 10), result, {}, 1.0)
    assert values["missed"] == ["read_vs_copy"]
    assert values["null_vs_copy"] == 0.3
    assert set(values["left_out"]) == set(BARS["relay"]) - {"read_vs_copy", "null_vs_copy"}


def test_payload_has_its_size() -> None:
    for number in (0, 9_999, 123_456_789):
        assert len(json.dumps(payload(number), separators=(",", ":"))) == PAYLOAD_BYTES
