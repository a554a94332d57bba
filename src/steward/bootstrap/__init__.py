"""Where Steward is put together, and the only reader of its settings.

Invariant: nothing here decides about a calendar; it chooses who is given what.
"""
