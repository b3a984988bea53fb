"""Clocks: from the events of cases to verdicts (SEMANTICS.md, Clocks).

cases.ordered -> rules (lines as arrays) -> openings, cycles (runs, cut into segments) -> timing (dues) -> outcome
"""

from monitor.clocks.derive import derive, judged
from monitor.clocks.measured import measured

__all__ = ["derive", "judged", "measured"]
