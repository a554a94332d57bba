"""Every statement of the other storages' `.sql` files, as a function of the same name, parameters and columns."""

from outrider.storages.memory.statements.registry import STATEMENTS

__all__ = ["STATEMENTS"]
