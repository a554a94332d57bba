"""Notifications by HTTP, as a router for FastAPI: what the command line can do, and the in-app inbox. Extra `fastapi`."""

from outrider.integrations.fastapi.router import notification_router

__all__ = ["notification_router"]
