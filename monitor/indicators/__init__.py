"""The indicators: one registry of what each is called, means, is computed by and how sure it is.

Docs, metrics help and the API are made from `REGISTRY`. An indicator is a function of the cells of one window, sums
of integers by group, measure and bin; so it cannot depend on how these came together.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import polars as pl

from monitor.frames import Columns
from monitor.indicators.estimates import Estimate, Figure, Mean, NetPromoter, Quantile, Rate, Ratio, Spread
from monitor.indicators.sample import Sample
from monitor.names import Clock

Dimension = Literal["responsiveness", "reliability", "assurance", "perception"]
Unit = Literal["seconds", "ratio", "points", "per_1000", "times"]

# Values of all indicators for all groups of a window.
INDICATORS: Final[Columns] = {
    "id": pl.String(),
    "dimension": pl.String(),
    "group": pl.UInt32(),
    "value": pl.Float64(),  # in the indicator's unit; null: nothing to count, or too few
    "low": pl.Float64(),  # 95 % interval; null where there is no value, or no interval
    "high": pl.Float64(),
    "n": pl.Int64(),  # what it is out of
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Indicator:
    """One indicator as it is documented and computed."""

    id: str
    title: str
    dimension: Dimension
    unit: Unit
    better: Literal["higher", "lower"]
    formula: str
    source: str
    estimate: Estimate


def indicators(cells: pl.DataFrame, groups: int, min_n: int) -> pl.DataFrame:
    """All indicators of all groups of a window (INDICATORS; by indicator in the registry's order, then group).

    :param cells: windows.GROUPED
    :param groups: number of groups; one without cells has rows with n = 0
    :param min_n: below it there is no value, only n
    """
    sample = Sample(cells, groups)
    figures = [indicator.estimate.of(sample) for indicator in REGISTRY]
    joined = Figure(*(np.concatenate(columns) for columns in zip(*figures, strict=True)))
    enough = pl.Series(joined.n >= max(min_n, 1))
    rows = pl.DataFrame(
        {
            "id": np.repeat([indicator.id for indicator in REGISTRY], groups),
            "dimension": np.repeat([indicator.dimension for indicator in REGISTRY], groups),
            "group": np.tile(np.arange(groups, dtype=np.uint32), len(REGISTRY)),
            **{name: getattr(joined, name) for name in ("value", "low", "high", "n")},
            "enough": enough,
        }
    )
    shown = [pl.when("enough").then(pl.col(name).fill_nan(None)).alias(name) for name in ("value", "low", "high")]
    return rows.with_columns(shown).select(list(INDICATORS))


# --- the registry ---

_SRE = "Google, The Site Reliability Workbook (2018), chapter 2"
_COPC = "service level of contact centres, in its published variants"
_WILSON = "interval: Wilson (1927)"
_RANKS = "bins of monitor/cells/bins.py; interval of ranks: Conover (1999), 3.2"


def _times(clock: Clock) -> tuple[str, ...]:
    """Times of all clocks of that name that stopped, in time, late or without a target."""
    return (f"{clock}.met", f"{clock}.late", f"{clock}.untargeted")


def _within(clock: Clock) -> Ratio:
    return Ratio({f"{clock}.met": 1}, {f"{clock}.met": 1, f"{clock}.breached": 1})


def _of_times(clock: Clock, name: str, dimension: Dimension) -> tuple[Indicator, ...]:
    """Quantiles and mean of a clock's elapsed times."""
    times = _times(clock)
    quantiles = (
        Indicator(
            id=f"{clock}_p{percent}_seconds",
            title=f"{name}, {percent}th percentile",
            dimension=dimension,
            unit="seconds",
            better="lower",
            formula=f"elapsed time that {percent} % of the clocks stopped in the window do not exceed",
            source=_RANKS,
            estimate=Quantile(times, percent),
        )
        for percent in (50, 90, 95, 99)
    )
    mean = Indicator(
        id=f"{clock}_mean_seconds",
        title=f"{name}, mean",
        dimension=dimension,
        unit="seconds",
        better="lower",
        formula="sum of the elapsed times of the clocks stopped in the window / their number",
        source="exact; interval: Student's t over the bins",
        estimate=Mean(times),
    )
    return (*quantiles, mean)


def _share_within(clock: Clock, identifier: str, title: str, dimension: Dimension) -> Indicator:
    return Indicator(
        id=identifier,
        title=title,
        dimension=dimension,
        unit="ratio",
        better="higher",
        formula="met / (met + breached), each in the bucket of the instant that decided it",
        source=f"{_SRE}; {_WILSON}",
        estimate=_within(clock),
    )


_ANSWERED, _GIVEN_UP = "case.answered_targeted", "case.abandoned_targeted"
_QUICK, _GAVE_UP_IN_TIME, _SHORT = "case.answered_within", "case.abandoned_within", "case.abandoned_short"


def _service_level(number: int, formula: str, part: dict[str, int], whole: dict[str, int]) -> Indicator:
    letters = "a answered in target, A answered, b abandoned in target, B abandoned, s abandoned at once"
    return Indicator(
        id=f"service_level_f{number}_ratio",
        title=f"Service level F{number}: {formula}",
        dimension="responsiveness",
        unit="ratio",
        better="higher",
        formula=f"{formula}; {letters}, of cases with a target for the first response",
        source=f"{_COPC}; {_WILSON}",
        estimate=Ratio(part, whole),
    )


_RESPONSIVENESS: Final = (
    *_of_times(Clock.FIRST_RESPONSE, "Time to the first response", "responsiveness"),
    _share_within(
        Clock.FIRST_RESPONSE, "first_response_within_ratio", "First responses within target", "responsiveness"
    ),
    Indicator(
        id="first_response_spread",
        title="Spread of the time to the first response",
        dimension="reliability",
        unit="times",
        better="lower",
        formula="90th percentile / median of the time to the first response: 1 where all are served alike",
        source="consistency: a good mean cannot hide a bad tail",
        estimate=Spread(_times(Clock.FIRST_RESPONSE)),
    ),
    Indicator(
        id="answer_speed_mean_seconds",
        title="Average speed of answer",
        dimension="responsiveness",
        unit="seconds",
        better="lower",
        formula="sum of the waiting times of answered cases / their number; cases resolved without an answer left out",
        source="exact; without interval, since no distribution of it is kept",
        estimate=Mean(("case.answered",)),
    ),
    Indicator(
        id="abandonment_ratio",
        title="Cases given up before an answer",
        dimension="responsiveness",
        unit="ratio",
        better="lower",
        formula="abandoned / (answered + abandoned)",
        source=_WILSON,
        estimate=Ratio({"case.abandoned": 1}, {"case.answered": 1, "case.abandoned": 1}),
    ),
    _service_level(1, "(a+b)/(A+B)", {_QUICK: 1, _GAVE_UP_IN_TIME: 1}, {_ANSWERED: 1, _GIVEN_UP: 1}),
    _service_level(2, "a/A", {_QUICK: 1}, {_ANSWERED: 1}),
    _service_level(3, "a/(A+B)", {_QUICK: 1}, {_ANSWERED: 1, _GIVEN_UP: 1}),
    _service_level(4, "a/(A+B-b)", {_QUICK: 1}, {_ANSWERED: 1, _GIVEN_UP: 1, _GAVE_UP_IN_TIME: -1}),
    _service_level(5, "(a+s)/(A+B)", {_QUICK: 1, _SHORT: 1}, {_ANSWERED: 1, _GIVEN_UP: 1}),
    *_of_times(Clock.NEXT_RESPONSE, "Time to the next response", "responsiveness"),
    _share_within(Clock.NEXT_RESPONSE, "next_response_within_ratio", "Next responses within target", "responsiveness"),
    _share_within(
        Clock.ACKNOWLEDGEMENT, "acknowledgement_within_ratio", "Complaints acknowledged within target", "responsiveness"
    ),
)

_DECIDED_COMPLAINTS: Final = {"complaint.upheld": 1, "complaint.partly_upheld": 1, "complaint.rejected": 1}
_RESOLVED_COMPLAINTS: Final = {"complaint.resolved": 1}


def _complaints(
    identifier: str, title: str, better: Literal["higher", "lower"], formula: str, part: Ratio
) -> Indicator:
    return Indicator(
        id=identifier,
        title=title,
        dimension="reliability",
        unit="ratio",
        better=better,
        formula=formula,
        source=_WILSON,
        estimate=part,
    )


_RELIABILITY: Final = (
    _share_within(Clock.PROMISE, "promises_kept_ratio", "Promises kept", "reliability"),
    _share_within(Clock.RESOLUTION, "resolution_within_ratio", "Resolved within target", "reliability"),
    _share_within(
        Clock.TOTAL_RESOLUTION, "total_resolution_within_ratio", "Resolved for good within target", "reliability"
    ),
    *_of_times(Clock.RESOLUTION, "Time to resolve", "reliability"),
    Indicator(
        id="right_first_time_ratio",
        title="Right the first time",
        dimension="reliability",
        unit="ratio",
        better="higher",
        formula="decided right / decided, in the bucket of the first resolve: stated there, else not reopened in time",
        source=_WILSON,
        estimate=Ratio({"case.right_first_time": 1}, {"case.right_first_time": 1, "case.not_right_first_time": 1}),
    ),
    Indicator(
        id="reopen_ratio",
        title="Cases reopened",
        dimension="reliability",
        unit="ratio",
        better="lower",
        formula="reopened at least once / resolved, in the bucket of the first resolve; measured events left out",
        source=_WILSON,
        estimate=Ratio({"case.reopened": 1}, {"case.resolved": 1}),
    ),
    Indicator(
        id="complaints_per_1000",
        title="Complaints for every 1,000 interactions",
        dimension="reliability",
        unit="per_1000",
        better="lower",
        formula="1,000 x complaints opened / interactions opened",
        source="interval: Byar's, for Poisson counts (Breslow and Day 1987)",
        estimate=Rate({"case.opened_complaint": 1}, {"case.opened": 1, "case.opened_complaint": -1}),
    ),
    _complaints(
        "complaints_upheld_ratio",
        "Complaints upheld",
        "lower",
        "(upheld + partly upheld) / (upheld + partly upheld + rejected)",
        Ratio({"complaint.upheld": 1, "complaint.partly_upheld": 1}, _DECIDED_COMPLAINTS),
    ),
    _complaints(
        "complaints_redress_ratio",
        "Complaints with redress",
        "lower",
        "resolved with redress / resolved",
        Ratio({"complaint.redress": 1}, _RESOLVED_COMPLAINTS),
    ),
    _complaints(
        "complaints_within_4_weeks_ratio",
        "Complaints closed within 4 weeks",
        "higher",
        "resolved at most 28 days after the opening / resolved",
        Ratio({"complaint.within_4_weeks": 1}, _RESOLVED_COMPLAINTS),
    ),
    _complaints(
        "complaints_within_8_weeks_ratio",
        "Complaints closed within 8 weeks",
        "higher",
        "resolved at most 56 days after the opening / resolved",
        Ratio({"complaint.within_4_weeks": 1, "complaint.within_8_weeks": 1}, _RESOLVED_COMPLAINTS),
    ),
)

_PERCEPTION: Final = (
    Indicator(
        id="csat_top2_ratio",
        title="Satisfied customers",
        dimension="perception",
        unit="ratio",
        better="higher",
        formula="CSAT of 4 or 5 / CSAT scores from 1 to 5",
        source=_WILSON,
        estimate=Ratio({"rating.csat_top2": 1}, {"rating.csat": 1}),
    ),
    Indicator(
        id="csat_mean",
        title="Satisfaction (CSAT), mean",
        dimension="perception",
        unit="points",
        better="higher",
        formula="mean of the CSAT scores from 1 to 5",
        source="exact; interval: Student's t over the bins",
        estimate=Mean(("rating.csat",)),
    ),
    Indicator(
        id="nps",
        title="Net promoter score",
        dimension="perception",
        unit="points",
        better="higher",
        formula="100 x (promoters (9, 10) - detractors (0 to 6)) / scores from 0 to 10",
        source="interval: 1.96·sqrt((p + d - (p - d)²) / n)",
        estimate=NetPromoter("rating.nps_promoter", "rating.nps_detractor", "rating.nps"),
    ),
    Indicator(
        id="ces_mean",
        title="Customer effort score, mean",
        dimension="perception",
        unit="points",
        better="higher",
        formula="mean of the effort scores from 1 (hard) to 7 (easy)",
        source="exact; interval: Student's t over the bins",
        estimate=Mean(("rating.ces",)),
    ),
)

_ASSURANCE: Final = (
    Indicator(
        id="audit_score_mean_ratio",
        title="Quality score of audits, mean",
        dimension="assurance",
        unit="ratio",
        better="higher",
        formula="mean of score / greatest score",
        source="exact; interval: Student's t over the bins",
        estimate=Mean(("audit.score",)),
    ),
    Indicator(
        id="audit_passed_ratio",
        title="Audits passed",
        dimension="assurance",
        unit="ratio",
        better="higher",
        formula="passed / (passed + failed)",
        source=_WILSON,
        estimate=Ratio({"audit.passed": 1}, {"audit.passed": 1, "audit.failed": 1}),
    ),
)

REGISTRY: Final[tuple[Indicator, ...]] = (*_RESPONSIVENESS, *_RELIABILITY, *_ASSURANCE, *_PERCEPTION)
BY_ID: Final = {indicator.id: indicator for indicator in REGISTRY}
