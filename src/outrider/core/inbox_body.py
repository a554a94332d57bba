"""A message as an inbox row keeps it: its attributes as JSON text beside the columns, its body as it came.

Invariant: what `stored_attributes` wrote, `restored_envelope` reads back as the same envelope; of bytes that were never
understood all that arrived is kept (OB-46, OB-73).
"""

from collections.abc import Mapping
from datetime import datetime
from json import dumps, loads
from typing import Any

from outrider.core.envelope import Envelope
from outrider.core.inbox import StoredRow

ORIGIN_MAX = 255


def stored_attributes(envelope: Envelope) -> str:
    """The attributes that have no column of their own, as a JSON object."""
    kept: dict[str, Any] = {
        "source": envelope.source,
        "subject": envelope.subject,
        "time": envelope.time.isoformat(),
        "deliverat": None if envelope.deliver_at is None else envelope.deliver_at.isoformat(),
        "correlationid": envelope.correlation_id,
        "causationid": envelope.causation_id,
        "traceparent": envelope.traceparent,
        "tracestate": envelope.tracestate,
        "headers": dict(envelope.headers) or None,
    }
    return dumps({name: value for name, value in kept.items() if value is not None})


def stored_strangeness(raw_headers: Mapping[str, str] | None) -> str:
    """What arrived in place of attributes, fit for a JSON column: NUL and half characters are escaped visibly."""
    return dumps({"raw": {_storable(name): _storable(value) for name, value in (raw_headers or {}).items()}})


def restored_envelope(row: StoredRow) -> Envelope | None:
    """The envelope of a row; None where the message never had one."""
    kept = loads(row.headers) if row.headers else {}
    if "source" not in kept:
        return None
    return Envelope(
        message_id=row.message_id,
        source=kept["source"],
        type=row.type,
        version=row.version,
        key=row.key,
        subject=kept.get("subject"),
        time=datetime.fromisoformat(kept["time"]),
        content_type=row.content_type,
        sequence=row.sequence,
        generation=row.generation,
        deliver_at=datetime.fromisoformat(kept["deliverat"]) if "deliverat" in kept else None,
        correlation_id=kept.get("correlationid"),
        causation_id=kept.get("causationid"),
        traceparent=kept.get("traceparent"),
        tracestate=kept.get("tracestate"),
        headers=kept.get("headers", {}),
        body=row.body,
        fingerprint=row.fingerprint,
    )


def _storable(text: object) -> str:
    return str(text).encode("unicode_escape", "backslashreplace").decode("ascii")
