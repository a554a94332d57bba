"""What commands print."""

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import typer

from outrider.admin.pages import by_id
from outrider.cli.filters import instant
from outrider.cli.output import Output, cell, plain, span
from outrider.core.errors import InvalidMessage

NOW = datetime(2026, 11, 21, 10, 0, 0, 123, tzinfo=UTC)


def test_json_has_one_form_for_instants_spans_and_ids() -> None:
    """OB-80: stable JSON shapes."""
    data = {"at": NOW, "left": timedelta(seconds=1.5), "id": UUID(int=1), "of": ("a", None, 3)}
    assert plain(data) == {
        "at": "2026-11-21T10:00:00.000123Z", "left": 1.5, "id": "00000000-0000-0000-0000-000000000001", "of": ["a", None, 3],
    }  # fmt: skip


def test_texts_lose_secrets_and_control_characters() -> None:
    """OB-95: one redaction before every page; controls escaped (X9)."""
    assert cell("red \x1b[31m\npassword=hunter2") == "red \\x1b[31m\\npassword=***"
    assert plain("Bearer abcdefghijkl") == "Bearer ***"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.44, "0.4 s"), (12, "12 s"), (3_700, "1 h 1 min"), (273_600, "3 d 4 h"), (-75, "-1 min 15 s")],
)
def test_spans_read_well(seconds: float, said: str) -> None:
    assert span(timedelta(seconds=seconds)) == said


def test_a_table_in_a_pipe_is_neither_cut_nor_coloured(capsys: pytest.CaptureFixture[str]) -> None:
    out = Output(as_json=False, quiet=False, color=True)
    out.table(("name", "rows"), [("x" * 200, 1_234), ("y", None)])
    printed = capsys.readouterr().out
    assert "x" * 200 in printed
    assert "1,234" in printed
    assert "\x1b" not in printed


def test_words_go_to_stderr_and_quiet_silences_them(capsys: pytest.CaptureFixture[str]) -> None:
    """OB-80: data on stdout, words on stderr."""
    Output(as_json=False, quiet=False, color=False).say("hello")
    Output(as_json=False, quiet=True, color=False).say("nobody hears")
    Output(as_json=True, quiet=True, color=False).json({"a": 1})
    Output(as_json=True, quiet=True, color=False).fail("wrong")
    printed = capsys.readouterr()
    assert json.loads(printed.out) == {"a": 1}
    assert printed.err == "hello\noutrider: wrong\n"


def test_a_time_is_rfc_3339_or_an_age() -> None:
    """OB-80: --since and --until."""
    assert instant("2026-11-21T12:00:00+02:00", "--since") == datetime(2026, 11, 21, 10, tzinfo=UTC)
    assert instant("2h", "--since") < instant("1 h", "--since")
    for wrong in ("yesterday", "2026-11-21T12:00:00", "2"):
        with pytest.raises(typer.BadParameter):
            instant(wrong, "--since")


def test_an_id_is_a_uuid_or_a_log_id() -> None:
    """OB-91: what is neither is refused before anything is asked."""
    assert by_id("17").log_id == 17
    assert by_id("480f02be-417b-5db9-9ba0-9e39ec08110c").id == UUID("480f02be-417b-5db9-9ba0-9e39ec08110c")
    for wrong in ("", "x", "9" * 30, "٣", "480f02be417b5db99ba09e39ec08110c"):
        with pytest.raises(InvalidMessage):
            by_id(wrong)
