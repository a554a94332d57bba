"""The one link of a notification: NT-39, §11."""

import pytest

from outrider.core.errors import InvalidMessage
from outrider.notification.link import LinkPolicy, action_url, checked_target_url

POLICY = LinkPolicy("https://steward.example.com/", ("/assistant", "/s/"), ("pages.example.com",))


@pytest.mark.parametrize(
    "url",
    ["/assistant", "/assistant/1?tab=2#x", "/s/abc", "/assistant?next=%2Fs", "/s/%E6%97%A5 程".replace(" ", "%20")],
)
def test_a_path_of_ours_passes_and_is_made_absolute(url: str) -> None:
    """NT-39: a path under a prefix of `action_paths` is made absolute with `public_base_url`."""
    assert checked_target_url(url, POLICY) == url
    assert action_url(url, POLICY) == f"https://steward.example.com{url}"


def test_an_absolute_link_goes_to_a_listed_host_alone() -> None:
    """NT-39: absolute only as https on a host of `link_hosts`."""
    url = "https://pages.example.com/a?b=1"
    assert checked_target_url(url, POLICY) == url
    assert action_url(url, POLICY) == url
    assert action_url(None, POLICY) is None
    assert action_url("/assistant", LinkPolicy()) is None


@pytest.mark.parametrize(
    "url",
    [
        "", "assistant", "//evil.example/x", "/\\evil.example", "/assistant/../admin", "/assistant//x",
        "/assistant/%2e%2e/admin", "/assistant/%252e%252e/admin", "/assistant/%5cevil", "/%2Fevil.example", "/admin",
        "/assistantx", "/assistant\n/x", "/assistant/\x00", "/assistant/ x", "/assistant/\u2028", "/assistant\ud800",
        "/assistant/%0d%0aX", "/assistant/a://b", '/assistant/"onclick', "javascript:alert(1)",
        "http://pages.example.com/", "HTTPS://pages.example.com/", "https://evil.example/", "https://pages.example.com@evil/",
        "https://u:p@pages.example.com/", "https://pages.example.com:8443/", "https://pages.example.com.evil/",
        "https://[", "https://pages.example.com\\@evil", "/assistant/" + "x" * 2_048,
    ],
)  # fmt: skip
def test_any_other_link_is_refused_whole(url: str) -> None:
    """NT-39, §11: nothing goes out without its safe link, so the request is refused by the field's name."""
    with pytest.raises(InvalidMessage, match="target_url"):
        checked_target_url(url, POLICY)
