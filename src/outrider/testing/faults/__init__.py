"""Faults on real processes: a board that a victim writes and its killer reads, and the killing itself.

Invariant: a signal goes only to a process that this one started. Nothing in production code knows of it: the board is
fed by an
ordinary telemetry sink.
"""

from outrider.testing.faults.board import Board, ConsumerSink, NotifierSink, RelaySink
from outrider.testing.faults.victim import Victim, die_with_parent

__all__ = ["Board", "ConsumerSink", "NotifierSink", "RelaySink", "Victim", "die_with_parent"]
