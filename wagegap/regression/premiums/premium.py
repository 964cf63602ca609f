"""Wage premiums by cell, with their joint covariance.

In every cell (a country, a country and year, any keys) log pay is regressed on holding a skill and on controls,

    ln w = a_c + b_c s + x'g_c + e,

and b_c is the premium in log points over comparable workers who do not hold it. Cells are fitted separately, each with
slopes of its own, or stacked with common slopes of the controls. Workers, clusters or replicates that cells share make
the premiums correlated, and that covariance is kept.

References
----------
Halvorsen, R. and R. Palmquist (1980). The interpretation of dummy variables in semilogarithmic equations. American
Economic Review 70, 474-475.
Kennedy, P. (1981). Estimation with correctly interpreted dummy variables in semilogarithmic equations. American
Economic Review 71, 801.
van Garderen, K. J. and C. Shah (2002). Exact interpretation of dummy variables in semilogarithmic equations.
Econometrics Journal 5, 149-159.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from wagegap._typing import BoolArray, FloatArray, PremiumMethod, Singletons, SmallSample, WeightKind
from wagegap.errors import (
    ColumnError,
    EmptyDataError,
    IdentificationError,
    OptionError,
    SmallCellWarning,
    check_count,
    check_option,
    did_you_mean,
    listing,
    no_column,
    warn,
)
from wagegap.estimation.cellwise import Rows, cell_labels, least_squares, relate, replicated_source, say_collinear
from wagegap.estimation.covariance.options import CovLike, Robust
from wagegap.estimation.covariance.sources import ErrorSource, StatedSource
from wagegap.estimation.cross_products import CrossProducts, solve_products
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.least_squares.stacked import fit_stacked, stacked_values
from wagegap.estimation.ledger import Ledger
from wagegap.estimation.reliability import reliability
from wagegap.estimation.result import Result, draw_estimates
from wagegap.estimation.scores import check_clusters
from wagegap.estimation.spec import kept, refittable
from wagegap.estimation.units import unit_of_outcome
from wagegap.panel.panel import Panel, as_panel
from wagegap.panel.rows import prepare

__all__ = ["Premiums", "fit_premiums"]

Correction = Literal["none", "kennedy", "van_garderen_shah"]


@dataclass(frozen=True, eq=False, repr=False)
class Premiums(Result):
    """Premiums by cell.

    Attributes
    ----------
    estimates : Estimates
        A premium for each cell and level, with the joint covariance.
    premium : str
        Column whose premium it is.
    cells : DataFrame
        Keys, n, n_treated, n_comparison, sigma of each cell.
    absent : DataFrame
        Keys, n, n_treated, n_comparison and the reason for each cell that was left out; of a category also for each
        level (the term) that was left out of a cell.
    """

    premium: str
    cells: pd.DataFrame
    absent: pd.DataFrame = field(default_factory=pd.DataFrame)

    def per_cent(self, correction: Correction = "none") -> Premiums:
        """Return the premiums in per cent, 100 (exp(b) - 1).

        Parameters
        ----------
        correction : {"none", "kennedy", "van_garderen_shah"}
            exp(b) is biased upwards. Kennedy takes exp(b - v/2), van Garderen and Shah the exact minimum-variance
            unbiased estimate exp(b) 0F1(m; -m v/2), m = df/2, with their approximate variance
            exp(2b) (exp(-v) - exp(-2v)) for the standard error.

        Raises
        ------
        OptionError
            When the premiums are not in log points.
        """
        check_option("correction", correction, ("none", "kennedy", "van_garderen_shah"))
        if self.unit != "log points":
            raise OptionError(f"premiums in {self.unit!r} cannot be turned into per cent; only log points can.")
        logs = self.estimates
        ratio, slope = _relative_pay(logs, correction)
        labels = logs.labels.assign(unit="per cent")
        per_cent = logs.map(lambda _: 100 * (ratio - 1), labels=labels, jacobian=lambda _: np.diag(100 * slope))
        return replace(self, estimates=per_cent)

    def reliability(self, term: str | None = None) -> float:
        """Return the share of the premiums' variance across cells that is not sampling noise."""
        chosen = self.estimates if term is None else self.estimates.select(term=term)
        return reliability(chosen.values, chosen.covariance)

    def glance(self) -> pd.DataFrame:
        """Return one row about the whole."""
        frame = super().glance().assign(n_cells=len(self.cells), n_absent=len(self.absent))
        if self.estimates.labels["term"].nunique() == 1 and len(self.estimates.values) > 2:
            frame["reliability"] = self.reliability()
        return frame

    def plot(self, ax: Any = None, *, alpha: float = 0.05) -> Any:
        """Draw the premiums with their intervals, largest first, on new axes where none are given.

        Examples
        --------
        >>> import wagegap as wg
        >>> premiums = wg.fit_premiums(wg.datasets.developer_pay(), premium="ai")
        >>> premiums.plot().get_xlabel()
        'Premium of ai (log points), 95 % intervals'
        """
        largest_first = self.estimates.select(np.argsort(-self.estimates.values, kind="stable"))
        return draw_estimates(largest_first, ax, alpha, f"{self.title} ({self.unit})", row_height=0.2)


