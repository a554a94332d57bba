"""The corpus of URLs that would lead back into a network of ours, in the forms that readers of URLs have fallen for (X1)."""

from collections.abc import Sequence

import pytest

from outrider.channels.http.client import GuardedClient
from outrider.ports.http import HttpFailure, HttpRequest

REFUSED_BY_FORM = [
    # not https, or not a URL
    "http://example.com/hook",
    "ftp://example.com/hook",
    "file:///etc/passwd",
    "gopher://example.com/_x",
    "javascript:alert(1)",
    "//example.com/hook",
    "https:/example.com/hook",
    "https:example.com/hook",
    "https://",
    "https:///etc/passwd",
    "https://?x=1",
    "",
    " https://example.com/",
    "https://example.com/a b",
    "https://example.com/a\r\nHost: 127.0.0.1",
    "https://example.com/\x00",
    "https://example.com/日本",
    "https://example.com/" + "a" * 2048,
    # users, fragments, backslashes: two readers, two hosts
    "https://example.com@127.0.0.1/",
    "https://user:word@example.com/",
    "https://127.0.0.1#@example.com/",
    "https://example.com/#part",
    "https://127.0.0.1\\@example.com/",
    "https://example.com\\.evil.test/",
    "https://127.0.0.1%2f@example.com/",
    "https://%31%32%37.0.0.1/",
    "https://example.com%00.evil.test/",
    "https://exa\tmple.com/",
    # ports
    "https://example.com:80/",
    "https://example.com:22/",
    "https://example.com:0/",
    "https://example.com:65536/",
    "https://example.com:443:80/",
    "https://example.com:/",
    "https://example.com:-443/",
    "https://example.com:٤٤٣/",
    # this machine
    "https://localhost/",
    "https://LOCALHOST/",
    "https://localhost./",
    "https://127.0.0.1/",
    "https://127.255.255.254/",
    "https://127.0.0.1./",
    "https://127.1/",
    "https://127.0.1/",
    "https://2130706433/",
    "https://017700000001/",
    "https://0177.0.0.1/",
    "https://0x7f.0.0.1/",
    "https://0x7f000001/",
    "https://127.0.0.0x1/",
    "https://0/",
    "https://0.0.0.0/",
    "https://①②⑦.⓪.⓪.①/",
    "https://127。0。0。1/",
    "https://１２７.0.0.1/",  # noqa: RUF001 - full-width digits
    "https://[::1]/",
    "https://[::]/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::127.0.0.1]/",
    "https://[fe80::1%25eth0]/",
    "https://[::1/",
    "https://::1/",
    # networks of ours, of the carrier, of the cloud
    "https://10.0.0.1/",
    "https://172.16.0.1/",
    "https://172.31.255.255/",
    "https://192.168.1.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://0xa9fea9fe/",
    "https://2852039166/",
    "https://100.64.0.1/",
    "https://100.100.100.200/latest/meta-data/",
    "https://192.0.0.192/",
    "https://198.18.0.1/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "https://240.0.0.1/",
    "https://[fc00::1]/",
    "https://[fd00:ec2::254]/latest/meta-data/",
    "https://[fe80::1]/",
    "https://[fec0::1]/",
    "https://[ff02::1]/",
    "https://[2002:7f00:1::]/",
    "https://[2001:0:7f00:1::1]/",
    "https://[64:ff9b::127.0.0.1]/",
    "https://[64:ff9b:1::a00:1]/",
    "https://[2001:db8::1]/",
    # names that are no public names
    "https://metadata/",
    "https://-example.com/",
    "https://exam ple.com/",
    "https://a..example.com/",
    "https://" + "a" * 64 + ".com/",
    "https://" + ".".join(["a" * 60] * 5) + ".com/",
]
REFUSED_BY_ADDRESS = [
    ["127.0.0.1"],
    ["10.1.2.3"],
    ["169.254.169.254"],
    ["100.64.0.1"],
    ["93.184.216.34", "10.0.0.1"],
    ["2606:2800:220:1::1", "::1"],
    ["::ffff:93.184.216.34"],
    ["::ffff:10.0.0.1"],
    ["2002:a00:1::1"],
    ["64:ff9b::a00:1"],
    ["fe80::1%eth0"],
    ["fd12:3456::1"],
    ["ff0e::1"],
    ["192.88.99.1"],
    ["nonsense"],
]
ALLOWED = [
    "https://example.com/hook",
    "HTTPS://Example.COM/hook",
    "https://example.com",
    "https://example.com:443/a?b=c%20d",
    "https://93.184.216.34/",
    "https://[2606:2800:220:1:248:1893:25c8:1946]/",
    "https://bücher.example/",
    "https://xn--bcher-kva.example/",
    "https://a_b.example.com/",
]


