"""Notifications as text on a stream: for development and the demo."""