@refittable
def fit_premiums(  # noqa: PLR0913
    data: Any,
    formula: str | None = None,
    *,
    premium: str,
    by: str | Sequence[str] | None = None,
    base: str | float | None = None,
    cov: CovLike | None = None,
    method: PremiumMethod = "separate",
    small_sample: SmallSample = "stata",
    singletons: Singletons = "drop",
    weights: str | FloatArray | None = None,
    weight_kind: WeightKind | None = None,
    min_treated: int = 20,
    min_comparison: int = 30,
    empty_cells: Literal["raise", "exclude"] = "raise",
    keep_units: bool = True,
    comparison: str | None = None,
) -> Premiums:
    """Estimate the premium of a skill or field in every cell, with the joint covariance.

    Parameters
    ----------
    data : Panel, data frame or CrossProducts
        Workers, or the cross-products of their regression.
    formula : str
        `outcome ~ regressors | absorbed effects`; not given with cross-products.
    premium : str
        Regressor whose coefficient is the premium: 0/1, a number, or a category with a premium for each level.
    by : str or sequence of str, optional
        Cell keys; the panel's country where absent.
    base : str or number, optional
        Level that the others are compared with, for a category.
    cov : str or object of `wagegap.cov`, optional
        Covariance; the panel's declared design or cluster, else workers seen twice, else HC1.
    method : {"separate", "stacked"}
        Own slopes of the controls in each cell, or common ones.
    small_sample : str
        Small-sample factor, by the software whose convention it is.
    singletons : {"drop", "keep"}
        Rows alone in a level of an absorbed effect: left out and counted, as reghdfe and pyfixest have it, or kept as
        rows and clusters, as areg has it. The estimates are the same.
    weights, weight_kind
        Other weights than the panel's: a column, or values of shape (n,).
    min_treated, min_comparison : int
        Cells with fewer holders, or fewer others, are left out and listed in `absent`.
    empty_cells : {"raise", "exclude"}
        What to do with cells in which nobody, or everybody, holds the premium.
    keep_units : bool
        Keep the scores, so that results can be joined; without them the result is small.
    comparison : str, optional
        Who the premium compares with, in words.

    Returns
    -------
    Premiums
        In log points where the outcome is a logarithm.

    Raises
    ------
    ColumnError, OptionError, FormulaError, WageError, EmptyDataError, IdentificationError, CovarianceError

    Examples
    --------
    >>> import wagegap as wg
    >>> data = wg.simulate_panel(countries=3, workers=500, rng=1).panel
    >>> premiums = wg.fit_premiums(data, "log(hourly_wage) ~ ai + exper + female", premium="ai", by="iso3")
    >>> premiums.unit
    'log points'
    >>> premiums.cov_params().shape
    (3, 3)
    """
    check_option("empty_cells", empty_cells, ("raise", "exclude"))
    check_option("method", method, ("separate", "stacked"))
    check_count("min_treated", min_treated)
    check_count("min_comparison", min_comparison)
    least = (min_treated, min_comparison)
    if isinstance(data, CrossProducts):
        given = dict(
            by=by, base=base, method=method, small_sample=small_sample, weights=kept("weights", weights),
            weight_kind=weight_kind, empty_cells=empty_cells,
        )  # fmt: skip
        _check_products_call(data, formula, cov, given)
        return _from_products(data, premium, least, comparison)
    if formula is None:
        raise OptionError("fit_premiums needs a formula: 'log(wage) ~ skill + controls | absorbed effects'.")
    panel = _rebased(as_panel(data), premium, base)
    rows = prepare(
        panel, formula, by=by, cov=cov, small_sample=small_sample, weights=weights, weight_kind=weight_kind
    )  # fmt: skip
    columns = rows.design.columns_of(premium)
    if not columns:
        raise ColumnError(
            f"premium={premium!r} is not a regressor of {formula!r}.{did_you_mean(premium, rows.design.terms)} "
            f"Regressors: {listing(dict.fromkeys(rows.design.terms))}."
        )
    rows = rows.without_singletons(singletons, common=method == "stacked")
    rows, wanted, cells, absent = _kept_cells(rows, columns, least, empty_cells)
    labels = pd.DataFrame({"term": [premium] if len(columns) == 1 else [rows.design.names[j] for j in columns]}).assign(
        unit=unit_of_outcome(rows.design.outcome), comparison=comparison or _comparison(rows, columns, premium, base)
    )
    title = f"Premium of {premium}"
    if method == "stacked":
        estimates, sigma = _stacked(rows, columns, labels, wanted, title)
    else:
        fits, refit = least_squares(rows, columns, wanted)
        estimates = relate(rows, fits, refit, labels, title=title, wanted=wanted)
        sigma = np.array([fit.sigma for fit in fits])
    premiums = Premiums(estimates, premium, cells.assign(sigma=sigma), absent)
    return premiums if keep_units else premiums.without_units()


