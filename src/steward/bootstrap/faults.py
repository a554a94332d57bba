"""What keeps Steward from starting, each with what to do about it: the deployer acts, exit code 2."""

from collections.abc import Iterable


class StartRefused(Exception):
    """Base of them: the text says what is wrong and what mends it."""


class SettingsWrong(StartRefused):
    """The settings are wrong; `faults` has one line for each."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("the settings are wrong:\n" + "\n".join(f"  - {fault}" for fault in self.faults))


class SchemaBehind(StartRefused):
    """The tables are not those of this release."""


class NothingCarries(StartRefused):
    """`broker.url` is `none:`, so a worker has nothing to take work from."""
