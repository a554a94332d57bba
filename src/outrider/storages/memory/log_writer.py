"""Adding to the log in memory: all records of a call in one statement."""

from outrider.core.row_writer import RowWriter


class MemoryLogWriter(RowWriter):
    """As `ports.log_writer.LogWriter`. An open twin is waited for, and the statement then runs again."""
