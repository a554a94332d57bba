"""The record store: steps on the tables of notifications, each one transaction with its guard.

Invariant: a record's row changes only while it is locked, by a transition that `notification.states` lists, and a claimed one
only under its owner's epoch; whatever follows from a change (fallback, counters, messages) commits with it. Every time is
the database's. Source: spec/notification.md NT-1 to NT-16, NT-23 to NT-34.
"""
