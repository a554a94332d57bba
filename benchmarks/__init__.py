"""Benchmarks of Outrider against bare loops and against its peers. Method and results: docs/benchmarks.md.

Invariant: both sides of a figure run in the same rounds, on the same servers with durability as shipped, over the same data.
"""
