"""Transactions of asyncpg."""
