"""Colours that can be told apart, and places that are not drawn over one another."""

import re
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steward.web.pages import assets
from steward.web.timetable import LANES_MAX, Block, draw, hours_around, week_of
from tests.unit.steward.days import MONDAY
from tests.unit.steward.web.bodies import reader

TEXTS = [
    ("ink", "bg"),
    ("ink", "card"),
    ("muted", "bg"),
    ("muted", "card"),
    ("on-accent", "accent"),
    ("accent", "card"),
    ("accent", "accent-soft"),
    ("added-ink", "added-fill"),
    ("moved-ink", "moved-fill"),
    ("refused-ink", "refused-fill"),
    ("refused-edge", "card"),
    ("muted", "fixed-fill"),
    ("ink", "fixed-fill"),
    ("muted", "flexible-fill"),
    ("muted", "accent-soft"),
]
EDGES = [
    ("added-edge", "card"),
    ("moved-edge", "card"),
    ("flexible-edge", "card"),
    ("fixed-edge", "card"),
    ("edge", "card"),
    ("accent", "card"),
    ("refused-edge", "card"),
]


def tokens() -> list[dict[str, str]]:
    """The light and the dark colours by name."""
    sheet = assets()["steward.css"].body.decode()
    light, dark = (dict(re.findall(r"--([a-z-]+):\s*(#[0-9a-f]+)", part)) for part in sheet.split("@media", 2)[:2])
    return [light, light | dark]


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * one for one in colour[1:])
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_colours_have_contrast(theme: int) -> None:
    """ST-60: 4.5 for text, 3 for borders that carry meaning."""
    named = tokens()[theme]
    for one, other in TEXTS:
        assert contrast(named[one], named[other]) >= 4.5, (one, other)
    for one, other in EDGES:
        assert contrast(named[one], named[other]) >= 3, (one, other)


MINUTES = st.tuples(st.integers(-300, 1700), st.integers(1, 600))


@given(st.lists(MINUTES, max_size=12))
def test_blocks_beside_one_another_never_overlap(places: list[tuple[int, int]]) -> None:
    """ST-58: what is drawn lies within the day, and in its lane alone."""
    start = MONDAY
    blocks = [
        Block(str(number), "fixed", start + timedelta(minutes=first), start + timedelta(minutes=first + length))
        for number, (first, length) in enumerate(places)
    ]
    day = MONDAY.date()
    drawn = draw(day, blocks, hours_around(day, blocks))
    assert all(block.top >= 0 and block.top + block.height <= drawn.height for block in drawn.blocks)
    assert len(drawn.blocks) == sum(first < 1440 and first + length > 0 for first, length in places)
    for lane in range(LANES_MAX - 1):
        row = sorted((block for block in drawn.blocks if block.lane == lane), key=lambda block: block.top)
        assert all(one.top + one.height <= other.top for one, other in pairwise(row))
    assert all(block.lane < block.lanes <= LANES_MAX for block in drawn.blocks)


def test_week_begins_on_monday_and_times_are_said_with_their_day() -> None:
    """ST-12, ST-60: days are those of the reader's zone."""
    assert week_of((MONDAY + timedelta(days=6)).date())[0].isoformat() == "2026-11-23"
    who, chinese = reader(), reader("zh-CN")
    late = MONDAY + timedelta(hours=23)
    assert who.when(late, late + timedelta(hours=2)) == "Mon 23 Nov 23:00–Tue 24 Nov, 01:00"
    assert who.when(late, late + timedelta(hours=1)) == "Mon 23 Nov 23:00–00:00"
    assert chinese.when(MONDAY, MONDAY + timedelta(minutes=90)) == "11月23日 周一 00:00–01:30"
    assert who.day(MONDAY + timedelta(days=365)) == "Tue 23 Nov 2027"
    assert [who.minutes(count) for count in (90, 120, 150)] == ["90 min", "2 h", "2 h 30 min"]
