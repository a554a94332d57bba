"""Bytes to message and back: the CloudEvents envelope and the bodies of typed events.

Invariant: nothing here decides; what cannot be read raises a CodecError with its reason, and nothing is imported,
called or built by a name that came in data (OB-95).
"""
