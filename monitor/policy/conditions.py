"""`when` and `where`: which cases a line speaks of, as data, as words and as a polars expression.

A condition is a value, a list (any of), `"!value"` (not that value, also where the label is absent) or `"*"`
(present). Several conditions must all hold.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import polars as pl

KIND = "kind"
FAMILIES = ("complaint", "interaction")


@dataclass(frozen=True, slots=True)
class Condition:
    """What one label must be."""

    test: Literal["any_of", "not", "present"]
    values: tuple[str, ...] = ()  # of any_of one or more, of not exactly one

    def holds(self, value: str | None) -> bool:
        """Whether `value` (None: absent) satisfies it."""
        if self.test == "present":
            return value is not None
        return (value in self.values) == (self.test == "any_of")

    def expr(self, value: pl.Expr) -> pl.Expr:
        """The same over a String expression: never null."""
        if self.test == "present":
            return value.is_not_null()
        if self.test == "not":
            return (value != self.values[0]).fill_null(True)
        if len(self.values) == 1:
            return (value == self.values[0]).fill_null(False)
        return value.is_in(list(self.values)).fill_null(False)

    def written(self) -> str | list[str]:
        """As it stands in a policy."""
        if self.test == "present":
            return "*"
        if self.test == "not":
            return f"!{self.values[0]}"
        return self.values[0] if len(self.values) == 1 else list(self.values)


When = Mapping[str, Condition]


def parse_condition(written: object) -> Condition:
    """A condition from what was written. Raises ValueError with what to write instead."""
    if isinstance(written, Condition):
        return written
    if isinstance(written, list | tuple):
        return _any_of([_text(value) for value in written])
    text = _text(written)
    if text == "*":
        return Condition("present")
    if text.startswith("!"):
        if text == "!":
            raise ValueError('"!" needs a value: write "!free" for every case whose label is not free')
        return Condition("not", (text[1:],))
    return Condition("any_of", (text,))


def _text(written: object) -> str:
    if not isinstance(written, str):
        raise ValueError('write a value, a list of values, "!value" or "*"')
    return written


def _any_of(values: list[str]) -> Condition:
    if not values:
        raise ValueError("an empty list fits no case")
    if special := [v for v in values if v == "*" or v.startswith("!")]:
        raise ValueError(f'{special[0]!r} cannot stand in a list: a list means "any of these values"')
    return Condition("any_of", tuple(dict.fromkeys(values)))


def fits(when: When) -> pl.Expr:
    """Boolean expression over the label columns and the Boolean column `complaint`: never null."""
    tests = [condition.expr(_family() if label == KIND else pl.col(label)) for label, condition in when.items()]
    return pl.all_horizontal(tests) if tests else pl.lit(True)


def _family() -> pl.Expr:
    complaint, interaction = (pl.lit(name) for name in FAMILIES)
    return pl.when(pl.col("complaint")).then(complaint).otherwise(interaction)


def in_words(when: When) -> str:
    """Which cases are meant: `priority P1 or P2, tier not free`; empty for all."""
    return ", ".join(_words(label, condition) for label, condition in when.items())


def _words(label: str, condition: Condition) -> str:
    if label == KIND:
        chosen = [family for family in FAMILIES if condition.holds(family)]
        return "complaints" if chosen == ["complaint"] else " or ".join(f"{f}s" for f in chosen)
    if condition.test == "present":
        return f"any {label}"
    if condition.test == "not":
        return f"{label} not {condition.values[0]}"
    return f"{label} {' or '.join(condition.values)}"