def _stacked(
    rows: Rows, columns: list[int], labels: pd.DataFrame, wanted: BoolArray, title: str
) -> tuple[Estimates, FloatArray]:
    """Premiums of cells that share the slopes of the controls, and the deviation of the residuals."""
    cov = Robust("HC0") if rows.cov.replicated else rows.cov
    fits = fit_stacked(rows.sample, columns, cov=cov, rule=rows.rule, wanted=wanted)
    say_collinear(fits.collinear)
    source: ErrorSource = fits.source
    matrix = fits.matrix
    if rows.cov.replicated:

        def refit(weights: FloatArray) -> FloatArray:
            return np.where(wanted, stacked_values(replace(rows.sample, weights=weights), columns), 0.0)

        source, matrix = replicated_source(rows, np.where(wanted, fits.values, 0.0), refit), np.eye(wanted.size)
    else:
        check_clusters(fits.source)
    keep = wanted.ravel()
    estimates = Estimates(
        cell_labels(rows.cells, labels, len(keep))[keep].reset_index(drop=True), fits.values.ravel()[keep], (source,),
        (matrix[keep],), title=title, ledger=rows.design.ledger,
    )  # fmt: skip
    return estimates, fits.sigma


def _rebased(panel: Panel, premium: str, base: str | float | None) -> Panel:
    """Put the base level first."""
    if premium not in panel.frame:
        raise no_column(premium, panel.frame.columns, "for premium")
    if base is None:
        return panel
    levels = sorted(panel.frame[premium].dropna().unique(), key=str)
    if base not in levels:
        raise OptionError(
            f"base={base!r} is not a level of {premium!r}.{did_you_mean(base, levels)} Levels: {listing(levels)}."
        )
    ordered = [base, *(level for level in levels if level != base)]
    return panel.assign(**{premium: pd.Categorical(panel.frame[premium], categories=ordered)})


