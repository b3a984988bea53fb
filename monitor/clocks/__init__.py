"""Clocks: from the events of cases to verdicts (docs/reference/clocks.md has the rules).

cases.ordered -> rules (lines as arrays) -> openings, cycles (runs, cut into segments) -> timing (dues) -> outcome
"""

from monitor.clocks.derive import derive, judged
from monitor.clocks.measured import measured

__all__ = ["derive", "judged", "measured"]
