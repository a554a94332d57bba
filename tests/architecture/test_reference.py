"""The reference says what the code says: nothing missing, nothing invented, and no page names what does not exist."""

import ast
import re
from pathlib import Path

import pytest

from outrider.bootstrap.settings import all_keys, is_known
from outrider.bootstrap.settings_model import SECRETS
from outrider.telemetry.metric import PREFIX
from outrider.telemetry.metric_list import METRICS
from steward.bootstrap import settings_model as steward_settings_model
from steward.bootstrap.settings_model import known_keys
from steward.service.codes import CODES
from tools import reference
from tools.reference_commands import OUTRIDER, STEWARD, Program, commands
from tools.reference_settings import setting_keys
from tools.reference_words import WORDS, is_idle

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "outrider"
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
SECTIONS = "|".join(sorted({key.partition(".")[0] for key in all_keys()}))
LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)(?:#[\w-]+)?\)")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
ROW_CODES = {*WORDS["row_codes"], *WORDS["notification_codes"]}
ERROR_CODES = {getattr(one, "code", "") for one in reference.error_classes()} | ROW_CODES
MESSAGE_TYPES = {"notification.requested", "notification.feishu.requested", "notification.ended"}
KNOWN = {program.name: dict(commands(program)) for program in (OUTRIDER, STEWARD)}
LOG_LINES = {reference.line(one)[0] for one in reference.event_classes()}


def first_cells(name: str) -> set[str]:
    """What stands in code in the first column of a reference page's tables."""
    text = reference.path_of(name).read_text(encoding="utf-8")
    return set(re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE))


def headings(name: str) -> list[str]:
    text = reference.path_of(name).read_text(encoding="utf-8")
    return re.findall(r"^### `([^`]+)`", text, re.MULTILINE)


@pytest.mark.parametrize("name", list(reference.BLOCKS))
def test_page_is_what_the_code_says(name: str) -> None:
    now, wanted = reference.page(name)
    assert now == wanted, "run  .venv/bin/python -m tools.reference"


def test_every_setting_stands_on_its_page_and_no_other() -> None:
    """OB-90: what is refused as unknown is not documented, what is accepted is."""
    assert first_cells("settings") == set(setting_keys())


def test_every_error_code_stands_on_its_page_and_no_other() -> None:
    classes = {one.__name__ for one in reference.error_classes()}
    assert first_cells("errors") == classes | ROW_CODES


def test_every_event_stands_on_its_page_and_no_other() -> None:
    """OB-93: the list is a contract with operators."""
    known = {one.__name__ for one in (*reference.event_classes(), *reference.BASES)}
    assert first_cells("events") == known


def test_every_metric_stands_on_its_page_and_no_other() -> None:
    """OB-92: the list is a contract with operators."""
    assert first_cells("metrics") == {f"{PREFIX}{one.name}" for one in METRICS}


def test_every_setting_of_steward_stands_on_its_page_and_no_other() -> None:
    """§16 of the scheduling specification: what is accepted is documented, secrets as secrets."""
    assert first_cells("steward_settings") == set(known_keys())
    text = reference.path_of("steward_settings").read_text(encoding="utf-8")
    assert all(f"`{key}`" in text.partition("<!-- begin")[0] for key in steward_settings_model.SECRETS)


def test_every_problem_of_steward_stands_on_its_page_and_no_other() -> None:
    """ST-55: the one list of codes."""
    assert first_cells("problems") == set(CODES)


@pytest.mark.parametrize(("name", "program"), [("commands", OUTRIDER), ("steward_commands", STEWARD)])
def test_every_verb_stands_on_its_page_and_no_other(name: str, program: Program) -> None:
    assert headings(name) == [f"{program.name} {verb}" for verb, _ in commands(program)]


def test_every_table_stands_on_its_page_and_no_other() -> None:
    assert headings("tables") == reference.table_names()


def test_idle_settings_events_and_codes_are_the_listed_ones() -> None:
    """OB-90: what is accepted and does nothing is said so on its page, until it does something."""
    read, chains, names, texts = used()
    idle = WORDS["idle"]
    refused = {key for key, said in WORDS["settings"].items() if said.startswith("Refused by this release")}
    assert not {key for key in idle["settings"] if tuple(key.split(".")[-2:]) in chains}, "it is read now"
    named = {key: key.removesuffix(".KIND").rpartition(".")[2] for key in setting_keys()}
    unread = {key for key, name in named.items() if name not in read} - refused
    assert not {key for key in unread if not is_idle("settings", key)}
    assert ("notification_of" not in names) == ("notification." in idle["settings"]), "the notifier reads them"
    assert {one.__name__ for one in reference.event_classes()} - names == set(idle["events"])
    assert set(WORDS["row_codes"]) - texts == set(idle["codes"])


