"""The relay: reads the log, publishes in order, and moves the cursor.

Invariant: a position is written only when every message up to it was acknowledged or has a delivery row of its own, and
nothing is published or written after the lease's local deadline.
"""
