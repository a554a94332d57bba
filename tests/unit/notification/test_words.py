"""The words of a notification: NT-34 to NT-38, NT-40."""

import pytest

from outrider.core.action_link import with_link
from outrider.notification.template import Templates, load_templates
from outrider.notification.text import summary
from outrider.notification.words import Wording, Words

LINK = "https://app.example.com/s/1"
LAST_ZH = "我为你生成了一份日程调整建议，请回到系统确认是否应用。"


@pytest.fixture(scope="module")
def templates() -> Templates:
    return load_templates()


@pytest.fixture(scope="module")
def chinese(templates: Templates) -> Wording:
    return Wording(templates, "zh-CN", "[Steward]")


def test_the_text_is_summary_then_fallback_then_template(chinese: Wording) -> None:
    """NT-37, NT-38: envelope and summary, or fallback, or template."""
    kind = "important_urgent_task"
    assert chinese.words(kind, summary="摘要", fallback="备用").text == "[Steward] 摘要"
    assert chinese.words(kind, summary="", fallback="备用").text == "[Steward] 备用"
    assert chinese.words(kind).text == f"[Steward] {LAST_ZH}"
    assert chinese.words(kind, summary=summary("看 https://evil.example").text).text == f"[Steward] {LAST_ZH}"
    data = {"channel": "feishu_bot", "reason": "destination_gone"}
    assert "feishu_bot" in chinese.words("channel_disabled", data=data).text
    assert chinese.words("channel_disabled").text == "[Steward] 一个通知渠道已停用。请在设置中检查。"


def test_envelope_on_every_kind(templates: Templates) -> None:
    """NT-36: every text and title of every kind in every locale, those of digests and neutral ones too."""
    for locale in templates.by_locale:
        wording = Wording(templates, locale, "[Steward]")
        for kind in (*templates.kinds, "never_heard_of"):
            for words in (
                wording.words(kind),
                wording.words(kind, title="T", summary="S"),
                wording.words(kind, fallback="F", data={"channel": "x", "reason": "y"}),
                wording.digest(kind, ["a", "b"]),
            ):
                assert all(text.startswith("[Steward] ") for text in (words.title, words.text, words.neutral))
                assert words.action_text


def test_untrusted_words_are_made_safe(chinese: Wording) -> None:
    """NT-40: title, texts and data alike; a title is one line and of bounded length."""
    words = chinese.words("x", title="a\nb\u202e evil.com" + "长" * 200, summary="c\u200bd evil.com")
    assert words.title.startswith("[Steward] a b evil[.]com长")
    assert len(words.title) <= 120 + len("[Steward] ")
    assert words.text == "[Steward] cd evil[.]com"
    named = chinese.words("channel_disabled", data={"channel": "evil.com\n\x00", "reason": "{channel}"}).text
    assert "evil[.]com" in named
    assert "{channel}" in named
    assert "\n" not in named


def test_target_url_once(chinese: Wording) -> None:
    """NT-38: a fallback that holds our own link keeps it whole, and it is not added again."""
    words = chinese.words("x", fallback=f"请打开 {LINK} 。", link=LINK)
    assert with_link(words.text, LINK) == f"[Steward] 请打开 {LINK} 。"
    other = chinese.words("x", fallback="请打开 app.example.com/s/1", link=LINK)
    assert with_link(other.text, LINK) == f"[Steward] 请打开 app.example[.]com/s/1\n{LINK}"


def test_a_digest_has_fifty_lines_and_counts_the_rest(templates: Templates) -> None:
    """NT-34: at most 50 lines, the last says how many more; a member without a summary shows the neutral words."""
    wording = Wording(templates, "en", "[Steward]")
    words: Words = wording.digest("x", [f"line {n}\nx" for n in range(60)])
    lines = words.text.split("\n")
    assert lines[0] == words.title == "[Steward] 60 reminders"
    assert lines[1] == "• line 0 x"
    assert len(lines) == 51
    assert lines[-1] == "and 11 more"
    assert words.lines == tuple(lines[1:])
    assert "• I have prepared" in wording.digest("x", [""]).text
    assert "more" not in wording.digest("x", ["a", "b"]).text.removeprefix("[Steward] 2 reminders")
