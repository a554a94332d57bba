"""The rows of Steward's tables as values: a field for each column of spec/scheduling.md §2 but `created_at` and `updated_at`
where nothing reads them.

Invariant: a row is what one read saw; it never changes, and a write names the columns it changes. Instants are aware and UTC,
JSON columns hold values (never text), NULL is None.
"""
