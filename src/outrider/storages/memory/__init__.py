"""A database in memory that behaves as PostgreSQL does: numbered transactions, snapshots, row locks, savepoints.

Invariant: a transaction sees what is committed and what it wrote itself, nothing else; whatever a test can provoke on
PostgreSQL by pausing a transaction (a late commit, a twin that waits, a lost fence) happens here in the same way.
"""
