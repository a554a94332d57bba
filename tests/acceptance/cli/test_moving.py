"""Moving the readers of the log: other numbers of lanes, and positions made anew."""

import os
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.cli.conftest import EVERYWHERE, PROGRAM

if TYPE_CHECKING:
    from tests.acceptance.cli.conftest import Shop

pytestmark = pytest.mark.timeout(120)
WHY = ("--reason", "test", "--yes", "--json")


@EVERYWHERE
def test_lanes_are_changed_at_once_or_by_the_relay_that_runs_next(shop: "Shop") -> None:
    """OB-45, OB-81: a dry run changes nothing, a whole multiple is done at once, else 75 until a relay has
    carried it out.
    """
    assert shop.init().code == 0
    shop.add(6)
    dry = shop.run("cursor", "lanes", "relay", "4", "--dry-run", "--json")
    assert (dry.code, dry.json) == (
        0, {"dry_run": True, "subscription": "relay", "was": 1, "lanes": 4, "done": False},
    )  # fmt: skip
    assert len(shop.run("status", "--json").json["lanes"]) == 1
    assert shop.run("cursor", "lanes", "relay", "4", *WHY[2:]).code == 2, "no reason"
    more = shop.run("cursor", "lanes", "relay", "4", *WHY)
    assert (more.code, more.json["done"]) == (0, True), more.err
    assert len(shop.run("status", "--json").json["lanes"]) == 4
    less = shop.run("cursor", "lanes", "relay", "3", "--wait", "0", *WHY)
    assert (less.code, less.json["was"], less.json["done"]) == (75, 4, False)
    assert "relays or consumers will carry it out" in less.err
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OUTRIDER_")}
    with subprocess.Popen([PROGRAM, "relay", "-q"], cwd=shop.folder, env=environment) as relay:
        try:
            done = shop.run("cursor", "lanes", "relay", "3", *WHY)
        finally:
            relay.send_signal(signal.SIGTERM)
    assert (done.code, done.json["done"]) == (0, True), done.err
    assert len(shop.run("status", "--json").json["lanes"]) == 3
    assert shop.run("relay", "--once", "-q").code == 0
    assert [item["state"] for item in shop.run("messages", "list", "--json").json["items"]] == ["published"] * 6
    assert [line["verb"] for line in shop.run("audit", "--json").json["items"]].count("cursor lanes") == 3
    assert shop.run("cursor", "lanes", "nobody", "2", *WHY).code == 1


@pytest.mark.parametrize("shop", ["postgresql"], indirect=True)
def test_positions_are_made_anew_and_what_was_not_delivered_is_due(shop: "Shop") -> None:
    """OB-19, OB-20: from another cluster nothing is read until then; what had been published is not published again."""
    assert shop.init().code == 0
    shop.add(4)
    assert shop.run("relay", "--once", "-q").code == 0
    shop.sql("UPDATE orders_outbox_cursor SET cluster = 'another'")
    stopped = shop.run("relay", "--once", "-q")
    assert stopped.code == 2
    assert "outrider cursor rebase" in stopped.err
    assert "outrider cursor rebase" in shop.run("doctor", "--json").out
    assert shop.run("cursor", "rebase", "--dry-run", "--json").json["subscriptions"][0]["undelivered"] == 0
    assert shop.run("relay", "--once", "-q").code == 2, "a dry run changes nothing"
    done = shop.run("cursor", "rebase", *WHY)
    assert (done.code, done.json["subscriptions"][0]["undelivered"]) == (0, 0), done.err
    assert shop.run("relay", "--once", "--json", "-q").json["published"] == 0


@EVERYWHERE
def test_where_no_position_survived_an_id_says_from_where(shop: "Shop") -> None:
    """OB-20: all from that log id on is published again, once."""
    assert shop.init().code == 0
    shop.add(4)
    assert shop.run("relay", "--once", "-q").code == 0
    dry = shop.run("cursor", "rebase", "--from-id", "3", "--dry-run", "--json")
    assert (dry.code, dry.json) == (
        0, {"dry_run": True, "from_id": 3, "subscriptions": [{"subscription": "relay", "lanes": 1, "undelivered": 2}]},
    )  # fmt: skip
    assert shop.run("relay", "--once", "--json", "-q").json["published"] == 0, "a dry run changes nothing"
    done = shop.run("cursor", "rebase", "--from-id", "3", *WHY)
    assert (done.code, done.json["subscriptions"][0]["undelivered"]) == (0, 2), done.err
    assert shop.run("relay", "--once", "--json", "-q").json["published"] == 2
    assert shop.run("relay", "--once", "--json", "-q").json["published"] == 0
    last = shop.run("audit", "--json").json["items"][0]
    assert (last["verb"], last["affected"]) == ("cursor rebase", 2)
