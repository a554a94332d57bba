"""What a broker's mark is compared with. Contracts: outrider/core/marks.py."""

from outrider.core.steps import Params, Rows
from outrider.storages.memory.access import MemoryAccess

UNFINISHED = frozenset({"waiting", "retrying", "parked"})


def find_log_message(db: MemoryAccess, params: Params) -> Rows:
    """(message id text) of the log row, if it is there."""
    row = db.get("outbox_message", params["log_id"])
    return [] if row is None else [(str(row["message_id"]),)]


def find_unfinished(db: MemoryAccess, params: Params) -> Rows:
    """(log_id) of the delivery, if it is unfinished and of this generation."""
    row = db.get("outbox_delivery", (params["subscription_id"], params["log_id"]))
    if row is None or row["status"] not in UNFINISHED or row["generation"] != params["generation"]:
        return []
    return [(row["log_id"],)]
