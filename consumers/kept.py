"""What is left of records once they are decoded, until their checkpoint is written."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Headers = Sequence[tuple[str, bytes | None]]


class Original(NamedTuple):
    """A record as it was sent."""

    key: bytes | None
    value: bytes | None
    headers: Headers


@dataclass(frozen=True)
class Kept:
    """Records of one partition of a topic, in log order, in columns of bytes.

    The garbage collector does not look at bytes; at a hundred thousand records it would again and again, which took a
    sixth of a worker's time.
    """

    offsets: npt.NDArray[np.int64]
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    headers: Sequence[Headers] | None  # None: no record has any

    @classmethod
    def of(cls, records: Sequence[Any]) -> "Kept":
        """:param records: `batches.Record` or ConsumerRecord"""
        headers = [record.headers for record in records]
        return cls(
            np.array([record.offset for record in records], dtype=np.int64),
            [record.key for record in records],
            [record.value for record in records],
            headers if any(headers) else None,
        )

    def __len__(self) -> int:
        return len(self.offsets)

    def at(self, offset: int) -> Original | None:
        """The record at that offset; None: it is not of these."""
        place = int(np.searchsorted(self.offsets, offset))
        if place == len(self.offsets) or self.offsets[place] != offset:
            return None
        return Original(self.keys[place], self.values[place], self.headers[place] if self.headers else ())
