"""Who looks further than the search, as the settings say.

Source: spec/scheduling.md ST-34, §16 (`solver.`).
"""

from importlib.util import find_spec

from steward.bootstrap.apart import ProcessApart
from steward.bootstrap.faults import SettingsWrong
from steward.bootstrap.settings_model import Solver as SolverSettings
from steward.ports.solver import Solver
from steward.solvers.apart import ApartSolver


def solver_of(settings: SolverSettings) -> Solver | None:
    """The solver, if there is to be one. Raises SettingsWrong where its library is not installed."""
    if settings.kind == "none":
        return None
    if find_spec("ortools") is None:
        raise SettingsWrong([f"solver.kind: {settings.kind} is not installed: run  pip install 'outrider[solver]'"])
    return ApartSolver(ProcessApart(), wall_limit=settings.wall_limit, moves_max=settings.moves_max)
