"""What HTTP needs of Steward: its services, wired together, and a few settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from steward.ports.chance import Chance
from steward.ports.storage import Storage
from steward.service.confirming import Confirming
from steward.service.dialogues import Dialogues
from steward.service.events import Events
from steward.service.exporting import Exporting
from steward.service.feedback import Feedback
from steward.service.importing import Importing
from steward.service.links import Links
from steward.service.previews import Previews
from steward.service.settings import PersonSettings
from steward.service.sign_ins import SignIns
from steward.service.tasks import Tasks
from steward.service.timeline import Timeline
from steward.service.tokens import Tokens
from steward.service.triggers import Triggers
from steward.service.undoing import Undoing

if TYPE_CHECKING:  # it loads all of the notification service
    from outrider import Notifier


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """`http.` and `web.` of the settings, as far as calls are concerned.

    `public_url` is what browsers call us by, `body_max` bytes of a body; `rate` changes a second for each person in the long
    run, `burst` at once.
    """

    public_url: str = "http://127.0.0.1:8765"
    body_max: int = 65_536
    rate: float = 1.0
    burst: int = 20
    sign_in_days: int = 90


class Services(Protocol):
    """Steward as `bootstrap` puts it together."""

    chance: Chance
    storage: Storage
    confirming: Confirming
    dialogues: Dialogues
    events: Events
    exporting: Exporting
    feedback: Feedback
    importing: Importing
    links: Links
    previews: Previews
    settings: PersonSettings
    sign_ins: SignIns
    tasks: Tasks
    timeline: Timeline
    tokens: Tokens
    triggers: Triggers
    undoing: Undoing

    @property
    def notifier(self) -> "Notifier":
        """The notification service."""
        ...

    @property
    def http(self) -> HttpSettings:
        """How it is called."""
        ...

    async def hindrances(self) -> Mapping[str, str]:
        """Why nothing should be sent here just now: the part, and what is the matter with it; empty if all is well."""
        ...

    def exposition(self) -> bytes:
        """The metrics, as Prometheus reads them."""
        ...

    def report(self, error: Exception, request_id: str) -> None:
        """Tell the operator of what nobody foresaw."""
