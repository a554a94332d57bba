"""Every rule of the specification in scope is cited by a test that asserts it.

A test cites a rule by its id, `OB-12`, `NT-12` or `ST-12`, in its docstring, or as `ob_12` in its name. Conformance
suites count as tests.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLACES = ("tests", "src/outrider/testing/conformance")
RULES = {"OB": range(1, 102), "NT": range(1, 56), "ST": range(1, 72)}
CITATION = re.compile(r"\b(OB|NT|ST)-(\d+)\b|(?:^|_)(ob|nt|st)_(\d+)(?=_|$)")

OUT_OF_SCOPE: dict[str, set[int]] = {
    "OB": {78, 96},
    "NT": set(),
    "ST": set(),
}  # fmt: skip
"""Rules that nothing here keeps yet, at least not whole: one that is kept and cited leaves the list."""

# rules in scope that no test asserts yet: compared for equality, so it shrinks
NOT_YET: dict[str, set[int]] = {"OB": set(), "NT": set(), "ST": set()}


def asserting(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node


def citations() -> dict[str, dict[int, list[str]]]:
    """Rule → the tests that cite it, for each specification."""
    cited: dict[str, dict[int, list[str]]] = {spec: {} for spec in RULES}
    for path in sorted(path for place in PLACES for path in (ROOT / place).rglob("*.py")):
        if path == Path(__file__):
            continue
        for test in asserting(ast.parse(path.read_text(encoding="utf-8"))):
            said = f"{ast.get_docstring(test) or ''}\n{test.name}"
            for spec, rule in {((a or c).upper(), int(b or d)) for a, b, c, d in CITATION.findall(said)}:
                cited[spec].setdefault(rule, []).append(f"{path.relative_to(ROOT)}::{test.name}")
    return cited


@pytest.mark.parametrize("spec", RULES)
def test_every_rule_in_scope_is_cited_by_a_test(spec: str) -> None:
    cited = citations()[spec]
    in_scope = set(RULES[spec]) - OUT_OF_SCOPE[spec]
    print()
    for rule in sorted(in_scope):
        found = cited.get(rule, [])
        print(f"{spec}-{rule:<4}{len(found):3} {found[0] if found else '-'}")
    assert not set(cited) - set(RULES[spec]), "no such rule"
    uncited, not_yet = in_scope - set(cited), NOT_YET[spec]
    assert uncited == not_yet, f"now cited: {sorted(not_yet - uncited)}; no longer cited: {sorted(uncited - not_yet)}"
