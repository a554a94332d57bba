"""What a reader sees as one character, and cutting between two of them.

Invariant: `cut` never parts what belongs together; where in doubt characters stay together, so a cut may come earlier,
never in the middle. Source: spec/notification.md NT-37; Unicode Standard Annex 29.
"""

from typing import Final
from unicodedata import category, combining

_JOINERS: Final = "\u200c\u200d"
_EXTENDING: Final = frozenset({"Mn", "Me", "Mc"})
_FIRST_JAMO: Final = ("\u1100", "\u115f")
_LATER_JAMO: Final = ("\u1160", "\u11ff")
_SKIN_TONES: Final = ("\U0001f3fb", "\U0001f3ff")
_TAGS: Final = ("\U000e0020", "\U000e007f")
_FLAG_LETTERS: Final = ("\U0001f1e6", "\U0001f1ff")
_HALF_WIDTH_MARKS: Final = "\uff9e\uff9f"
_PREPENDED: Final = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")
_VIRAMA: Final = 9


def cut(text: str, limit: int) -> str:
    """The longest beginning of `text` of at most `limit` characters that ends between two clusters; may be empty."""
    if len(text) <= limit:
        return text
    end = max(limit, 0)
    while end and not _parts(text, end):
        end -= 1
    return text[:end]


def _parts(text: str, place: int) -> bool:
    """Whether one cluster ends and another begins at `place`, which lies inside `text`."""
    before, after = text[place - 1], text[place]
    if before < "\u0300" and after < "\u0300":
        return not (before == "\r" and after == "\n")
    return not (_continues(after) or _holds(before, after) or _within_flag(text, place))


def _continues(character: str) -> bool:
    return (
        character in _JOINERS
        or character in _HALF_WIDTH_MARKS
        or category(character) in _EXTENDING
        or _between(character, _SKIN_TONES)
        or _between(character, _TAGS)
        or _between(character, _LATER_JAMO)
    )


def _holds(before: str, after: str) -> bool:
    """Whether `before` keeps what follows: a joiner, a sign that stands before its number, half a syllable."""
    return (
        before in _JOINERS
        or before in _PREPENDED
        or (_between(before, _FIRST_JAMO) and (_between(after, _FIRST_JAMO) or "\uac00" <= after <= "\ud7a3"))
        or (combining(before) == _VIRAMA and category(after) == "Lo")
    )


def _within_flag(text: str, place: int) -> bool:
    """Whether `place` lies between the two letters of a flag: an odd number of such letters stands before it."""
    if not _between(text[place], _FLAG_LETTERS):
        return False
    start = place
    while start and _between(text[start - 1], _FLAG_LETTERS):
        start -= 1
    return (place - start) % 2 == 1


def _between(character: str, ends: tuple[str, str]) -> bool:
    return ends[0] <= character <= ends[1]
