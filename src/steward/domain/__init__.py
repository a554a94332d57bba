"""What Steward decides, as functions of values: grids, urgency, candidates, selections, changes.

Invariant: nothing here reads a clock, chance, a database or the network; `now`, the zone, ids and the one function of
canonical JSON are arguments, so the same values always give the same answer. Source: spec/scheduling.md ST-5.
"""