def used() -> tuple[set[str], set[tuple[str, str]], set[str], set[str]]:
    """Attributes read anywhere in the source, pairs of them as `relay.lanes`, names called, and texts."""
    declared = (
        "core/events/",
        "core/errors.py",
        "telemetry/logs.py",
        "telemetry/metric",
        "bootstrap/settings_model.py",
        "cli/demo",
        "testing",
    )
    read, chains, names, texts = set[str](), set[tuple[str, str]](), set[str](), set[str]()
    for path in SOURCE.rglob("*.py"):
        if not str(path.relative_to(SOURCE)).startswith(declared):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                match node:
                    case ast.Attribute(value=ast.Attribute(attr=before) | ast.Name(id=before), attr=name):
                        read.add(name)
                        chains.add((before, name))
                    case ast.Attribute(attr=name):
                        read.add(name)
                    case ast.Constant(value=str(text)):
                        texts.add(text)
                match node:
                    case ast.Name(id=name) | ast.Attribute(attr=name):
                        names.add(name)
    return read, chains, names, texts


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_page_names_only_what_there_is(path: Path) -> None:
    """Settings, variables, verbs and options of every page exist."""
    text = path.read_text(encoding="utf-8")
    wrong = [f"setting {key}" for key in settings_named(text) if not is_known(key)]
    wrong += [f"variable {name}" for name in re.findall(r"OUTRIDER_[A-Z_]*[A-Z]\b(?!…)", text) if not is_variable(name)]
    wrong += [f"variable {name}" for name in re.findall(r"STEWARD_[A-Z_]*[A-Z]\b(?!…)", text) if not is_stewards(name)]
    for program, known in KNOWN.items():
        wrong += [f"command {program} {one}" for one in commands_named(text, program) if not is_command(one, known)]
    assert not wrong


def settings_named(text: str) -> list[str]:
    """What stands in code and looks like a setting, except the codes of errors and the names of log lines."""
    found = re.findall(rf"`((?:{SECTIONS})\.[\w.]*\w)", re.sub(FENCE, "", text))
    keys = [key.replace(".CHANNEL.", ".inbox.") for key in found]
    return [key for key in keys if key not in ERROR_CODES | LOG_LINES | MESSAGE_TYPES]


def is_variable(name: str) -> bool:
    key = name.removeprefix("OUTRIDER_").lower().replace("__", ".")
    return is_known(key) or (key.endswith("_file") and key.removesuffix("_file") in SECRETS)


def is_stewards(name: str) -> bool:
    key = name.removeprefix("STEWARD_").lower().replace("__", ".")
    return key in known_keys() or (
        key.endswith("_file") and key.removesuffix("_file") in steward_settings_model.SECRETS
    )


def commands_named(text: str, program: str) -> list[str]:
    """What follows the program in code and in consoles, up to the end of the line."""
    inline = re.findall(rf"`{program} ([a-z][^`\n]*)`", re.sub(FENCE, "", text))
    consoles = "\n".join(body for kind, body in FENCE.findall(text) if kind in {"console", "sh", "text"})
    return [*inline, *re.findall(rf"^(?:\$ )?(?:[A-Z_]+=\S+ )*{program} ([a-z].*)$", consoles, re.MULTILINE)]


def is_command(said: str, known: dict[str, object]) -> bool:
    """Whether it is a verb, or a verb's group, with options that it has."""
    words = said.partition("#")[0].split()
    name = next((one for size in (3, 2) if (one := " ".join(words[:size])) in known), words[0])
    if name not in known:
        return any(verb.startswith(f"{name} ") for verb in known) and (len(words) == 1 or words[1] == "--help")
    options = {option for parameter in known[name].params for option in parameter.opts} | {"--help"}  # type: ignore[attr-defined]
    return {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)} <= options


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not [to for to in LINK.findall(text) if not (path.parent / to).exists()]


def test_site_shows_every_page() -> None:
    """A page that the navigation lacks is found by nobody."""
    listed = re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    assert sorted(listed) == sorted(str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md"))
