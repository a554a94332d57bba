"""What an attempt's result makes of its record.

Invariant: chance and time are arguments; what may have reached the person is never called dead, and what reached nobody
for want of a provider spends no try. Source: spec/notification.md T4 to T9, NT-17 to NT-22, NT-29.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from outrider.core.notification.codes import Code, ErrorClass, Outcome
from outrider.core.notification.sending import SendResult
from outrider.core.notification.traits import ChannelTraits, Form, SendPolicy
from outrider.notification.delay import delay, off_the_hour, within_window
from outrider.notification.destination import DestinationRow, Hold, State, is_probe
from outrider.notification.policy import BreakerPolicy, NotificationPolicy
from outrider.notification.record import Record
from outrider.notification.states import Event, Status, transition


@dataclass(frozen=True, slots=True)
class Transition:
    """How a record's row changes. `next_retry_at` is None at every end.

    `form` is the one for the next attempt; `new_content`: the frozen content is dropped, and the next attempt renders
    `form` anew, under another key.
    """

    event: Event
    status: Status
    attempt_count: int
    code: str | None = None
    error_class: str | None = None
    message: str | None = None
    next_retry_at: datetime | None = None
    hold: str | None = None
    ambiguous_since: datetime | None = None
    form: Form | None = None
    new_content: bool = False
    provider_message_id: str | None = None

    @property
    def ended(self) -> bool:
        """Whether the record is at an end."""
        return self.next_retry_at is None


@dataclass(frozen=True, slots=True)
class Policy:
    """By what an attempt is judged: the settings, and the channel's traits."""

    settings: NotificationPolicy
    traits: ChannelTraits

    @property
    def breaker(self) -> BreakerPolicy:
        """When its destinations are left alone; a channel may give them longer before they are switched off."""
        longer = self.traits.disable_after
        return self.settings.breaker if longer is None else replace(self.settings.breaker, disable_after=longer)

    @property
    def repeats(self) -> bool:
        """Whether a call is repeated when nobody knows what became of the one before."""
        return self.traits.policy is not SendPolicy.AT_MOST_ONCE


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What else counts: when the attempt began, how many earlier ones of this generation were ambiguous, and its
    destination before and after it (None where nothing limits the channel).
    """

    started_at: datetime
    ambiguous_before: int = 0
    before: DestinationRow | None = None
    after: DestinationRow | None = None

    def opened_or_probed(self, sender: str) -> bool:
        """Whether this failure opened the breaker, or was that of its probe."""
        if self.before is None or self.after is None or self.after.state != State.OPEN:
            return False
        return is_probe(self.before, sender) or self.before.state == State.CLOSED

    @property
    def disabled(self) -> bool:
        """Whether the destination is switched off now."""
        return self.after is not None and self.after.state == State.DISABLED


def sender_of(record_id: UUID, attempt_no: int) -> str:
    """How a destination's row names the one send that probes it."""
    return f"{record_id}:{attempt_no}"


def decide(
    record: Record, result: SendResult, policy: Policy, now: datetime, chance: float, around: Circumstances
) -> Transition:
    """What becomes of a `sending` record whose `attempt_count` counts this attempt; `chance` is uniform in [0, 1)."""
    since = record.ambiguous_since
    if result.maybe_done and since is None:
        since = around.started_at
    made = _decide(_Case(record, result, policy, now, chance, around, since))
    transition(record.status, made.event, made.status)
    return replace(made, ambiguous_since=since)


def lost_lease() -> SendResult:
    """The result of an attempt whose owner did not come back in time (NT-13)."""
    return SendResult(
        Outcome.UNKNOWN,
        ErrorClass.AMBIGUOUS,
        Code.SENDING_LEASE_EXPIRED,
        message="the process that sent it did not come back before its lease ended",
        maybe_done=True,
    )


@dataclass(frozen=True, slots=True)
class _Case:
    record: Record
    result: SendResult
    policy: Policy
    now: datetime
    chance: float
    around: Circumstances
    since: datetime | None


