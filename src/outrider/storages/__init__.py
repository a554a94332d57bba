"""Databases that hold a service's tables: rows to values, error translation, migrations. No policy."""
