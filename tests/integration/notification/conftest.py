"""A database of each kind, for the tables of the notifier."""

from pathlib import Path

import pytest


@pytest.fixture(params=["postgresql", "mariadb", "sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/notification.db"
    found: str = request.getfixturevalue("postgres_url" if request.param == "postgresql" else "mariadb_url")
    return found
