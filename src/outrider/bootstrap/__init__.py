"""Where services and adapters are put together, and the only reader of settings and environment.

Invariant: nothing here decides about a message; it chooses who is given what.
"""
