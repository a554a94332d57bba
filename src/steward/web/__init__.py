"""Pages for people: plain values in, HTML out, in Chinese and in English.

Invariant: nothing here reads a clock, a database or a request, and no page holds an inline script or style.
Source: spec/scheduling.md §13; reference/pages.md.
"""
