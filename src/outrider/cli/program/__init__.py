"""How a program of this house is put together: lazy commands, common options, examples, exit codes. Steward's is one, too.

Invariant: nothing here knows a command, a setting or an error of either program.
"""
