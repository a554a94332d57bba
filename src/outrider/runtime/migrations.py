"""The numbered scripts that ship with a storage, and what the meta table says once some of them have run.

Source: spec/outbox.md section 13, `migrate`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Final
from uuid import UUID

from outrider.core.identity import HASH_FUNCTION
from outrider.core.meta import HASH, INSTANCE, POST, PRE, SERVICE

DROPS: Final = (
    *(f"DROP VIEW IF EXISTS {{{view}}}" for view in ("outbox_status", "outbox_own")),
    *(
        f"DROP TABLE IF EXISTS {{{table}}}"
        for table in (
            "outbox_cursor", "outbox_subscription", "outbox_advance", "outbox_delivery", "outbox_pause", "outbox_pending",
            "outbox_message", "inbox_consumer", "inbox_key", "inbox_receipt", "inbox_delivery", "outrider_route",
            "outrider_process", "outrider_audit", "outrider_meta",
        )
    ),
)  # fmt: skip
"""Everything that migrations make, gone: for tables that were made to be thrown away, and for no others."""

_FILE: Final = re.compile(r"(\d{4})_(pre|post)\.sql")


@dataclass(frozen=True, slots=True, order=True)
class Migration:
    """One half of one numbered migration."""

    number: int
    is_post: bool
    text: str

    @property
    def name(self) -> str:
        """`0001_pre`, as its file."""
        return f"{self.number:04}_{'post' if self.is_post else 'pre'}"


def shipped(package: str) -> list[Migration]:
    """All that ship with the storage of this package, in the order in which they run."""
    return sorted(
        Migration(int(match[1]), match[2] == "post", file.read_text(encoding="utf-8"))
        for file in files(package).joinpath("migrations").iterdir()
        if (match := _FILE.fullmatch(file.name))
    )


def facts_after(ran: Sequence[Migration], known: Mapping[str, str], service: str, random: bytes) -> dict[str, str]:
    """What the meta table says after `ran`; a new instance gets its id, made of 16 random bytes, and its hash function."""
    head = max((one.number for one in ran if not one.is_post), default=int(known.get(PRE, 0)))
    cleared = max((one.number for one in ran if one.is_post), default=int(known.get(POST, 0)))
    facts = {PRE: str(head), POST: str(cleared), SERVICE: service}
    if INSTANCE not in known:
        facts |= {INSTANCE: str(UUID(bytes=random, version=4)), HASH: HASH_FUNCTION}
    return facts
