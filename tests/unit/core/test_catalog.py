"""Services, routes and upcasters: OB-30, OB-31, OB-32, OB-33, OB-71, OB-73, OB-97."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel

from outrider.core.catalog import Catalog
from outrider.core.errors import CatalogError, InvalidMessage, Undecodable, UnknownVersion, UnregisteredType
from outrider.core.routing import Route, ServiceNames
from outrider.core.upcast import read_version, upcast


def two_services() -> Catalog:
    return Catalog("orders", "billing")


def test_names_of_a_service_follow_from_its_name() -> None:
    """OB-30: prefix, topic and group by convention, or as given."""
    catalog = Catalog()
    assert catalog.service("active-scheduler") == ServiceNames(
        "active-scheduler",
        "active_scheduler_",
        "outrider.active-scheduler.outbox",
        "outrider-active-scheduler-outbox-consumer",
    )
    own = Catalog(namespace="shop").service("orders", prefix="o_", topic="t", group="g")
    assert (own.prefix, own.topic, own.group) == ("o_", "t", "g")
    assert Catalog("orders", namespace="shop").services["orders"].topic == "shop.orders.outbox"


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("Orders", {}),
        ("", {}),
        ("o" * 33, {}),
        ("orders\n", {}),
        ("orders; drop table x", {}),
        ("orders", {"prefix": "Orders_"}),
        ("orders", {"prefix": 'a"b'}),
        ("orders", {"prefix": "p" * 41}),
        ("orders", {"topic": "a..b"}),
        ("orders", {"topic": "-a"}),
        ("orders", {"group": "a b"}),
    ],
)
def test_a_malformed_name_never_becomes_an_identifier(name: str, options: dict[str, str]) -> None:
    """OB-33: identifiers are built at start, from names that match their pattern (X7)."""
    with pytest.raises(CatalogError):
        Catalog().service(name, **options)
    with pytest.raises(CatalogError):
        Catalog(namespace="a b")


def test_registering_the_same_twice_is_fine() -> None:
    """OB-33: the same twice is fine, a contradiction is refused."""
    catalog = two_services()
    assert catalog.service("orders") == catalog.services["orders"]
    first = catalog.declare("order.placed", owner="orders")
    assert catalog.declare("order.placed", owner="orders") == first
    with pytest.raises(CatalogError, match="owner"):
        catalog.declare("order.placed", owner="billing")
    with pytest.raises(CatalogError, match="prefix"):
        catalog.service("orders", prefix="other_")


def test_defaults_of_a_route() -> None:
    """OB-31: producers the owner, topic the owner's, no consumers, continue, apply."""
    route = two_services().declare("order.placed", owner="orders")
    assert route == Route("order.placed", 1, "orders", ("orders",), (), "outrider.orders.outbox")
    assert (route.on_dead, route.late, route.max_bytes, route.topics) == ("continue", "apply", None, ())


def test_a_route_keeps_what_it_is_given() -> None:
    """OB-31: each argument has its place."""
    route = two_services().declare(
        "order.placed", "v3", owner="orders", producers=["orders", "billing"], consumers=["billing", "mail"],
        topic="special", topics=["other"], key="order_id", on_dead="hold", late="park", max_bytes=5_000,
    )  # fmt: skip
    assert route == Route(
        "order.placed", 3, "orders", ("orders", "billing"), ("billing", "mail"), "special", ("other",), "order_id",
        "hold", "park", 5_000,
    )  # fmt: skip


@pytest.mark.parametrize(
    "options",
    [
        {"owner": "nobody"},
        {"type": "1order"},
        {"type": "order placed"},
        {"type": "x" * 129},
        {"version": 0},
        {"version": 32_768},
        {"version": "x"},
        {"on_dead": "stop"},
        {"late": "drop"},
        {"max_bytes": 0},
        {"max_bytes": True},
        {"producers": []},
        {"consumers": "billing"},
        {"topic": "a..b"},
        {"topics": ["a b"]},
        {"key": ""},
    ],
)
def test_a_malformed_route_is_refused(options: dict[str, Any]) -> None:
    """OB-33: contradictions and malformed values raise CatalogError at start."""
    with pytest.raises(CatalogError):
        two_services().declare(**{"type": "order.placed", "owner": "orders", **options})


