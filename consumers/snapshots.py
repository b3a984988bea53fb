"""When which slice of a partition's state is written anew, and which deltas can go then."""

from dataclasses import dataclass
from typing import Final

from consumers import changelog
from consumers.changelog import Kind
from consumers.state_log import Slice, StateLog, reading_table
from monitor.state import SLICES

_LEAST_BYTES: Final = 8 * 1024 * 1024
_TIMES: Final = 2


@dataclass
class Snapshots:
    """Slices in turn: the next one after so many deltas, or after `_TIMES` as many bytes of deltas as it has itself.

    So writing snapshots costs at most about half of what writing deltas does, and a restore reads at most about three
    times what the state holds.
    """

    every: int  # deltas
    deltas: int = 0  # since the last slice
    size: int = 0  # bytes of these

    def written(self, log: StateLog, size: int) -> list[tuple[bytes, bytes | None]]:
        """Records to write with the delta that was just applied to `log.state`: a slice and tombstones, or none."""
        self.deltas += 1
        self.size += size
        turn = min(range(SLICES), key=lambda i: log.slices[i].number if i in log.slices else 0)
        before = log.slices.get(turn)
        if self.deltas < self.every and self.size < max(_LEAST_BYTES, _TIMES * before.size if before else 0):
            return []
        self.deltas = self.size = 0
        return _slice(log, turn, before)


def _slice(log: StateLog, turn: int, before: Slice | None) -> list[tuple[bytes, bytes | None]]:
    records: list[tuple[bytes, bytes | None]] = []
    tables = log.state.slice(turn)
    if turn == 0:  # which holds the offsets; how far time had come on each topic goes with them
        tables |= reading_table(log.newest)
    parts = changelog.encode(tables, Kind.SLICE, log.number, slice_number=turn)
    records += parts
    surplus = range(len(parts), before.parts if before else 0)
    records += [(changelog.key(Kind.SLICE, part, slice_number=turn), None) for part in surplus]
    log.slices[turn] = Slice(log.number, len(parts), sum(len(value) for _, value in parts))
    gone = [number for number in log.deltas if number <= log.held_by_all]
    for number in gone:
        records += [(changelog.key(Kind.DELTA, part, number=number), None) for part in range(log.deltas.pop(number))]
    return records
