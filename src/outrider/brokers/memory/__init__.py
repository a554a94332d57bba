"""A broker in this process's memory, for tests and simulations: ordered, and broken on demand.

Invariant: it gives the same outcomes as a real broker would, at once and without chance; it passes the same suite.
"""
