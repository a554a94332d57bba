"""The history checker: what was committed against what was seen, in linear time.

It proves I1 to I4 of the invariants (nothing lost, nothing invented, order per key, effect once) from plain lists, so
that fault runs, the demo and `outrider verify` judge by the same rule. Source: design.md section 10, OB-1 to OB-4.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Key = TypeVar("Key")
Token = TypeVar("Token")


@dataclass(frozen=True, slots=True)
class Findings(Generic[Token]):
    """What is wrong, each a list of tokens; all empty means that the history is right.

    `lost`: committed, neither seen nor excused · `phantom`: seen, never committed · `repeated`: seen more than once ·
    `inversions`: seen for the first time after a later one of its key.
    """

    lost: Sequence[Token]
    phantom: Sequence[Token]
    repeated: Sequence[Token]
    inversions: Sequence[Token]


def check(
    committed: Mapping[Key, Sequence[Token]], seen: Iterable[tuple[Key, Token]], excused: Collection[Token] = ()
) -> Findings[Token]:
    """Compare what was committed, for each key in causal order, with what was seen, in the order it was seen.

    `excused` tokens (dead, discarded) may be missing. Tokens are unique over all keys.
    """
    place = {token: (key, index) for key, tokens in committed.items() for index, token in enumerate(tokens)}
    counts: Counter[Token] = Counter()
    highest: dict[Key, int] = {}
    phantom: list[Token] = []
    inversions: list[Token] = []
    for key, token in seen:
        counts[token] += 1
        found = place.get(token)
        if found is None or found[0] != key:
            phantom.append(token)
        elif counts[token] == 1:
            if found[1] < highest.get(key, -1):
                inversions.append(token)
            else:
                highest[key] = found[1]
    return Findings(
        lost=[token for token in place if token not in counts and token not in excused],
        phantom=phantom,
        repeated=[token for token, times in counts.items() if times > 1],
        inversions=inversions,
    )
