"""A body is read up to its limit, packed or not."""

import gzip
import zlib

import pytest

from outrider.channels.http.body import Body

LIMIT = 1_000


def read(encoding: str, *chunks: bytes) -> Body:
    body = Body(encoding, LIMIT)
    if all(body.add(chunk) for chunk in chunks):
        body.end()
    return body


def test_a_plain_body_is_whole() -> None:
    body = read("", b"ab", b"cd")
    assert (body.data, body.whole) == (b"abcd", True)


def test_a_body_of_exactly_the_limit_is_whole() -> None:
    assert read("identity", b"x" * LIMIT).whole
    assert not read("identity", b"x" * LIMIT, b"x").whole


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_packed_body_is_unpacked(encoding: str, pack: type[bytes]) -> None:
    packed = pack(b"hello" * 20)
    body = read(encoding, packed[:7], packed[7:])
    assert (body.data, body.whole) == (b"hello" * 20, True)


def test_a_bomb_is_unpacked_no_further_than_the_limit() -> None:
    """NT-42: 10 MB of zeros in 10 KB."""
    bomb = gzip.compress(b"\0" * 10_000_000)
    body = Body("gzip", LIMIT)
    assert not body.add(bomb)
    assert (len(body.data), body.whole) == (LIMIT, False)


@pytest.mark.parametrize(
    ("encoding", "chunk"),
    [
        ("gzip", gzip.compress(b"hello" * 20, mtime=0)[:20]),
        ("gzip", b"not packed at all"),
        ("br", b"\x0b\x02\x80hello\x03"),
    ],
)
def test_what_is_cut_or_cannot_be_unpacked_is_not_whole(encoding: str, chunk: bytes) -> None:
    assert not read(encoding, chunk).whole


def test_an_empty_body_is_whole_whatever_its_encoding() -> None:
    assert read("gzip").whole
