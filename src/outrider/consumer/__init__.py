"""The process that runs handlers: it takes messages from a source and gives each its effect exactly once.

Invariant: a receipt, its effect and the messages that the handler added commit in one transaction; the source is told
after that, and never past a message that is undecided (OB-66). Source: spec/outbox.md §10.
"""
