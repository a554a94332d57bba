"""What Steward does: one use case, or one resource, a file.

Invariant: a change is made in one transaction under its person's lock, with the messages that speak of it; no network, model
or search runs while one is open. Services know ports and decisions, never a database, a framework or a page.
Source: spec/scheduling.md ST-3, ST-4, ST-47.
"""
