"""Where Steward may be served: ST-57, hazard X4."""

import pytest

from steward.bootstrap.faults import StartRefused
from steward.bootstrap.http_server import check_serving
from steward.bootstrap.settings import load


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "steward.example"])  # noqa: S104 - refused is what is tried
def test_elsewhere_than_on_loopback_only_behind_https(host: str) -> None:
    """ST-57: `serve` refuses an address that others reach, unless people open an https address."""
    for public_url in (None, f"http://{host}:8765"):
        flags = {"http.host": host} | ({} if public_url is None else {"http.public_url": public_url})
        with pytest.raises(StartRefused, match=r"http\.public_url"):
            check_serving(load(flags, environment={}).settings)
    check_serving(load({"http.host": host, "http.public_url": "https://steward.example"}, environment={}).settings)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_loopback_needs_no_https(host: str) -> None:
    """ST-57: what never leaves the machine may be plain."""
    check_serving(load({"http.host": host}, environment={}).settings)
