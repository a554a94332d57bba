"""Which services may write a calendar row: those by which a person does, and none that runs by itself."""

import ast
from pathlib import Path

SERVICE = Path(__file__).parents[2] / "src" / "steward" / "service"
WRITES = {"insert", "insert_all", "change", "delete"}
BY_A_PERSON = {
    "changing.py": "confirm and undo",
    "events.py": "their own edits",
    "settings.py": "the midnights of a zone that they chose",
    "tasks.py": "completing a task frees its blocks",
    "import_rows.py": "a file that they imported, a feed that they added",
    "pruning.py": "forgets cancelled ones after `retention.days`",
}


def writes_events(tree: ast.AST) -> bool:
    """Whether the module makes an event row, or changes some."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name) and node.func.id == "EventRow":
            return True
        named = any(isinstance(one, ast.Name) and one.id == "EventRow" for one in node.args)
        if named and isinstance(node.func, ast.Attribute) and node.func.attr in WRITES:
            return True
    return False


def test_only_what_a_person_does_writes_calendar_rows() -> None:
    """ST-1: scan, preparer, reconciler, consumer, feedback and dialogues are not among them."""
    found = {path.name for path in SERVICE.glob("*.py") if writes_events(ast.parse(path.read_text(encoding="utf-8")))}
    assert found == set(BY_A_PERSON)
