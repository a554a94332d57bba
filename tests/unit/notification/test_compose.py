"""Requests as they are kept, records as they are told: NT-5, NT-8, NT-35 to NT-40, §11."""

from typing import Any

import pytest

from outrider.core.canonical import canonical_json
from outrider.core.errors import Undecodable
from outrider.core.notification.request import Route
from outrider.notification.compose import Composer
from outrider.notification.policy import NotificationPolicy
from outrider.notification.template import Templates, load_templates
from tests.unit.notification.builders import record, request

KIND = "important_urgent_task"
BASE = "https://steward.example.com"


@pytest.fixture(scope="module")
def templates() -> Templates:
    return load_templates()


@pytest.fixture
def composer(templates: Templates) -> Composer:
    policy = NotificationPolicy(public_base_url=BASE, action_paths=("/s",), link_hosts=("pages.example.com",))
    return Composer(templates, policy, {"inbox", "bot"}, {"bot": "[Steward]"})


def asked(**changes: Any) -> Any:  # noqa: ANN401  any field
    return request(**{"kind": KIND, **changes})


def test_a_request_is_kept_clean_and_its_summary_judged(composer: Composer) -> None:
    """NT-37, NT-40: what is kept is storable; a summary with a link is empty and the fallback used."""
    kept = composer.prepare(
        asked(
            title=" T\u202e\x00 ",
            summary_text="看 https://evil.example",
            fallback_text="F\ud800 ",
            data={"a\x00": "b\u200b", "n": 1},
        )
    )
    assert kept.fallback_used
    assert (kept.request.title, kept.request.summary_text, kept.request.fallback_text) == ("T", "", "F")
    assert kept.request.data == {"a": "b", "n": 1}
    short = composer.prepare(asked(summary_text="日" * 200, title="", fallback_text=None))
    assert (short.request.summary_text, short.fallback_used) == ("日" * 180, False)
    assert (short.request.title, short.request.fallback_text) == (None, None)


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"kind": "never_heard_of"}, "version.unknown", "kind"),
        ({"route": Route((), ("bot", "pigeon"))}, "version.unknown", "route"),
        ({"target_url": "https://evil.example/"}, "body.invalid", "target_url"),
        ({"target_url": "/admin"}, "body.invalid", "target_url"),
    ],
)
def test_what_may_not_go_out_is_refused_whole(
    composer: Composer, changes: dict[str, Any], code: str, field: str
) -> None:
    """NT-39, §11: an unknown kind or channel may come with the next deploy, a bad link never."""
    with pytest.raises(Undecodable) as caught:
        composer.prepare(asked(**changes))
    assert (caught.value.code, caught.value.path) == (code, field)


def test_a_record_becomes_content_under_its_channel_s_envelope(composer: Composer) -> None:
    """NT-35, NT-36, NT-38: in the record's locale, with the absolute link; the inbox has no envelope of its own here."""
    row = record(kind=KIND, locale="en", summary_text="Do it", target_url="/s/1", data_json='{"a":1}')
    content = composer.content(row)
    assert (content.text, content.action_url) == ("[Steward] Do it", f"{BASE}/s/1")
    assert (content.title, content.locale) == ("[Steward] An important task has become urgent", "en")
    assert (content.notification_id, content.data) == (row.id, {"a": 1})
    assert composer.content(record(kind=KIND, channel="inbox", summary_text="Do it")).text == "Do it"


def test_a_record_without_texts_says_the_last_fallback(composer: Composer) -> None:
    """NT-35, NT-37: in the default locale where its own has no templates."""
    content = composer.content(record(kind=KIND, locale="fr", summary_text="", fallback_text=None))
    assert content.text == "[Steward] 我为你生成了一份日程调整建议，请回到系统确认是否应用。"
    assert content.action_url is None


def test_composing_is_deterministic_and_storable(composer: Composer) -> None:
    """NT-8: the same record gives the same content, all of whose texts every database can hold."""
    row = record(kind=KIND, summary_text="a evil.com", fallback_text="b", target_url="https://pages.example.com/x")
    assert composer.content(row) == composer.content(row)
    assert composer.content(row).action_url == "https://pages.example.com/x"
    canonical_json([composer.content(row).title, composer.content(row).text])


def test_members_make_a_digest(composer: Composer) -> None:
    """NT-34: one line a member, oldest first, what it said or its fallback."""
    rows = [record(summary_text="one"), record(summary_text="", fallback_text="two"), record()]
    content = composer.content(record(kind=KIND, target_url="/s/all"), rows)
    assert content.lines[:2] == ("• one", "• two")
    assert content.title == "[Steward] 3 reminders"
    assert content.text.split("\n")[1:] == list(content.lines)
    assert content.action_url == f"{BASE}/s/all"
