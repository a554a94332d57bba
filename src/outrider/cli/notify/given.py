"""What a verb is given in a file or on stdin: a request, and secrets, which are never arguments (NT-44)."""

import sys
from pathlib import Path
from typing import Any, Final

import typer

from outrider.core.canonical import parse_json
from outrider.core.errors import Undecodable

STDIN: Final = Path("-")
BYTES_MAX: Final = 32_768


def read_given(file: Path) -> bytes:
    """The bytes of a file, or of stdin where it is `-`. Raises BadParameter that names the file, never its content."""
    try:
        found = sys.stdin.read(BYTES_MAX + 1).encode() if file == STDIN else file.read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"cannot be read: {error.strerror}", param_hint=str(file)) from None
    if len(found) > BYTES_MAX:
        raise typer.BadParameter(f"is longer than {BYTES_MAX:,} bytes", param_hint=str(file))
    return found


def read_json(file: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises BadParameter."""
    try:
        found = parse_json(read_given(file), BYTES_MAX)
    except Undecodable as error:
        raise typer.BadParameter(str(error), param_hint=str(file)) from None
    if not isinstance(found, dict):
        raise typer.BadParameter("must be a JSON object", param_hint=str(file))
    return found


def read_secret(file: Path) -> str:
    """The secret in a file, without the end of its line. Raises BadParameter where there is none."""
    try:
        text = read_given(file).decode().strip()
    except UnicodeDecodeError:
        raise typer.BadParameter("is no text", param_hint=str(file)) from None
    if not text:
        raise typer.BadParameter("is empty", param_hint=str(file))
    return text
