"""What a person sends to confirm a preview, read before any transaction.

Invariant: two requests that ask for the same have the same hash, whatever else stands in them. Source: ST-43, steps 2 and 6.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from outrider import canonical_json
from steward.domain.edits import EDITS_MAX, Edit
from steward.domain.errors import InvalidEditedChanges, ValidationFailed
from steward.domain.hashing import hash_of
from steward.domain.ids import apply_id, parse_id
from steward.service.answer import tags
from steward.service.fields import flag, read_fields, required
from steward.service.instants import optional_text, parse_instant

CHANGE_ID_CHARACTERS_MAX: Final = 128


@dataclass(frozen=True, slots=True)
class ConfirmRequest:
    """A confirm as parsed; `if_match` is the base version that the person saw."""

    user_id: str
    preview_id: str
    candidate_id: str
    if_match: str
    edits: tuple[Edit, ...]
    key: str
    request_hash: str

    @property
    def apply_id(self) -> str:
        """The id of what this person does to this preview under this key."""
        return apply_id(self.user_id, self.preview_id, self.key, canonical_json)


def parse_confirm(
    user_id: str, preview_id: str, values: Mapping[str, object], *, if_match: str, key: str
) -> ConfirmRequest:
    """The request, or ValidationFailed with the field, InvalidEditedChanges for more edits than are read."""
    required(values, "candidate_id")
    read = read_fields(
        values,
        {
            "candidate_id": parse_id,
            "action": _action,
            "edited_changes": _edits,
            "requested_at": parse_instant,
            "idempotency_key": lambda value, field: _same_key(value, field, key),
        },
    )
    candidate_id = str(read["candidate_id"])
    edits = cast("tuple[Edit, ...]", read.get("edited_changes", ()))
    seen = tags(if_match)
    version = seen[0] if len(seen) == 1 else if_match
    said = {
        "user_id": user_id,
        "preview_id": preview_id,
        "if_match": version,
        "candidate_id": candidate_id,
        "action": "confirm",
        "edited_changes": [_edit_as_said(edit) for edit in edits],
    }
    return ConfirmRequest(
        user_id=user_id,
        preview_id=preview_id,
        candidate_id=candidate_id,
        if_match=version,
        edits=edits,
        key=key,
        request_hash=hash_of(said, canonical_json),
    )


def _action(value: object, field: str) -> str:
    if value != "confirm":
        raise ValidationFailed(field, "confirm; to leave the day as it is, ignore the preview")
    return "confirm"


def _same_key(value: object, field: str, key: str) -> str:
    if value != key:
        raise ValidationFailed(field, "the same as in the header Idempotency-Key")
    return key


def _edits(value: object, field: str) -> tuple[Edit, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise ValidationFailed(field, "a list of edits")
    if len(value) > EDITS_MAX:
        raise InvalidEditedChanges("", f"at most {EDITS_MAX} edits")
    return tuple(_edit(item, f"{field}[{number}]") for number, item in enumerate(value))


def _edit(value: object, place: str) -> Edit:
    if not isinstance(value, Mapping):
        raise ValidationFailed(place, "an object with change_id, and start_at and end_at, or drop")
    required(value, "change_id")
    readers = {"change_id": _change_id, "start_at": parse_instant, "end_at": parse_instant, "drop": flag}
    read: dict[str, Any] = read_fields(value, readers)
    return Edit(**read)


def _change_id(value: object, field: str) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= CHANGE_ID_CHARACTERS_MAX:
        raise ValidationFailed(field, "the change_id of a change of the candidate")
    return value


def _edit_as_said(edit: Edit) -> dict[str, object]:
    return {
        "change_id": edit.change_id,
        "start_at": optional_text(edit.start_at),
        "end_at": optional_text(edit.end_at),
        "drop": edit.drop,
    }
