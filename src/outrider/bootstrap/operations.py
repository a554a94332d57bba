"""The public `Operations`: an operator's verbs, given a service's database."""

from outrider.admin import operations as admin
from outrider.bootstrap.settings import make
from outrider.bootstrap.wiring import Site, site
from outrider.core.catalog import Catalog
from outrider.ports.telemetry import Telemetry
from outrider.telemetry.fan_out import FanOut


class Operations(admin.Operations):
    """Look at messages, lanes and dead letters of `service`, and replay, discard, pause, resume. Source: OB-79.

    `database` is a URL, `actor` the name in the audit table. Raises CatalogError, ConfigurationError.
    """

    def __init__(
        self,
        catalog: Catalog,
        service: str,
        *,
        database: str,
        actor: str,
        telemetry: Telemetry | None = None,
        db_schema: str | None = None,
    ) -> None:
        values: dict[str, object] = {"service.name": service, "database.url": database, "database.db_schema": db_schema}
        made = site(make({key: value for key, value in values.items() if value is not None}), catalog)
        super().__init__(service, made.storage, actor=actor, clock=made.clock, telemetry=telemetry or FanOut())


def operations(made: Site, *, actor: str, telemetry: Telemetry | None = None) -> admin.Operations:
    """The verbs of a site."""
    return admin.Operations(made.service, made.storage, actor=actor, clock=made.clock, telemetry=telemetry or FanOut())
