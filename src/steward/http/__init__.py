"""Steward by HTTP: the API of §12 and the pages of §13.

Invariant: every route is a value that names who may call it, what it takes and how it may be refused; nothing of it runs
before the gate has let the call in. Source: spec/scheduling.md ST-54 to ST-63.
"""
