"""Two groups to compare, or many: the one door of every decomposition, from a frame to samples and comparisons.

A decomposition explains the gap between a first and a second group of workers. Each group of each cell is a sample; a
comparison is a pair of samples of one cell, first minus second. With more than two groups every one can be compared
with a reference, or all in pairs, and all comparisons are estimated together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from wagegap._typing import BoolArray, FloatArray, IntArray, WeightKind
from wagegap.errors import (
    CovarianceError,
    DataError,
    EmptyDataError,
    FewClustersWarning,
    IdentificationError,
    MissingValueError,
    OptionError,
    did_you_mean,
    listing,
    no_column,
    warn,
)
from wagegap.estimation.covariance.groupings import Grouping
from wagegap.estimation.covariance.options import Covariance, CovLike, Robust
from wagegap.estimation.design import Design, build_design
from wagegap.estimation.formula import required_columns, split_formula
from wagegap.estimation.sample import Sample
from wagegap.panel.panel import Panel, as_panel
from wagegap.panel.rows import build_sample, cell_keys, index_cells, resolve_cov, weighted_rows, with_weights

__all__ = ["Comparison", "GroupedSample", "GroupsLike", "group_samples", "subset"]

GroupsLike = tuple[Any, Any] | str | None
_BARE_WORDS = frozenset({"yes", "no", "true", "false", "y", "n", "t", "f", "0", "1"})
FEW_CLUSTERS = 10
"""Fewer clusters than this in a group draw a warning."""


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
        """Both groups in words; numbers, truth values and yes and no need the name of the column."""
        first, second = self.groups
        if all(isinstance(group, str) and group.lower() not in _BARE_WORDS for group in self.groups):
            return first, second
        return f"{self.column} {first}", f"{self.column} {second}"

    @property
    def direction(self) -> str:
        """Which group is subtracted from which, in words."""
        return " minus ".join(self.names)


@dataclass(frozen=True, slots=True, eq=False)
class GroupedSample:
    """Rows of a decomposition.

    Attributes
    ----------
    panel : Panel
        The data, with the weights in force.
    design : Design
        Outcome and regressors.
    sample : Sample
        The same as arrays with groupings; its cells are the samples.
    samples : DataFrame
        Keys of every sample: those of the cell, then the group.
    comparisons : tuple of Comparison
        Gaps, at least one.
    group : str
        Column of the groups.
    by : tuple of str
        Keys that label the comparisons.
    cov : Covariance
        Covariance meant.
    notes : tuple of str
        What was chosen for the user.
    """

    panel: Panel
    design: Design
    sample: Sample
    samples: pd.DataFrame
    comparisons: tuple[Comparison, ...]
    group: str
    by: tuple[str, ...]
    cov: Covariance
    notes: tuple[str, ...]

    def rows(self, comparison: Comparison) -> tuple[IntArray, IntArray]:
        """Positions in the sample of the rows of the first and of the second sample of a comparison."""
        cells = self.sample.cells
        return np.flatnonzero(cells == comparison.first), np.flatnonzero(cells == comparison.second)

    def weights(self, rows: IntArray) -> FloatArray:
        """Weights of some rows; one each where nothing is weighted."""
        return np.ones(len(rows)) if self.sample.weights is None else self.sample.weights[rows]

    def label(self, comparison: Comparison, rows: pd.DataFrame) -> pd.DataFrame:
        """Put the keys of a comparison in front of some labels."""
        keys = pd.DataFrame({name: [value] * len(rows) for name, value in comparison.keys})
        return pd.concat([keys, rows.reset_index(drop=True)], axis=1)

    def sizes(self) -> pd.DataFrame:
        """Return keys and direction of each comparison, the names of both groups and their rows."""
        n = np.bincount(self.sample.cells, minlength=len(self.samples))
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
        other one, "pairs" all. By itself the two levels there are, sorted.
    by : str or sequence of str, optional
        Cells in each of which the groups are compared.
    cov, weights, weight_kind
        As in `fit_premiums`.

    Raises
    ------
    ColumnError, OptionError, FormulaError, DataError, EmptyDataError, IdentificationError
    """
    panel = with_weights(as_panel(data), weights, weight_kind)
    keys = [] if by is None else cell_keys(panel, by)
    _check_group(panel, group, keys)
    pairs, notes = _pairs(panel, group, groups)
    wanted = list(dict.fromkeys(level for pair in pairs for level in pair))
    design = _design(panel, formula, [*keys, group], _in_groups(panel, group, wanted))
    frame = panel.frame.iloc[design.rows][[*keys, group]] if keys else panel.frame[[group]].iloc[design.rows]
    cells = index_cells(frame.reset_index(drop=True), [*keys, group])
    comparisons = _comparisons(cells.keys, keys, group, pairs)
    resolved = resolve_cov(panel, cov, design.rows)
    sample = build_sample(panel, design, cells, resolved)
    resolved.check_weights(sample.weight_kind)
    _check_sizes(sample, comparisons)
    _check_outcome(design.outcome, sample, comparisons)
    _check_clusters(sample, comparisons, resolved)
    several = ("first", "second") if len(pairs) > 1 else ()
    return GroupedSample(
        panel, design, sample, cells.keys, comparisons, group, (*keys, *several), resolved, tuple(notes)
    )


