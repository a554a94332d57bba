"""How a committed request becomes one message that a person gets: decides (pure) and drives.

Invariant: no decision reads a clock, chance or a provider's own words; what a person was told is never called by a name
that says more than is known. Source: spec/notification.md.
"""
