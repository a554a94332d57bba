"""Channels: the ways to a person, each behind `ports.channel`, and the one guarded HTTP client that they share by a port.

Invariant: one call is one call: nothing here retries, waits for a back-off or decides what is dead; a provider's codes become
our outcomes by a table that is data; no channel knows another.
"""
