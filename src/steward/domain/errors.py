"""What Steward refuses, each by the code of its problem; the tree answers "who acts?": here always the caller.

::

    StewardError                   a stable `code` of ST-55 and typed fields; the message is built from them
    ├─ ValidationFailed            a value is outside what its field takes
    ├─ NotFound                    absent, or another person's: the two cannot be told apart
    ├─ TargetCompleted             the task is done or deleted
    ├─ TargetAlreadyScheduled      the task has its time, or the block its makeup
    ├─ SlotConflict                a place breaks hard constraints; `conflicts` names each
    ├─ BaseVersionChanged          the calendar is no longer the one that was seen; `changed` says where
    ├─ InvalidEditedChanges        an edit names no change, or gives what the change does not take
    ├─ UnsupportedChangeType       a candidate of this type is nothing to confirm
    └─ UndoNotPossible             what was applied is no longer as it was left; `reasons` says why

Source: spec/scheduling.md ST-55, §18.
"""

from typing import ClassVar


class StewardError(Exception):
    """Base of all refusals: `code` is stable and public, the text is for a person and may change."""

    code: ClassVar[str] = "steward.error"


class ValidationFailed(StewardError):
    """`field` has a value outside what it takes; `reason` says what would be taken."""

    code = "validation_failed"

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(field, reason)
        self.field, self.reason = field, reason

    def __str__(self) -> str:
        return f"{self.field}: {self.reason}"


class NotFound(StewardError):
    """There is no such `kind` with this id, or it belongs to somebody else."""

    code = "not_found"

    def __init__(self, kind: str, wanted: str) -> None:
        super().__init__(kind, wanted)
        self.kind, self.wanted = kind, wanted

    def __str__(self) -> str:
        return f"no {self.kind} {self.wanted}"


class TargetCompleted(StewardError):
    """The task that a candidate would place is completed or deleted."""

    code = "target_completed"


class TargetAlreadyScheduled(StewardError):
    """The task has all its time in the calendar already, or the unfinished block its makeup (ST-27)."""

    code = "target_already_scheduled"


class SlotConflict(StewardError):
    """Places that break the hard constraints of ST-28; `conflicts` has one line for each."""

    code = "slot_conflict"

    def __init__(self, conflicts: tuple[str, ...]) -> None:
        super().__init__(conflicts)
        self.conflicts = conflicts

    def __str__(self) -> str:
        return "; ".join(self.conflicts)


class BaseVersionChanged(StewardError):
    """What the candidate was computed from has changed since; `changed` names the parts that differ.

    `current` is the base version as it is now, `newer_preview_id` a preview of the same target that was made since.
    """

    code = "base_version_changed"

    def __init__(self, changed: tuple[str, ...], current: str = "", newer_preview_id: str | None = None) -> None:
        super().__init__(changed, current, newer_preview_id)
        self.changed, self.current, self.newer_preview_id = changed, current, newer_preview_id

    def __str__(self) -> str:
        return "changed since: " + ", ".join(self.changed)


class InvalidEditedChanges(StewardError):
    """The edit of `change_id` is not one that its change takes."""

    code = "invalid_edited_changes"

    def __init__(self, change_id: str, reason: str) -> None:
        super().__init__(change_id, reason)
        self.change_id, self.reason = change_id, reason

    def __str__(self) -> str:
        return f"{self.change_id}: {self.reason}"


class UnsupportedChangeType(StewardError):
    """A candidate of this type changes nothing, so there is nothing to confirm."""

    code = "unsupported_change_type"


class UndoNotPossible(StewardError):
    """What was applied can no longer be taken back; `reasons` has one line for each obstacle."""

    code = "undo_not_possible"

    def __init__(self, reasons: tuple[str, ...]) -> None:
        super().__init__(reasons)
        self.reasons = reasons

    def __str__(self) -> str:
        return "; ".join(self.reasons)
