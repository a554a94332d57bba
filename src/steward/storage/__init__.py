"""Steward's tables and transactions on SQLite, PostgreSQL, MySQL and MariaDB, by SQLAlchemy Core.

Invariant: rows come and go as the values of `steward.ports.rows`; what one transaction wrote, messages included, is committed
together. Source: spec/scheduling.md §2, ST-3 to ST-5, ST-46, ST-47.
"""
