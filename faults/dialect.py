"""How PostgreSQL and MariaDB are spoken to, without a driver: a victim that is timed imports only its own."""

import re


def is_mysql(url: str) -> bool:
    """Whether it is MariaDB."""
    return url.startswith(("mysql:", "mariadb:"))


def spoken(url: str, query: str) -> str:
    """A query that both understand, but for the one word that is reserved here."""
    return re.sub(r"(?<!`)\bkey\b", "`key`", query) if is_mysql(url) else query


def alchemy_url(url: str) -> str:
    """The URL with the driver that SQLAlchemy is to take."""
    scheme, _, rest = url.partition(":")
    return f"{'postgresql+psycopg' if scheme == 'postgresql' else 'mysql+pymysql'}:{rest}"
