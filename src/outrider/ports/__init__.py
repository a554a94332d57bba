"""Contracts between services and adapters, as Protocols split by who calls. The docstring is what the suite tests."""
