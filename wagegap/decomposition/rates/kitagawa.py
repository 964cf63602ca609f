"""The gap of a rate between two groups without a model: composition over cells, and rates within them.

The rate of a group is the sum over the cells of a few factors of the cell's share times the cell's rate. The gap is the
part of composition, at mean rates, and that of the rates, at mean shares: Kitagawa's two components, however many
factors name the cells. Composition is divided among several factors by Das Gupta's averages over all their orders.
Workers or tables of cells will do.

References
----------
Kitagawa, E. (1955). Components of a difference between two rates. Journal of the American Statistical Association 50,
1168-1194.
Das Gupta, P. (1993). Standardization and Decomposition of Rates: A User's Manual. U.S. Bureau of the Census P23-186.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Literal

import numpy as np
import pandas as pd

from wagegap._typing import BoolArray, ColumnName, ColumnNames, Condition, FloatArray, IntArray, SmallSample, WeightKind
from wagegap.decomposition.groups import Comparison, GroupedSample, GroupRows, GroupsLike, group_samples
from wagegap.decomposition.inference import component_labels, decomposition, estimate_comparisons, joint_estimates
from wagegap.decomposition.rates.dasgupta import RateParts, decompose_rates
from wagegap.decomposition.rates.rate_gaps import check_shares
from wagegap.decomposition.result import Decomposition
from wagegap.errors import OptionError, check_column, listing
from wagegap.estimation.cellwise import index_cells
from wagegap.estimation.covariance.options import CovLike
from wagegap.estimation.covariance.sources import StatedSource
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.spec import refittable
from wagegap.panel.panel import Panel, as_panel
from wagegap.panel.rows import domain_of, with_weights

__all__ = ["kitagawa"]

_CELL = "cell_of_factors"
_CELLS_AT_MOST = 2_000


@refittable
def kitagawa(  # noqa: PLR0913
    data: Any,
    outcome: str,
    factors: ColumnNames,
    *,
    group: ColumnName,
    groups: GroupsLike = None,
    by: ColumnNames | None = None,
    size: ColumnName | None = None,
    detail: Literal["factors", "cells", "none"] = "factors",
    cov: CovLike | None = None,
    small_sample: SmallSample = "stata",
    weights: str | FloatArray | None = None,
    weight_kind: WeightKind | None = None,
    subpop: Condition | BoolArray | None = None,
) -> Decomposition:
    """Decompose the gap of a rate into composition over cells and rates within cells (Kitagawa, Das Gupta).

    Parameters
    ----------
    data : Panel or data frame
        Workers, or a table with a row for each cell and its `size`.
    outcome : str
        0/1 or a share of each worker; the rate of each cell, in a table.
    factors : str or sequence of str
        Columns whose levels, crossed, make the cells. With several, composition is divided among them by the averages
        of Das Gupta over all their orders; its total and the part of the rates are those of one factor with all cells.
    group, groups, by
        As in `oaxaca`: the gap is first minus second.
    size : str, optional
        Column of the number of people in each cell: the data are a table. Standard errors are then those of binomial
        rates and of sampled shares; sizes that sum to one are shares without a number, and errors are unknown.
    detail : {"factors", "cells", "none"}
        Composition by factor; rates by cell as well; or neither.
    cov, small_sample, weights, weight_kind
        As in `oaxaca`, for workers.
    subpop : str, callable, or ndarray of bool of shape (n,), optional
        Rows asked about, as an expression, a callable of the data frame, or a mask: a domain, of which a survey's
        design counts the others' units.

    Returns
    -------
    Decomposition
        Components difference, composition, rates, in shares. A cell that one group lacks has the other's rate, so that
        it is composition.

    Raises
    ------
    ColumnError, OptionError, DataError, UnitError, EmptyDataError, CovarianceError

    Examples
    --------
    >>> import pandas as pd
    >>> import wagegap as wg
    >>> table = pd.DataFrame({"group": ["a", "a", "b", "b"], "age": ["young", "old"] * 2,
    ...                       "n": [60, 40, 50, 50], "rate": [0.2, 0.4, 0.1, 0.3]})
    >>> gap = wg.kitagawa(table, "rate", "age", group="group", size="n", detail="none")
    >>> gap.params.round(3).tolist()
    [0.08, -0.02, 0.1]
    """
    names = [factors] if isinstance(factors, str) else list(factors)
    if size is not None and (weights is not None or cov is not None):
        raise OptionError("size= says how many people each cell of a table has: leave weights and cov out.")
    panel = with_weights(as_panel(data), size or weights, "analytic" if size else weight_kind)
    panel, *_ = domain_of(panel, subpop)
    column = next(name for i in count() if (name := f"{_CELL}{i or ''}") not in panel.frame.columns)
    panel, cells, levels = _number_cells(panel, names, column)
    grouped = group_samples(panel, f"{outcome} ~ {column} - 1", group=group, groups=groups, by=by, cov=cov)
    check_shares(grouped)
    estimator = _Kitagawa(levels, detail)
    details = {
        "difference": (),
        "composition": names if detail != "none" else (),
        "rates": cells if detail == "cells" else (),
    }
    labels, title = component_labels(details, "share"), f"Gap of the rate of {outcome}"
    if size is None:
        estimates = estimate_comparisons(grouped, labels, estimator, rule=small_sample, title=title)
    else:
        estimates = _of_tables(grouped, labels, estimator, title)
    return decomposition(estimates, grouped, "kitagawa", levels=f"Rate of {outcome}")


# cells ---------------------------------------------------------------------------------------------------------------


def _number_cells(panel: Panel, factors: Sequence[str], column: str) -> tuple[Panel, tuple[str, ...], IntArray]:
    """The panel with a column that numbers the cells of crossed factors; their names, and levels of shape (C, K)."""
    if not factors or len(set(factors)) < len(factors):
        raise OptionError(f"factors={list(factors)!r} must name at least one column, each once.")
    for name in factors:
        check_column(name, panel.frame.columns, "for factors")
    known = panel.frame[list(factors)].notna().all(axis=1).to_numpy()
    cells = index_cells(panel.frame[known], factors)
    if len(cells.names) > _CELLS_AT_MOST:
        raise OptionError(
            f"the factors {listing(factors)} make {len(cells.names):,} cells, more than {_CELLS_AT_MOST:,}: cut "
            "numbers into classes with pandas.cut."
        )
    codes = np.full(len(known), np.nan)
    codes[known] = cells.codes
    levels = np.column_stack([pd.factorize(cells.keys[name])[0] for name in factors]).astype(np.intp)
    return panel.with_columns(**{column: codes}), cells.names, levels


# estimator -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Kitagawa:
    """Kitagawa's numbers of one comparison: the gap, composition and rates with their detail, and both rates.

    Attributes
    ----------
    levels : ndarray of int, shape (C, K)
        Level of each factor in each cell.
    detail : {"factors", "cells", "none"}
        Which detail is reported.
    """

    levels: IntArray
    detail: str

    def __call__(
        self, _comparison: Comparison, groups: tuple[GroupRows, GroupRows], influence: bool
    ) -> tuple[FloatArray, FloatArray | None]:
        sizes, rates = self.tables(groups)
        parts = self.parts(sizes, rates)
        if not influence:
            return parts.values, None
        # of a row of cell c, through the size of its cell and through its rate:
        # w (dv/dn_c - sum_k n_k dv/dn_k / n) + w (dv/dr_c) (y - r_c) / n_c
        blocks = []
        for g, group in enumerate(groups):
            codes = group.x[:, 0].astype(np.intp)
            by_size = _centred(parts.by_size[g], sizes[g])[:, codes]
            deviation = (group.y - rates[g, codes]) / sizes[g, codes]
            blocks.append((by_size + parts.by_rate[g][:, codes] * deviation).T * group.weights[:, None])
        return parts.values, np.vstack(blocks)

    def tables(self, groups: tuple[GroupRows, GroupRows]) -> tuple[FloatArray, FloatArray]:
        """Sizes and rates of the cells of both groups, (2, C) each."""
        sizes, rates = np.zeros((2, 2, len(self.levels)))
        for g, group in enumerate(groups):
            codes = group.x[:, 0].astype(np.intp)
            sizes[g] = np.bincount(codes, weights=group.weights, minlength=sizes.shape[1])
            happened = np.bincount(codes, weights=group.weights * group.y, minlength=sizes.shape[1])
            np.divide(happened, sizes[g], out=rates[g], where=sizes[g] > 0)
        return sizes, rates

    def parts(self, sizes: FloatArray, rates: FloatArray) -> RateParts:
        """Reported numbers and their derivatives in sizes and rates."""
        cells, factors = self.levels.shape
        by_cell = self.detail == "cells"
        parts = decompose_rates(sizes, rates, self.levels, list(np.arange(cells)[:, None]) if by_cell else None)
        each = np.eye(len(parts.values))
        of_factors, of_rates = each[:factors], each[factors:]
        sums = np.array([
            each.sum(axis=0),
            of_factors.sum(axis=0),
            *(of_factors if self.detail != "none" else ()),
            of_rates.sum(axis=0),
            *(of_rates if by_cell else ()),
        ])  # fmt: skip
        # R_g = sum_c n_gc r_gc / n_g:  dR_g / dn_gc = (r_gc - R_g) / n_g,  dR_g / dr_gc = n_gc / n_g
        totals = sizes.sum(axis=1, keepdims=True)
        levels = (sizes * rates).sum(axis=1, keepdims=True) / totals
        level_by_size, level_by_rate = np.zeros((2, 2, 2, cells))
        level_by_size[[0, 1], [0, 1]] = (rates - levels) / totals
        level_by_rate[[0, 1], [0, 1]] = sizes / totals
        return RateParts(
            np.concatenate([sums @ parts.values, levels[:, 0]]),
            np.concatenate([sums @ parts.by_size, level_by_size], axis=1),
            np.concatenate([sums @ parts.by_rate, level_by_rate], axis=1),
        )


def _centred(by_size: FloatArray, sizes: FloatArray) -> FloatArray:
    """Derivatives in the sizes of cells, (q, C), when the size of all together is held."""
    return np.asarray(by_size - (by_size @ sizes / sizes.sum())[:, None])


def _of_tables(grouped: GroupedSample, labels: pd.DataFrame, estimator: _Kitagawa, title: str) -> Estimates:
    """Estimates of tables: binomial rates, sampled shares, comparisons independent but for the groups they share."""
    cells, samples = len(estimator.levels), len(grouped.sample.cell_names)
    slopes = np.zeros((len(grouped.comparisons), len(labels), samples, 2 * cells))
    values, known = [], True
    for i, c in enumerate(grouped.comparisons):
        sizes, rates = estimator.tables(grouped.sides(c))
        parts = estimator.parts(sizes, rates)
        values.append(parts.values)
        known = known and sizes.sum(axis=1).min() > 1 + 1e-9
        # V = sum_c n_c (dv/dn_c centred)^2 + (dv/dr_c)^2 r_c (1 - r_c) / n_c, over the cells of both groups
        deviations = np.sqrt(np.divide(rates * (1 - rates), sizes, out=np.zeros(sizes.shape), where=sizes > 0))
        for g, s in enumerate((c.first, c.second)):
            by_size = _centred(parts.by_size[g], sizes[g]) * np.sqrt(sizes[g])
            slopes[i, :, s] = np.hstack([by_size, parts.by_rate[g] * deviations[g]])
    by_number = slopes.reshape(len(values) * len(labels), -1)
    covariance, phrase = by_number @ by_number.T, "binomial rates, sampled shares"
    if not known:
        covariance = np.where(np.eye(len(covariance)) > 0, np.nan, 0.0)
        phrase = "unknown, as sizes are shares"
    source = StatedSource(grouped.sample.source, covariance, np.inf, phrase)
    return joint_estimates(grouped, labels, np.concatenate(values), source, title=title)
