"""Which room may import what: the contracts of pyproject.toml, and an allow-list for the pure rooms."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src"
PURE = {
    "__future__", "abc", "base64", "bisect", "collections", "contextlib", "dataclasses", "datetime", "decimal",
    "email", "enum", "fractions", "functools", "hashlib", "heapq", "hmac", "html", "ipaddress", "itertools", "json",
    "math", "operator", "re", "statistics", "string", "types", "typing", "unicodedata", "urllib", "uuid", "zlib",
    "zoneinfo",
}  # fmt: skip
ALLOWED = dict.fromkeys(("outrider/core", "outrider/ports", "steward/domain", "steward/ports"), PURE)
PACKAGES = ("outrider", "steward")
ALLOWED |= dict.fromkeys(
    ("outrider/relay", "outrider/consumer", "outrider/notification"), PURE | {"asyncio", "importlib", "tomllib"}
)


def imported(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return names | {node.module or "." for node in nodes if isinstance(node, ast.ImportFrom)}


@pytest.mark.parametrize("room", ALLOWED)
def test_room_imports_only_its_allow_list(room: str) -> None:
    for path in (SRC / room).rglob("*.py"):
        extra = {name.split(".")[0] for name in imported(path)} - ALLOWED[room] - {room.split("/", maxsplit=1)[0]}
        assert not extra, (path, extra)


@pytest.mark.timeout(120)
def test_import_contracts_hold() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_room_has_its_place_in_the_layers(package: str) -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract.get("containers") == [package])
    placed = {room.strip(" ()") for layer in layers for room in layer.split("|")}
    rooms = {path.parent.name for path in (SRC / package).glob("*/__init__.py")}
    assert rooms <= placed
    strays = {path.name for path in (SRC / package).glob("*.py")} - {"__init__.py"}
    assert not strays, "a module beside the rooms belongs into one"


def test_every_room_says_what_it_is_for() -> None:
    silent = [
        str(path.relative_to(SRC))
        for package in PACKAGES
        for path in (SRC / package).rglob("__init__.py")
        if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert not silent
