"""Brokers: the external systems that carry messages, each behind `ports.broker`.

Invariant: whatever a driver raised leaves here as one outcome for each message, by a table that is data; nothing here
retries a message, waits for a back-off or decides what is dead.
"""
