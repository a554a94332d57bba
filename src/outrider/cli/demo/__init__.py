"""`outrider demo`: an order service whose processes are really killed while you watch, and a closing table."""
