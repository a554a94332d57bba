"""Untrusted text made fit to show: NT-36, NT-37, NT-40, NT-42."""

import re
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.core.action_link import with_link
from outrider.notification.domains import defang, top_level_domains
from outrider.notification.graphemes import cut
from outrider.notification.text import clean, enveloped, has_link, safe, summary

LINK = "https://app.example.com/s/1?x=2"
FAMILY = "👩\u200d👩\u200d👧\u200d👦"
SCOTLAND = "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"
SPICE = [
    *"a.:/ \n\t\r\x00\x1b\x85\xad",
    *"\u200b\u200c\u200d\u200e\u202e\u2028\u2066\ufeff\ufe0f\u0301\u0903\u094d\u0915\u0627",
    *"👩👧🏽🇨🇳🏴\U000e0067\U000e007f\ud83d\ude00中。．",
    "e\u0301",
    FAMILY,
    "evil.com",
    "\u1112\u1161\u11ab",
]
texts = st.one_of(st.text(max_size=60), st.lists(st.sampled_from(SPICE), max_size=30).map("".join))


@pytest.mark.parametrize(
    "text",
    [
        "看 https://evil.example/x",
        "HTTPS://EVIL",
        "ｈｔｔｐｓ：／／evil",  # full-width, the same after NFKC
        "ftp://x",
        "see WWW.evil",
        "w\u200bww.evil",
        "MailTo:someone",
        "[click](evil)",
        "myapp://open",
    ],
)
def test_summary_with_link_uses_fallback(text: str) -> None:
    """NT-37: an explicit link in a summary leaves it empty, and the fallback is used."""
    assert summary(text) == ("", True)


@pytest.mark.parametrize("text", ["", "   \n\t ", None, "\u200b\u202e"])
def test_empty_summary_uses_fallback(text: str | None) -> None:
    """NT-37: nothing, and what is nothing once cleaned, uses the fallback."""
    assert summary(text) == ("", True)


def test_summary_without_a_link_stays() -> None:
    """NT-37: trimmed, and otherwise as it was written."""
    assert summary("  明天 9:00 开会 (a/b)。 ") == ("明天 9:00 开会 (a/b)。", False)


@pytest.mark.parametrize(
    "cluster",
    [
        FAMILY,
        "e\u0323\u0302\u0331",
        "🇨🇳",
        "👍🏽",
        "❤\ufe0f",
        SCOTLAND,
        "\u0915\u094d\u0937",
        "\u1112\u1161\u11ab",
        "ｶﾞ",
        "नि",
    ],
)
@pytest.mark.parametrize("room", [1, 2, 3])
def test_cut_at_180_keeps_clusters(cluster: str, room: int) -> None:
    """NT-37: a summary is cut at 180 characters, before a cluster that would be parted there."""
    text = "x" * (180 - room) + cluster + "tail"
    whole = len(cluster) <= room
    kept = cut(text, 180)
    assert kept.startswith("x" * (180 - room) + (cluster if whole else ""))
    assert len(kept) <= 180
    if not whole:
        assert kept == "x" * (180 - room)


def test_cut_at_180_and_trimmed_again() -> None:
    """NT-37: what the cut left at the end is trimmed; a single endless cluster leaves nothing to show."""
    assert summary("日" * 179 + "  程") == ("日" * 179, False)
    assert summary("日" * 180) == ("日" * 180, False)
    assert summary("日" * 181) == ("日" * 180, False)
    assert summary("x" + "\u0323" * 500) == ("", True)
    assert summary("abc def", 4) == ("abc", False)


def test_flags_are_counted_in_pairs() -> None:
    """NT-37: the fourth letter belongs to the third, not to a flag of its own."""
    flags = "🇨🇳🇯🇵🇩🇪"
    assert [len(cut(flags, limit)) for limit in range(7)] == [0, 0, 2, 2, 4, 4, 6]


@given(texts, st.integers(0, 40))
def test_cut_is_a_beginning_that_ends_between_clusters(text: str, limit: int) -> None:
    """NT-37: never longer than asked, never before a mark or a joiner, and all of it where it fits."""
    kept = cut(text, limit)
    assert text.startswith(kept)
    assert len(kept) <= limit
    if len(text) <= limit:
        assert kept == text
    elif kept:
        assert text[len(kept)] not in "\u200c\u200d\ufe0f\u0301\u0903\U000e0067🏽\u1161\u11ab"
        assert kept[-1] != "\u200d"


def test_control_bidi_surrogates_removed() -> None:
    """NT-40: what hides or reorders is taken out, a tab is a space, other ends of line are newlines."""
    assert clean("a\x00b\x1b[31mc\x7f\x85d") == "ab[31mcd"
    assert clean("pay\u202e10\u2066\u200b\ufeff\u061c\u200f yuan") == "pay10 yuan"
    assert clean("a\ud83d\ud83dz\udc00") == "az"
    assert clean("a\tb\r\nc\rd\u2028e\u2029f") == "a b\nc\nd\ne\nf"
    assert clean("a\n\n\n\nb\n \n \nc\n\nd") == "a\n\nb\n\nc\n\nd"
    assert clean("e\u0301") == "é"


