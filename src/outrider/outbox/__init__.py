"""Adding messages in the caller's transaction, and asking where they are.

Invariant: nothing here begins, commits or rolls back a transaction, and nothing is written before everything of a call has
been checked. Source: spec/outbox.md OB-8, OB-9.
"""
