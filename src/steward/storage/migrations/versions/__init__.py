"""One module a revision. One that was released never changes: it has its own definitions of the tables, not today's."""
