"""Typed events to JSON values and back: OB-12, OB-71, OB-98."""

import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, field_serializer

from outrider.codecs.events import decode, encode
from outrider.core.canonical import canonical_json, payload_json
from outrider.core.errors import InvalidMessage, Undecodable

CANARY = "c4n4ry"
MOMENT = datetime(2026, 11, 20, 10, 30, tzinfo=timezone(timedelta(hours=2)))


class Colour(Enum):
    RED = "red"


class Line(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    sku: str
    at: datetime


class Placed(BaseModel):
    order_id: str
    total: Decimal
    at: datetime
    day: date
    buyer: UUID
    colour: Colour
    lines: list[Line]
    tags: set[str] = set()
    seen: dict[str, datetime] = {}
    note: str | None = None


@dataclass
class Counted:
    n: int
    at: datetime
    price: Decimal


PLACED = Placed(
    order_id="order-17",
    total=Decimal("12.50"),
    at=MOMENT,
    day=date(2026, 11, 20),
    buyer=UUID(int=7),
    colour=Colour.RED,
    lines=[Line(sku="a", at=MOMENT)],
    tags={"z", "a", "m"},
    seen={"first": MOMENT},
)


def test_a_model_is_written_as_plain_json() -> None:
    """OB-98: instants in UTC with microseconds and Z; OB-12: dates, decimals, UUIDs through typed events."""
    assert encode(PLACED) == {
        "order_id": "order-17",
        "total": "12.50",
        "at": "2026-11-20T08:30:00.000000Z",
        "day": "2026-11-20",
        "buyer": str(UUID(int=7)),
        "colour": "red",
        "lines": [{"sku": "a", "at": "2026-11-20T08:30:00.000000Z"}],
        "tags": ["a", "m", "z"],
        "seen": {"first": "2026-11-20T08:30:00.000000Z"},
        "note": None,
    }
    assert payload_json(encode(PLACED)) == canonical_json(encode(PLACED))


def test_models_and_dataclasses_are_read_back_equal() -> None:
    """OB-71: a pydantic model or a dataclass, strict models too."""
    assert decode(Placed, encode(PLACED)) == PLACED
    counted = Counted(1, MOMENT, Decimal("1.10"))
    assert decode(Counted, encode(counted)) == counted


def test_unknown_fields_are_ignored_when_reading() -> None:
    """OB-71: reading ignores unknown fields, also where a model forbids them; where it keeps them they stay."""
    data = encode(PLACED) | {"newer": 1}
    data["lines"][0]["newer"] = 2
    assert decode(Placed, data) == PLACED
    assert decode(Counted, encode(Counted(1, MOMENT, Decimal(1))) | {"newer": 1}).n == 1

    class Open(BaseModel):
        model_config = ConfigDict(extra="allow")
        a: int

    kept = decode(Open, {"a": 1, "b": 2})
    assert kept.model_extra == {"b": 2}


def test_adding_is_strict() -> None:
    """OB-71: an event whose field does not hold what its type says is refused, without its value in the text."""
    wrong = Placed.model_construct(**{**PLACED.__dict__, "order_id": [CANARY]})
    with pytest.raises(InvalidMessage) as caught:
        encode(wrong)
    assert (caught.value.field, caught.value.path) == ("payload", "$.order_id")
    assert CANARY not in str(caught.value)
    with pytest.raises(InvalidMessage):
        encode(Counted(CANARY, MOMENT, Decimal(1)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"order_id": [CANARY]}, "$.order_id"),
        ({"lines": [{"sku": CANARY}]}, "$.lines[0].at"),
        ({"total": CANARY}, "$.total"),
    ],
)
def test_a_body_that_does_not_fit_is_undecodable_at_its_path(change: dict[str, object], path: str) -> None:
    """OB-71, OB-95: body.invalid with the path, never the value."""
    with pytest.raises(Undecodable) as caught:
        decode(Placed, {**encode(PLACED), **change})
    assert (caught.value.path, caught.value.code) == (path, "body.invalid")
    assert CANARY not in str(caught.value)
    with pytest.raises(Undecodable):
        decode(Placed, [1])


def test_a_models_own_text_of_a_time_stays() -> None:
    """OB-98: what the model writes on purpose is its own."""

    class Daily(BaseModel):
        at: datetime
        naive: datetime

        @field_serializer("at")
        def day(self, at: datetime) -> str:
            return f"{at:%Y/%m/%d}"

    event = Daily(at=MOMENT, naive=datetime(2026, 1, 1))  # noqa: DTZ001  a naive one on purpose
    assert encode(event) == {"at": "2026/11/20", "naive": "2026-01-01T00:00:00"}


@given(st.decimals(allow_nan=False, allow_infinity=False), st.datetimes(timezones=st.just(UTC)), st.integers())
def test_no_value_is_lost_on_the_way(price: Decimal, at: datetime, n: int) -> None:
    """OB-71: encode and decode are inverse."""
    counted = Counted(n, at, price)
    assert decode(Counted, encode(counted)) == counted


def test_pydantic_is_loaded_on_first_use_only() -> None:
    """OB-99: what imports the codecs stays light."""
    code = "import sys, outrider.codecs.events, outrider.codecs.cloudevents; sys.exit('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
