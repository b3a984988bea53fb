"""Streams that claim more than they hold must not reach the reader, which would end the process."""

from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO
from typing import Any

import polars as pl
import pytest

from consumers import arrow_claims
from consumers.arrow_claims import ClaimError, check_claims
from consumers.decode_arrow import read_stream
from monitor.events.faults import Refused

EVERY_TYPE = pl.DataFrame(
    {
        "text": ["a", None, "a text that is too long for a view"],
        "category": pl.Series(["x", "y", "x"], dtype=pl.Categorical),
        "enum": pl.Series(["x", None, "x"], dtype=pl.Enum(["x", "y"])),
        "whole": [1, 2, 3],
        "real": [0.5, None, -1.0],
        "flag": [True, False, None],
        "instant": [datetime(2026, 1, 1, tzinfo=UTC)] * 3,
        "decimal": [Decimal("1.5"), None, Decimal("2")],
        "bytes": [b"1", b"22", None],
        "object": [{"a": {"b": 1}}, {"a": {"b": 2}}, None],
        "list": [[1, 2], [], None],
        "array": pl.Series([[1, 2], [3, 4], [5, 6]], dtype=pl.Array(pl.Int8, 2)),
        "nothing": [None, None, None],
    }
)


def stream(frame: pl.DataFrame, **options: Any) -> bytes:
    buffer = BytesIO()
    frame.write_ipc_stream(buffer, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "options",
    [{}, {"compression": "zstd"}, {"compression": "lz4"}, {"compat_level": pl.CompatLevel.oldest()}],
)
@pytest.mark.parametrize("frame", [EVERY_TYPE, EVERY_TYPE.clear(), EVERY_TYPE.head(1)])
def test_a_sound_stream_of_any_type_is_accepted(frame: pl.DataFrame, options: Any) -> None:
    check_claims(stream(frame, **options))


HUGE = (1 << 62).to_bytes(8, "little")


@pytest.mark.parametrize("options", [{}, {"compression": "zstd"}])
def test_eight_bytes_damaged_anywhere_are_refused_or_harmless(options: Any) -> None:
    whole = stream(EVERY_TYPE, **options)
    outcomes: set[object] = set()
    for at in range(0, len(whole) - 8, 8):
        try:
            outcomes.add(read_stream(whole[:at] + HUGE + whole[at + 8 :]).height)
        except Refused as refused:
            outcomes.add(refused.fault.reason)
    assert {"damaged_record", "too_large"} <= outcomes


@pytest.mark.parametrize("cut", [1, 7, 8, 100, 1000, -9])
def test_a_stream_cut_off_within_a_message_is_refused(cut: int) -> None:
    with pytest.raises(ClaimError):
        check_claims(stream(EVERY_TYPE)[:cut])


@pytest.mark.parametrize(
    ("limit", "value", "message"),
    [
        ("MOST_ROWS", 2, "6 rows, expected at most 2"),
        ("MOST_BYTES", 10, "bytes once decompressed, expected at most 10"),
        ("MOST_COLUMNS", 5, "more than 5 columns"),
        ("DEEPEST", 2, "or 2 levels"),
    ],
)
def test_a_stream_larger_than_accepted_is_too_large(
    monkeypatch: pytest.MonkeyPatch, limit: str, value: int, message: str
) -> None:
    monkeypatch.setattr(arrow_claims, limit, value)
    with pytest.raises(ClaimError, match=message) as raised:
        check_claims(stream(EVERY_TYPE, compression="zstd"))
    assert raised.value.too_large
    with pytest.raises(Refused) as refused:
        read_stream(stream(EVERY_TYPE))
    assert refused.value.fault.reason == "too_large"


def test_what_decompresses_to_more_than_accepted_is_not_decompressed() -> None:
    zeros = pl.DataFrame(
        {"id": pl.repeat(0, 1_000_000, eager=True)} | {f"c{i}": pl.zeros(1_000_000, eager=True) for i in range(40)}
    )
    bomb = stream(zeros, compression="zstd")
    assert len(bomb) < 1 << 20
    with pytest.raises(ClaimError, match="once decompressed"):
        check_claims(bomb)


def test_an_empty_stream_claims_nothing_and_holds_nothing() -> None:
    check_claims(b"")
    with pytest.raises(Refused):
        read_stream(b"")
