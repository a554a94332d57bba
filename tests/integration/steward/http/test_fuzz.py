"""Whatever the OpenAPI document allows, and what it does not, gets an answer that the document declares (ST-55)."""

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from steward.http.app import API
from steward.http.gate import PROBLEM
from tests.integration.steward.http.stage import Stage

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=8,
)
BY_FORMAT = {
    "date-time": st.sampled_from(["2026-11-23T09:00:00Z", "2026-11-23T09:00:00+05:45", "9999-12-31T23:59:59Z", "soon"]),
    "date": st.sampled_from(["2026-11-23", "2026-02-30"]),
}


def values_of(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that the schema allows, as far as it says."""
    if "anyOf" in schema:
        return st.one_of([values_of(one) for one in schema["anyOf"]])
    if "enum" in schema or "const" in schema:
        return st.sampled_from(schema.get("enum") or [schema["const"]])
    makers: dict[str, Callable[[dict[str, Any]], st.SearchStrategy[Any]]] = {
        "string": texts_of,
        "integer": lambda one: st.integers(one.get("minimum", -(10**6)), one.get("maximum", 10**6)),
        "boolean": lambda _: st.booleans(),
        "null": lambda _: st.none(),
        "array": lambda one: st.lists(values_of(one["items"]), min_size=one.get("minItems", 0), max_size=4),
        "object": lambda one: objects_of(one) if "properties" in one else ANY,
    }
    return makers[schema["type"]](schema) if "type" in schema else ANY


def texts_of(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    if schema.get("format") in BY_FORMAT:
        return BY_FORMAT[schema["format"]]
    if "pattern" in schema:
        return st.from_regex(schema["pattern"], fullmatch=True)
    return st.text(min_size=schema.get("minLength", 0), max_size=min(schema.get("maxLength", 60), 60))


def objects_of(schema: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    required = set(schema.get("required", ()))
    fields = {name: values_of(one) for name, one in schema["properties"].items()}
    return st.fixed_dictionaries(
        {name: one for name, one in fields.items() if name in required},
        optional={name: one for name, one in fields.items() if name not in required},
    )


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if not path.startswith(f"{API}/notification")
    ]


def assert_declared(operation: dict[str, Any], answer: Any) -> None:  # noqa: ANN401  an answer
    said = operation["responses"].get(str(answer.status_code))
    assert said is not None, (answer.status_code, answer.text)
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == PROBLEM
        assert answer.json()["code"] in said["description"].split(" · ")
    assert answer.status_code != 500, answer.text


async def test_every_operation_answers_as_declared(ample: Stage) -> None:
    """ST-55: bodies that fit the document and bodies that fit nothing, for each operation."""
    document = (await ample.client.get(f"{API}/openapi.json")).json()
    headers = {"authorization": f"Bearer {await ample.token()}"}
    for method, path, operation in operations(document):
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
        names = [one["name"] for one in operation["parameters"] if one["in"] == "query"]
        for call in examples(body, names):
            sent = headers | {"idempotency-key": ample.key(), "if-match": call["if_match"]}
            answer = await ample.client.request(
                method.upper(), path.replace("{id}", call["id"]), params=call["query"], json=call["body"], headers=sent
            )
            assert_declared(operation, answer)


def examples(body: dict[str, Any] | None, names: list[str]) -> list[dict[str, Any]]:
    """Some calls of an operation, always the same ones."""
    found: list[dict[str, Any]] = []
    wanted = st.fixed_dictionaries(
        {
            "id": st.sampled_from(["tsk_none", "a", "x" * 80, "ä", "1"]),
            "query": st.dictionaries(st.sampled_from([*names, "other"]), ANY_TEXT, max_size=2),
            "body": ANY if body is None else values_of(body) | ANY,
            "if_match": st.sampled_from(["*", '"1"', 'W/"1"', "x"]),
        }
    )

    @settings(max_examples=6, database=None, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
    @given(wanted)
    def collect(call: dict[str, Any]) -> None:
        found.append(call)

    gather: Callable[[], None] = collect
    gather()
    return found
