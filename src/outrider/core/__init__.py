"""Pure values and the decisions on them.

Invariant: nothing here reads a clock, chance, the environment, a log, a file or a network; time, ids and chance are
arguments, so every decision can be tested with plain values and gives the same answer twice.
"""
