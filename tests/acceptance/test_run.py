"""The commands of the checkout, as a person types them."""

import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).parents[2] / "run"
OUTRIDER = Path(sys.executable).with_name("outrider")


def run(folder: Path, program: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([str(program), *arguments], cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.timeout(120)
def test_demo_is_stewards_and_plays_where_it_is_called(tmp_path: Path) -> None:
    """ST-69: files are named from where the caller stands; what it does not know is refused by name."""
    answer = run(tmp_path, RUN, "demo", "--calendar", "mine.ics")
    assert answer.returncode == 2
    assert "mine.ics: no such file" in answer.stderr
    (tmp_path / "mine.ics").write_text("BEGIN:VCALENDAR\n", encoding="utf-8")
    assert "No such option: --orders" in run(tmp_path, RUN, "demo", "--calendar", "mine.ics", "--orders", "x").stderr


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("orders.csv", "no column 'colour'; there are: customer, total"),
        ("ragged.csv", "row 2 has more fields than the header line"),
        ("nowhere.csv", "No such file or directory"),
    ],
)
def test_demo_finds_its_orders_from_where_it_is_called(tmp_path: Path, file: str, said: str) -> None:
    (tmp_path / "orders.csv").write_text("customer,total\nann,12\n", encoding="utf-8")
    (tmp_path / "ragged.csv").write_text("customer,total\nann,12\nbob,13,14\n", encoding="utf-8")
    answer = run(tmp_path, OUTRIDER, "demo", "--once", "--orders", file, "--key", "colour")
    assert (answer.returncode, answer.stderr.strip()) == (2, f"outrider: {file}: {said}")


@pytest.mark.timeout(120)
def test_demo_keeps_every_promise_with_a_person_s_own_rows(tmp_path: Path) -> None:
    """OB-1 OB-3 OB-4: processes are killed while these orders pass, and each takes effect once and in order."""
    rows = "".join(f"customer-{number % 7},{number}\n" for number in range(100))
    (tmp_path / "orders.csv").write_text(f"customer,total\n{rows}", encoding="utf-8")
    answer = run(tmp_path, OUTRIDER, "demo", "--once", "--orders", "orders.csv", "--kills", "2", "--no-color")
    assert answer.returncode == 0, answer.stderr + answer.stdout
    assert "Every promise held." in answer.stdout
