"""The two groups of a gap of distributions: their rows, the propensity between them, and what results are made of.

A method that compares distributions estimates statistics in several states: the first group, the second, and one or
more counterfactuals, those of a sequence of steps in order. The gap and its parts are differences of these levels. With
reference "A" the counterfactual is made of the first group,

    nu_a - nu_b = [nu_a - nu_c] + [nu_c - nu_b] = explained + unexplained,

with "B" of the second, explained = nu_c - nu_b and unexplained = nu_a - nu_c.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product
from typing import Any

import numpy as np
import pandas as pd

from wagegap._typing import BoolArray, FloatArray, IntArray
from wagegap.decomposition.distributions.mass_points import drop_errors
from wagegap.decomposition.distributions.reweighting import Reweighting, ReweightModel, Trim, reweight
from wagegap.decomposition.distributions.statistics import Statistic
from wagegap.decomposition.groups import GroupedSample
from wagegap.decomposition.inference import replicate_values
from wagegap.decomposition.result import TOTAL
from wagegap.errors import OptionError, check_known, listing
from wagegap.estimation.countries.columns import levels_meant
from wagegap.estimation.covariance.replication import ReplicateWeights
from wagegap.estimation.covariance.sources import ReplicateSource
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.least_squares.moments import row_blocks
from wagegap.estimation.sample import Cell
from wagegap.estimation.units import PER_LOG

__all__ = [
    "COMPONENTS",
    "MEASURE",
    "Propensity",
    "gap_of_levels",
    "group_sides",
    "label_statistics",
    "name_reference",
    "notes_on_logarithms",
    "one_comparison",
    "replicated_source",
]

_RELATIVE = ("gini", "theil", "mld", "atkinson", "lorenz", "interquantile_ratio")

MEASURE = "measure"
"""The key that names the statistic; tidy frames keep "statistic" for t."""
COMPONENTS = ("difference", "explained", "unexplained")


def group_sides(grouped: GroupedSample, *, ordered: bool) -> Iterator[Cell]:
    """Yield the rows of every group of every cell, in the order of the samples; `ordered` by the outcome."""
    sample = grouped.sample
    for number, rows in enumerate(sample.rows_by_cell()):
        yield sample.cell(number, rows[np.argsort(sample.y[rows], kind="stable")] if ordered else rows)


@dataclass(frozen=True, slots=True, eq=False)
class Propensity:
    """Model of the propensity, its trimming, and its regressors for all rows of the sample.

    Attributes
    ----------
    model : str
        Logit, probit, cloglog or cells.
    trim : Trim
        Rule for rows without overlap.
    z : ndarray, shape (n, k)
        Regressors.
    names : tuple of str, length k
        Their names.
    """

    model: ReweightModel
    trim: Trim
    z: FloatArray
    names: tuple[str, ...]

    def reweight(self, source: Cell, target: Cell, columns: IntArray | None = None) -> Reweighting:
        """Give the rows of one group the regressors of the other, by all columns or by some."""
        chosen = np.arange(len(self.names)) if columns is None else columns
        return reweight(
            self.z[np.ix_(source.rows, chosen)], self.z[np.ix_(target.rows, chosen)], (source.weights, target.weights),
            model=self.model, trim=self.trim, names=[self.names[j] for j in chosen], groups=(source.name, target.name),
        )  # fmt: skip

    def notes(self) -> list[str]:
        """What a reader should know of the weights."""
        trimmed = f"Trimmed by {self.trim}; the gap is that of the rows kept."
        return [f"Propensity: {self.model}.", *([] if self.trim.rule == "none" else [trimmed])]


def name_reference(reference: str, text: str) -> str:
    """Put into a text the group that a counterfactual is made of, and the other one.

    >>> name_reference("B", "pay structure of the {} group, with the regressors of the {}")
    'pay structure of the second group, with the regressors of the first'
    """
    return text.format(*(("first", "second") if reference == "A" else ("second", "first")))


def notes_on_logarithms(statistics: Sequence[Statistic], unit: str) -> list[str]:
    """Say which statistics are relative to a level, and so mean something else of a logarithm."""
    relative = [one.name for one in statistics if one.family in _RELATIVE or one.of_median is not None]
    if not relative or unit not in PER_LOG:
        return []
    return [f"{listing(relative)}: of the logarithm itself; for pay put the outcome without log()."]


def one_comparison(frame: pd.DataFrame, keys: Mapping[str, Any], known: Sequence[str]) -> pd.DataFrame:
    """Return the rows of one comparison, chosen by its keys.

    Raises
    ------
    OptionError
        For a key that there is not, and where none or several comparisons are left.
    """
    check_known(keys, known, lambda name, hint: OptionError(f"{name!r} is no key of the comparisons.{hint}"))
    for name, value in keys.items():
        frame = frame[frame[name] == levels_meant(name, [value], frame[name].unique().tolist())[0]]
    if frame.empty or (known and len(frame[list(known)].drop_duplicates()) > 1):
        raise OptionError(f"choose one comparison by its keys ({listing(known)}).")
    return frame


def replicated_source(
    grouped: GroupedSample,
    estimate: FloatArray,
    again: Callable[[ReplicateWeights, slice], FloatArray],
    size: int,
) -> ReplicateSource:
    """Return the deviations of all replicates, some of them at a time.

    Parameters
    ----------
    grouped : GroupedSample
        With `cov` a `Replicates` or a `Bootstrap`.
    estimate : ndarray, shape (C, q)
        Full-sample estimates, a row for each comparison.
    again : callable
        From the replicates and a slice of them to their estimates, shape (b, C, q).
    size : int
        Replicates at a time.
    """

    def values_of(replicates: ReplicateWeights) -> FloatArray:
        return np.concatenate([again(replicates, batch) for batch in row_blocks(len(replicates), size)])

    members = [np.concatenate(grouped.rows(comparison)) for comparison in grouped.comparisons]
    return replicate_values(grouped, estimate, values_of, members)


def label_statistics(rows: pd.DataFrame, names: Sequence[str], units: Sequence[str]) -> pd.DataFrame:
    """Repeat labels for every statistic, with its unit; `measure` says which, where there are several."""
    labels = pd.concat([rows] * len(names), ignore_index=True)
    if len(names) > 1:
        labels.insert(0, MEASURE, np.repeat(list(names), len(rows)))
    return labels.assign(unit=np.repeat(list(units), len(rows)))


def gap_of_levels(
    grouped: GroupedSample,
    levels: Estimates,
    reference: str,
    statistics: tuple[Sequence[str], Sequence[str]],
    *,
    steps: Sequence[str] = ("",),
    moved: BoolArray,
    title: str,
    notes: Sequence[str],
) -> tuple[Estimates, bool]:
    """Return the gap, its composition (with its steps where there are several) and its structure.

    What errors of theirs do not hold at mass points is left out, and whether there were any is returned.

    Parameters
    ----------
    grouped : GroupedSample
        Rows and comparisons.
    levels : Estimates
        Statistics in every state: for each comparison and statistic the first group, the second, the counterfactual
        of each step, and whatever else there is.
    reference : {"A", "B"}
        Which group the counterfactual is made of.
    statistics : tuple of sequence of str
        Names and units of the statistics.
    steps : sequence of str
        Steps of the sequence.
    moved : ndarray of bool
        Levels that move with a quantile at a mass point, see `drop_errors`.
    title, notes
        Of the result.
    """
    number = len(statistics[0]) * len(grouped.comparisons)
    first, second, *between = np.eye(len(levels.values) // number)[: 2 + len(steps)]
    if reference == "A":
        chain, unexplained = [first, *between], between[-1] - second
    else:  # explained = (c_1 - b) + (c_2 - c_1) + ...
        chain, unexplained = [-second, *(-state for state in between)], first - between[-1]
    named = steps if len(steps) > 1 else ()
    rows = [("difference", TOTAL), *product(("explained",), (TOTAL, *named)), ("unexplained", TOTAL)]
    falls = [before - after for before, after in pairwise(chain)][: len(named)]
    labels = pd.DataFrame(rows, columns=["component", "term"])
    matrix = np.kron(np.eye(number), [first - second, chain[0] - chain[-1], *falls, unexplained])
    gap = levels.map(matrix, labels=grouped.label_all(label_statistics(labels, *statistics)), title=title)
    gap, dropped = drop_errors(gap, (np.abs(matrix) @ moved).astype(bool))
    return replace(gap, notes=(*gap.notes, *notes)), dropped