class Names:
    """A resolver that knows what it is told, an answer a call; the last one stays."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        assert port
        self.asked.append(host)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


def test_the_corpus_is_large_enough() -> None:
    assert len(set(REFUSED_BY_FORM)) == len(REFUSED_BY_FORM) >= 60


@pytest.mark.parametrize("url", REFUSED_BY_FORM)
async def test_ssrf_corpus_is_refused_before_any_name_is_resolved(url: str) -> None:
    """NT-43: by form alone, on saving and on sending, without a look-up or a connection."""
    names = Names(["93.184.216.34"])
    client = GuardedClient(resolver=names)
    assert client.problem(url)
    assert await client.check(url) == client.problem(url)
    failure = await client.exchange(HttpRequest("POST", url, body=b"{}"), 5)
    assert isinstance(failure, HttpFailure)
    assert (failure.reason, failure.written) == ("forbidden", False)
    assert names.asked == []


@pytest.mark.parametrize("addresses", REFUSED_BY_ADDRESS, ids=",".join)
async def test_one_address_that_is_not_global_refuses_the_host(addresses: list[str]) -> None:
    """NT-43: any of them, also mapped, 6to4, NAT64 and a carrier's own."""
    client = GuardedClient(resolver=Names(addresses))
    assert client.problem("https://example.com/") is None
    assert await client.check("https://example.com/") == "the host has an address that is not public"
    failure = await client.exchange(HttpRequest("POST", "https://example.com/"), 5)
    assert isinstance(failure, HttpFailure)
    assert (failure.reason, failure.written) == ("forbidden", False)


@pytest.mark.parametrize("url", ALLOWED)
async def test_what_is_public_passes(url: str) -> None:
    names = Names(["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"])
    client = GuardedClient(resolver=names)
    assert client.problem(url) is None
    assert await client.check(url) is None
    assert not client.is_exempt(url)


async def test_a_name_is_asked_for_as_ascii() -> None:
    names = Names(["93.184.216.34"])
    assert await GuardedClient(resolver=names).check("https://BÜCHER.example/") is None
    assert names.asked == ["xn--bcher-kva.example"]


async def test_a_rebinding_name_is_judged_at_every_call() -> None:
    """NT-43: what was public on saving is looked at again on sending."""
    names = Names(["93.184.216.34"], ["127.0.0.1"])
    client = GuardedClient(resolver=names)
    assert await client.check("https://rebinding.example/") is None
    failure = await client.exchange(HttpRequest("POST", "https://rebinding.example/"), 5)
    assert isinstance(failure, HttpFailure)
    assert failure.reason == "forbidden"


def test_a_named_fake_server_is_exempt_and_its_neighbour_is_not() -> None:
    """NT-43, `ssrf.allow`: one host and port, plain http too."""
    client = GuardedClient(allow=["127.0.0.1:8080"], resolver=Names([]))
    assert client.is_exempt("http://127.0.0.1:8080/x")
    assert client.problem("http://127.0.0.1:8080/x") is None
    assert client.problem("http://127.0.0.1:8081/x") == "not https"
    assert client.problem("http://user@127.0.0.1:8080/x")
    assert not client.is_exempt("http://127.0.0.1:8081/x")


def test_no_refusal_repeats_the_url() -> None:
    """NT-45: a URL may be a credential."""
    client = GuardedClient(resolver=Names([]))
    for url in REFUSED_BY_FORM:
        if "example" in url:
            assert "example" not in (client.problem(url) or "")
    assert "example" not in repr(
        HttpRequest("POST", "https://example.com/token", {"Authorization": "example"}, b"example")
    )
