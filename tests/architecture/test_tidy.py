"""Sizes, words and leftovers, over every Python file of the repository."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("src", "tests", "benchmarks", "faults", "demo", "tools")
FILE_LINES_MAX, TEST_FILE_LINES_MAX, FUNCTION_LINES_MAX = 400, 500, 70
LEFTOVER = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")

# {"path" or "path::function": lines}, each with its reason; compared for equality, so it shrinks
LONG: dict[str, int] = {}

# where a refused word is another system's own: {room: words}
FOREIGN = {
    "core/adding.py": {"settle"},  # an add settles with what is stored already
    "relay/pipeline.py": {"pipeline"},  # batches on their way, not a subscription
    "storages/memory/statements/pruning.py": {"journal"},  # the journal of advances
    "testing/conformance/storages_owning.py": {"journal"},  # the same
    "brokers": {"settle"},  # a source's acknowledgement, not a relay's verb
    "brokers/kafka": {"partition", "offset", "purge", "callback", "journal"},
    "ports/broker.py": {"partition", "offset", "settle", "callback"},  # where a received message came from
    "notification": {"claim"},  # a due record is claimed, under a lease: the word of its specification
    "testing/conformance/records_desk.py": {"claim"},
    "steward/bootstrap/playing.py": {"partition"},  # it makes Kafka's topics
    "ports/wakeup.py": {"listener"},  # LISTEN and NOTIFY are PostgreSQL's words
    "runtime/wakeup.py": {"listener"},  # the port's word
    "storages/postgres": {"listener", "partition"},  # a table's partition
    "transactions": {"engine"},  # SQLAlchemy's word
    "bootstrap": {"engine", "partition"},
    "testing/faults": {"settle"},  # a victim settled something: a word of the campaigns
    "testing/services": {"partition", "offset"},
}


def python_files() -> list[Path]:
    return [*sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")), ROOT / "run"]


def functions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield prefix + node.name, node
        name = f"{prefix}{node.name}." if isinstance(node, ast.ClassDef) else prefix
        yield from functions(node, name)


def lines_without_docstring(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    lines = (node.end_lineno or node.lineno) - node.lineno + 1
    first = node.body[0]
    if ast.get_docstring(node, clean=False) is not None:
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


def test_long_files_and_functions_are_the_listed_ones() -> None:
    found: dict[str, int] = {}
    for path in python_files():
        name, text = str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
        lines = len(text.splitlines())
        if lines > (TEST_FILE_LINES_MAX if name.startswith("tests/") else FILE_LINES_MAX):
            found[name] = lines
        for function, node in functions(ast.parse(text)):
            if (length := lines_without_docstring(node)) > FUNCTION_LINES_MAX:
                found[f"{name}::{function}"] = length
    assert found == LONG, "split what is long, or list it with its reason; lower what got shorter"


def test_no_leftover_marks_in_comments() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{token.start[0]}"
        for path in python_files()
        if LEFTOVER.search(text := path.read_text(encoding="utf-8"))
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type in {tokenize.COMMENT, tokenize.STRING} and LEFTOVER.search(token.string)
    ]
    assert not found


def refused_words() -> set[str]:
    rows = [
        line.split("|") for line in (ROOT / "docs" / "glossary.md").read_text().splitlines() if line.startswith("|")
    ]
    return {word for row in rows[2:] for word in re.findall(r"`([a-z]+)`", row[3])}


def public_names(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Classes, functions, methods, parameters and annotated or assigned names of modules and classes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, node.lineno
        if isinstance(node, ast.Module | ast.ClassDef):
            for statement in node.body:
                targets = statement.targets if isinstance(statement, ast.Assign) else []
                targets = [statement.target] if isinstance(statement, ast.AnnAssign) else targets
                yield from ((target.id, target.lineno) for target in targets if isinstance(target, ast.Name))


def words(name: str) -> set[str]:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().split("_")
    return {*spaced, *(word.removesuffix("s") for word in spaced)}


def test_glossary_refuses_its_words() -> None:
    refused, source = refused_words(), ROOT / "src"
    assert {"partition", "worker", "offset"} <= refused
    found = []
    for path in source.rglob("*.py"):
        place = str(path.relative_to(source)).removeprefix("outrider/")
        allowed = {word for room, known in FOREIGN.items() if place.startswith(room) for word in known}
        for name, line in public_names(ast.parse(path.read_text(encoding="utf-8"))):
            if not name.startswith("_") and (bad := words(name) & (refused - allowed)):
                found.append(f"{place}:{line} {name}: {', '.join(sorted(bad))}")
    assert not found, "docs/glossary.md has the word to use"
