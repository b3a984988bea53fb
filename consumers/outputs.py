"""What a commit tells others: changed verdicts and refused events as Kafka messages."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import polars as pl

from consumers.kept import Kept, Original
from monitor import clocks
from monitor.frames import CHANGES, VERDICTS, conform, empty
from monitor.names import LABELS, Change, Kind, Outcome
from monitor.policy import PolicySet
from monitor.state import Delta

CONTENT_TYPE: Final = ("content-type", b"application/cloudevents+json")
VERDICT_TYPE: Final = "sqm.verdict"  # a verdict event's type is `sqm.verdict.<change>`
MOST_VALUE_BYTES: Final = 900_000  # of a refused record: more is cut, so that a broker's limit cannot hold it up
MOST_HEADER_BYTES: Final = 1_000
MOST_HEADERS: Final = 32  # of a refused record that are kept
_TIME: Final = "%Y-%m-%dT%H:%M:%S%.3fZ"


class Message(NamedTuple):
    key: bytes | None
    value: bytes | None  # None: a tombstone
    headers: list[tuple[str, bytes]]


def verdicts(
    changes: pl.DataFrame, policies: PolicySet, *, source: str, first_id: str, now: datetime, everything: bool
) -> list[Message]:
    """Changed verdicts as CloudEvents, keyed by case.

    :param changes: CHANGES
    :param first_id: what all ids begin with; the same for the same commit
    :param everything: also `met`
    """
    rows = changes if everything else changes.filter(pl.col("change") != Change.MET)
    rows = rows.with_row_index("row")
    if rows.height == 0:
        return []
    event = pl.struct(
        pl.lit("1.0").alias("specversion"),
        pl.format("{}-{}", pl.lit(first_id), "row").alias("id"),
        pl.lit(source).alias("source"),
        pl.format("{}.{}", pl.lit(VERDICT_TYPE), "change").alias("type"),
        pl.col("case").alias("subject"),
        pl.coalesce("decided", pl.lit(now)).dt.strftime(_TIME).alias("time"),
        pl.lit("application/json").alias("datacontenttype"),
        _data(policies).alias("data"),
    )
    written = rows.select("case", event=event.struct.json_encode())
    return [Message(case.encode(), text.encode(), [CONTENT_TYPE]) for case, text in written.iter_rows()]


def _data(policies: PolicySet) -> pl.Expr:
    effective = {
        version.number: version.effective_from.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        for version in policies.versions
        if version.effective_from is not None
    }
    instants = (pl.col(name).dt.strftime(_TIME) for name in ("started", "due", "stopped", "decided"))
    spans = (
        (pl.col(name).dt.total_microseconds() / 1e6).alias(f"{name}_seconds")
        for name in ("target", "elapsed", "paused")
    )
    return pl.struct(
        "case",
        "clock",
        "cycle",
        "complaint",
        pl.col("policy").replace_strict(effective, default=None, return_dtype=pl.String).alias("policy_from"),
        "line",
        "outcome",
        "old_outcome",
        "change",
        "on_arrival",
        *instants,
        *spans,
        pl.struct(LABELS).alias("labels"),
    )


def of_measured(events: pl.DataFrame, delta: Delta, policies: PolicySet, now: datetime) -> pl.DataFrame:
    """CHANGES of the measured events that a step counted, each a settled case with its verdicts."""
    ids = delta.get("ids")
    if ids is None:
        return empty(CHANGES)
    counted = events.filter(
        (pl.col("kind") == Kind.MEASURED) & pl.col("event_key").is_in(ids["event_key"].implode())
    ).unique("event_key", keep="first", maintain_order=True)
    settled = conform(clocks.measured(counted, policies, now), VERDICTS)
    decided = settled.filter(pl.col("outcome").is_in([Outcome.MET, Outcome.BREACHED]))
    return conform(decided.with_columns(change=pl.col("outcome").cast(pl.String)), CHANGES)


def rejected(refused: pl.DataFrame, records: Mapping[tuple[str, int], Original]) -> list[Message]:
    """Refused events with their original key and value, and why in the headers.

    :param refused: REFUSED
    :param records: the records they came in, by topic and offset. One that holds several refused events stands in
        the first message; the others point to it.
    """
    seen: set[tuple[str, int]] = set()
    messages = []
    for row in refused.iter_rows(named=True):
        at = (row["topic"], row["offset"])
        record = records[at]
        value = b"" if at in seen else record.value or b""
        headers = _why(row, again=at in seen)
        seen.add(at)
        key = record.key
        if len(value) > MOST_VALUE_BYTES:
            headers.append(("sqm-value-bytes", b"%d" % len(value)))  # it is cut, and was so long
            value = value[:MOST_VALUE_BYTES]
        if key is not None and len(key) > MOST_HEADER_BYTES:
            headers.append(("sqm-key-bytes", b"%d" % len(key)))
            key = key[:MOST_HEADER_BYTES]
        messages.append(Message(key, value, [*headers, *_original(record.headers)]))
    return messages


def _why(row: Mapping[str, Any], *, again: bool) -> list[tuple[str, bytes]]:
    origin = ((f"sqm-{name}", str(row[name])) for name in ("topic", "partition", "offset", "index"))
    told = (
        (f"sqm-{name}", row[name])
        for name in ("reason", "field", "message", "case", "source", "id", "type", "time")
        if row[name]
    )
    headers = [(name, _short(text.encode())) for name, text in (*origin, *told)]
    if again:
        headers.append(("sqm-value", b"with an earlier message of this offset"))
    return headers


def _original(headers: Sequence[tuple[str, bytes | None]]) -> list[tuple[str, bytes]]:
    """The record's own headers, those that are kept, and how many are not."""
    own = [(name, content) for name, content in headers if not name.startswith("sqm-")]
    kept = [(name[:MOST_HEADER_BYTES], _short(content)) for name, content in own[:MOST_HEADERS]]
    left_out = len(own) - len(kept)
    return [*kept, ("sqm-headers-left-out", b"%d" % left_out)] if left_out else kept


def _short(content: bytes | None) -> bytes:
    return (content or b"")[:MOST_HEADER_BYTES]


def records_at(refused: pl.DataFrame, kept: Iterable[tuple[str, Kept]]) -> dict[tuple[str, int], Original]:
    """The records that refused events came in, by topic and offset.

    :param kept: with their topics
    """
    wanted = set(refused.select("topic", "offset").iter_rows())
    found = ((at, records.at(at[1])) for topic, records in kept for at in wanted if at[0] == topic)
    return {at: record for at, record in found if record is not None}
