"""A shop whose tables have roles, and the program run by a user of each."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from outrider.testing.services import PostgresServer
from tests.acceptance.cli.conftest import Answer, Shop, open_shop

ROLES = ("add", "relay", "consume", "subscribe", "prune", "read", "operate", "migrate")


@dataclass
class RoledShop:
    """A shop of service `orders`, seen by its owner (`shop`) and by users with some of the roles."""

    shop: Shop
    folder: Path
    mark: str
    made: list[str]

    def user(self, *roles: str) -> Shop:
        """The same shop, by a new user with these roles alone."""
        name = f"u_{self.mark}_{len(self.made)}"
        self.made.append(name)
        self.shop.sql(f"CREATE ROLE {name} LOGIN", *(f"GRANT orders_{role} TO {name}" for role in roles))
        return Shop(self.folder, self.shop.url.replace("postgres@", f"{name}@"))

    def ask(self, shop: Shop, *arguments: str) -> Answer:
        """Run the program as this user, who has no code of the application."""
        return shop.run(*arguments, OUTRIDER_DATABASE__URL=shop.url, OUTRIDER_SERVICE__CATALOG="none")

    def connect(self, *roles: str) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection of a new user with these roles."""
        return psycopg.connect(self.user(*roles).url)


@pytest.fixture
def roled(postgres_server: PostgresServer, postgres_url: str, tmp_path: Path) -> Iterator[RoledShop]:
    """Tables and roles, made by the program. Roles outlive a database: those of an earlier test are taken over."""
    shop = open_shop(tmp_path, postgres_url)
    assert shop.init().code == 0
    answer = shop.run("migrate", "--roles")
    assert answer.code == 0, answer.err
    made = RoledShop(shop, tmp_path, uuid.uuid4().hex[:12], [])
    yield made
    with psycopg.connect(postgres_server.url, autocommit=True) as connection:
        for name in made.made:
            connection.execute(f"DROP ROLE {name}".encode())