def test_joiners_stay_inside_clusters() -> None:
    """NT-40: a family, a Persian word and a region's flag keep what holds them together; between letters it hides."""
    for text in (FAMILY, "می\u200cخواهم", "\u0915\u094d\u200d\u0937", "❤\ufe0f\u200d🔥", SCOTLAND):
        assert clean(text) == text
    assert clean("ev\u200dil\u200c.c\u200dom \u200d") == "evil.com "
    assert clean("hidden\U000e0068\U000e0069 words") == "hidden words"


@given(texts)
def test_clean_text_is_storable_and_stays(text: str) -> None:
    """NT-40: clean text is UTF-8, NFC, without controls but newlines, and clean already."""
    cleaned = clean(text)
    cleaned.encode()
    assert re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069\ufeff]", cleaned) is None
    assert "\n\n\n" not in cleaned
    assert normalize("NFC", cleaned) == cleaned
    assert clean(cleaned) == cleaned


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("see evil.com now", "see evil[.]com now"),
        ("看evil.com吧", "看evil[.]com吧"),
        ("http://a.evil.com.cn/x", "http[://]a.evil[.]com[.]cn/x"),
        ("http://10.0.0.1/x myapp://open", "http[://]10.0.0.1/x myapp[://]open"),
        ("x.com.evil.org", "x[.]com.evil[.]org"),
        ("EVIL.COM.", "EVIL[.]COM."),
        ("ｅｖｉｌ．ｃｏｍ", "ｅｖｉｌ[．]ｃｏｍ"),
        ("evil。com", "evil[。]com"),
        ("例子.中国很好", "例子[.]中国很好"),
        ("xn--fsq.xn--fiqs8s", "xn--fsq[.]xn--fiqs8s"),
        ("me@evil.com_x", "me@evil[.]com_x"),
        ("v1.2, 3.14, e.g. this, a..b", "v1.2, 3.14, e.g. this, a..b"),
        ("完成了。好的", "完成了。好的"),
    ],
)
def test_bare_domain_is_defanged(text: str, shown: str) -> None:
    """NT-40: whatever a chat program could make a link of is taken apart, by the shipped list."""
    assert safe(text) == shown


@given(texts)
def test_nothing_that_is_safe_holds_a_domain(text: str) -> None:
    """NT-40: defanged once, there is nothing left to defang, and nothing but brackets was added."""
    shown = safe(text)
    assert defang(shown) == shown
    assert re.search(r"[a-z0-9]\.com\b", shown) is None
    assert re.sub(r"\[(.|://)\]", r"\1", shown) == re.sub(r"\[(.|://)\]", r"\1", clean(text).strip())


def test_the_list_of_domains_is_whole() -> None:
    """NT-40: the shipped list has every sort of top-level domain, the international ones in both forms."""
    assert {"com", "cn", "museum", "xn--fiqs8s", "中国"} <= top_level_domains()
    assert len(top_level_domains()) > 1_400


def test_target_url_once() -> None:
    """NT-38, NT-40: our own link is added once, whole, and is not taken apart where the text holds it already."""
    assert with_link(safe("看一下"), LINK) == f"看一下\n{LINK}"
    assert with_link(safe(f"看 {LINK} 吧", LINK), LINK) == f"看 {LINK} 吧"
    assert with_link(safe(f"{LINK}.", LINK), LINK) == f"{LINK}."
    assert with_link("", LINK) == LINK
    assert with_link("看一下", None) == "看一下"


@pytest.mark.parametrize("longer", [f"{LINK}3", f"{LINK}&y=1", f"{LINK}.evil.org", f"https://evil.org/?u={LINK}"])
def test_a_longer_link_is_not_ours(longer: str) -> None:
    """NT-38: what only begins or ends like our link is untrusted text, and ours is added besides."""
    sent = with_link(safe(longer, LINK), LINK)
    assert sent.endswith(f"\n{LINK}")
    assert LINK not in sent.removesuffix(LINK)


def test_envelope_opens_a_text_once() -> None:
    """NT-36: the envelope of the channel comes first, and no second time."""
    assert enveloped("[Steward]", "早上好") == "[Steward] 早上好"
    assert enveloped("[Steward]", "[Steward] 早上好") == "[Steward] 早上好"
    assert enveloped("", "早上好") == "早上好"


def test_a_link_is_found_only_where_there_is_one() -> None:
    """NT-37: a colon, a bracket and a bare domain are no explicit link."""
    assert not has_link("9:00 // [a] (b) evil.com")
    assert has_link("a://b")
