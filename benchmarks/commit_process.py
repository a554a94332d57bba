"""A committing process: SQLAlchemy on psycopg, one order and one message a transaction, as fast as it can.

Arguments: `with_relay`, `without_relay` (databases), `namespace`. Each line `SECONDS NAME` on stdin is one run on the
database of that name, with wake-up on `with_relay` alone; the answer is how many transactions it committed.
"""

import json
import random
import sys
import time
from typing import Any

from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session

from benchmarks.enqueue_models import Order, sqlalchemy_url
from benchmarks.handwritten import NOTE, TOTAL, account
from benchmarks.shop import KEYS, SERVICE, TYPE, catalog, key, payload
from outrider import Message, Outbox


def commit(engine: Engine, outbox: Outbox, seconds: float) -> int:
    """Transactions committed in this time."""
    done = 0
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        number = random.randrange(KEYS)
        with Session(engine) as session:
            session.add(Order(account_id=account(number), total=TOTAL, note=NOTE))
            outbox.add(session, Message(TYPE, payload(number), key=key(number)))
            session.commit()
        done += 1
    return done


def main() -> None:
    """Answer line by line."""
    given: dict[str, Any] = json.loads(sys.argv[1])
    known = catalog(given["namespace"])
    doors = {
        "with_relay": (
            create_engine(sqlalchemy_url(given["with_relay"], "psycopg")),
            Outbox(known, SERVICE, notify=given["with_relay"]),
        ),
        "without_relay": (create_engine(sqlalchemy_url(given["without_relay"], "psycopg")), Outbox(known, SERVICE)),
    }
    for engine, outbox in doors.values():
        commit(engine, outbox, 0.1)
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        seconds, name = line.split()
        print(json.dumps({"committed": commit(*doors[name], float(seconds))}), flush=True)


if __name__ == "__main__":
    main()
