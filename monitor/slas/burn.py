"""Burn alert pairs: which windows of an objective are watched, and how fast the budget must burn there.

Burn rate 1 spends the error budget exactly over the period. A pair fires where the burn rate exceeds its factor in
the long window (it matters) and in the short one (it still goes on). The factor follows from the share of the
budget that may be spent in the long window: `factor = share x period / long`.

Source of shares and windows: Google, The Site Reliability Workbook (2018), chapter 5, table 5-8.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Final

from monitor.names import Severity

MINUTE: Final = timedelta(minutes=1)
NOMINAL: Final = timedelta(days=30)  # the period that the windows of `STANDARD` were chosen for
SCALED_BELOW: Final = timedelta(days=7)  # shorter periods scale the windows of `NOMINAL` down
HEADROOM: Final = Fraction(9, 10)  # of the greatest possible burn rate: what a factor may be at most


@dataclass(frozen=True, slots=True)
class Rule:
    """A share of the budget that must not be spent within `long`; `short` tells whether it still goes on."""

    severity: Severity
    share: Fraction
    long: timedelta
    short: timedelta


STANDARD: Final = (
    Rule(Severity.PAGE, Fraction(2, 100), timedelta(hours=1), timedelta(minutes=5)),
    Rule(Severity.PAGE, Fraction(5, 100), timedelta(hours=6), timedelta(minutes=30)),
    Rule(Severity.TICKET, Fraction(10, 100), timedelta(days=1), timedelta(hours=2)),
    Rule(Severity.TICKET, Fraction(10, 100), timedelta(days=3), timedelta(hours=6)),
)


@dataclass(frozen=True, slots=True)
class Pair:
    """A rule as it applies to one objective."""

    severity: Severity
    share: Fraction
    long: timedelta
    short: timedelta
    factor: Fraction  # fires where the burn rate of both windows is greater
    widened_from: timedelta | None  # the rule's long window, where its factor could never be reached


def miss(goal: Decimal) -> Fraction:
    """The share that may fail: `1 - goal`, exactly (99.9 % leaves 1/1000)."""
    return 1 - Fraction(goal)


def greatest_burn(goal: Decimal) -> Fraction:
    """The burn rate when everything fails: `1 / (1 - goal)`."""
    return 1 / miss(goal)


def pairs(
    goal: Decimal, period: timedelta, longest: timedelta | None = None, rules: tuple[Rule, ...] = STANDARD
) -> tuple[Pair, ...]:
    """The pairs of an objective, in the order of `rules`.

    A factor above 0.9 of the greatest possible burn rate would hardly ever, or never, be reached: its window is
    widened to the first whole minute at which the factor is low enough, the short window in proportion.

    :param goal: strictly between 0 and 1
    :param period: the real length of the period that is judged
    :param longest: of a calendar period the greatest length it can have. Windows follow from it, so that they
        stay the same all year; the factors follow from `period`
    """
    longest = longest or period
    if longest < SCALED_BELOW:
        return tuple(_scaled(pair, longest) for pair in pairs(goal, NOMINAL, None, rules))
    ceiling = HEADROOM * greatest_burn(goal)
    return tuple(_pair(rule, period, longest, ceiling) for rule in rules)


def _pair(rule: Rule, period: timedelta, longest: timedelta, ceiling: Fraction) -> Pair:
    long, short, widened = rule.long, rule.short, None
    if _factor(rule.share, longest, long) > ceiling:
        widened = rule.long
        minutes = rule.share * _minutes(longest) / ceiling
        long = MINUTE * (-(-minutes.numerator // minutes.denominator))
        short = _whole_minutes(_minutes(long) * Fraction(rule.short // MINUTE, rule.long // MINUTE))
    return Pair(rule.severity, rule.share, long, short, _factor(rule.share, period, long), widened)


def _scaled(pair: Pair, period: timedelta) -> Pair:
    """`pair` of the nominal period with its windows in proportion to `period`, and the same factor."""
    scale = _minutes(period) / _minutes(NOMINAL)
    long, short = (_whole_minutes(_minutes(window) * scale) for window in (pair.long, pair.short))
    widened = None if pair.widened_from is None else _whole_minutes(_minutes(pair.widened_from) * scale)
    return Pair(pair.severity, pair.share, long, short, pair.factor, widened)


def _factor(share: Fraction, period: timedelta, window: timedelta) -> Fraction:
    return share * _minutes(period) / _minutes(window)


def _minutes(span: timedelta) -> Fraction:
    return Fraction(span // timedelta(microseconds=1), MINUTE // timedelta(microseconds=1))


def _whole_minutes(minutes: Fraction) -> timedelta:
    """To the nearest whole minute, halves up, at least one."""
    return MINUTE * max(1, int(minutes + Fraction(1, 2)))


def windows(chosen: tuple[Pair, ...]) -> tuple[timedelta, ...]:
    """The distinct windows of pairs, shortest first."""
    return tuple(sorted(set(_both(chosen))))


def _both(chosen: tuple[Pair, ...]) -> Iterator[timedelta]:
    for pair in chosen:
        yield pair.long
        yield pair.short