def _kept_cells(
    rows: Rows, columns: list[int], least: tuple[int, int], empty_cells: str
) -> tuple[Rows, BoolArray, pd.DataFrame, pd.DataFrame]:
    """Leave out cells that are too small, and say so.

    Returns
    -------
    rows : Rows
        Of the cells kept.
    wanted : ndarray of bool, shape (C kept, r)
        Levels with enough holders in the cells kept.
    cells : DataFrame
        Keys, n, n_treated (over all levels), n_comparison of the cells kept.
    absent : DataFrame
        The same and the reason of the others; of each level left out of a cell kept also the term.
    """
    names, (treated, others) = rows.cells.names, least
    frame, enough, levels = _count(rows, columns, least)
    used: BoolArray = np.logical_or.reduce(enough, axis=1)
    empty = np.flatnonzero((frame["n_treated"] == 0) | (frame["n_comparison"] == 0))
    if empty_cells == "raise" and len(empty):
        reasons = [f"{names[c] or 'the data'} ({frame['reason'].iloc[c]})" for c in empty]
        raise IdentificationError(
            f"{len(empty)} of {len(names)} cells cannot have a premium: {listing(reasons)}. "
            "Filter them out, or pass empty_cells='exclude' to list them in .absent."
        )
    if not used.any():
        raise EmptyDataError(
            f"no cell has {treated} holders and {others} others; the largest has "
            f"{int(frame['n_treated'].max())} and {int(frame['n_comparison'].max())}: pool cells, or lower "
            "min_treated and min_comparison."
        )
    if not used.all():
        small = [names[c] for c in np.flatnonzero(~used)]
        warn(
            f"{len(small)} of {len(names)} cells are left out, with fewer than {treated} holders or "
            f"{others} others: {listing(small)}. They are listed in .absent.",
            SmallCellWarning,
        )
        rows = rows.keep(used[rows.cells.codes], "in cells under the minimum")
    if len(levels):
        named = levels[[*rows.by, "term"]].astype(str).agg(" ".join, axis=1)
        warn(
            f"{len(named)} levels are left out of their cells, with fewer than {treated} holders: "
            f"{listing(named)}. They are listed in .absent.",
            SmallCellWarning,
        )
    absent = pd.concat([frame[~used], levels] if len(levels) else [frame[~used]], ignore_index=True)
    return rows, enough[used], frame[used].drop(columns="reason").reset_index(drop=True), absent


def _count(rows: Rows, columns: list[int], least: tuple[int, int]) -> tuple[pd.DataFrame, BoolArray, pd.DataFrame]:
    """Observations of each cell, all of them, holders and others; levels with enough of them; other levels."""
    x = rows.design.x[:, columns]
    binary = bool(np.isin(x, (0.0, 1.0)).all())
    holds: BoolArray = x != 0 if binary else np.ones_like(x, dtype=bool)
    n, treated = rows.count(), rows.count(np.asarray(holds.any(axis=1)))
    by_level = np.column_stack([rows.count(level) for level in holds.T])
    others = n - treated if binary else n
    enough: BoolArray = np.asarray((by_level >= least[0]) & (others >= least[1])[:, None])
    few = f"fewer than {least[0]} premium holders"
    reason = np.select(
        [treated == 0, others == 0, by_level.max(axis=1) < least[0]],
        ["no premium holder", "everybody holds the premium", few],
        f"fewer than {least[1]} others",
    )
    frame = rows.cells.keys.assign(n=n, n_treated=treated, n_comparison=others, reason=reason)
    cell, level = np.nonzero(enough.any(axis=1, keepdims=True) & ~enough)
    term = [rows.design.names[columns[k]] for k in level]
    return frame, enough, frame.iloc[cell].assign(term=term, n_treated=by_level[cell, level], reason=few)


def _comparison(rows: Rows, columns: list[int], premium: str, base: str | float | None) -> str:
    """Say who the premium compares with: of a category, the level that has no column."""
    if base is not None:
        return f"{premium} = {base}"
    design = rows.design
    shown = {level for j in columns for _, level in design.columns[j].levels}
    absent = [level for level in design.factors.get(premium, ()) if level not in shown]
    return f"{premium} = {absent[0]}" if shown and len(absent) == 1 else f"not {premium}"


