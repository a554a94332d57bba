"""What Steward's services need of the world, as Protocols whose docstrings are the contract, and the rows that cross them.

Invariant: nothing here does anything; time, ids, chance, rows, messages, models and feeds all come through these.
Source: spec/scheduling.md ST-3, ST-5, ST-47.
"""
