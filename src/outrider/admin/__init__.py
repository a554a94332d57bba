"""What operators do: look at lanes, messages and exception rows; pause, replay, discard; check, verify.

Invariant: every change takes a reason, is audited in its own transaction, and can be tried without effect first (OB-79).
"""
