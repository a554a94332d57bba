"""Tokens, links and sign-ins: ST-57, ST-61, ST-62."""

from dataclasses import replace
from datetime import timedelta

import pytest

from outrider.testing.clock import ManualClock
from steward.domain.errors import NotFound, ValidationFailed
from steward.ports.chance import Chance
from steward.ports.rows.person import LinkRow, SignInRow, TokenRow, UserRow
from steward.ports.rows.suggestion import PreviewRow
from steward.ports.storage import Storage, Writing
from steward.service.link_tokens import LinkKeys
from steward.service.links import Links, Purpose
from steward.service.problems import AlreadyUndone, Expired, PreviewIgnored, PreviewSuperseded, Unauthenticated
from steward.service.sign_ins import SignIns
from steward.service.tokens import Tokens, hash_of_secret
from tests.integration.steward.stories import CALLER, PERSON, Story

OLD, NEW = b"old key, 32 bytes of it, or more", b"new key, 32 bytes of it, or more"


@pytest.fixture
def tokens(storage: Storage, chance: Chance) -> Tokens:
    return Tokens(storage=storage, chance=chance)


def links_with(storage: Storage, chance: Chance, *keys: bytes) -> Links:
    return Links(storage=storage, chance=chance, keys=LinkKeys(keys))


@pytest.fixture
def links(storage: Storage, chance: Chance) -> Links:
    return links_with(storage, chance, OLD)


@pytest.fixture
async def story(storage: Storage, chance: Chance) -> Story:
    made = Story(storage, chance)
    await made.begin()
    return made


async def test_a_token_stands_for_its_person_and_scopes(tokens: Tokens, storage: Storage, clock: ManualClock) -> None:
    """ST-57: 256 bits, stored as their hash alone; `admin` only for an admin; revocable."""
    made = await tokens.make(PERSON, "laptop", ["previews", "admin"])
    token = made["token"]
    assert token.startswith("stw_")
    assert len(token) == len("stw_") + 43
    (row,) = await storage.read(lambda tx: tx.all(TokenRow, {}))
    assert (row.hash, token in repr(row)) == (hash_of_secret(token), False)
    identity = await tokens.check(token)
    assert (identity.user_id, identity.role, identity.scopes) == (PERSON, "user", frozenset({"previews"}))

    async def promote(tx: Writing) -> None:
        await tx.change(UserRow, {"user_id": PERSON}, {"role": "admin"})

    await storage.write(promote)
    assert "admin" in (await tokens.check(token)).scopes
    (used,) = await storage.read(lambda tx: tx.all(TokenRow, {}))
    assert used.last_used_at == clock.now()
    assert await tokens.revoke(PERSON, "laptop") == 1
    for bad in (token, token[:-1], "stw_", "", "é"):
        with pytest.raises(Unauthenticated):
            await tokens.check(bad)


async def test_a_token_ends_and_has_only_known_scopes(tokens: Tokens, clock: ManualClock) -> None:
    """ST-57."""
    made = await tokens.make(PERSON, "phone", ["tasks"], expires_at=clock.now() + timedelta(hours=1))
    await tokens.check(made["token"])
    clock.advance(timedelta(hours=1))
    with pytest.raises(Unauthenticated):
        await tokens.check(made["token"])
    for scopes in ([], ["everything"]):
        with pytest.raises(ValidationFailed):
            await tokens.make(PERSON, "phone", scopes)
    with pytest.raises(NotFound):
        await tokens.make("usr_nobody", "phone", ["tasks"])


async def test_a_preview_link_opens_its_preview_for_its_purpose(story: Story, links: Links, storage: Storage) -> None:
    """ST-61: stored under its hash, without its random bytes."""
    preview = await story.suggest()
    made = await links.make(CALLER, preview.preview_id, {"purpose": "act"})
    token = made.body["token"]
    assert (made.status, made.body["path"]) == (201, f"/p/{token}")
    opened = await links.open(token, "view", "act")
    assert (opened.identity.user_id, opened.purpose, opened.preview_id) == (PERSON, "act", preview.preview_id)
    (row,) = await storage.read(lambda tx: tx.all(LinkRow, {}))
    assert (row.hash, row.expires_at) == (hash_of_secret(token), preview.expires_at + timedelta(hours=24))
    others: list[tuple[Purpose, ...]] = [("view",), ("calendar", "sign_in"), ()]
    for purposes in others:
        with pytest.raises(NotFound):
            await links.open(token, *purposes)
    for values in ({}, {"purpose": "sign_in"}, {"purpose": 1}):
        with pytest.raises(ValidationFailed):
            await links.make(CALLER, preview.preview_id, values)


async def test_every_character_of_a_link_counts(story: Story, links: Links) -> None:
    """ST-61, §18: altered, cut, longer: not found, without a hint."""
    preview = await story.suggest()
    token = (await links.make(CALLER, preview.preview_id, {"purpose": "view"})).body["token"]
    altered = [
        token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :] for place in range(len(token))
    ]
    for bad in (*altered, token[:-1], token + "A", "", "é", "-"):
        with pytest.raises(NotFound):
            await links.open(bad, "view")
    await links.open(token, "view")


