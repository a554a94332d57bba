"""Every rule of the specification in scope is cited by a test that asserts it.

A test cites a rule by its id, `OB-12`, in its docstring, or as `ob_12` in its name. Conformance suites count as tests.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PLACES = ("tests", "src/outrider/testing/conformance")
OUT_OF_SCOPE = {78, 96}
IN_SCOPE = set(range(1, 102)) - OUT_OF_SCOPE
CITATION = re.compile(r"\bOB-(\d+)\b|(?:^|_)ob_(\d+)(?=_|$)")

# rules in scope that no test asserts yet: compared for equality, so it shrinks
NOT_YET: set[int] = set()


def asserting(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node


def citations() -> dict[int, list[str]]:
    """Rule → the tests that cite it."""
    cited: dict[int, list[str]] = {}
    for path in sorted(path for place in PLACES for path in (ROOT / place).rglob("*.py")):
        if path == Path(__file__):
            continue
        for test in asserting(ast.parse(path.read_text(encoding="utf-8"))):
            said = f"{ast.get_docstring(test) or ''}\n{test.name}"
            for rule in {int(a or b) for line in said.splitlines() for a, b in CITATION.findall(line)}:
                cited.setdefault(rule, []).append(f"{path.relative_to(ROOT)}::{test.name}")
    return cited


def test_every_rule_in_scope_is_cited_by_a_test() -> None:
    cited = citations()
    print()
    for rule in sorted(IN_SCOPE):
        found = cited.get(rule, [])
        print(f"OB-{rule:<4}{len(found):3} {found[0] if found else '-'}")
    unknown = set(cited) - IN_SCOPE - OUT_OF_SCOPE
    assert not unknown, "no such rule"
    uncited = IN_SCOPE - set(cited)
    assert uncited == NOT_YET, f"now cited: {sorted(NOT_YET - uncited)}; no longer cited: {sorted(uncited - NOT_YET)}"