def _decide(case: _Case) -> Transition:
    record, result = case.record, case.result
    if result.outcome is Outcome.SUCCESS:
        return Transition(
            Event.SUCCEEDED, Status.SENT, record.attempt_count, form=record.current_form,
            provider_message_id=result.provider_message_id,
        )  # fmt: skip
    if result.outcome is not Outcome.PERMANENT_FAIL and result.maybe_done:
        return _unclear(case)
    if result.outcome is Outcome.SKIPPED or result.error_class is ErrorClass.GONE or case.around.disabled:
        return _ended(case, Event.SKIPPED, Status.SKIPPED)
    if result.outcome is Outcome.PERMANENT_FAIL and result.error_class is not ErrorClass.CONFIGURATION:
        return _refused(case)
    free = result.error_class is ErrorClass.LIMITED or case.around.opened_or_probed(
        sender_of(record.id, record.attempt_no)
    )
    return _again(case, spent=not free)


def _refused(case: _Case) -> Transition:
    """T6, else T9: a refusal for good, of this form or of the message."""
    record, result, traits = case.record, case.result, case.policy.traits
    simpler = _simpler(record.current_form, result.error_class, traits)
    if simpler is None or (case.since is not None and not case.policy.repeats):
        return _given_up(case)
    return Transition(
        Event.FORM_REFUSED, Status.FAILED, max(record.attempt_count - 1, 0), result.code, result.error_class,
        result.message, next_retry_at=case.now, form=simpler, new_content=True,
    )  # fmt: skip


def _simpler(form: Form | None, error_class: ErrorClass | None, traits: ChannelTraits) -> Form | None:
    """A refused card goes as text; refused content, in whatever form, goes neutral (NT-17)."""
    if error_class is ErrorClass.PAYLOAD and form is Form.CARD and Form.TEXT in traits.forms:
        return Form.TEXT
    if error_class is ErrorClass.CONTENT and form is not Form.NEUTRAL and Form.NEUTRAL in traits.forms:
        return Form.NEUTRAL
    return None


def _unclear(case: _Case) -> Transition:
    """T7, T8: nobody knows whether the person was told."""
    traits, most = case.policy.traits, case.policy.traits.ambiguous_max
    keyless = case.result.outcome is Outcome.UNKNOWN and not traits.keyed
    asked_often = keyless and most is not None and case.around.ambiguous_before >= most
    if not case.policy.repeats or asked_often or case.around.disabled:
        return _ended(case, Event.UNCLEAR, Status.UNKNOWN)
    made = _again(case, spent=True)
    return replace(made, event=Event.UNCLEAR, status=Status.UNKNOWN if made.ended else Status.FAILED)


def _again(case: _Case, *, spent: bool) -> Transition:
    """T5, else T9: another try, if there is one left and time for it."""
    record, result, settings = case.record, case.result, case.policy.settings
    count = record.attempt_count if spent else max(record.attempt_count - 1, 0)
    if count >= record.max_attempts:
        return _given_up(case)
    due = case.now + delay(settings, count, case.chance, result.retry_after)
    due, hold = off_the_hour(due, record.urgency, case.chance), None
    blocked = None if case.around.after is None else case.around.after.blocked_until
    if not spent and blocked is not None and blocked > case.now:
        due, hold = blocked, Hold.RATE if result.error_class is ErrorClass.LIMITED else Hold.BREAKER
    within = within_window(settings, case.policy.traits, case.since, due, case.now)
    if within is None:
        return replace(_given_up(case), code=Code.WINDOW_CLOSED)
    if within >= record.expires_at:
        return _given_up(case)
    return Transition(
        Event.FAILED_FOR_NOW, Status.FAILED, count, result.code, result.error_class, result.message,
        next_retry_at=within, hold=hold, form=record.current_form,
    )  # fmt: skip


def _given_up(case: _Case) -> Transition:
    return _ended(case, Event.GIVEN_UP, Status.DEAD if case.since is None else Status.UNKNOWN)


def _ended(case: _Case, event: Event, status: Status) -> Transition:
    record, result = case.record, case.result
    return Transition(
        event, status, record.attempt_count, result.code, result.error_class, result.message, form=record.current_form
    )
