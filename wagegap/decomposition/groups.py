"""Two groups to compare, or many: the one door of every decomposition, from a frame to samples and comparisons.

A decomposition explains the gap between a first and a second group of workers. Each group of each cell is a sample; a
comparison is a pair of samples of one cell, first minus second. With more than two groups every one can be compared
with a reference, or all in pairs, and all comparisons are estimated together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd

from wagegap._typing import FloatArray, IntArray, WeightKind
from wagegap.errors import (
    CovarianceError,
    DataError,
    EmptyDataError,
    FewClustersWarning,
    IdentificationError,
    MissingValueError,
    OptionError,
    check_column,
    check_label,
    did_you_mean,
    listing,
    warn,
)
from wagegap.estimation.cellwise import Rows
from wagegap.estimation.column_types import in_order
from wagegap.estimation.countries.columns import levels_meant
from wagegap.estimation.covariance.groupings import Grouping
from wagegap.estimation.covariance.options import Covariance, CovLike
from wagegap.estimation.design import Design, check_keys
from wagegap.estimation.formula import FormulaParts, required_columns, split_formula
from wagegap.estimation.sample import Sample
from wagegap.estimation.scores import check_units
from wagegap.panel.events import column_of
from wagegap.panel.panel import Panel, as_panel
from wagegap.panel.rows import cell_keys, prepare

__all__ = ["Comparison", "GroupRows", "GroupedSample", "GroupsLike", "group_samples"]

GroupsLike = Annotated[tuple[Any, Any] | Literal["pairs"], "two groups, (first, second), or 'pairs'"] | None
_BARE_WORDS = frozenset({"yes", "no", "true", "false", "y", "n", "t", "f", "0", "1"})
_TAKEN = (
    "first", "second", "component", "measure", "direction", "name_first", "name_second", "n_first", "n_second", "share",
    "step", "column", "at", "counterfactual", "row", "factor", "band_low", "band_high", "hypothesis", "ks", "ks_p",
    "cms", "cms_p",
)  # fmt: skip
"""Columns of the frames that results have beside their keys."""
_FEW_CLUSTERS = 10


@dataclass(frozen=True, slots=True)
class Comparison:
    """A gap: the first sample minus the second.

    Attributes
    ----------
    first, second : int
        Samples.
    keys : tuple of (str, object)
        Keys of its cell, and, where there are several pairs of groups, which.
    column : str
        Column of the groups.
    groups : tuple of two objects
        Values of that column in the first and in the second sample.

    Examples
    --------
    >>> Comparison(0, 1, (), "iso3", ("USA", "KOR")).direction
    'USA minus KOR'
    >>> Comparison(0, 1, (), "female", (0, 1)).names
    ('female 0', 'female 1')
    """

    first: int
    second: int
    keys: tuple[tuple[str, Any], ...]
    column: str
    groups: tuple[Any, Any]

    @property
    def names(self) -> tuple[str, str]:
        """Both groups in words; numbers, truth values, yes, no and blanks need the name of the column."""
        first, second = self.groups
        if all(isinstance(group, str) and group.strip() and group.lower() not in _BARE_WORDS for group in self.groups):
            return first, second
        shown = [repr(group) if isinstance(group, str) and not group.strip() else group for group in self.groups]
        return f"{self.column} {shown[0]}", f"{self.column} {shown[1]}"

    @property
    def direction(self) -> str:
        """Which group is subtracted from which, in words."""
        return " minus ".join(self.names)


@dataclass(frozen=True, slots=True, eq=False)
class GroupRows:
    """Rows of one group of a comparison.

    Attributes
    ----------
    group : object
        Which group.
    rows : ndarray of int, shape (n,)
        Their positions in the sample.
    y, x : ndarray, shapes (n,), (n, k)
        Outcome and regressors.
    weights : ndarray, shape (n,)
        Weights; one each where nothing is weighted.
    """

    group: Any
    rows: IntArray
    y: FloatArray
    x: FloatArray
    weights: FloatArray

    @property
    def share(self) -> FloatArray:
        """Weight of each row as a share of the group's."""
        return np.asarray(self.weights / self.weights.sum())

    def means(self, share: FloatArray) -> FloatArray:
        """Means of the regressors under shares that sum to one; exact for a constant."""
        return np.asarray(self.x[0] + share @ (self.x - self.x[0]))


