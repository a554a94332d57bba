"""Calls of a model by a person on a day, counted before each call. Source: spec/scheduling.md ST-38."""

from steward.ports.rows.person import ModelUseRow
from steward.ports.storage import Is, Raise, Storage, Taken, Writing


async def spend_call(storage: Storage, user_id: str, daily_max: int) -> bool:
    """Count one more call of today (UTC), in a transaction of its own; False where the day's are used up."""

    async def count(tx: Writing) -> bool:
        day = tx.now.date()
        below = {"user_id": user_id, "day": day, "calls": Is("<", daily_max)}
        if await tx.change(ModelUseRow, below, {"calls": Raise()}):
            return True
        if daily_max < 1 or await tx.one(ModelUseRow, {"user_id": user_id, "day": day}) is not None:
            return False
        try:
            await tx.savepoint(lambda: tx.insert(ModelUseRow(user_id, day, calls=1)))
        except Taken:
            return await tx.change(ModelUseRow, below, {"calls": Raise()}) > 0
        return True

    return await storage.write(count)
