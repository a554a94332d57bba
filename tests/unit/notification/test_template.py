"""Templates as files of packages: NT-35, NT-37."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from outrider.core.errors import ConfigurationError
from outrider.notification.template import Templates, faults_of, fill, load_templates, placeholders

LAST_ZH = "我为你生成了一份日程调整建议，请回到系统确认是否应用。"
LAST_EN = "I have prepared a schedule adjustment for you. Please return to the app and confirm whether to apply it."
Package = Callable[[dict[str, str]], str]


@pytest.fixture(scope="module")
def templates() -> Templates:
    return load_templates()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    """Makes a package of an application's own with these files in its folder of templates."""

    def make(contents: dict[str, str]) -> str:
        folder = tmp_path / "ntf_app" / "templates"
        folder.mkdir(parents=True)
        (folder.parent / "__init__.py").touch()
        for name, text in contents.items():
            (folder / name).write_text(text, encoding="utf-8")
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.delitem(sys.modules, "ntf_app", raising=False)
        return "ntf_app"

    return make


def test_locales_agree(templates: Templates) -> None:
    """NT-35: both shipped files hold the same kinds, keys and placeholders, and the shipped kinds are there."""
    assert set(templates.by_locale) == {"zh-CN", "en"}
    assert faults_of(templates.by_locale) == []
    assert templates.kinds == {"important_urgent_task", "unfinished_feedback", "channel_disabled", "test"}


def test_last_fallback_word_for_word(templates: Templates) -> None:
    """NT-37: the last fall-back, 27 characters with U+FF0C and U+3002; Steward's kinds have no other neutral."""
    assert len(LAST_ZH) == 27
    assert {"\uff0c", "\u3002"} <= set(LAST_ZH)
    for kind in ("important_urgent_task", "unfinished_feedback", "never_heard_of"):
        assert templates.fill("zh-CN", kind, "neutral", {}) == LAST_ZH
        assert templates.fill("en", kind, "neutral", {}) == LAST_EN


@pytest.mark.parametrize(
    ("wishes", "locale"),
    [
        (("zh-CN",), "zh-CN"),
        (("zh_cn",), "zh-CN"),
        (("fr", "zh-CN"), "zh-CN"),
        ((None, "", "en-GB", "zh-CN"), "en"),
        (("zh",), "zh-CN"),
        (("fr", "de"), "en"),
        ((), "en"),
    ],
)
def test_the_first_wish_that_can_be_met_is_the_locale(
    templates: Templates, wishes: tuple[str | None, ...], locale: str
) -> None:
    """NT-35: request, preference, `default_locale`, en."""
    assert templates.locale(*wishes) == locale


def test_what_a_kind_leaves_out_comes_from_default(templates: Templates) -> None:
    """NT-35: and so does a template whose placeholders are not all given."""
    assert templates.fill("en", "unfinished_feedback", "digest_line", {"summary": "x"}) == "• x"
    given = {"channel": "feishu_bot", "reason": "destination_gone"}
    assert templates.fill("en", "channel_disabled", "text", given) == (
        "The channel feishu_bot was switched off (destination_gone). Please check it in the settings, and switch it on "
        "again once it is mended."
    )
    assert templates.fill("en", "channel_disabled", "text", {"channel": "feishu_bot"}) is None


def test_a_placeholder_is_no_expression() -> None:
    """NT-35: a value is put in once, and what looks like a placeholder in it stays."""
    assert fill("{a}-{b}", {"a": "{b}", "b": "{a.__class__}"}) == "{b}-{a.__class__}"
    assert placeholders("{a}{b_1} {A} { c }") == {"a", "b_1"}


def test_an_application_adds_and_replaces_kinds(package: Package) -> None:
    """NT-35: from its own package, in both locales; a kind of its own replaces the shipped one whole."""
    name = package(
        {
            "en.toml": '[test]\ntitle = "Mine {n}"\n[bill]\ntitle = "Bill"',
            "zh-CN.toml": '[test]\ntitle = "我的 {n}"\n[bill]\ntitle = "账单"',
        }
    )
    templates = load_templates([name])
    assert templates.fill("zh-CN", "test", "title", {"n": "1"}) == "我的 1"
    assert templates.fill("en", "test", "neutral", {}) == LAST_EN
    assert "bill" in templates.kinds


@pytest.mark.parametrize(
    ("english", "chinese", "fault"),
    [
        ('[bill]\ntitle = "Bill"', "", r"\[bill\] title is missing in zh-CN"),
        ('[bill]\ntitle = "Bill {n}"', '[bill]\ntitle = "账单"', "not the same placeholders"),
        ('[bill]\nbody = "x"', '[bill]\nbody = "x"', "no such key"),
        ('[bill]\ntitle = "{n!r}"', '[bill]\ntitle = "{n!r}"', "without expressions"),
        ('[bill]\ntitle = " "', '[bill]\ntitle = " "', "must have 1"),
        ('[bill]\nneutral = "{n}"', '[bill]\nneutral = "{n}"', "fixed words"),
        ('["a b"]\ntitle = "x"', '["a b"]\ntitle = "x"', "is no kind"),
        ('[default]\ntitle = "x"', '[default]\ntitle = "x"', "lacks"),
        ("[bill", "", "en.toml"),
        ("[bill]\ntitle = 1", "[bill]\ntitle = 1", "table of texts"),
    ],
)
def test_what_is_wrong_stops_the_start_and_is_named(package: Package, english: str, chinese: str, fault: str) -> None:
    """NT-35: checked at start; the error names the package's file, kind and key."""
    name = package({"en.toml": english, "zh-CN.toml": chinese})
    with pytest.raises(ConfigurationError, match=fault):
        load_templates([name])


def test_the_folder_may_be_named(package: Package) -> None:
    """NT-35: `package:folder`, as the setting `notification.templates` has it."""
    name = package({"en.toml": '[bill]\ntitle = "Bill"', "zh-CN.toml": '[bill]\ntitle = "账单"'})
    assert "bill" in load_templates([f"{name}:templates"]).kinds
    with pytest.raises(ConfigurationError, match="elsewhere"):
        load_templates([f"{name}:elsewhere"])


def test_a_package_without_templates_is_named() -> None:
    """NT-35: a package that is not there, or has none, stops the start."""
    with pytest.raises(ConfigurationError, match="no_such_package"):
        load_templates(["no_such_package"])
    with pytest.raises(ConfigurationError, match=r"outrider\.core"):
        load_templates(["outrider.core"])
