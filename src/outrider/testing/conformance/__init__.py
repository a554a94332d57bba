"""Suites that an adapter must pass, ours and other people's: subclass them in a test module and hand in a harness.

Invariant: a suite asks only what a port's docstring promises; what a system cannot do is declared, not passed over.
"""