@pytest.mark.parametrize("column", ["purpose", "user_id", "preview_id", "base_version", "expires_at", "key_id"])
async def test_a_link_fits_its_row_alone(story: Story, links: Links, storage: Storage, column: str) -> None:
    """ST-61: the tag is over everything that the link is good for, so an altered row opens nothing."""
    preview = await story.suggest()
    other = await story.suggest(live_slot=None)
    token = (await links.make(CALLER, preview.preview_id, {"purpose": "view"})).body["token"]
    values = {
        "purpose": "act",
        "user_id": "usr_bea",
        "preview_id": other.preview_id,
        "base_version": "v1:sha256:0",
        "expires_at": preview.expires_at + timedelta(days=9),
        "key_id": "zz",
    }

    async def alter(tx: Writing) -> None:
        await tx.change(LinkRow, {}, {column: values[column]})

    await storage.write(alter)
    with pytest.raises(NotFound):
        await links.open(token, "view", "act")


async def test_two_keys_verify_and_the_first_signs(story: Story, storage: Storage, chance: Chance) -> None:
    """ST-61: a key is changed without ending the links of the old one."""
    preview = await story.suggest()
    old = (await links_with(storage, chance, OLD).make(CALLER, preview.preview_id, {"purpose": "view"})).body["token"]
    both = links_with(storage, chance, NEW, OLD)
    new = (await both.make(CALLER, preview.preview_id, {"purpose": "view"})).body["token"]
    await both.open(old, "view")
    only_new = links_with(storage, chance, NEW)
    await only_new.open(new, "view")
    with pytest.raises(NotFound):
        await only_new.open(old, "view")


async def test_a_preview_link_ends_with_its_preview(story: Story, links: Links, clock: ManualClock) -> None:
    """ST-42, ST-61: once applied it opens until the undo ends; ignored, never again."""
    preview = await story.suggest()
    token = (await links.make(CALLER, preview.preview_id, {"purpose": "act"})).body["token"]
    await story.confirm(preview)
    await links.open(token, "act")
    clock.advance(timedelta(hours=24))
    with pytest.raises(NotFound):
        await links.open(token, "act")
    with pytest.raises(Expired):
        await links.make(CALLER, preview.preview_id, {"purpose": "view"})


async def test_what_is_over_gets_no_link(story: Story, links: Links) -> None:
    """ST-55: each end has its code."""
    preview = await story.suggest()
    token = (await links.make(CALLER, preview.preview_id, {"purpose": "view"})).body["token"]
    for status, error in (
        ("ignored", PreviewIgnored),
        ("superseded", PreviewSuperseded),
        ("undone", AlreadyUndone),
        ("expired", Expired),
    ):

        async def end(tx: Writing, status: str = status) -> None:
            await tx.change(PreviewRow, {"preview_id": preview.preview_id}, {"status": status})

        await story.storage.change(PERSON, end)
        with pytest.raises(error):
            await links.make(CALLER, preview.preview_id, {"purpose": "view"})
        with pytest.raises(NotFound):
            await links.open(token, "view")
    with pytest.raises(NotFound):
        await links.make(replace(CALLER, user_id="usr_bea"), preview.preview_id, {"purpose": "view"})


async def test_a_calendar_link_is_good_until_it_is_revoked(links: Links, clock: ManualClock) -> None:
    """ST-17, ST-61."""
    made = await links.make_calendar(PERSON)
    assert made["path"] == f"/c/{made['token']}.ics"
    clock.advance(timedelta(days=400))
    opened = await links.open(made["token"], "calendar")
    assert opened.identity.scopes == {"calendar"}
    assert await links.revoke(PERSON, "calendar") == 1
    with pytest.raises(NotFound):
        await links.open(made["token"], "calendar")


async def test_a_sign_in_link_signs_in_once(links: Links, storage: Storage, chance: Chance, clock: ManualClock) -> None:
    """ST-61, ST-62: within 15 minutes."""
    sign_ins = SignIns(storage=storage, chance=chance, links=links)
    made = await links.make_sign_in(PERSON)
    await links.open(made["token"], "sign_in")
    signed = await sign_ins.start_by_link(made["token"])
    assert signed.user_id == PERSON
    with pytest.raises(NotFound):
        await sign_ins.start_by_link(made["token"])
    late = await links.make_sign_in(PERSON)
    clock.advance(timedelta(minutes=15))
    with pytest.raises(NotFound):
        await sign_ins.start_by_link(late["token"])
    with pytest.raises(NotFound):
        await links.make_sign_in("usr_nobody")


async def test_a_cookie_is_good_for_its_purpose_and_renewed_by_use(
    links: Links, storage: Storage, chance: Chance, clock: ManualClock
) -> None:
    """ST-61, ST-62: 90 days from the last use; the one that opens pages changes nothing."""
    sign_ins = SignIns(storage=storage, chance=chance, links=links)
    signed = await sign_ins.start(PERSON)
    assert (await sign_ins.check(signed.view, "view")).user_id == PERSON
    await sign_ins.check(signed.act, "act")
    with pytest.raises(Unauthenticated):
        await sign_ins.check(signed.view, "act")
    rows = await storage.read(lambda tx: tx.all(SignInRow, {}))
    assert {row.hash for row in rows} == {hash_of_secret(signed.view), hash_of_secret(signed.act)}
    clock.advance(timedelta(days=60))
    await sign_ins.check(signed.view, "view")
    clock.advance(timedelta(days=60))
    await sign_ins.check(signed.view, "view")
    with pytest.raises(Unauthenticated):
        await sign_ins.check(signed.act, "act")
    await sign_ins.end(signed.view, signed.act)
    with pytest.raises(Unauthenticated):
        await sign_ins.check(signed.view, "view")
    with pytest.raises(Unauthenticated):
        await sign_ins.start("usr_nobody")