def _relative_pay(logs: Estimates, correction: str) -> tuple[FloatArray, FloatArray]:
    """Ratio of pay, and its derivative that carries the covariance."""
    b, v = logs.values, np.zeros_like(logs.values) if correction == "none" else np.diag(logs.covariance)
    if correction != "van_garderen_shah":
        return np.exp(b - v / 2), np.exp(b - v / 2)
    # exp(b) 0F1(m; -m v / 2), m = df / 2, with variance exp(2b) (exp(-v) - exp(-2v))
    m = np.minimum(logs.df, 1e7) / 2
    root = np.sqrt(np.exp(2 * b) * (np.exp(-v) - np.exp(-2 * v)))
    slope = np.where(v > 0, root / np.sqrt(np.where(v > 0, v, 1.0)), np.exp(b))
    return np.exp(b) * _hyp0f1(m, -m * v / 2), slope


def _hyp0f1(m: FloatArray, z: FloatArray) -> FloatArray:
    """0F1(m; z) by its series; scipy's overflows from m of about 145, that is from 290 degrees of freedom.

    >>> _hyp0f1(np.array([0.5]), np.array([-np.pi**2 / 16])).round(12)  # the cosine of pi / 2
    array([0.])
    """
    total, term = np.ones_like(z), np.ones_like(z)
    for j in range(1, 200):
        term = term * z / (j * (m + j - 1))
        total = total + term
        if (np.abs(term) <= 1e-17 * np.abs(total)).all():
            break
    return np.asarray(total)


def _check_products_call(
    data: CrossProducts, formula: str | None, cov: CovLike | None, given: Mapping[str, Any]
) -> None:
    """Refuse what cross-products, whose regression is made already, cannot do."""
    if formula is not None:
        raise OptionError(f"cross-products carry their own formula ({data.formula}): leave formula out.")
    if cov is not None and cov != "HC1":
        raise OptionError(f"cross-products allow cov='HC1' alone, not cov={cov!r}: other choices need the workers.")
    by_default = {"method": "separate", "small_sample": "stata", "empty_cells": "raise"}
    asked = [name for name, value in given.items() if value != by_default.get(name)]
    if asked:
        raise OptionError(
            f"cross-products are of cells by {listing(data.keys.columns)} whose regression is made already: leave out "
            f"{listing(asked)}, or fit the workers themselves."
        )


def _from_products(data: CrossProducts, premium: str, least: tuple[int, int], comparison: str | None) -> Premiums:
    """Premiums from cross-products; cells are independent, as no worker stands in two."""
    if not any(premium in cell.names for cell in data.cells):
        raise no_column(premium, data.cells[0].names, "in the cross-products")
    names = [" ".join(str(v) for v in row) for row in data.keys.itertuples(index=False)]
    solved = [
        solve_products(cell, premium, name) if premium in cell.names else (0.0, 0.0, 0.0, 0.0)
        for cell, name in zip(data.cells, names, strict=True)
    ]
    values, variance, residual, holders = np.array(solved, dtype=float).T
    n, k = (np.array(sizes) for sizes in zip(*((cell.nobs, len(cell.names)) for cell in data.cells), strict=True))
    treated = np.round(holders).astype(int)
    used = (treated >= least[0]) & (n - treated >= least[1]) & (n > k)
    if not used.any():
        raise EmptyDataError(f"no cell has {least[0]} holders and {least[1]} others.")
    frame = data.keys.assign(n=n, n_treated=treated, n_comparison=n - treated).reset_index(drop=True)
    labels = data.keys[used].reset_index(drop=True)
    labels = labels.assign(term=premium, unit=unit_of_outcome(data.formula), comparison=comparison or data.comparison)
    # HC1: V n / (n - k)
    df = (n - k)[used].astype(float)
    source = StatedSource(data.source, np.diag(variance[used] * n[used] / df), df, "HC1")
    ledger = Ledger(int(n.sum()), float(n.sum())).lose("in cells under the minimum", int(n[~used].sum()))
    estimates = Estimates(
        labels, values[used], (source,), (np.eye(len(labels)),), title=f"Premium of {premium}", ledger=ledger,
        notes=data.notes,
    )  # fmt: skip
    few = np.where(treated < least[0], f"fewer than {least[0]} premium holders", f"fewer than {least[1]} others")
    cells = frame[used].reset_index(drop=True).assign(sigma=np.sqrt(residual[used]))
    return Premiums(estimates, premium, cells, frame.assign(reason=few)[~used].reset_index(drop=True))
