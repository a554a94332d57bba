"""A short version of every campaign: real processes, real servers, real SIGKILLs. The long ones are `./run fault`."""

import pytest

from faults.__main__ import WRONG, run
from faults.options import Options

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
    "outage": Options(kills=0, messages=300, seconds=6, transactional=False, seed=15),
}


@pytest.mark.timeout(180)
@pytest.mark.usefixtures("servers_installed")
@pytest.mark.parametrize("name", SHORT)
def test_nothing_is_lost_doubled_or_out_of_order_under_faults(name: str) -> None:
    """OB-1 OB-2 OB-3 OB-4 OB-5 OB-100: whatever is killed, each committed message takes effect once and in order; a process
    that starts again on its host needs no lease to run out, unless the proof of its death is gone.
    """
    options = SHORT[name]
    figures = run(name.partition(" ")[0], options, quiet=True)
    assert not any(figures.get(wrong) for wrong in WRONG), figures
    assert options.kills in {figures["kills"], figures.get("changes")}
    if options.transactional:
        assert figures["duplicates_in_topic"] == 0, figures
    if name == "restart":
        assert figures["without_file_s"] > figures["lease_s"] / 2, figures
    if name == "amnesia":  # OB-74, OB-75: what the broker lost is found and handled
        assert figures["wiped_unconsumed"] > 0, figures
        assert figures["redelivered"] == 100, figures
    if name == "prune":  # OB-76, OB-77: nothing undelivered goes, no receipt before its message
        assert figures["pruned_meanwhile"] > 0, figures
        assert figures["undelivered_pruned"] == figures["receipts_early"] == 0, figures
    if name == "poison":  # OB-36, OB-40, OB-64: each kind is set aside with its reason, and nothing else is
        assert figures["set_aside"] == figures["poisons"] == 5, figures
        assert figures["innocents_dead"] == 0, figures
    if name == "rebase":
        assert figures["refused_without"], figures
        assert figures["undelivered"] > 0, figures
    if name == "outage":
        assert figures["dead"] == figures["attempts_counted"] == 0, figures
