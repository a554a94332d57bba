"""Steward: active scheduling, the application built on Outrider; only a person changes the calendar."""
