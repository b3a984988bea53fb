"""Random numbers without state: each is a hash of the seed, a name and a number, so any part can be drawn alone."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xxhash
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]
Texts = NDArray[np.object_]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


@dataclass(frozen=True, slots=True)
class Draws:
    """Draws for things numbered `n`; the same name gives the same numbers, whichever of them are asked for."""

    seed: int
    stream: str
    n: Integers

    def uniform(self, name: str) -> Floats:
        """In [0, 1)."""
        start = np.uint64(xxhash.xxh3_64_intdigest(f"{self.stream}/{name}".encode(), seed=self.seed % 2**64))
        with np.errstate(over="ignore"):
            x = self.n.astype(np.uint64) * _GOLDEN + start
            x = (x ^ (x >> np.uint64(30))) * _MIX_1  # splitmix64 (Steele, Lea, Flood 2014)
            x = (x ^ (x >> np.uint64(27))) * _MIX_2
            x ^= x >> np.uint64(31)
        return (x >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def chance(self, name: str, share: float | Floats) -> Flags:
        """True for that share of them."""
        return np.asarray(self.uniform(name) < share)

    def normal(self, name: str) -> Floats:
        """Standard normal (Box and Muller)."""
        radius = np.sqrt(-2.0 * np.log1p(-self.uniform(f"{name}/radius")))
        return np.asarray(radius * np.cos(2.0 * np.pi * self.uniform(f"{name}/angle")))

    def around(self, name: str, median: float | Floats, spread: float = 0.5) -> Floats:
        """Log-normal around a median; at most 20 times it, so that nothing lasts for ever."""
        return np.asarray(median * np.minimum(np.exp(spread * self.normal(name)), 20.0))

    def choice(self, name: str, weights: Mapping[str, float]) -> Texts:
        """One of the names, with those weights."""
        edges = np.cumsum(np.array(list(weights.values())))
        at = np.searchsorted(edges / edges[-1], self.uniform(name), side="right")
        return np.array(list(weights), dtype=object)[np.minimum(at, len(weights) - 1)]
