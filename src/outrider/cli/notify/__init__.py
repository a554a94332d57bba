"""`outrider notify`: tell people what was asked for; look at what became of it, and mend it."""
