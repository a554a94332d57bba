"""A short version of every campaign: real processes, real servers, real SIGKILLs. The long ones are `./run fault`."""

from collections.abc import Callable
from typing import Any

import pytest

from faults.__main__ import run
from faults.bars import misses
from faults.options import Options
from faults.points import POINTS

SHORT = {
    "relay": Options(kills=4, messages=400, seconds=0, transactional=False, seed=7),
    "relay transactional": Options(kills=4, messages=400, seconds=0, transactional=True, seed=8),
    "consume": Options(kills=4, messages=400, seconds=0, transactional=False, seed=9),
    "add": Options(kills=6, messages=400, seconds=0, transactional=False, seed=10),
    "postgres": Options(kills=2, messages=400, seconds=0, transactional=False, seed=11),
    "mariadb": Options(kills=2, messages=300, seconds=0, transactional=False, seed=31, database="mariadb"),
    "relay on mariadb": Options(kills=2, messages=300, seconds=0, transactional=False, seed=32, database="mariadb"),
    "consume on mariadb": Options(kills=2, messages=300, seconds=0, transactional=False, seed=33, database="mariadb"),
    "kafka": Options(kills=1, messages=400, seconds=0, transactional=False, seed=12),
    "zombie": Options(kills=2, messages=200, seconds=0, transactional=False, seed=13),
    "zombie transactional": Options(kills=2, messages=200, seconds=0, transactional=True, seed=14),
    "restart": Options(kills=4, messages=200, seconds=0, transactional=False, seed=16),
    "amnesia": Options(kills=1, messages=0, seconds=0, transactional=False, seed=17),
    "prune": Options(kills=2, messages=0, seconds=0, transactional=False, seed=18),
    "poison": Options(kills=1, messages=400, seconds=0, transactional=False, seed=19),
    "lanes": Options(kills=8, messages=400, seconds=0, transactional=False, seed=19),
    "lanes transactional": Options(kills=8, messages=400, seconds=0, transactional=True, seed=20),
    "rebase": Options(kills=2, messages=400, seconds=0, transactional=False, seed=21),
    "notification": Options(kills=2, messages=40, seconds=0, transactional=False, seed=22),
    "notification-frozen": Options(kills=2, messages=30, seconds=0, transactional=False, seed=24),
    "notification-points": Options(kills=6, messages=10, seconds=0, transactional=False, seed=23),
    "pipeline": Options(kills=3, messages=12, seconds=0, transactional=False, seed=24),
    "outage": Options(kills=0, messages=300, seconds=6, transactional=False, seed=15),
}


NAMED = {"notification-frozen", "notification-points"}
"""Those that have a test of their own."""

pytestmark = pytest.mark.timeout(180)
with_servers = pytest.mark.usefixtures("servers_installed")


@with_servers
@pytest.mark.parametrize("name", [name for name in SHORT if name not in NAMED])
def test_nothing_is_lost_doubled_or_out_of_order_under_faults(name: str) -> None:
    """OB-1 OB-2 OB-3 OB-4 OB-5 OB-100: whatever is killed, each committed message takes effect once and in order; a process
    that starts again on its host needs no lease to run out, unless the proof of its death is gone.
    """
    _keeps(name)


@with_servers
def test_sigkill_at_six_points_of_a_send() -> None:
    """NT-9, NT-10, NT-12, NT-13: a notifier dies between its steps and within them, once at each; every record ends."""
    _keeps("notification-points")


@with_servers
def test_sigstop_beyond_lease() -> None:
    """NT-11, NT-13, NT-14: a notifier that is stopped until others own its records writes nothing over what they did."""
    _keeps("notification-frozen")


def _keeps(name: str) -> None:
    """Run the short campaign; it met what it must meet, and nothing is amiss."""
    options = SHORT[name]
    figures = run(name.partition(" ")[0], options, quiet=True)
    assert not misses(figures), figures
    assert options.kills in {figures["kills"], figures.get("changes")}
    if options.transactional:
        assert figures["duplicates_in_topic"] == 0, figures
    if name in SHOWS:
        assert SHOWS[name](figures), figures


def _inbox_all_sent(figures: dict[str, Any]) -> bool:
    ended: dict[str, int] = figures["ended"]["inbox"]
    return sum(ended.values()) == ended["sent"]


SHOWS: dict[str, Callable[[dict[str, Any]], bool]] = {
    "restart": lambda figures: figures["without_file_s"] > figures["lease_s"] / 2,
    # OB-74, OB-75: what the broker lost is found and handled
    "amnesia": lambda figures: figures["wiped_unconsumed"] > 0,
    # OB-76, OB-77: nothing undelivered goes, no receipt before its message
    "prune": lambda figures: figures["pruned_meanwhile"] > 0,
    # OB-36, OB-40, OB-64: each kind is set aside with its reason, and nothing else is
    "poison": lambda figures: figures["poisons"] == 5 and figures["others_late_worst_s"] > 0,
    # ST-68: each task has its one preview, or the reason why there is none
    "pipeline": lambda figures: sum(figures["ended"].values()) == figures["committed"] == figures["tasks"],
    # NT-9, NT-13, NT-18 to NT-22: every record ends, and what is repeated is what may be
    "notification": lambda figures: _inbox_all_sent(figures) and figures["hidden_by_key"] + figures["repeats"] > 0,
    "notification-frozen": _inbox_all_sent,
    "notification-points": lambda figures: figures["killed_at"] == dict.fromkeys(POINTS, 1),
    "rebase": lambda figures: figures["undelivered"] > 0,
}
"""What a campaign must have met, or it showed nothing."""


RIGHT = {
    "lost": 0, "innocents_dead": 0, "poisons": 5, "set_aside": 5, "set_aside_by_kind": {"refused": 5},
    "others_late_s": {"kills_relay": 5.9, "refused": 0.1}, "bound_s": 6.0,
}  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [
        {"lost": 1}, {"seen_twice": 1}, {"repeats_max": 3}, {"key_changed": 1},
        {"innocents_dead": 1}, {"set_aside": 4}, {"redelivered": 99.5}, {"refused_without": False},
        {"others_late_s": {"kills_relay": 6.1, "refused": 0.1}},
    ],
)  # fmt: skip
def test_a_campaign_fails_on_each_figure_of_its_bar(wrong: dict[str, object]) -> None:
    """A healthy message that comes too late beside poison is as wrong as one that is lost."""
    assert misses(RIGHT) == []
    (miss,) = misses(RIGHT | wrong)
    assert miss.startswith(next(iter(wrong)))
