"""What a metric is, as data. The list of all is in `metric_list`."""

from typing import Final, Literal, NamedTuple

PREFIX: Final = "outrider_"
SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
MESSAGES: Final = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0, 10000.0)


class Metric(NamedTuple):
    """One metric. `name` is what a scrape shows, without the prefix; `events` are what feeds it; `buckets` a histogram's."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    help: str
    events: tuple[type, ...]
    buckets: tuple[float, ...] = ()
