"""A caller's transaction, seen as one small port: an adapter for each kind of object that an application may hold.

Invariant: an adapter executes in the transaction that it was given and never begins, commits or rolls it back; driver
errors pass through unchanged. Source: spec/outbox.md OB-8, OB-82.
"""
