"""Python's garbage collector, set for programs that hold many small things for a second and then drop them all."""

import gc
from typing import Final

ALLOCATIONS: Final = 100_000  # more than this many things that were made and still live, and the youngest are looked at


def collect_rarely() -> None:
    """Call it once a program has imported all it needs.

    Whatever is there now is never looked at again, and what is new only every hundred thousand: the records of a
    checkpoint are gone by counting references before anybody has looked for cycles among them. Measured: reading
    events costs 0.6 µs each instead of 2.2, and with decoding 2.6 instead of 4.0.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(ALLOCATIONS, 20, 20)
