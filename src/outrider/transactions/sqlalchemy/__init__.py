"""Transactions of SQLAlchemy 2: Session and Connection, and their asynchronous faces."""
