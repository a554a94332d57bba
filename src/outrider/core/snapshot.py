"""A PostgreSQL snapshot as a plain value: which transactions had ended when it was taken.

The arithmetic holds in any cluster, so that stored snapshots can be evaluated on restored rows. Source: PostgreSQL
documentation, pg_snapshot components (`xmin:xmax:xip_list`); spec/outbox.md OB-18 to OB-20.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`xmin:xmax:xip`: a transaction is visible if it is below `xmax` and not among `xip`.

    `xip` is sorted and holds the transactions that were running, all in `xmin <= x < xmax`.
    """

    xmin: int
    xmax: int
    xip: tuple[int, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Snapshot":
        """Read the text form of pg_snapshot, `10:20:10,14,15`. Raises ValueError on anything else."""
        xmin, xmax, running = text.split(":")
        return cls(int(xmin), int(xmax), tuple(int(x) for x in running.split(",")) if running else ())

    def __str__(self) -> str:
        return f"{self.xmin}:{self.xmax}:{','.join(map(str, self.xip))}"

    def covers(self, earlier: "Snapshot") -> bool:
        """Whether all that `earlier` sees is visible in this snapshot too."""
        return earlier.xmax <= self.xmax and not any(earlier.sees(xid) for xid in self.xip)

    def sees(self, xid: int) -> bool:
        """Say whether the rows of transaction `xid`, if it committed, are visible in this snapshot."""
        return xid < self.xmin or (xid < self.xmax and xid not in self.xip)
