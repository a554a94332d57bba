"""iCalendar texts, read and written with icalendar and recurring-ical-events (extra `[calendar]`).

Invariant: a text from a stranger costs bounded time and memory: it is read in a process of its own, each series under a
limit. Source: spec/scheduling.md ST-16, ST-17, §18.
"""
