"""The application under test: orders of customers, each counted under its customer's row lock, and their effects."""

from dataclasses import dataclass

from outrider import Catalog

TYPE = "order.placed"

TABLES = (
    "CREATE TABLE customer (key text PRIMARY KEY, n bigint NOT NULL)",
    "CREATE TABLE placed (token text PRIMARY KEY, key text NOT NULL, n bigint NOT NULL)",
    "CREATE TABLE effect (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, token text NOT NULL, key text NOT NULL)",
)

MARIADB_TABLES = (
    "CREATE TABLE customer (`key` VARBINARY(64) PRIMARY KEY, n BIGINT NOT NULL)",
    "CREATE TABLE placed (token CHAR(32) PRIMARY KEY, `key` VARCHAR(64) NOT NULL, n BIGINT NOT NULL)",
    "CREATE TABLE effect (id BIGINT AUTO_INCREMENT PRIMARY KEY, token CHAR(32) NOT NULL, `key` VARCHAR(64) NOT NULL)",
)


def catalog(namespace: str) -> Catalog:
    """The services `shop`, which adds, and `billing`, which consumes."""
    made = Catalog("shop", "billing", namespace=namespace)
    made.declare(TYPE, owner="shop", consumers=["billing"])
    return made


@dataclass(frozen=True)
class Cell:
    """What one process needs to know of the application: where it runs and with which timing, as JSON."""

    database: str
    broker: str
    lease_seconds: float = 2.0
    transactional: bool = False
    keys: int = 200
    rate: float = 200.0
    rollbacks: float = 0.2
    messages: int = 0
    seed: int = 1
    seconds: float = 0.0
    state_dir: str = ""
    redeliver_seconds: float = 0.0
    reader: str = ""
    provider: str = ""
    window_seconds: float = 20.0
    dies_at: str = ""

    @property
    def swept(self) -> bool:
        """Whether the relay sweeps, and the consumer has its inbox among its tables."""
        return self.redeliver_seconds > 0