@dataclass(frozen=True, slots=True, eq=False)
class GroupedSample:
    """Rows of a decomposition.

    Attributes
    ----------
    data : Rows
        Outcome and regressors with weights, covariance and groupings; its cells are the samples.
    comparisons : tuple of Comparison
        Gaps, at least one; every sample is in one.
    by : tuple of str
        Keys that label the comparisons.
    notes : tuple of str
        What was chosen for the user.
    """

    data: Rows
    comparisons: tuple[Comparison, ...]
    by: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def design(self) -> Design:
        """Outcome and regressors."""
        return self.data.design

    @property
    def sample(self) -> Sample:
        """Arrays with groupings; the cells are the samples."""
        return self.data.sample

    @property
    def cov(self) -> Covariance:
        """Covariance in force."""
        return self.data.cov

    def rows(self, comparison: Comparison) -> tuple[IntArray, IntArray]:
        """Positions in the sample of the rows of the first and of the second sample of a comparison."""
        cells = self.sample.cells
        return np.flatnonzero(cells == comparison.first), np.flatnonzero(cells == comparison.second)

    def names_of_samples(self) -> dict[int, str]:
        """Words for every sample: its group, and its cell where there are several."""
        names: dict[int, str] = {}
        for c in self.comparisons:
            cell = ", ".join(f"{key} {value}" for key, value in c.keys if key not in ("first", "second"))
            for sample, name in zip((c.first, c.second), c.names, strict=True):
                names.setdefault(sample, f"{name} ({cell})" if cell else name)
        return names

    def cells_of_samples(self) -> IntArray:
        """Number of the cell that each sample is a group of, shape (S,): the block that small-sample factors count."""
        cells: dict[tuple[tuple[str, Any], ...], int] = {}
        out = np.zeros(len(self.sample.cell_names), dtype=np.intp)
        for c in self.comparisons:
            cell = tuple((key, value) for key, value in c.keys if key not in ("first", "second"))
            out[[c.first, c.second]] = cells.setdefault(cell, len(cells))
        return out

    def weights(self, rows: IntArray) -> FloatArray:
        """Weights of some rows; one each where nothing is weighted."""
        return np.ones(len(rows)) if self.sample.weights is None else self.sample.weights[rows]

    def sides(self, comparison: Comparison, weights: FloatArray | None = None) -> tuple[GroupRows, GroupRows]:
        """Rows of the first and of the second group, under a replicate's weights where these are given."""
        first, second = (
            GroupRows(
                group, rows, self.sample.y[rows], self.sample.x[rows],
                self.weights(rows) if weights is None else weights[rows],
            )
            for group, rows in zip(comparison.groups, self.rows(comparison), strict=True)
        )  # fmt: skip
        return first, second

    def label(self, comparison: Comparison, rows: pd.DataFrame) -> pd.DataFrame:
        """Put the keys of a comparison in front of some labels."""
        keys = pd.DataFrame({name: [value] * len(rows) for name, value in comparison.keys})
        return pd.concat([keys, rows.reset_index(drop=True)], axis=1)

    def label_all(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Repeat labels of the numbers of a comparison for all, with its keys in front and its direction behind."""
        parts = [self.label(c, rows).assign(comparison=c.direction) for c in self.comparisons]
        return pd.concat(parts, ignore_index=True)

    def sizes(self) -> pd.DataFrame:
        """Return keys and direction of each comparison, the names of both groups and their rows."""
        n = np.bincount(self.sample.cells, minlength=len(self.sample.cell_names))
        columns = ["direction", "name_first", "name_second", "n_first", "n_second"]
        rows = [(c.direction, *c.names, n[c.first], n[c.second]) for c in self.comparisons]
        keys = pd.DataFrame([dict(c.keys) for c in self.comparisons])
        return pd.concat([keys, pd.DataFrame(rows, columns=columns)], axis=1)


def group_samples(
    data: Any,
    formula: str,
    *,
    group: str,
    groups: GroupsLike = None,
    by: str | Sequence[str] | None = None,
    cov: CovLike | None = None,
    weights: str | FloatArray | None = None,
    weight_kind: WeightKind | None = None,
) -> GroupedSample:
    """Cut the rows into samples and say which are compared.

    Parameters
    ----------
    data : Panel or data frame
        Workers.
    formula : str
        `outcome ~ regressors`; effects behind a bar are refused, as means of effects are no means of regressors.
    group : str
        Column whose gap it is.
    groups : (first, second), "pairs" or None
        The gap is first minus second. `(["KOR", "JPN"], "USA")` compares each of several with one, `("*", "USA")` every
        other one, "pairs" all. By default the two levels there are, sorted.
    by : str or sequence of str, optional
        Cells in each of which the groups are compared.
    cov, weights, weight_kind
        As in `fit_premiums`.

    Raises
    ------
    ColumnError, OptionError, FormulaError, DataError, EmptyDataError, IdentificationError
    """
    panel = as_panel(data)
    keys = [] if by is None else cell_keys(panel, by)
    _check_group(panel, group, keys)
    pairs, notes = _pairs(panel, group, groups)
    wanted = {level for pair in pairs for level in pair}
    parts = _parts(panel, formula, group)
    column = column_of(panel, group, "for group")
    outside = ~(column.isin(list(wanted)) | column.isna()).to_numpy()
    rows = prepare(
        panel, parts, by=keys, cov=cov, weights=weights, weight_kind=weight_kind, subpop=[("in other groups", outside)]
    )
    rows = replace(rows, by=(*keys, group))
    comparisons = _comparisons(rows.cells.keys, group, pairs)
    _check_sizes(rows.sample)
    _check_outcome(rows.design.outcome, rows.sample, comparisons)
    _check_clusters(rows.sample, rows.cov)
    by_pair = ("first", "second") if len(pairs) > 1 else ()
    return GroupedSample(rows, comparisons, (*keys, *by_pair), tuple(notes))


def _check_group(panel: Panel, group: str, keys: Sequence[str]) -> None:
    check_column(group, panel.frame.columns, "for group")
    if group in keys:
        raise OptionError(f"group={group!r} is among by too: the gap of a group within itself is nothing.")
    for name in _TAKEN:
        if name in keys:
            raise OptionError(f"by={name!r}: results have a column of this name themselves; rename yours.")


def _pairs(panel: Panel, group: str, groups: GroupsLike) -> tuple[list[tuple[Any, Any]], list[str]]:
    """Pairs of levels, first and second, and what was chosen for the user."""
    check_keys(panel.frame, [group])
    levels = in_order(panel.frame[group].dropna().unique().tolist())
    if len(levels) < 2:
        has = f"only {levels[0]!r}" if levels else "no value"
        raise DataError(f"group={group!r} has {has}: a gap needs two groups.")
    if groups is None and len(levels) == 2:
        note = "The groups are in sorted order; groups=(first, second) says which is subtracted."
        return [(levels[0], levels[1])], [note]
    if groups is None:
        raise OptionError(
            f"group={group!r} has {len(levels)} groups ({listing(repr(level) for level in levels)}) where two are "
            f"needed: groups=({levels[0]!r}, {levels[1]!r}) compares two, groups=('*', {levels[0]!r}) every other "
            "one with a reference, groups='pairs' all."
        )
    if isinstance(groups, str):
        return list(combinations(levels, 2)), []
    second = levels_meant(group, [groups[1]], levels)[0]
    return [(level, second) for level in _firsts((groups[0], second), levels, group)], []


def _firsts(groups: tuple[Any, Any], levels: Sequence[Any], group: str) -> list[Any]:
    """Levels that are compared with the second."""
    first, second = groups
    _known_level(second, levels, group)
    if isinstance(first, str) and first == "*" and "*" not in levels:
        return [level for level in levels if level != second]
    if isinstance(first, tuple) and first in levels:  # a level that is a tuple itself
        first = [first]
    firsts = list(first) if isinstance(first, list | tuple | set | np.ndarray) else [first]
    firsts = levels_meant(group, firsts, levels)
    for part in (part for level in firsts for part in (level if isinstance(level, tuple) else (level,))):
        check_label("groups[0]", part)
    if not firsts or len(set(firsts)) < len(firsts):
        raise OptionError(f"groups={groups!r} names {'a group twice' if firsts else 'no group'} before {second!r}.")
    for level in firsts:
        _known_level(level, levels, group)
        if level == second:
            raise OptionError(f"groups={groups!r}: {second!r} is compared with itself.")
    return firsts


def _known_level(level: Any, levels: Sequence[Any], group: str) -> None:
    if level in levels:
        return
    hint = did_you_mean(level, levels)
    if str(level) in map(str, levels):
        hint = f" It is {type(level).__name__}, the levels are {type(levels[0]).__name__}."
    raise OptionError(
        f"groups: {level!r} is no level of {group!r}.{hint} Levels: {listing((repr(known) for known in levels), 20)}."
    )


def _parts(panel: Panel, formula: str, group: str) -> FormulaParts:
    """The formula, whose regressors do not hold the group; rows without a group are left out."""
    parts = split_formula(formula)
    if parts.effects:
        raise OptionError(
            f"formula {formula!r}: a decomposition has no absorbed effects; put {listing(parts.effects)} among the "
            "regressors as C(...)."
        )
    if group in required_columns(parts.regressors, panel.frame):
        raise OptionError(
            f"formula {formula!r}: {group!r} is the group itself, and the same for all of a group: leave it out."
        )
    return replace(parts, also=(group,))


def _comparisons(samples: pd.DataFrame, group: str, pairs: Sequence[tuple[Any, Any]]) -> tuple[Comparison, ...]:
    """Pairs of samples of the same cell, from their keys; a cell that lacks one of two groups is an error."""
    *keys, _ = samples.columns
    place = {(row[:-1], row[-1]): i for i, row in enumerate(samples.itertuples(index=False, name=None))}
    comparisons, absent = [], []
    for cell in dict.fromkeys(cell for cell, _ in place):
        of_cell = list(zip(keys, cell, strict=True))
        where = f" in {' and '.join(f'{name} {value}' for name, value in of_cell)}" if keys else ""
        for first, second in pairs:
            lacking = [level for level in (first, second) if (cell, level) not in place]
            of_pair = [("first", first), ("second", second)] if len(pairs) > 1 else []
            if lacking:
                absent.append(f"{group} {lacking[0]!r}{where}")
            else:
                at = (place[cell, first], place[cell, second])
                comparisons.append(Comparison(*at, (*of_cell, *of_pair), group, (first, second)))
    if absent:
        raise EmptyDataError(
            f"{len(absent)} comparison{'s lack' if len(absent) > 1 else ' lacks'} a group: no row with outcome, "
            f"regressors and weight has {listing(absent)}. Choose other groups, or filter these cells out."
        )
    return tuple(comparisons)


# checks --------------------------------------------------------------------------------------------------------------


def _check_sizes(sample: Sample) -> None:
    """A sample must have more rows than regressors, and some weight."""
    k, names = sample.x.shape[1], sample.cell_names
    counts = np.bincount(sample.cells, minlength=len(names))
    small = [f"{name} ({n} rows)" for name, n in zip(names, counts, strict=True) if n <= k]
    if small:
        raise IdentificationError(
            f"{len(small)} groups have no more rows than the {k} columns of the regressors: {listing(small)}. Drop "
            "regressors, or pool groups."
        )
    totals = np.bincount(sample.cells, weights=sample.weights, minlength=len(names))
    weightless = [name for name, total in zip(names, totals, strict=True) if total == 0]
    if weightless:
        raise MissingValueError(f"the weights of {listing(weightless)} sum to zero: filter out, or mend the weights.")


def _check_outcome(outcome: str, sample: Sample, comparisons: Sequence[Comparison]) -> None:
    """An outcome that is one number throughout both samples has no gap to take apart."""
    spans = pd.Series(sample.y).groupby(sample.cells).agg(["min", "max"]).to_numpy()
    for c in comparisons:
        span = spans[[c.first, c.second]]
        if span.min() == span.max():
            where = "".join(f" {name}={value}" for name, value in c.keys)
            raise DataError(f"{outcome!r} is {span.min():g} in all rows of {c.direction}{where}: there is no gap.")


def _check_clusters(sample: Sample, cov: Covariance) -> None:
    """Refuse a sample within a single independent unit, whose scores add up to nothing, and warn of few clusters."""
    few = []
    if not (cov.replicated or cov.clusters):
        check_units(cov, sample.groupings, sample.cells, sample.cell_names)
    for name in cov.clusters:
        grouping = sample.groupings[name]
        assert isinstance(grouping, Grouping)
        pairs = np.unique(sample.cells.astype(np.int64) * grouping.n_groups + grouping.codes)
        counts = list(zip(sample.cell_names, np.bincount(pairs // grouping.n_groups), strict=True))
        single = [cell for cell, n in counts if n < 2]
        if single:
            raise CovarianceError(
                f"{len(single)} of {len(counts)} groups are in a single cluster of {name!r} ({listing(single, 4)}), "
                "and have no variance between clusters: cluster on a finer column."
            )
        few += [f"{n} of {name} in {cell}" for cell, n in counts if n < _FEW_CLUSTERS]
    if few:
        warn(f"few clusters ({listing(few, 4)}): the errors of {cov} are too small.", FewClustersWarning)
