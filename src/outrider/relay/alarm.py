"""The alarm that many messages of the relay are parked. It stops nothing: other keys go on whatever their number (OB-42)."""


class ParkAlarm:
    """Says once that `threshold` is reached, and again only after it was left."""

    def __init__(self, threshold: int) -> None:
        self.threshold = threshold
        self._raised = False

    def look(self, parked: int) -> bool:
        """Whether the alarm is to be raised now that so many are parked."""
        before, self._raised = self._raised, parked >= self.threshold
        return self._raised and not before
