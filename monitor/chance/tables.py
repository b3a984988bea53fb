"""The chance to breach, by what became of clocks alike: survival tables with censoring, each leaning on a wider one.

Of the clocks that started in a window, let m(s) be those met in step s of their target, c(s) those that still run
and are in step s, and r(s) = m(s) + m(s+1) + … + breached + c(s)/2 + c(s+1) + … those at risk of being met there
(Kaplan-Meier with the actuarial half for what runs). A clock passes step s unmet with 1 - m(s) / r(s); it breaches
if it passes all that are left:

    chance(u) = (1 - h(s))^(rest of s) · (1 - h(s+1)) · … · (1 - h(49)),    h(s) = (m(s) + LEAN · h'(s)) / (r(s) + LEAN)

where h' is that of the next wider class: few clocks hardly move it, many outweigh it. The widest class of all has two
clocks more, one breached and one met in any step alike, so that no chance is 0 or 1. Without c(s), long clocks of
which only the early ends are known would seem to be met always.

Source: Kaplan and Meier, Nonparametric estimation from incomplete observations, JASA 53 (1958).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from monitor.chance.course import STEPS
from monitor.names import Alike

LEAN: Final = 5.0  # clocks of the wider class that stand in each step of the narrower one

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Number = TypeVar("Number", np.int64, np.float64)

# What makes clocks alike, the widest first; `labels` stands for all those of the policy.
LEVELS: Final = (
    ("clock",),
    ("clock", "service"),
    ("clock", "service", "priority"),
    ("clock", "service", "priority", "length"),
    ("clock", "length", "labels"),
)


@dataclass(frozen=True)
class Survival:
    """One level: a row for each class of clocks."""

    classes: pl.DataFrame  # columns of the level -> class (its row in the arrays)
    met: Floats  # class x step: h
    ended: Ints  # class x (step + 1): met in that step or later, or breached
    running: Floats  # class x (step + 1): still running, in that step or later

    @classmethod
    def of(cls, classes: pl.DataFrame, rows: pl.DataFrame, wider: "Survival | None") -> Self:
        """The table of `classes` (numbered by `class`), leaning on a wider one.

        :param rows: columns of the level, step, ended, running: counts of clocks, one row for each step of a class;
            STEPS is the step of the breached
        """
        by = classes.columns[:-1]
        found = rows.join(classes, on=by, how="inner", nulls_equal=True)
        place = found["class"].to_numpy(), found["step"].to_numpy()
        ends = np.zeros((classes.height, STEPS + 1), dtype=np.int64)
        runs = np.zeros((classes.height, STEPS + 1))
        ends[place] = found["ended"].to_numpy()
        runs[place] = found["running"].to_numpy()
        ended, running = _from_here(ends), _from_here(runs)
        met, at_risk = ends[:, :STEPS], (ended + running - runs / 2)[:, :STEPS]
        if wider is None:
            share = (met + 1 / STEPS) / (at_risk + 2 - np.arange(STEPS) / STEPS)
        else:
            share = (met + LEAN * wider.met[wider.row_of(classes)]) / (at_risk + LEAN)
        return cls(classes, share, ended, running)

    def row_of(self, clocks: pl.DataFrame) -> Ints:
        """The class of each clock, -1 where there is none."""
        by = self.classes.columns[:-1]
        found = clocks.select(by).join(self.classes, on=by, how="left", nulls_equal=True, maintain_order="left")
        return found["class"].cast(pl.Int64).fill_null(-1).to_numpy()

    def chance(self, row: Ints, used: Floats) -> Floats:
        """Of clocks of these classes that have used that share of their target."""
        passes = 1 - self.met
        rest = np.ones((len(passes), STEPS + 1))
        rest[:, :STEPS] = np.cumprod(passes[:, ::-1], axis=1)[:, ::-1]
        at = np.clip(used * STEPS, 0, STEPS)
        step = np.minimum(at.astype(np.int64), STEPS - 1)
        found: Floats = passes[row, step] ** (step + 1 - at) * rest[row, step + 1]
        return found

    def known(self, row: Ints, step: Ints, least: int) -> Mask:
        """Where enough clocks got beyond that step and ended, and it is told how: some breached, or few still run."""
        ended = self.ended[row, step]
        told: Mask = (self.ended[row, STEPS] >= least) | (self.running[row, step] <= ended)
        return told & (ended >= least)


def survival(rows: pl.DataFrame, running: pl.DataFrame, labels: Sequence[str]) -> dict[Alike, Survival]:
    """The tables of all levels, the widest first, with the classes that the running clocks belong to.

    :param rows: clock, length, the labels, step, ended, running: the same may stand in several rows
    :param running: clock, length, the labels
    """
    every = running.select("clock", "length", *labels).unique()
    counted: dict[Alike, pl.DataFrame] = {}
    for alike, by in reversed(_levels(every.columns, labels).items()):
        rows = counted[alike] = rows.group_by(*by, "step").agg(pl.col("ended", "running").sum())
    tables: dict[Alike, Survival] = {}
    wider = None
    for alike, rows in reversed(counted.items()):
        by = rows.columns[:-3]
        classes = every.select(by).unique().with_row_index("class").select(*by, "class")
        wider = tables[alike] = Survival.of(classes, rows, wider)
    return tables


def _levels(columns: Sequence[str], labels: Sequence[str]) -> dict[Alike, list[str]]:
    """The columns of each level; one that tells no more apart, as the policy lacks a label, is left out."""
    levels: dict[Alike, list[str]] = {}
    for names in LEVELS:
        named = {column for name in names for column in (labels if name == "labels" else [name])}
        by = [column for column in columns if column in named]
        if by not in levels.values():
            levels[_name(by)] = by
    return levels


def _name(by: Sequence[str]) -> Alike:
    """What a level is called: by the labels that it has."""
    own = [label for label in ("service", "priority") if label in by]
    if set(by) - {"clock", "length", *own}:
        return Alike.LABELS
    return Alike("_".join(own or ["clock"]) + ("_target" if "length" in by else ""))


def _from_here(counts: npt.NDArray[Number]) -> npt.NDArray[Number]:
    """Sums of each step and all later ones."""
    return np.cumsum(counts[:, ::-1], axis=1)[:, ::-1]
