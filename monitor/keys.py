"""128-bit keys of texts: what tells cases and events apart without holding their text."""

from collections.abc import Iterable

import numpy as np
import polars as pl
import xxhash

from monitor.frames import KEY


def keys_of(texts: Iterable[str]) -> pl.Series:
    """xxh3-128 of each text's UTF-8, as Int128 (the same in every version, on every machine)."""
    digest = xxhash.xxh3_128_digest
    raw = b"".join([digest(text.encode()) for text in texts])
    return keys_from_bytes(raw)


def keys_from_bytes(raw: bytes) -> pl.Series:
    """Int128 keys from concatenated 16-byte big-endian digests."""
    halves = np.frombuffer(raw, dtype=">u8").astype(np.uint64).reshape(-1, 2)
    frame = pl.DataFrame({"high": halves[:, 0].view(np.int64), "low": halves[:, 1]})
    shifted = pl.col("high").cast(KEY) * 2**64 + pl.col("low").cast(KEY)
    return frame.select(shifted.alias("key")).to_series()


def event_key_text(case: str, source: str, identifier: str) -> str:
    """The text an event's key is made of: unambiguous, since no attribute may hold a NUL character."""
    return f"{case}\0{source}\0{identifier}"
