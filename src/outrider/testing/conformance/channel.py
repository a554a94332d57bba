"""The suite of `ports.channel`: what the notifier relies on, asked of every channel.

Use: subclass `ChannelConformance` in a test module and give a fixture `harness` that yields a `ChannelHarness`; the tests are
asynchronous (pytest-asyncio in auto mode).
"""

import re

import pytest

from outrider.core.canonical import canonical_json
from outrider.core.errors import PayloadTooLarge
from outrider.core.notification.codes import Outcome
from outrider.core.notification.sending import SendResult
from outrider.core.notification.traits import Form
from outrider.telemetry.logs import quiet_clients
from outrider.testing.conformance.channel_harness import LINK, ChannelCase, ChannelHarness, content, request

HOSTILE = (
    '</p><script>alert(1)</script><at user_id="all">x</at> *_`[](){}#<&>"\'\\ {{7*7}} %s \n.\r\nBcc: x\u2028\U0001f469'
)
ROW_BYTES_MAX = 8_192
MESSAGE_MAX = 2_000
PLENTY_SECONDS = 10.0


class ChannelConformance:
    """What the notifier relies on."""

    def test_it_has_a_name_that_rows_can_hold(self, harness: ChannelHarness) -> None:
        """Spec §9: KEY 32, of what settings and routes can say."""
        assert re.fullmatch(r"[a-z][a-z0-9_]{0,31}", harness.channel.name)

    def test_usable_settings_have_no_problems_and_others_say_which(self, harness: ChannelHarness) -> None:
        """Spec §11: blank and foreign URLs, bearer without token, an unknown way to authenticate; no value is shown."""
        assert harness.channel.problems(harness.address.settings) == []
        for settings, code in harness.unusable:
            found = harness.channel.problems(settings)
            assert found
            assert found[0].code == code, found
            self.must_hide(harness, repr(found))

    def test_a_destination_is_the_same_each_time_and_shows_no_secret(self, harness: ChannelHarness) -> None:
        """NT-23, NT-45: a key of 32 bytes, a masked label."""
        found = harness.channel.destinations(harness.address)
        assert found == harness.channel.destinations(harness.address)
        assert all(len(destination.key) == 32 for destination in found)  # noqa: PLR2004  bytes of a SHA-256
        self.must_hide(harness, repr(found))

    def test_rendering_is_deterministic_and_its_body_is_plain_json(self, harness: ChannelHarness) -> None:
        """NT-8, NT-21: the same content gives the same payload, which can be stored and hashed, and holds no secret."""
        for form in harness.channel.traits.forms:
            payload = harness.channel.render(content(), form)
            assert payload == harness.channel.render(content(), form)
            assert payload.form is form
            self.must_hide(harness, canonical_json(dict(payload.body)).decode())

    def test_the_link_stands_once_and_the_envelope_first(self, harness: ChannelHarness) -> None:
        """NT-36, NT-38, NT-41: the link is added after escaping, unless it is there already."""
        for form in harness.channel.traits.forms:
            for text in ("plain", f"look at {LINK} now", "a < b & c"):
                sent = harness.channel.render(content(text), form).text
                assert sent.startswith("[Steward] ")
                assert sent.count(LINK) == 1
            assert LINK not in harness.channel.render(content(action_url=None), form).text

    def test_the_neutral_form_holds_nothing_that_anybody_wrote(self, harness: ChannelHarness) -> None:
        """NT-29: a provider that refuses content gets the kind's fixed words and the link."""
        if Form.NEUTRAL not in harness.channel.traits.forms:
            pytest.skip("no neutral form")
        payload = harness.channel.render(content("untrusted words", "untrusted title"), Form.NEUTRAL)
        assert "untrusted" not in canonical_json(dict(payload.body)).decode() + payload.text

    def test_hostile_text_renders(self, harness: ChannelHarness) -> None:
        """NT-41: whatever people and models write is rendered, and stays storable."""
        for form in harness.channel.traits.forms:
            payload = harness.channel.render(content(HOSTILE, HOSTILE), form)
            canonical_json(dict(payload.body))
            payload.text.encode()

    def test_what_is_too_large_is_refused_before_it_is_sent(self, harness: ChannelHarness) -> None:
        """Spec §8: PayloadTooLarge with size and limit; the neutral form always fits."""
        limit, forms = harness.channel.traits.max_bytes, harness.channel.traits.forms
        if limit is None:
            pytest.skip("no limit")
        huge = content("长" * limit)
        with pytest.raises(PayloadTooLarge) as caught:
            harness.channel.render(huge, forms[0])
        assert caught.value.size > caught.value.limit
        if Form.NEUTRAL in forms:
            harness.channel.render(huge, Form.NEUTRAL)

    async def test_every_answer_has_its_outcome(self, harness: ChannelHarness) -> None:
        """NT-17: by the table; no answer raises, and nothing of a result shows a secret or is too long for its row."""
        assert any(case.outcome is Outcome.SUCCESS for case in harness.cases) or harness.channel.traits.local
        for case in harness.cases:
            await case.arrange()
            result = await self.send(harness)
            self.must_mean(case, result)
            self.must_fit(harness, result)

    async def test_no_library_logs_a_secret(self, harness: ChannelHarness, caplog: pytest.LogCaptureFixture) -> None:
        """NT-45: not where an application logs everything, once clients are kept quiet."""
        quiet_clients()
        caplog.set_level("DEBUG")
        for case in harness.cases:
            await case.arrange()
            await self.send(harness)
        self.must_hide(harness, caplog.text)

    async def test_nothing_is_sent_after_the_deadline(self, harness: ChannelHarness) -> None:
        """NT-10: a call that has no time left is not made, and says that nothing was done."""
        if harness.seen is None:
            pytest.skip("it cannot be seen what reaches the provider")
        before = harness.seen()
        result = await self.send(harness, seconds=-1.0)
        assert (result.outcome, result.maybe_done) == (Outcome.TEMPORARY_FAIL, False)
        assert harness.seen() == before

    async def test_one_send_is_one_call(self, harness: ChannelHarness) -> None:
        """NT-17: a channel never retries."""
        if harness.seen is None:
            pytest.skip("it cannot be seen what reaches the provider")
        for case in harness.cases:
            await case.arrange()
            before = harness.seen()
            await self.send(harness)
            assert harness.seen() <= before + 1, case.name

    async def test_asking_about_an_unknown_key_does_no_harm(self, harness: ChannelHarness) -> None:
        """Spec §8, T16: None where it cannot tell, so always where the traits say so."""
        found = await harness.channel.lookup("nk1" + "z" * 37, harness.address)
        assert found is None or (harness.channel.traits.looks_up and isinstance(found, SendResult))

    async def send(self, harness: ChannelHarness, seconds: float = PLENTY_SECONDS) -> SendResult:
        """One attempt of plain content in the channel's richest form."""
        payload = harness.channel.render(content(), harness.channel.traits.forms[0])
        return await harness.channel.send(request(harness, payload), harness.clock.boottime() + seconds)

    def must_mean(self, case: ChannelCase, result: SendResult) -> None:
        """The result is the one of the table."""
        got = (result.outcome, result.code, result.error_class, result.maybe_done)
        assert got == (case.outcome, case.code, case.error_class, case.maybe_done), (case.name, result)

    def must_fit(self, harness: ChannelHarness, result: SendResult) -> None:
        """NT-42, NT-45: bounded, storable, and without secrets."""
        rows = [canonical_json(dict(row)) for row in (result.request_json, result.response_json) if row is not None]
        assert all(len(row) <= ROW_BYTES_MAX for row in rows)
        assert len(result.message or "") <= MESSAGE_MAX
        assert len(result.provider_message_id or "") <= 128  # noqa: PLR2004  KEY 128
        (result.message or "").encode()
        self.must_hide(harness, " ".join([row.decode() for row in rows] + [result.message or "", repr(result)]))

    def must_hide(self, harness: ChannelHarness, shown: str) -> None:
        """NT-45: no secret stands in what is shown."""
        assert not [secret for secret in harness.secrets if secret in shown]
