"""What settings are made of: the text forms of their values, and the section.

A duration is a number of seconds or a number with a unit (`15 s`, `100 ms`, `10 min`, `7 d`), a size a number of bytes or one
with `KiB`, `MiB`; `none` means no value where a key may lack one; lists are comma-separated.
Source: spec/outbox.md section 14.
"""

import re
from datetime import timedelta
from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(us|ms|s|sec|min|m|h|d)?")
_SIZE: Final = re.compile(r"(\d+)\s*(b|kb|kib|mb|mib)?", re.IGNORECASE)
_SECONDS: Final = {"us": 1e-6, "ms": 1e-3, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400}
_BYTES: Final = {"b": 1, "kb": 1_000, "kib": 1_024, "mb": 1_000_000, "mib": 1_048_576}


def parse_duration(value: object) -> object:
    """Turn `15 s`, `100 ms` or a number of seconds into a timedelta. Raises ValueError, also for a negative one."""
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
    elif isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
    elif isinstance(value, str) and (match := _DURATION.fullmatch(value.strip().lower())):
        seconds = float(match[1]) * _SECONDS[match[2] or "s"]
    else:
        raise ValueError("must be a duration: a number of seconds, or one with ms, s, min, h or d")
    if not 0 <= seconds < timedelta.max.total_seconds():
        raise ValueError("must be a duration of 0 or more")
    return timedelta(seconds=seconds)


def parse_size(value: object) -> object:
    """Turn `16 MiB` or a number of bytes into an int. Raises ValueError."""
    if isinstance(value, str) and (match := _SIZE.fullmatch(value.strip())):
        return int(match[1]) * _BYTES[(match[2] or "b").lower()]
    return value


def _none(value: object) -> object:
    return None if isinstance(value, str) and value.strip().lower() in {"", "none"} else value


def parse_items(value: object) -> object:
    """Turn comma-separated text into a list; what is one already stays."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Span = Annotated[Duration, Field(gt=timedelta(0))]
Size = Annotated[int, BeforeValidator(parse_size), Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
NotGiven = BeforeValidator(_none)
"""Nothing may be said as `none`."""
Text = Annotated[str | None, NotGiven]
Names = Annotated[tuple[str, ...], BeforeValidator(parse_items)]


class Section(BaseModel):
    """A group of settings: frozen, nothing unknown in it."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
