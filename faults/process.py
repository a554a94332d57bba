"""One process of a campaign: `python -m faults.process ROLE NAME CELL_JSON BOARD`."""

import asyncio
import json
import signal
import sys
from pathlib import Path

from faults import poison, roles
from faults.load import Load
from faults.shop import Cell
from outrider.testing.faults import Board, die_with_parent


def main(role: str, name: str, cell: Cell, board: Board) -> None:
    """Run the role until SIGTERM."""
    match role:
        case "load":
            load = Load(name, cell, board)
            signal.signal(signal.SIGTERM, load.stop)
            load.run()
        case "init":
            asyncio.run(roles.init(name, cell))
        case "relay":
            asyncio.run(roles.relay(name, cell, board))
        case "consume":
            asyncio.run(roles.consume(name, cell, board))
        case "read":
            asyncio.run(roles.read(name, cell, board))
        case "prune":
            asyncio.run(roles.prune(name, cell, board))
        case "poison-load":
            poison.Load(cell, board).run()
        case "poisoned-relay":
            asyncio.run(roles.relay(name, cell, board, poison.poisoned))
        case "poisoned-consume":
            asyncio.run(roles.consume(name, cell, board, poison.handle))
        case _:
            sys.exit(f"no role {role!r}")


if __name__ == "__main__":
    die_with_parent()
    main(sys.argv[1], sys.argv[2], Cell(**json.loads(sys.argv[3])), Board(Path(sys.argv[4])))
