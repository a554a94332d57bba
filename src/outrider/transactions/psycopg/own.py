"""How sessions are set that we make to PostgreSQL from a URL. Source: spec/outbox.md OB-35, OB-82."""

from typing import Final

from psycopg.conninfo import conninfo_to_dict

IDLE: Final = "idle_in_transaction_session_timeout"
MILLISECONDS_MAX: Final = 2**31 - 1


def session_options(conninfo: str, idle_seconds: float) -> str:
    """Libpq's `options`: those of the URL, and how long a session may do nothing in an open transaction, unless it says so
    itself. A process that is stopped there keeps what it has locked no longer.
    """
    given = str(conninfo_to_dict(conninfo).get("options") or "")
    if IDLE in given:
        return given
    return f"{given} -c {IDLE}={min(round(idle_seconds * 1000), MILLISECONDS_MAX)}".lstrip()
