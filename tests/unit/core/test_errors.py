"""The tree of errors: codes, fields, pickling (spec §15)."""

import copy
import inspect
import pickle
from datetime import timedelta
from uuid import UUID

import pytest

from outrider.core import errors
from outrider.core.answers import Reject, Retry

SAMPLES: list[errors.OutriderError] = [
    errors.ConfigurationError("x"),
    errors.MissingExtra("kafka", "the Kafka broker"),
    errors.RetentionTooShort("prune.receipts_keep", timedelta(days=1), timedelta(days=7)),
    errors.SchemaMismatch("x", found=1, wanted=2),
    errors.ForeignPosition("x"),
    errors.CatalogError(["a", "b"]),
    errors.NoTransaction("x"),
    errors.WrongDatabase("x"),
    errors.UnregisteredType("order.placed"),
    errors.ForeignType("order.placed", "billing", "orders", ["orders"]),
    errors.UnknownDestination("order.placed", "x", ["outrider.orders.outbox"]),
    errors.InvalidMessage("payload", "$.a[3]", "nan is no JSON number"),
    errors.MessageTooLarge(2, 1),
    errors.MessageIdConflict(UUID(int=7)),
    errors.MessageNotFound(UUID(int=7)),
    errors.ServiceStateError("x"),
    errors.OperationRefused("x"),
    errors.NotificationNotFound("record", UUID(int=7)),
    errors.SettingsRefused([("webhook_url", "unsafe_url", "no")]),
    errors.StorageUnavailable("x"),
    errors.LeaseLost("x"),
    errors.BrokerUnavailable("x"),
    errors.DestinationPaused("x"),
    errors.UnknownType("x"),
    errors.UnknownVersion("x", 3, 2),
    errors.Undecodable("x", "$.a", "envelope.invalid"),
    errors.SecretUnreadable("webhook", "sign_secret", "2025"),
    errors.ChannelError("x", "refused", "429", timedelta(seconds=3)),
]
CODES = (
    "config.invalid config.missing_extra config.retention schema.mismatch position.foreign catalog.invalid "
    "add.no_transaction add.wrong_database route.unregistered route.foreign route.destination message.invalid "
    "message.too_large message.id_conflict message.not_found service.state operation.refused type.unknown "
    "version.unknown body.invalid envelope.invalid storage.unavailable lease.lost broker.unavailable destination.paused"
)


@pytest.mark.parametrize("error", SAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_survives_pickle_and_copy(error: errors.OutriderError) -> None:
    """Spec §15: class, text, code and fields arrive on the other side of a process."""
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):  # noqa: S301  our own bytes
        assert type(twin) is type(error)
        assert str(twin) == str(error)
        assert twin.code == error.code
        assert vars(twin) == vars(error)


def test_every_code_of_the_specification_has_its_class() -> None:
    """Spec §15: the table of codes."""
    known = {c.code for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, errors.OutriderError)}
    known |= {error.code for error in SAMPLES}
    assert set(CODES.split()) <= known
    assert {e.code for e in SAMPLES if e.retryable} == {"storage.unavailable", "broker.unavailable"}
    assert not errors.ROW_CODES & known


def test_messages_say_who_must_act_and_how() -> None:
    """Spec §15: MissingExtra names the install command; OB-32: ForeignType names owner and producers."""
    assert "pip install 'outrider[kafka]'" in str(errors.MissingExtra("kafka"))
    text = str(errors.ForeignType("order.placed", "billing", "orders", ["orders", "shop"]))
    assert "billing" in text
    assert "orders, shop" in text
    assert "$.a[3]" in str(errors.InvalidMessage("payload", "$.a[3]", "nan"))


def test_an_invariant_is_outside_the_tree() -> None:
    """Style §5: never caught, never retried."""
    assert not issubclass(errors.InvariantViolated, Exception)


def test_answers_of_a_handler_are_no_errors() -> None:
    """Spec §10: Reject and Retry stand outside the tree and keep their fields."""
    assert not issubclass(Reject, errors.OutriderError)
    answer = pickle.loads(pickle.dumps(Retry(timedelta(seconds=3), counted=False)))  # noqa: S301
    assert (answer.delay, answer.counted) == (timedelta(seconds=3), False)
    assert (Retry().delay, Retry().counted) == (None, True)
    assert Reject("negative total").reason == "negative total"
    with pytest.raises(ValueError, match="negative"):
        Retry(timedelta(seconds=-1))
