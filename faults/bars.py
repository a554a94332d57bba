"""What the figures of a campaign must be: what its command fails on, and its short test."""

from typing import Any

WRONG = (
    "lost", "phantom", "doubled_effects", "inversions", "stuck", "undelivered_pruned", "receipts_early", "innocents_dead",
    "dead", "attempts_counted", "reasonless", "dead_but_seen", "seen_twice", "items_twice", "key_changed",
    "blind_retries_outside_window", "repeats_unprovoked", "rate_exceeded",
    "half_written", "overlaps", "double_winners", "unexplained",
    "previews_twice", "triggers_twice",
)  # fmt: skip
"""Counts that are 0 in a right system."""
WHOLE = {"redelivered": 100, "refused_without": True}
"""What these figures are in a right system."""


AT_MOST = {"repeats_max": 2}
"""What these figures may be in a right system."""


def misses(figures: dict[str, Any]) -> list[str]:
    """Every figure that is not as it must be, in words; none in a right system."""
    found = [f"{name}: {figures[name]}, not 0" for name in WRONG if figures.get(name)]
    found += [
        f"{name}: {figures[name]}, not {right}" for name, right in WHOLE.items() if figures.get(name, right) != right
    ]
    found += [
        f"{name}: {figures[name]}, more than {most}" for name, most in AT_MOST.items() if figures.get(name, 0) > most
    ]
    if "poisons" in figures and figures["set_aside"] != figures["poisons"]:
        found.append(f"set_aside: {figures['set_aside_by_kind']}, not all {figures['poisons']}")
    for kind, seconds in figures.get("others_late_s", {}).items():
        if seconds > figures["bound_s"]:
            found.append(f"others_late_s: {seconds} beside {kind}, more than {figures['bound_s']}")
    return found