def _check_group(panel: Panel, group: str, keys: Sequence[str]) -> None:
    if not isinstance(group, str):
        raise OptionError(f"group={group!r} must be the name of one column.")
    if group not in panel.frame:
        raise no_column(group, panel.frame.columns, "for group")
    if group in keys:
        raise OptionError(f"group={group!r} is among by too: the gap of a group within itself is nothing.")
    for name in ("first", "second", "component", "measure"):
        if name in keys:
            raise OptionError(f"by={name!r}: results have a column of this name themselves; rename yours.")


def _pairs(panel: Panel, group: str, groups: GroupsLike) -> tuple[list[tuple[Any, Any]], list[str]]:
    """Pairs of levels, first and second, and what was chosen for the user."""
    levels = sorted(panel.frame[group].dropna().unique().tolist(), key=lambda level: (str(type(level)), level))
    if len(levels) < 2:
        found = f"only {levels[0]!r}" if levels else "no value"
        raise DataError(f"group={group!r} has {found}: a gap needs two groups.")
    if groups is None and len(levels) == 2:
        note = "The groups are in sorted order; groups=(first, second) says which is subtracted."
        return [(levels[0], levels[1])], [note]
    if groups is None:
        raise OptionError(
            f"group={group!r} has {len(levels)} groups ({listing(repr(level) for level in levels)}) where two are "
            f"needed: groups=({levels[0]!r}, {levels[1]!r}) compares two, groups=('*', {levels[0]!r}) every other "
            "one with a reference, groups='pairs' all."
        )
    if isinstance(groups, str) and groups == "pairs":
        return list(combinations(levels, 2)), []
    if isinstance(groups, str) or not isinstance(groups, Sequence) or len(groups) != 2:
        raise OptionError(f"groups={groups!r} must name two groups, (first, second), or be 'pairs'.")
    return [(level, groups[1]) for level in _firsts(groups, levels, group)], []


def _firsts(groups: tuple[Any, Any], levels: Sequence[Any], group: str) -> list[Any]:
    """Levels that are compared with the second."""
    first, second = groups
    _known_level(second, levels, group)
    if isinstance(first, str) and first == "*" and "*" not in levels:
        return [level for level in levels if level != second]
    firsts = list(first) if isinstance(first, list | tuple | set | np.ndarray) else [first]
    if not firsts or len(set(firsts)) < len(firsts):
        raise OptionError(f"groups={groups!r} names {'a group twice' if firsts else 'no group'} before {second!r}.")
    for level in firsts:
        _known_level(level, levels, group)
        if level == second:
            raise OptionError(f"groups={groups!r}: {second!r} is compared with itself.")
    return firsts


def _known_level(level: Any, levels: Sequence[Any], group: str) -> None:
    if level not in levels:
        alike = str(level) in map(str, levels)
        hint = did_you_mean(level, levels)
        if alike:
            hint = f" It is {type(level).__name__}, the levels are {type(levels[0]).__name__}."
        raise OptionError(
            f"groups: {level!r} is no level of {group!r}.{hint} "
            f"Levels: {listing((repr(known) for known in levels), 20)}."
        )


def _in_groups(panel: Panel, group: str, wanted: Sequence[Any]) -> BoolArray:
    column = panel.frame[group]
    return np.asarray(column.isin(wanted) | column.isna())


def _design(panel: Panel, formula: str, also: Sequence[str], chosen: BoolArray) -> Design:
    parts = split_formula(formula)
    if parts.effects:
        raise OptionError(
            f"formula {formula!r}: a decomposition has no absorbed effects; put {listing(parts.effects)} among the "
            "regressors as C(...)."
        )
    if also[-1] in required_columns(parts.regressors, panel.frame):
        raise OptionError(
            f"formula {formula!r}: {also[-1]!r} is the group itself, and the same for all of a group: leave it out."
        )
    weights, positive, ledger = weighted_rows(panel)
    lost = ~chosen if positive is None else positive & ~chosen
    ledger = ledger.lose("in other groups", int(lost.sum()), None if weights is None else float(weights[lost].sum()))
    keep = chosen if positive is None else chosen & positive
    return build_design(panel.frame, parts, ledger=ledger, weights=weights, keep=keep, also=also)


