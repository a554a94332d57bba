"""Sinks for telemetry events: logs, and several sinks as one. They never raise and are never given bodies or secrets."""
