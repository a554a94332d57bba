"""Notifications by HTTP, as a router for FastAPI: what the command line can do, and the in-app inbox. Extra `fastapi`."""

from importlib.util import find_spec

from outrider.core.errors import MissingExtra

if find_spec("fastapi") is None or find_spec("uvicorn") is None:
    raise MissingExtra("fastapi", "notifications by HTTP")
