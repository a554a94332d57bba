"""Alembic's scripts for Steward's tables, in `versions`."""
