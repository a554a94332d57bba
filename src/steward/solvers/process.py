"""`python -m steward.solvers.process`: reads a problem on stdin, answers on stdout.

Invariant: its processor time is limited by the system, also when nobody is left to end it.
"""

import resource
import sys

from steward.solvers.problem import read_problem, write_solution

PROCESSOR_SECONDS_MAX = 60


def main() -> None:
    """One problem, solved."""
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_SECONDS_MAX, PROCESSOR_SECONDS_MAX))
    problem = read_problem(sys.stdin.buffer.read())
    from steward.solvers.cp_sat import solve  # noqa: PLC0415  the library comes under the limit, too

    sys.stdout.buffer.write(write_solution(solve(problem)))


if __name__ == "__main__":
    main()
