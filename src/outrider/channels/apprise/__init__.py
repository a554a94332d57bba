"""The long tail of providers through the library Apprise (extra `apprise`), for operators alone: its sockets are its own.

Invariant: Apprise says yes or no and not why, so its no is unknown.
"""
