"""Adding to the log on SQLite: a statement a message, all in the caller's process."""

from outrider.core.row_writer import RowWriter


class SqliteLogWriter(RowWriter):
    """As `ports.log_writer.LogWriter`. There is one writer at a time, so no twin is ever open."""