def _comparisons(
    samples: pd.DataFrame, keys: Sequence[str], group: str, pairs: Sequence[tuple[Any, Any]]
) -> tuple[Comparison, ...]:
    """Pairs of samples of the same cell; a cell that lacks one of two groups is an error."""
    cell = samples[list(keys)].apply(tuple, axis=1) if keys else pd.Series([()] * len(samples))
    place = {(c, level): i for i, (c, level) in enumerate(zip(cell, samples[group], strict=True))}
    found, absent = [], []
    for c in dict.fromkeys(cell):
        for first, second in pairs:
            lacking = [level for level in (first, second) if (c, level) not in place]
            if lacking:
                where = " and ".join(f"{name} {value}" for name, value in zip(keys, c, strict=True))
                absent.append(f"{group} {lacking[0]!r}{' in ' * bool(c)}{where}")
                continue
            labels = [*zip(keys, c, strict=True), *([("first", first), ("second", second)] * (len(pairs) > 1))]
            found.append(Comparison(place[c, first], place[c, second], tuple(labels), group, (first, second)))
    if absent:
        raise EmptyDataError(
            f"{len(absent)} comparison{'s lack' if len(absent) > 1 else ' lacks'} a group: no row with outcome, "
            f"regressors and weight has {listing(absent)}. Choose other groups, or filter these cells out."
        )
    return tuple(found)


def _check_sizes(sample: Sample, comparisons: Sequence[Comparison]) -> None:
    """A sample must have more rows than regressors."""
    k = sample.x.shape[1]
    n = np.bincount(sample.cells, minlength=len(sample.cell_names))
    used = sorted({s for c in comparisons for s in (c.first, c.second)})
    small = [f"{sample.cell_names[s]} ({n[s]} rows)" for s in used if n[s] <= k]
    if small:
        raise IdentificationError(
            f"{len(small)} groups have no more rows than the {k} columns of the regressors: {listing(small)}. Drop "
            "regressors, or pool groups."
        )
    if sample.weights is None:
        return
    weightless = [sample.cell_names[s] for s in used if not sample.weights[sample.cells == s].any()]
    if weightless:
        raise MissingValueError(f"the weights of {listing(weightless)} sum to zero: filter out, or mend the weights.")


def _check_outcome(outcome: str, sample: Sample, comparisons: Sequence[Comparison]) -> None:
    """An outcome that is one number throughout both samples has no gap to take apart."""
    first = np.zeros(len(sample.cell_names))
    first[sample.cells[::-1]] = sample.y[::-1]
    varied = np.zeros(len(first), dtype=bool)
    varied[sample.cells[sample.y != first[sample.cells]]] = True
    for c in comparisons:
        if not (varied[c.first] or varied[c.second]) and first[c.first] == first[c.second]:
            where = "".join(f" {name}={value}" for name, value in c.keys)
            raise DataError(f"{outcome!r} is {first[c.first]:g} in all rows of {c.direction}{where}: there is no gap.")


def _check_clusters(sample: Sample, comparisons: Sequence[Comparison], cov: Covariance) -> None:
    """Refuse a sample within a single cluster, whose scores add up to nothing, and warn of few."""
    if not isinstance(cov, Robust) or not cov.clusters:
        return
    used = sorted({s for c in comparisons for s in (c.first, c.second)})
    few = []
    for name in cov.clusters:
        group = sample.groupings[name]
        assert isinstance(group, Grouping)
        pairs = np.unique(sample.cells.astype(np.int64) * group.n_groups + group.codes)
        counts = np.bincount(pairs // group.n_groups, minlength=len(sample.cell_names))
        single = [sample.cell_names[s] for s in used if counts[s] < 2]
        if single:
            raise CovarianceError(
                f"{len(single)} of {len(used)} groups are in a single cluster of {name!r} ({listing(single, 4)}), and "
                "have no variance between clusters: cluster on a finer column."
            )
        few += [f"{counts[s]} of {name} in {sample.cell_names[s]}" for s in used if counts[s] < FEW_CLUSTERS]
    if few:
        warn(f"few clusters ({listing(few, 4)}): the errors of {cov} are too small.", FewClustersWarning)


def subset(grouped: GroupedSample, comparison: Comparison) -> Sample:
    """Rows of one comparison, those of the first sample in front; cells are 0 and 1."""
    first, second = grouped.rows(comparison)
    part = grouped.sample.take(np.concatenate([first, second]))
    names = tuple(grouped.sample.cell_names[s] for s in (comparison.first, comparison.second))
    codes = np.repeat(np.array([0, 1], dtype=np.int32), [len(first), len(second)])
    return replace(part, cells=codes, cell_names=names)
