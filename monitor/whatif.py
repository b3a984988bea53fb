"""What if another policy were in force: the same events under an old and a new one, side by side."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import polars as pl

from monitor.flips import flips
from monitor.frames import Columns
from monitor.names import LABELS, Outcome
from monitor.policy import PolicySet
from monitor.policy.words import promise

_INSTANT = pl.Datetime("ms", "UTC")
_SIDES: Final = ("before", "after")

# An objective over its period: one row for each combination of its labels.
OBJECTIVES: Final[Columns] = {
    "sla": pl.String(),
    "labels": pl.String(),  # `service billing`; empty: all
    **{
        f"{name}_{side}": dtype
        for side in _SIDES
        for name, dtype in (
            ("good", pl.Int64()),  # null: there is no such objective on that side, or it is one of an indicator
            ("bad", pl.Int64()),
            ("compliance", pl.Float64()),  # null: nothing counts
            ("goal", pl.String()),
            ("budget_left", pl.Float64()),
        )
    },
}
# A clock over all that was read: one row in total and one for each value of each label.
BY_LABEL: Final[Columns] = {
    "clock": pl.String(),
    "label": pl.String(),  # null: in total
    "value": pl.String(),
    **{
        f"{name}_{side}": dtype
        for side in _SIDES
        for name, dtype in (("met", pl.Int64()), ("breached", pl.Int64()), ("compliance", pl.Float64()))
    },
}
# One verdict that the new policy judges differently, with the line that judged it on either side.
FLIP_ROWS: Final[Columns] = {
    "case": pl.String(),
    "clock": pl.String(),
    "cycle": pl.Int32(),
    "old_outcome": pl.String(),
    "new_outcome": pl.String(),
    "old_due": _INSTANT,
    "new_due": _INSTANT,
    "old_line": pl.String(),  # `2. every other case: first response within 4 hours …`; null: no line fits
    "new_line": pl.String(),
    "old_policy_from": _INSTANT,  # effective_from of the version that judged; null: it has none
    "new_policy_from": _INSTANT,
}


class Side(NamedTuple):
    """What one policy makes of the events."""

    policies: PolicySet
    summary: Mapping[str, Any]  # of monitor.summary
    verdicts: pl.DataFrame  # VERDICTS


class Comparison(NamedTuple):
    """The new policy beside the old one."""

    objectives: pl.DataFrame  # OBJECTIVES, by sla and labels
    by_label: pl.DataFrame  # BY_LABEL, by clock, label and value, the total first
    flips: pl.DataFrame  # FLIP_ROWS and the labels of the policies, by case, clock and cycle


def compare(old: Side, new: Side) -> Comparison:
    """Both sides as of one `now`."""
    turned = flip_rows(flips(old.verdicts, new.verdicts), old.policies, new.policies)
    return Comparison(_objectives(old, new), _by_label(old, new), turned)


def flip_rows(found: pl.DataFrame, old: PolicySet, new: PolicySet) -> pl.DataFrame:
    """FLIPS as FLIP_ROWS, and the labels of both policies."""
    sides = (("old", old), ("new", new))
    return found.select(
        "case",
        pl.col("clock").cast(pl.String),
        "cycle",
        pl.col("old_outcome", "new_outcome").cast(pl.String),
        pl.col("old_due", "new_due").cast(_INSTANT),
        *(_line(policies, side) for side, policies in sides),
        *(_since(policies, side) for side, policies in sides),
        *_labels(old, new),
    )


def _labels(old: PolicySet, new: PolicySet) -> list[str]:
    return [label for label in LABELS if label in (*old.labels, *new.labels)]


def _objectives(old: Side, new: Side) -> pl.DataFrame:
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for side, judged in zip(_SIDES, (old, new), strict=True):
        for sla in judged.summary["slas"]:
            labels = ", ".join(f"{name} {value}" for name, value in sla["labels"].items())
            row = rows.setdefault((sla["id"], labels), {"sla": sla["id"], "labels": labels})
            row |= {f"{name}_{side}": sla[name] for name in ("good", "bad", "compliance", "goal", "budget_left")}
    return pl.DataFrame([rows[key] for key in sorted(rows)], schema=dict(OBJECTIVES), orient="row")


def _by_label(old: Side, new: Side) -> pl.DataFrame:
    keys, labels = ["clock", "label", "value"], _labels(old.policies, new.policies)
    before, after = (
        pl.concat(_counted(judged.verdicts, labels, side)) for side, judged in zip(_SIDES, (old, new), strict=True)
    )
    both = before.join(after, on=keys, how="full", coalesce=True, nulls_equal=True).with_columns(
        pl.exclude(keys).fill_null(0)
    )
    shares = [_share(side).alias(f"compliance_{side}") for side in _SIDES]
    return both.with_columns(shares).select(list(BY_LABEL)).sort(keys, nulls_last=False)


def _counted(verdicts: pl.DataFrame, labels: Sequence[str], side: str) -> Iterator[pl.DataFrame]:
    """Met and breached of each clock: in total, then by the values of each label."""
    outcome = pl.col("outcome").cast(pl.String)
    decided = verdicts.filter(outcome.is_in([Outcome.MET, Outcome.BREACHED]))
    counts = [
        (outcome == wanted).sum().cast(pl.Int64).alias(f"{wanted}_{side}") for wanted in (Outcome.MET, Outcome.BREACHED)
    ]
    clock = pl.col("clock").cast(pl.String)
    for label in (None, *labels):
        value = pl.lit(None, pl.String) if label is None else pl.col(label)
        of = decided if label is None else decided.filter(value.is_not_null())
        yield of.group_by(clock, pl.lit(label, pl.String).alias("label"), value.alias("value")).agg(counts)


def _share(side: str) -> pl.Expr:
    met, decided = pl.col(f"met_{side}"), pl.col(f"met_{side}") + pl.col(f"breached_{side}")
    return pl.when(decided > 0).then(met / decided)


def _line(policies: PolicySet, side: str) -> pl.Expr:
    words = {
        f"{version.number}/{line.number}": f"{line.number + 1}. {promise(version, line)}"
        for version in policies.versions
        for line in version.targets
    }
    place = pl.format("{}/{}", f"{side}_policy", f"{side}_line")
    return place.replace_strict(words, default=None, return_dtype=pl.String).alias(f"{side}_line")


def _since(policies: PolicySet, side: str) -> pl.Expr:
    starts = {v.number: v.effective_from for v in policies.versions if v.effective_from is not None}
    number = pl.col(f"{side}_policy")
    return number.replace_strict(starts, default=None, return_dtype=_INSTANT).alias(f"{side}_policy_from")


def as_rows(comparison: Comparison) -> dict[str, Any]:
    """The comparison as an object: lists of rows by the names of their columns."""
    return {
        name: json.loads(frame.with_columns(_texts(frame)).write_json())
        for name, frame in zip(comparison._fields, comparison, strict=True)
    }


def _texts(frame: pl.DataFrame) -> list[pl.Expr]:
    return [
        pl.col(name).dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ") for name, kind in frame.schema.items() if kind == _INSTANT
    ]
