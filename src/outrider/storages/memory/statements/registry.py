"""Name to function, over all modules of statements."""

from collections.abc import Callable, Mapping
from inspect import isfunction
from types import MappingProxyType, ModuleType
from typing import Final

from outrider.core.steps import Params, Rows
from outrider.storages.memory.access import MemoryAccess
from outrider.storages.memory.statements import (
    audits,
    cursors,
    deliveries,
    inbox,
    laning,
    log,
    marks,
    meta,
    notice_mending,
    notice_pruning,
    notices,
    operations,
    pruning,
    reading,
    rebasing,
    recipients,
    rewinding,
    status,
    sweeping,
)

Function = Callable[[MemoryAccess, Params], Rows]
_MODULES: Final[tuple[ModuleType, ...]] = (
    audits, cursors, deliveries, inbox, laning, log, marks, meta, notice_mending, notice_pruning, notices,
    operations, pruning, reading, rebasing, recipients, rewinding, status, sweeping,
)  # fmt: skip


def _public(module: ModuleType) -> dict[str, Function]:
    return {
        name: value
        for name, value in vars(module).items()
        if isfunction(value) and value.__module__ == module.__name__ and not name.startswith("_")
    }


STATEMENTS: Final[Mapping[str, Function]] = MappingProxyType(
    {name: function for module in _MODULES for name, function in _public(module).items()}
)
"""Every statement by its name."""
