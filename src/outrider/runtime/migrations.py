"""The numbered scripts that ship with a storage, and what the meta table says once some of them have run.

Each family of tables has its own scripts. Source: spec/outbox.md section 13, `migrate`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Final
from uuid import UUID

from outrider.core.identity import HASH_FUNCTION
from outrider.core.meta import HASH, INSTANCE, OUTBOX, SERVICE, Family

DROPS: Final = (
    *(f"DROP VIEW IF EXISTS {{{view}}}" for view in ("outbox_status", "outbox_own")),
    *(
        f"DROP TABLE IF EXISTS {{{table}}}"
        for table in (
            "outbox_cursor", "outbox_subscription", "outbox_advance", "outbox_delivery", "outbox_pause", "outbox_pending",
            "outbox_message", "inbox_consumer", "inbox_key", "inbox_receipt", "inbox_delivery", "outrider_route",
            "outrider_process", "outrider_audit", "outrider_meta",
            "attempt", "record", "dedupe", "request", "address", "preference", "destination", "digest", "inbox_item",
        )
    ),
)  # fmt: skip
"""Everything that migrations make, gone: for tables that were made to be thrown away, and for no others."""

_FILE: Final = re.compile(r"(\d{4})_(pre|post)\.sql")


@dataclass(frozen=True, slots=True, order=True)
class Migration:
    """One half of one numbered migration of a family."""

    family: Family
    number: int
    is_post: bool
    text: str

    @property
    def name(self) -> str:
        """`0001_pre`, as its file; that of a family which not every service has, `notification/0001_pre`."""
        half = f"{self.number:04}_{'post' if self.is_post else 'pre'}"
        return half if self.family == OUTBOX else f"{self.family.name}/{half}"


def shipped(package: str, family: Family = OUTBOX) -> list[Migration]:
    """All of a family that ship with the storage of this package, in the order in which they run."""
    folder = files(package).joinpath("migrations", *(() if family == OUTBOX else (family.name,)))
    return sorted(
        Migration(family, int(match[1]), match[2] == "post", file.read_text(encoding="utf-8"))
        for file in folder.iterdir()
        if (match := _FILE.fullmatch(file.name))
    )


def facts_after(ran: Sequence[Migration], known: Mapping[str, str], service: str, random: bytes) -> dict[str, str]:
    """What the meta table says after `ran`; a new instance gets its id, made of 16 random bytes, and its hash function."""
    facts = {SERVICE: service}
    for family in {OUTBOX, *(one.family for one in ran)}:
        for fact, is_post in ((family.pre, False), (family.post, True)):
            numbers = [one.number for one in ran if (one.family, one.is_post) == (family, is_post)]
            facts[fact] = str(max(numbers, default=int(known.get(fact, 0))))
    if INSTANCE not in known:
        facts |= {INSTANCE: str(UUID(bytes=random, version=4)), HASH: HASH_FUNCTION}
    return facts
