"""The in-app inbox: the one channel whose effect commits with its record, exactly once."""
