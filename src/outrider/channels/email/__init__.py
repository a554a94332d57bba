"""E-mail over SMTP with TLS, on the standard library, each call in a thread of its own.

Invariant: a refusal is judged by the stage at which it came; what is lost after the final dot is
unknown, never tried again blindly.
"""