def test_all_faults_are_named_at_once() -> None:
    """OB-33: owner, prefix or topic shared, version gap; OB-73: a gap is refused at start."""
    catalog = two_services()
    catalog.service("shop", prefix="orders_", topic="outrider.billing.outbox")
    catalog.declare("a", owner="orders", producers=["stranger"])
    catalog.declare("b", owner="orders", topic="outrider.shop.outbox", topics=["outrider.billing.outbox"])
    catalog.declare("c", version=4, owner="orders")
    for version in (1, 3, 4):
        catalog.upcast("c", version)(lambda data: data)
    catalog.upcast("undeclared", 1)(lambda data: data)
    with pytest.raises(CatalogError) as caught:
        catalog.check()
    text = "\n".join(caught.value.faults)
    for word in (
        "share the prefix",
        "share the topic",
        "'stranger'",
        "belongs to",
        "from version 2 to 3",
        "upcaster from version 4",
        "'undeclared'",
    ):
        assert word in text, word


def test_a_sound_catalog_passes() -> None:
    """OB-33: nothing to say."""
    catalog = two_services()
    catalog.declare("order.placed", version=3, owner="orders", consumers=["billing"], topics=["extra"])
    catalog.upcast("order.placed", 1)(lambda data: data)
    catalog.upcast("order.placed", "v2")(lambda data: data)
    catalog.check()
    assert list(catalog.routes) == ["order.placed"]
    assert set(catalog.upcasters("order.placed")) == {1, 2}
    assert "order.placed" in catalog
    assert "other" not in catalog


def test_a_type_outside_the_catalog_is_unregistered() -> None:
    """OB-32: UnregisteredType, for a name and for an instance."""
    with pytest.raises(UnregisteredType, match=r"order\.placed"):
        two_services().route("order.placed")
    with pytest.raises(UnregisteredType, match="int"):
        two_services().route_for(5)


class PlacedOnce(BaseModel):
    order_id: str


class Placed(BaseModel):
    order_id: str
    currency: str


@dataclass
class Counted:
    n: int


def test_a_typed_event_knows_its_type_version_and_key() -> None:
    """OB-71: pydantic models and dataclasses; each class of a type has its own version."""
    catalog = two_services()
    assert catalog.event("order.placed", 1, owner="orders", key="order_id")(PlacedOnce) is PlacedOnce
    catalog.event("order.placed", 2, owner="orders", key="order_id")(Placed)
    catalog.event("order.counted", owner="orders")(Counted)
    catalog.upcast("order.placed", 1)(lambda data: {**data, "currency": "EUR"})
    catalog.check()
    assert catalog.route("order.placed").event_class is Placed
    assert catalog.route_for(PlacedOnce(order_id="x")).version == 1
    assert catalog.route_for(Placed(order_id="x", currency="EUR")).version == 2
    assert catalog.route_for(Counted(1)).type == "order.counted"
    assert catalog.is_event(Counted(1))
    assert not catalog.is_event({"n": 1})


def _two_classes(catalog: Catalog) -> None:
    catalog.event("a", owner="orders")(Placed)
    catalog.event("a", owner="orders")(Counted)


def _two_types(catalog: Catalog) -> None:
    catalog.event("a", owner="orders")(Placed)
    catalog.event("b", owner="orders")(Placed)


def _two_upcasters(catalog: Catalog) -> None:
    catalog.upcast("a", 1)(lambda data: data)
    catalog.upcast("a", 1)(lambda data: {**data})


def _no_such_key(catalog: Catalog) -> None:
    catalog.event("a", owner="orders", key="nothing")(Placed)


def _no_event_class(catalog: Catalog) -> None:
    catalog.event("a", owner="orders")(int)


@pytest.mark.parametrize("act", [_two_classes, _two_types, _two_upcasters, _no_such_key, _no_event_class])
def test_a_contradiction_of_classes_is_refused(act: Callable[[Catalog], None]) -> None:
    """OB-71: what does not fit raises CatalogError at start."""
    with pytest.raises(CatalogError):
        act(two_services())


