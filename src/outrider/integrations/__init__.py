"""Outrider inside other frameworks: thin, over the public surface and `bootstrap`.

Invariant: a framework is imported by its own folder alone, and nothing is decided here that the rooms below decide.
"""
