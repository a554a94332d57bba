"""Steward's page and confirm at a person's pace, beside each other's load, and a scan of ten thousand due jobs."""

import json
from typing import Any, Final

from benchmarks.figures import Figure, Result, figure, percentile
from benchmarks.rig import PartFailed, Rig, rig
from benchmarks.rounds import Options, progress

RATE: Final = 50
SECONDS: Final = 10
WARM: Final = 50  # previews before the first round, so that templates and statements have been met
JOBS: Final = 10_000
TASKS_EACH: Final = 10
TEMPLATE: Final = "due"
P95: Final = 0.95
Requests = list[tuple[str, str, dict[str, str], Any]]


class Served:
    """A server over a database of previews, one a person; each is opened and confirmed once."""

    def __init__(self, made: Rig, rounds: int) -> None:
        self._rig, self._size = made, RATE * SECONDS
        self._database = made.postgres.create_database("served")
        persons = self._size * rounds + WARM
        previews = _part(made, "steward_fill_process", database=self._database, persons=persons, tasks=1, suggest=True)[
            "previews"
        ]
        self._previews: list[dict[str, Any]] = previews

    def measure(self) -> dict[str, list[float]]:
        """The 95th percentile of each round, in ms, pages and confirms in turn."""
        found: dict[str, list[float]] = {"page_p95_ms": [], "confirm_p95_ms": []}
        with self._rig.running_part("steward_serve_process", database=self._database) as server:
            base = server.answer()["base"]
            for requests in (_pages, _confirms):
                self._round(base, requests(self._previews[:WARM]), 200)
            for first in range(WARM, len(self._previews), self._size):
                share = self._previews[first : first + self._size]
                for name, requests, right in (("page_p95_ms", _pages, 200), ("confirm_p95_ms", _confirms, 200)):
                    found[name].append(self._round(base, requests(share), right))
        return found

    def _round(self, base: str, requests: Requests, right: int) -> float:
        progress(f"{len(requests)} requests at {RATE}/s")
        with self._rig.running_part("steward_load_process", base=base, rate=RATE) as load:
            load.tell(json.dumps(requests))  # too much for an argument
            answer = load.answer()
        if answer["statuses"] != {str(right): len(requests)}:
            raise PartFailed(f"answers other than {right}: {answer['statuses']}")
        return percentile(answer["ms"], P95)


def _pages(previews: list[dict[str, Any]]) -> Requests:
    return [("GET", one["page"], {}, None) for one in previews]


def _confirms(previews: list[dict[str, Any]]) -> Requests:
    return [
        (
            "POST", f"/api/v1/previews/{one['id']}/confirm",
            {
                "Authorization": f"Bearer {one['token']}", "Idempotency-Key": f"bench-{one['id']}",
                "If-Match": f'"{one["if_match"]}"',
            },
            one["body"],
        )
        for one in previews
    ]  # fmt: skip


def _scanned(made: Rig, rounds: int) -> list[float]:
    """The seconds of each round, each over a copy of the same database."""
    filled = made.postgres.create_database(TEMPLATE)
    _part(made, "steward_fill_process", database=filled, persons=JOBS // TASKS_EACH, tasks=TASKS_EACH, suggest=False)
    found = []
    for number in range(rounds):
        database = made.postgres.create_database(f"{TEMPLATE}_{number}", TEMPLATE)
        found.append(float(_part(made, "steward_scan_process", database=database, jobs=JOBS)["seconds"]))
    return found


def _part(made: Rig, module: str, **arguments: object) -> dict[str, Any]:
    progress(module)
    with made.running_part(module, **arguments) as part:
        return part.answer()


def run(options: Options) -> Result:
    """Measure."""
    figures: dict[str, Figure] = {}
    with rig() as made:
        if options.wants("page_p95_ms", "confirm_p95_ms"):
            found = Served(made, options.rounds).measure()
            figures |= {name: figure(values) for name, values in found.items()}
        if options.wants("scan_10k_s"):
            figures["scan_10k_s"] = figure(_scanned(made, options.rounds))
    progress("")
    notes = {"load": f"{RATE} requests a second for {SECONDS} s a round, each waited for from when it was due"}
    return Result(figures, {}, {"jobs": JOBS, "tasks_a_person": TASKS_EACH}, notes)