def test_a_catalog_comes_back_from_its_rows() -> None:
    """OB-97: the table outrider_route gives back routes with the same hash; JSON columns as text or as lists."""
    catalog = two_services()
    catalog.declare("order.placed", 3, owner="orders", consumers=["mail", "billing"], on_dead="hold", max_bytes=9)
    catalog.declare("order.paid", owner="billing", producers=["orders", "billing"], late="park")
    rows = [route.to_row(consumers_here=["billing"]) for route in catalog.routes.values()]
    rows[1] = {**rows[1], "producers": ["billing", "orders"], "consumers": []}
    again = Catalog.from_rows("outrider", [catalog.services["orders"]], rows)
    again.check()
    assert set(again.services) == {"orders", "billing"}
    for name, route in catalog.routes.items():
        twin = again.route(name)
        assert twin.hash() == route.hash() == route.to_row()["hash"]
        assert (twin.version, twin.owner, twin.on_dead, twin.late) == (
            route.version,
            route.owner,
            route.on_dead,
            route.late,
        )
    assert rows[0]["consumers_here"] == '["billing"]'
    assert len(rows[0]["hash"]) == 64


def test_another_route_has_another_hash_and_the_order_of_names_does_not_matter() -> None:
    """OB-97: a changed type is told from an unchanged one; OB-98: SHA-256 of canonical JSON in lower hex."""
    first = two_services().declare("a", owner="orders", consumers=["x", "y"])
    assert first.hash() == two_services().declare("a", owner="orders", consumers=["y", "x"]).hash()
    assert first.hash() != two_services().declare("a", owner="orders", consumers=["y"]).hash()
    assert first.hash() != two_services().declare("a", 2, owner="orders", consumers=["x", "y"]).hash()


def test_a_row_that_is_no_route_is_refused() -> None:
    """OB-97: names from the table pass the same patterns."""
    row = two_services().declare("a", owner="orders").to_row()
    for change in ({"owner": "x y"}, {"on_dead": "newer"}, {"topic": "a;b"}, {"version_max": 0}):
        with pytest.raises(CatalogError):
            Catalog.from_rows("outrider", [], [{**row, **change}])


@pytest.mark.parametrize("written", ["v3", "3", 3])
def test_three_ways_to_write_a_version_are_one(written: str | int) -> None:
    """OB-85: "v3", "3" and 3 are one version."""
    assert read_version(written) == 3


@pytest.mark.parametrize("written", [0, -1, 32_768, "x", "", "v", "03", "3.0", " 3", "3\n", True, 3.0, None, "\u0663"])
def test_what_is_no_version_is_refused(written: object) -> None:
    """OB-85: version 0 or "x": InvalidMessage."""
    with pytest.raises(InvalidMessage) as caught:
        read_version(written)
    assert caught.value.field == "version"


def test_upcasters_run_in_turn_on_a_copy() -> None:
    """OB-73: pure functions from n to n + 1; the value given never changes."""
    stored = {"a": [1], "n": {"b": 1}}

    def one(data: dict[str, Any]) -> dict[str, Any]:
        data["a"].append(2)
        return data

    def two(data: dict[str, Any]) -> dict[str, Any]:
        return {**data, "c": len(data["a"])}

    lifted = upcast("t", stored, version=1, newest=3, upcasters={1: one, 2: two})
    assert lifted == {"a": [1, 2], "n": {"b": 1}, "c": 2}
    assert stored == {"a": [1], "n": {"b": 1}}
    same = upcast("t", stored, version=3, newest=3, upcasters={})
    assert same == stored
    assert same is not stored


def test_a_version_without_a_path_is_unknown() -> None:
    """OB-73: a gap, or a version newer than what is read here."""
    for version, steps in ((1, {2: dict}), (4, {}), (2, {1: dict})):
        with pytest.raises(UnknownVersion) as caught:
            upcast("t", {}, version=version, newest=3, upcasters=steps)
        assert (caught.value.version, caught.value.newest) == (version, 3)


def test_an_upcaster_that_fails_makes_the_body_undecodable() -> None:
    """OB-73: old bodies that cannot be lifted are quarantined, not lost."""

    def fails(data: dict[str, Any]) -> dict[str, Any]:
        return {"a": data["missing"]}

    def gives_a_list(data: dict[str, Any]) -> Any:  # noqa: ANN401  what it should not give
        return [data]

    for bad in (fails, gives_a_list):
        with pytest.raises(Undecodable, match="version 1"):
            upcast("t", {}, version=1, newest=2, upcasters={1: bad})
