"""CP-SAT in a process of its own (extra `[solver]`): its libraries are large, and it must be possible to end it.

Invariant: the same problem gives the same answer where the clock did not end it. Source: spec/scheduling.md ST-34.
"""
