"""What a campaign is told."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """`kills` faults over at least `messages` committed messages; `seconds` of outage; `seed` of all chance."""

    kills: int
    messages: int
    seconds: float
    transactional: bool
    seed: int
    database: str = "postgresql"
