"""The first arrow: bytes and columns of others to validated events (EVENTS.md), each refusal with its reason.

Three readers, one result: `read_json` takes CloudEvents in structured mode, `read_structs` those already decoded
(binary mode), `read_columns` tables. All check the same rules (`checks`) over the same columns (`Draft`).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

import msgspec
import numpy as np
import polars as pl
import xxhash

from monitor.events.checks import faults_of, nul_faults
from monitor.events.columns import draft_of_columns
from monitor.events.content import content_keys
from monitor.events.draft import Codes, Draft, Faults, where
from monitor.events.faults import Fault
from monitor.events.fields import OTHER_FIELDS, TYPES, Value
from monitor.events.json_values import Decoded, decode_events
from monitor.events.structs import draft_of
from monitor.frames import EVENTS, INSTANT, KIND, ORIGIN, REFUSED, SPAN, conform, empty
from monitor.keys import keys_from_bytes
from monitor.names import KINDS, LABELS


class Read(NamedTuple):
    """Events read, in the order they were given.

    `events` has the columns of EVENTS and ORIGIN, `refused` those of REFUSED. `read` counts the events of both, but not
    `clock.advanced`, which is in `events` and is no event about a case.
    """

    events: pl.DataFrame
    refused: pl.DataFrame
    read: int


READ_EVENTS: Final = {**EVENTS, **ORIGIN}
NOTHING: Final = Read(empty(READ_EVENTS), empty(REFUSED), 0)

# By the code of a type; the last one, which is also number -1, stands for unknown types.
_KIND_OF: Final = np.array([*(KINDS.index(t.kind) for t in TYPES), 0], np.uint8)
_EACH_KIND: Final[list[pl.Series]] = [pl.Series([kind], dtype=KIND) for kind in KINDS]
_COMPLAINTS: Final = np.array([*(t.complaint for t in TYPES), False])
_ADVANCED: Final = next(code for code, t in enumerate(TYPES) if not t.counted)
_SHOWN: Final = tuple(f.name for f in OTHER_FIELDS if f.value is Value.SHOWN)
_KEPT: Final = (
    *LABELS,
    *("sequence", "cleared", "public", "reason", "due_at", "outcome", "right_first_time", "redress", "abandoned"),
    *("csat", "nps", "ces", "answers", "score", "max_score", "passed"),
)
_SPANS: Final = {"waited_s": "waited", "response_time_s": "response_time", "resolution_time_s": "resolution_time"}

# A column that holds nothing, of each data type in EVENTS; by name, which of them it is.
_SORTS: Final = list(dict.fromkeys(EVENTS.values()))
_ABSENT: Final = [pl.Series([None], dtype=dtype) for dtype in _SORTS]
_SORT: Final = {name: _SORTS.index(dtype) for name, dtype in EVENTS.items()}
_NONE_REFUSED: Final = [pl.Series(name, [], dtype) for name, dtype in REFUSED.items() if name not in ORIGIN]

_digest = xxhash.xxh3_128_digest
_quote = msgspec.json.Encoder().encode


def read_json(values: list[bytes], origin: pl.DataFrame, *, future_after: datetime | None) -> Read:
    """CloudEvents in structured mode, one JSON object a value; `origin`: ORIGIN, a row a value.

    Events whose time is after `future_after` are refused (None: none are).
    """
    return read_structs(decode_events(values), origin, future_after=future_after)


def read_columns(frame: pl.DataFrame, *, future_after: datetime | None, from_text: bool = True) -> Read:
    """Events of a table with columns `id source type subject time sequence data_<field>` (any of them) and ORIGIN.

    `from_text`: cells are those of a file, so that numbers and flags are read from text, and blank cells are absent;
    otherwise as strict as JSON. Times are RFC 3339 text or Datetime with a zone.
    """
    if not frame.height:
        return NOTHING
    draft = draft_of_columns(frame, from_text=from_text)
    origin = conform(frame, ORIGIN)
    return read_draft(draft, origin, future_after=future_after)


def read_structs(decoded: Decoded, origin: pl.DataFrame, *, future_after: datetime | None) -> Read:
    """Decoded events, of any mode; `origin` as for `read_json`."""
    if not decoded.events:
        return NOTHING
    return read_draft(draft_of(decoded), origin, future_after=future_after)


def read_draft(draft: Draft, origin: pl.DataFrame, *, future_after: datetime | None) -> Read:
    """Events and refusals of a draft; further columns of `origin` are passed on."""
    attributes = {
        name: pl.Series(name, given, pl.String)
        for name, given in (("id", draft.ids), ("source", draft.sources), ("subject", draft.subjects))
    }
    faults = faults_of(draft, attributes, future_after=future_after)
    keys = _keys(attributes["subject"], attributes["source"], attributes["id"])
    if keys.nul:
        for texts in attributes.values():
            faults += nul_faults(texts)
    columns = _columns(draft) | {"case_key": keys.case, "event_key": keys.event}
    columns |= {"id": attributes["id"], "source": attributes["source"], "case": attributes["subject"]}
    absent = [column.new_from_index(0, draft.height) for column in _ABSENT]
    named = [(columns[name] if name in columns else absent[_SORT[name]]).alias(name) for name in EVENTS]
    events = pl.DataFrame([*named, *origin.get_columns()])
    return _read(draft, events, faults, origin)


def _read(draft: Draft, events: pl.DataFrame, faults: Faults, origin: pl.DataFrame) -> Read:
    """Parts the rows with faults from the others; of several faults the one of least rank is told."""
    first: dict[int, Fault] = {}
    for row, wrong in faults:
        if row not in first or wrong.rank < first[row].rank:
            first[row] = wrong
    advanced = draft.codes == _ADVANCED
    if first:
        good = np.ones(draft.height, np.bool_)
        good[list(first)] = False
        events, advanced = events.filter(pl.Series(good)), advanced & good
    if bool(advanced.any()):  # the passing of time is about no case
        case = pl.col("case") != ""
        events = events.with_columns(pl.when(case).then(name).alias(name) for name in ("case", "case_key"))
    return Read(events, _refused(draft, first, origin), draft.height - int(advanced.sum()))


def _columns(draft: Draft) -> dict[str, pl.Series]:
    """The columns of EVENTS that any event holds, but for attributes and keys of texts."""
    fields = draft.fields
    columns = {name: fields[name] for name in _KEPT if name in fields}
    columns |= {name: _spans(fields[field]) for field, name in _SPANS.items() if field in fields}
    if "by" in fields:
        columns["bot"] = fields["by"] == "bot"
    if shown := [fields[name] for name in _SHOWN if name in fields]:
        columns["about"] = _about(shown)
    columns["kind"] = _kinds(draft.codes)
    columns["complaint"] = pl.Series(_COMPLAINTS[draft.codes])
    columns["time"] = pl.Series(draft.instants).cast(INSTANT)
    columns["content_key"] = content_keys(draft)
    return columns


def _kinds(codes: Codes) -> pl.Series:
    """Kinds of the types with those codes."""
    kinds = _KIND_OF[codes]
    if bool((kinds == kinds[0]).all()):
        return _EACH_KIND[int(kinds[0])].new_from_index(0, len(kinds))
    each: pl.Series = pl.Series(kinds).cat.to(KIND)
    return each


def _spans(seconds: pl.Series) -> pl.Series:
    """Seconds to spans, to the nearest microsecond; nothing where there is no finite number."""
    with np.errstate(invalid="ignore"):
        micros = np.rint(seconds.to_numpy() * 1e6).astype(np.int64)
    spans = pl.Series(micros).cast(SPAN)
    return where(spans, seconds.is_not_null()) if seconds.null_count() else spans


def _about(columns: list[pl.Series]) -> pl.Series:
    """A JSON object of the texts that a row has, null where it has none."""
    parts = [pl.format('"{}":{}', pl.lit(column.name), _quoted(column)) for column in columns]
    joined = parts[0] if len(parts) == 1 else pl.concat_str(parts, separator=",", ignore_nulls=True)
    return pl.select(pl.when(joined != "").then(pl.format("{{{}}}", joined))).to_series()


def _quoted(column: pl.Series) -> pl.Series:
    """Texts as JSON."""
    if column.str.contains(r'[\x00-\x1f"\\]').any():
        return pl.Series(
            [None if text is None else _quote(text).decode() for text in column.to_list()], dtype=pl.String
        )
    return '"' + column + '"'


class _Keys(NamedTuple):
    """The 128-bit keys of monitor/keys.py; `nul`: a text holds a NUL character, so that its event key is ambiguous."""

    case: pl.Series
    event: pl.Series
    nul: bool


def _keys(case: pl.Series, source: pl.Series, identifier: pl.Series) -> _Keys:
    """Keys of cases and events, through Binary columns: bytes come out of them at half the cost of encoding texts."""
    texts = pl.select(pl.concat_str([case, source, identifier], separator="\0").cast(pl.Binary))  # `event_key_text`
    encoded, height = texts.to_series().to_list(), len(case)
    zeros = np.count_nonzero(np.frombuffer(b"".join(encoded), np.uint8) == 0)
    keys = keys_from_bytes(b"".join(map(_digest, case.cast(pl.Binary).to_list() + encoded)))
    return _Keys(keys.head(height), keys.tail(height), nul=bool(zeros != 2 * height))


def _refused(draft: Draft, first: dict[int, Fault], origin: pl.DataFrame) -> pl.DataFrame:
    if not first:
        return NOTHING.refused if origin.width == len(ORIGIN) else origin.clear().hstack(_NONE_REFUSED)
    rows = sorted(first)

    def texts(given: Sequence[str]) -> list[str | None]:
        return [given[row] or None for row in rows]

    told = pl.DataFrame(
        {
            "reason": [str(first[row].reason) for row in rows],
            "field": [first[row].field for row in rows],
            "message": [first[row].message for row in rows],
            "case": texts(draft.subjects),
            "source": texts(draft.sources),
            "id": texts(draft.ids),
            "type": texts(draft.types),
            "time": texts(draft.times),
        },
        schema_overrides=dict(REFUSED),
    )
    return origin[rows].hstack(told)
