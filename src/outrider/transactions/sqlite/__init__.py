"""Transactions of the standard library's sqlite3."""
