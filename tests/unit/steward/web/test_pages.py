"""Pages from plain values: whole in both languages, without inline script or style, usable without either."""

import re
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import pytest

import steward.web
from steward.domain.profile import Locale
from steward.web.catalog import LOCALES, messages
from steward.web.pages import assets, render
from steward.web.suggestion import target_title, why
from tests.unit.steward.web.bodies import preview_body, reader
from tests.unit.steward.web.views import VIEWS, preview

FOLDER = Path(steward.web.__file__).parent
NAMED = re.compile(r"""\bt(?:ext)?\(\s*f?["']([a-z_]+\.[a-z_0-9]*)["']?""")
HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{7*7}}${7*7}\u202e"


class Elements(HTMLParser):
    """Every start tag with its attributes, and whatever is wrong with the page."""

    VOID = frozenset({"meta", "link", "input", "path", "circle", "rect", "br", "img"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes another element"


def rendered(name: str, locale: Locale = "en") -> Elements:
    template, values = VIEWS[name]
    who = reader(locale)
    return Elements(render(template, who, **values(who)))


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("name", VIEWS)
def test_every_page_is_whole_in_every_language(name: str, locale: Locale) -> None:
    """ST-58, ST-60: well-formed, in its language, one title, a main part, and fields that have labels."""
    page = rendered(name, locale)
    assert not page.open
    tags = [tag for tag, _ in page.found]
    assert tags.count("h1") == tags.count("main") == 1
    assert dict(page.found[0][1])["lang"] == locale
    ids = [attributes["id"] for _, attributes in page.found if "id" in attributes]
    assert len(ids) == len(set(ids)), "an id stands twice"
    labelled = {attributes.get("for") for tag, attributes in page.found if tag == "label"}
    for tag, attributes in page.found:
        if tag in {"input", "select", "textarea"} and attributes.get("type") != "hidden":
            assert attributes["id"] in labelled, attributes
        for name_of in ("aria-labelledby", "aria-describedby"):
            assert attributes.get(name_of) is None or attributes[name_of] in ids


@pytest.mark.parametrize("name", VIEWS)
def test_nothing_is_inline_and_nothing_comes_from_elsewhere(name: str) -> None:
    """ST-63: no style attribute, no inline script, no event handler, no address of another host."""
    for tag, attributes in rendered(name).found:
        assert tag != "style"
        assert tag != "script" or attributes.get("src")
        for attribute, value in attributes.items():
            assert attribute != "style"
            assert not attribute.startswith("on")
            if attribute in {"src", "href", "action", "formaction"}:
                assert str(value).startswith(("/", "#"))


@pytest.mark.parametrize("name", VIEWS)
def test_every_form_posts_with_its_token_and_a_key_of_its_own(name: str) -> None:
    """ST-59, ST-62: works without a script; no two forms share an idempotency key."""
    keys: list[str | None] = []
    tokens = forms = 0
    for tag, attributes in rendered(name).found:
        forms += tag == "form"
        assert tag != "form" or attributes["method"] == "post"
        tokens += attributes.get("name") == "csrf"
        if attributes.get("name") == "key":
            keys.append(attributes["value"])
    assert tokens == forms
    assert len(keys) == len(set(keys))
    assert len(keys) == forms or name == "sign_in"


LABELLED = re.compile(r'<(?:a|button) [^>]*aria-label="([^"]*)"[^>]*>([^<]*)<')


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("name", VIEWS)
def test_what_is_called_by_its_visible_name_hears(name: str, locale: Locale) -> None:
    """ST-60: the name for who does not see a control has the words that others see on it."""
    template, values = VIEWS[name]
    who = reader(locale)
    for label, seen in LABELLED.findall(render(template, who, **values(who))):
        assert seen.strip() in {"‹", "›"} or seen.strip().casefold() in label.casefold()


def test_a_question_is_its_own_title() -> None:
    """ST-51, ST-59: and why it is asked stands above it."""
    who = reader()
    body = preview_body("en") | {"explanation_text": "Which block did you not finish?", "context_summary": {}}
    assert target_title(body, who) == "Which block did you not finish?"
    assert why(body | {"issues": [{"code": "feedback_target_unknown"}]}, who) == "Your task is becoming urgent"


@pytest.mark.parametrize(
    ("locale", "first", "last", "said"),
    [
        ("en", date(2026, 11, 23), date(2026, 11, 29), "23 – 29 Nov"),
        ("en", date(2026, 11, 30), date(2026, 12, 6), "30 Nov – 6 Dec"),
        ("en", date(2027, 1, 4), date(2027, 1, 10), "4 – 10 Jan 2027"),
        ("zh-CN", date(2026, 11, 23), date(2026, 11, 29), "11月23日–29日"),
        ("zh-CN", date(2026, 11, 30), date(2026, 12, 6), "11月30日–12月6日"),
        ("zh-CN", date(2027, 1, 4), date(2027, 1, 10), "2027年1月4日–10日"),
    ],
)
def test_a_week_is_named_by_its_days(locale: Locale, first: date, last: date, said: str) -> None:
    """ST-60."""
    assert reader(locale).days(first, last) == said


@pytest.mark.parametrize("locale", LOCALES)
def test_hostile_strings_are_text(locale: Locale) -> None:
    """ST-63: whatever a title says, the page has the elements that it always has."""
    who = reader(locale)
    values = preview(who)
    for entries in (candidate[when] for candidate in values["preview"]["candidates"] for when in ("before", "after")):
        for entry in entries:
            entry["title"] = HOSTILE
    hostile = preview_body(locale, candidates=values["preview"]["candidates"], explanation_text=HOSTILE)
    hostile["context_summary"]["target_title"] = HOSTILE
    page = render("preview", who, **preview(who, **hostile))
    assert "<script>alert" not in page
    assert "<img" not in page
    assert "&lt;script&gt;alert(1)" in page
    kinds = [tag for tag, _ in Elements(page).found]
    assert kinds == [tag for tag, _ in Elements(render("preview", who, **values)).found]


def test_catalogs_are_complete() -> None:
    """ST-60: the same messages with the same names in braces in every language, and every one that a page asks for."""
    catalogs = {locale: messages(locale) for locale in LOCALES}
    names = set(catalogs["en"])
    for locale, catalog in catalogs.items():
        assert set(catalog) == names, locale
        for name, text in catalog.items():
            assert text.strip(), (locale, name)
            assert set(re.findall(r"\{(\w+)\}", text)) <= set(re.findall(r"\{(\w+)\}", catalogs["en"][name])), (
                locale,
                name,
            )
    sources = [*(FOLDER / "templates").glob("*.html"), *FOLDER.glob("*.py"), *(FOLDER.parent / "http").glob("*.py")]
    asked = {name for path in sources for name in NAMED.findall(path.read_text(encoding="utf-8"))}
    assert len(asked) > 80
    for name in asked:
        assert name in names or any(known.startswith(name) for known in names), name


def test_choices_show_the_best_first_and_leaving_it_last() -> None:
    """ST-59: candidates as radio buttons, "leave as it is" last; what is drawn stands in the table."""
    shown = preview(reader())["choices"]
    assert [one.is_best for one in shown] == [True, False, False, False]
    assert [one.applies for one in shown] == [True, True, True, False]
    assert shown[-1].title == "Leave as it is"
    assert shown[0].title == "Move “Read chapter 4” to 19:00"
    assert [(row.kind, row.title, row.before, row.after) for row in shown[0].rows] == [
        ("added", "Lab report", "", "Mon 23 Nov 10:30–12:00"),
        ("moved", "Read chapter 4", "Mon 23 Nov 10:30–12:00", "Mon 23 Nov 19:00–20:30"),
    ]
    [pair] = shown[0].pairs
    assert (pair.before.first, pair.before.last) == (pair.after.first, pair.after.last) == (9, 22)
    assert {block.kind for block in pair.before.blocks} == {"same", "gone"}
    assert {block.kind for block in pair.after.blocks} == {"same", "added", "moved"}
    page = rendered("preview")
    radios = [attributes for tag, attributes in page.found if tag == "input" and attributes["type"] == "radio"]
    assert [radio["id"] for radio in radios] == ["c0", "c1", "c2", "c3"]
    assert ["checked" in radio for radio in radios] == [True, False, False, False]


def test_positions_are_classes_of_the_generated_stylesheet() -> None:
    """ST-63: every class of a drawn block is there."""
    sheet = assets()["positions.css"].body.decode() + assets()["steward.css"].body.decode()
    for name in ("today", "week", "preview"):
        for tag, attributes in rendered(name).found:
            classes = str(attributes.get("class") or "").split()
            if tag == "li" and "block" in classes:
                assert all(f".{one}" in sheet for one in classes if one not in {"same", "fixed"}), classes


def test_htmx_runs_without_eval_and_styles() -> None:
    """ST-63: the vendored script is told what our policy forbids."""
    [config] = [str(a["content"]) for tag, a in rendered("today").found if a.get("name") == "htmx-config"]
    for said in (
        '"allowEval":false',
        '"includeIndicatorStyles":false',
        '"selfRequestsOnly":true',
        '"historyCacheSize":0',
    ):
        assert said in config
    assert assets()["htmx.min.js"].body.startswith(b"var htmx")
    assert b"Zero-Clause BSD" in (FOLDER / "static" / "htmx-LICENSE.txt").read_bytes()
