"""SQLite by the standard library, on one thread of its own: WAL, one writer, BEGIN IMMEDIATE."""
