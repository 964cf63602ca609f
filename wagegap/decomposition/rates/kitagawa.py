"""The gap of a rate between two groups without a model: composition over cells, and rates within them.

The rate of a group is the sum over the cells of a few factors of the cell's share times the cell's rate. The gap is the
part of composition, divided among the factors, and that of the rates; with one factor these are Kitagawa's two
components, with more Das Gupta's averages over all orders. Workers or tables of cells will do.

References
----------
Kitagawa, E. (1955). Components of a difference between two rates. Journal of the American Statistical Association 50,
1168-1194.
Das Gupta, P. (1993). Standardization and Decomposition of Rates: A User's Manual. U.S. Bureau of the Census P23-186.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from wagegap._typing import FloatArray, IntArray, SmallSample, WeightKind
from wagegap.decomposition.groups import Comparison, GroupedSample, GroupsLike, group_samples
from wagegap.decomposition.inference import (
    Estimated,
    estimates_from_influence,
    estimates_from_replicates,
    is_replicated,
)
from wagegap.decomposition.rates.dasgupta import decompose_rates
from wagegap.decomposition.rates.rate_gaps import LEVEL, check_shares, split_levels
from wagegap.decomposition.result import TOTAL, Decomposition
from wagegap.errors import OptionError, check_option, listing, no_column
from wagegap.estimation.covariance.options import CovLike
from wagegap.estimation.covariance.sources import StatedSource
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.spec import refittable
from wagegap.panel.panel import Panel, as_panel
from wagegap.panel.rows import with_weights

__all__ = ["kitagawa"]

_CELL = "cell_of_factors"
_CELLS_AT_MOST = 2_000


@refittable
def kitagawa(  # noqa: PLR0913
    data: Any,
    outcome: str,
    factors: str | Sequence[str],
    *,
    group: str,
    groups: GroupsLike = None,
    by: str | Sequence[str] | None = None,
    size: str | None = None,
    detail: Literal["factors", "cells", "none"] = "factors",
    cov: CovLike | None = None,
    small_sample: SmallSample = "stata",
    weights: str | FloatArray | None = None,
    weight_kind: WeightKind | None = None,
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
        of Das Gupta over all orders.
    group, groups, by
        As in `oaxaca`: the gap is first minus second.
    size : str, optional
        Column of the number of people in each cell: the data are a table. Standard errors are then those of binomial
        rates and of sampled shares; sizes that sum to one are shares without a number, and errors are unknown.
    detail : {"factors", "cells", "none"}
        Composition by factor; rates by cell as well; or neither.
    cov, small_sample, weights, weight_kind
        As in `oaxaca`, for workers.

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
    check_option("detail", detail, ("factors", "cells", "none"))
    names = [factors] if isinstance(factors, str) else list(factors)
    cells = _Cells.of(data, names, weights, weight_kind, size, cov)
    grouped = group_samples(cells.panel, f"{outcome} ~ {_CELL} - 1", group=group, groups=groups, by=by, cov=cov)
    check_shares(grouped)
    labels = cells.labels(detail)
    found = [_standardised(grouped, c, cells, detail) for c in grouped.comparisons]
    title = f"Gap of the rate of {outcome}"
    if size is not None:
        both = _of_tables(grouped, labels, found, title)
    else:
        both = _of_workers(grouped, labels, found, cells, detail, small_sample, title)
    return split_levels(both, grouped, "kitagawa", ("difference", "composition", "rates"))


# cells ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Cells:
    """Cells of crossed factors.

    Attributes
    ----------
    panel : Panel
        The data with a column that numbers the cells.
    levels : ndarray of int, shape (C, K)
        Level of each factor in each cell.
    factors : tuple of str
        Names of the factors.
    names : tuple of str
        Names of the cells.
    """

    panel: Panel
    levels: IntArray
    factors: tuple[str, ...]
    names: tuple[str, ...]

    @classmethod
    def of(
        cls,
        data: Any,
        factors: Sequence[str],
        weights: str | FloatArray | None,
        kind: WeightKind | None,
        size: str | None,
        cov: CovLike | None,
    ) -> _Cells:
        if size is not None and (weights is not None or cov is not None):
            raise OptionError("size= says how many people each cell of a table has: leave weights and cov out.")
        if not factors or len(set(factors)) < len(factors):
            raise OptionError(f"factors={list(factors)!r} must name at least one column, each once.")
        panel = with_weights(as_panel(data), size or weights, "analytic" if size else kind)
        for name in factors:
            if name not in panel.frame:
                raise no_column(name, panel.frame.columns, "for factors")
        frame = panel.frame[list(factors)]
        codes = frame.groupby(list(factors), sort=True, observed=True).ngroup().to_numpy(dtype=float)
        known = frame.notna().all(axis=1).to_numpy()
        first = np.unique(codes[known], return_index=True)[1]
        if len(first) > _CELLS_AT_MOST:
            raise OptionError(
                f"the factors {listing(factors)} make {len(first):,} cells, more than {_CELLS_AT_MOST:,}: cut numbers "
                "into classes with pandas.cut."
            )
        keys = frame[known].iloc[first]
        levels = np.column_stack([pd.factorize(keys[name], sort=False)[0] for name in factors]).astype(np.intp)
        names = tuple(" ".join(str(v) for v in row) for row in keys.itertuples(index=False))
        return cls(panel.assign(**{_CELL: np.where(known, codes, np.nan)}), levels, tuple(factors), names)

    def labels(self, detail: str) -> pd.DataFrame:
        """Components and terms of the values of `_standardised`."""
        factors = () if detail == "none" else self.factors
        cells = self.names if detail == "cells" else ()
        listed = [("difference", TOTAL), ("composition", TOTAL), *(("composition", name) for name in factors)]
        listed += [("rates", TOTAL), *(("rates", name) for name in cells), (LEVEL, "first"), (LEVEL, "second")]
        return pd.DataFrame(listed, columns=["component", "term"]).assign(unit="share")


@dataclass(frozen=True, slots=True, eq=False)
class _Standardised:
    """Values (q,) of a comparison, derivatives in sizes and rates (2, q, C), and the tables themselves (2, C)."""

    values: FloatArray
    by_size: FloatArray
    by_rate: FloatArray
    sizes: FloatArray
    rates: FloatArray


def _standardised(
    grouped: GroupedSample, c: Comparison, cells: _Cells, detail: str, weights: FloatArray | None = None
) -> _Standardised:
    """Tables of both groups and their decomposition."""
    count = len(cells.names)
    sizes, rates = np.zeros((2, count)), np.zeros((2, count))
    for g, rows in enumerate(grouped.rows(c)):
        w = grouped.weights(rows) if weights is None else weights[rows]
        codes = grouped.sample.x[rows, 0].astype(np.intp)
        sizes[g] = np.bincount(codes, weights=w, minlength=count)
        happened = np.bincount(codes, weights=w * grouped.sample.y[rows], minlength=count)
        rates[g] = np.divide(happened, sizes[g], out=np.zeros(count), where=sizes[g] > 0)
    each = [np.array([i]) for i in range(count)] if detail == "cells" else None
    parts = decompose_rates(sizes, rates, cells.levels, each)
    mix = _mix(len(cells.factors), len(parts.values) - len(cells.factors), detail)
    levels = (sizes * rates).sum(axis=1) / sizes.sum(axis=1)
    values = np.concatenate([mix @ parts.values, levels])
    by_size, by_rate = (np.einsum("qp,gpc->gqc", mix, part) for part in (parts.by_size, parts.by_rate))
    own_size, own_rate = np.zeros((2, 2, count)), np.zeros((2, 2, count))
    for g in range(2):
        own_size[g, g] = (rates[g] - levels[g]) / sizes[g].sum()
        own_rate[g, g] = sizes[g] / sizes[g].sum()
    return _Standardised(
        values, np.concatenate([by_size, own_size], axis=1), np.concatenate([by_rate, own_rate], axis=1), sizes, rates
    )


def _mix(factors: int, rates: int, detail: str) -> FloatArray:
    """Reported components as sums of the parts."""
    n = factors + rates
    of_factors, of_rates = (np.arange(n) < factors) * 1.0, (np.arange(n) >= factors) * 1.0
    rows = [np.ones(n), of_factors, *(np.eye(n)[:factors] if detail != "none" else []), of_rates]
    return np.array([*rows, *(np.eye(n)[factors:] if detail == "cells" else [])])


def _of_workers(
    grouped: GroupedSample,
    labels: pd.DataFrame,
    found: Sequence[_Standardised],
    cells: _Cells,
    detail: str,
    rule: SmallSample,
    title: str,
) -> Estimates:
    """Joint estimates from the influence of every worker, or from replicates."""
    if is_replicated(grouped):
        estimated = [
            Estimated(c, labels, one.values) for c, one in zip(grouped.comparisons, found, strict=True)
        ]  # fmt: skip

        def again(weights: FloatArray) -> list[FloatArray]:
            return [_standardised(grouped, c, cells, detail, weights).values for c in grouped.comparisons]

        return estimates_from_replicates(grouped, estimated, again, title=title)
    estimated = [
        Estimated(c, labels, one.values, _influence_of_cells(grouped, c, one))
        for c, one in zip(grouped.comparisons, found, strict=True)
    ]
    return estimates_from_influence(grouped, estimated, rule=rule, title=title)


def _influence_of_cells(grouped: GroupedSample, c: Comparison, one: _Standardised) -> FloatArray:
    """Influence of every row: through the size of its cell, and through its rate."""
    parts = []
    for g, rows in enumerate(grouped.rows(c)):
        w = grouped.weights(rows)
        codes = grouped.sample.x[rows, 0].astype(np.intp)
        centred = one.by_size[g] - (one.by_size[g] @ one.sizes[g] / one.sizes[g].sum())[:, None]
        rest = (grouped.sample.y[rows] - one.rates[g, codes]) / one.sizes[g, codes]
        parts.append((centred[:, codes] + one.by_rate[g][:, codes] * rest).T * w[:, None])
    return np.vstack(parts)


def _of_tables(grouped: GroupedSample, labels: pd.DataFrame, found: Sequence[_Standardised], title: str) -> Estimates:
    """Estimates of tables: binomial rates, sampled shares, comparisons independent but for the groups they share."""
    frames = [
        grouped.label(c, labels.assign(comparison=c.direction)) for c in grouped.comparisons
    ]  # fmt: skip
    samples = sorted({s for c in grouped.comparisons for s in (c.first, c.second)})
    q, count = len(labels), found[0].sizes.shape[1]
    known = all(one.sizes.sum(axis=1).min() > 1 + 1e-9 for one in found)
    total = np.zeros((q * len(found), q * len(found)))
    for s in samples:
        slopes = np.zeros((q * len(found), 2 * count))
        for i, (c, one) in enumerate(zip(grouped.comparisons, found, strict=True)):
            for g in [g for g, own in enumerate((c.first, c.second)) if own == s]:
                sizes, rates, n = one.sizes[g], one.rates[g], one.sizes[g].sum()
                centred = one.by_size[g] - (one.by_size[g] @ sizes / n)[:, None]
                deviation = np.sqrt(np.divide(rates * (1 - rates), sizes, out=np.zeros(count), where=sizes > 0))
                slopes[i * q : (i + 1) * q] += np.hstack([centred * np.sqrt(sizes), one.by_rate[g] * deviation])
        total += slopes @ slopes.T
    if not known:
        total = np.where(np.eye(len(total)) > 0, np.nan, 0.0)
    phrase = "binomial rates, sampled shares" if known else "unknown, as sizes are shares"
    source = StatedSource(grouped.sample.source, total, np.inf, phrase)
    values = np.concatenate([one.values for one in found])
    return Estimates(
        pd.concat(frames, ignore_index=True), values, (source,), (np.eye(len(values)),), title=title,
        ledger=grouped.design.ledger, notes=grouped.notes,
    )  # fmt: skip
