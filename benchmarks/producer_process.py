"""A producer, as a process: SQLAlchemy on psycopg, one order and one message a transaction, gaps of 5 to 200 ms at random.

Arguments: `database`, `namespace`, `messages`, `first` (number of the first), `seed`. Prints `{order id: time}`: when commit
had returned, on CLOCK_MONOTONIC, which all processes of a machine share.
"""

import json
import random
import sys
import time
from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from benchmarks.enqueue_models import Order, sqlalchemy_url
from benchmarks.handwritten import NOTE, TOTAL, account
from benchmarks.shop import SERVICE, TYPE, catalog, key, payload
from outrider import Message, Outbox

GAP_SECONDS = (0.005, 0.200)


def produce(given: dict[str, Any]) -> dict[str, float]:
    """Commit so many messages."""
    chance = random.Random(given["seed"])
    engine = create_engine(sqlalchemy_url(given["database"], "psycopg"))
    outbox = Outbox(catalog(given["namespace"]), SERVICE, notify=given["database"])
    committed: dict[str, float] = {}
    for number in range(given["first"], given["first"] + given["messages"]):
        time.sleep(chance.uniform(*GAP_SECONDS))
        with Session(engine) as session:
            session.add(Order(account_id=account(number), total=TOTAL, note=NOTE))
            outbox.add(session, Message(TYPE, payload(number), key=key(number)))
            session.commit()
            committed[str(payload(number)["order_id"])] = time.monotonic()
    return committed


def main() -> None:
    """Run once, print the times."""
    print(json.dumps(produce(json.loads(sys.argv[1]))), flush=True)


if __name__ == "__main__":
    main()
