"""One process of a campaign: `python -m faults.process ROLE NAME CELL_JSON BOARD`."""

import asyncio
import json
import signal
import sys
from pathlib import Path

from faults.shop import Cell
from outrider.testing.faults import Board, die_with_parent


def main(role: str, name: str, cell: Cell, board: Board) -> None:
    """Run the role until SIGTERM. Imports what it needs and no more: how soon it works is measured."""
    match role:
        case "load":
            from faults.load import Load  # noqa: PLC0415 - as said above

            load = Load(name, cell, board)
            signal.signal(signal.SIGTERM, load.stop)
            load.run()
        case "notify":
            from faults import senders  # noqa: PLC0415 - as said above

            asyncio.run(senders.notify(cell, board))
        case "tap":
            from faults import tapping  # noqa: PLC0415 - as said above

            tapping.run(name, cell, board)
        case "poison-load" | "poisoned-relay" | "poisoned-consume":
            _poisoned(role, name, cell, board)
        case "init" | "relay" | "consume" | "read" | "prune":
            from faults import roles  # noqa: PLC0415 - as said above

            asyncio.run(roles.init(name, cell) if role == "init" else getattr(roles, role)(name, cell, board))
        case _:
            sys.exit(f"no role {role!r}")


def _poisoned(role: str, name: str, cell: Cell, board: Board) -> None:
    from faults import poisoned, roles  # noqa: PLC0415 - as said above

    match role:
        case "poison-load":
            poisoned.Load(cell, board).run()
        case "poisoned-relay":
            asyncio.run(roles.relay(name, cell, board, poisoned.poisoned))
        case _:
            asyncio.run(roles.consume(name, cell, board, poisoned.handle))


if __name__ == "__main__":
    die_with_parent()
    main(sys.argv[1], sys.argv[2], Cell(**json.loads(sys.argv[3])), Board(Path(sys.argv[4])))
