"""Wage premiums by cell, with their joint covariance.

In every cell (a country, a country and year, any keys) log pay is regressed on holding a skill and on controls,

    ln w = a_c + b_c s + x'g_c + e,

and b_c is the premium, a difference of logs, over comparable workers who do not hold it. Cells are fitted separately,
each with slopes of its own, or stacked with common slopes of the controls. Workers, clusters or replicates that cells
share make the premiums correlated, and that covariance is kept.

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
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd

from wagegap._display.spec import TableSpec
from wagegap._typing import (
    Alpha,
    AxesLike,
    BoolArray,
    ColumnNames,
    Condition,
    Count,
    FloatArray,
    Formula,
    IntArray,
    PremiumMethod,
    Singletons,
    SmallSample,
    WeightKind,
)
from wagegap.errors import (
    EmptyDataError,
    IdentificationError,
    OptionError,
    SmallCellWarning,
    did_you_mean,
    listing,
    no_column,
    warn,
)
from wagegap.estimation.cellwise import Rows, cell_labels, least_squares, relate, replicated_source, say_collinear
from wagegap.estimation.covariance.options import CovLike, Robust
from wagegap.estimation.covariance.sources import ErrorSource, StatedSource
from wagegap.estimation.cross_products import CrossProducts, solve_products
from wagegap.estimation.design import Design
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.formula import split_formula
from wagegap.estimation.least_squares.fit import LinearFit
from wagegap.estimation.least_squares.stacked import fit_stacked, stacked_values
from wagegap.estimation.ledger import Ledger
from wagegap.estimation.reliability import reliability
from wagegap.estimation.result import Result
from wagegap.estimation.scores import check_clusters, warn_of_sides
from wagegap.estimation.spec import kept, refittable
from wagegap.estimation.units import PER_LOG, level_of, unit_of_outcome
from wagegap.panel.panel import Panel, as_panel
from wagegap.panel.rows import domain_of, prepare
from wagegap.regression.premiums.terms import (
    At,
    PremiumTerm,
    check_premiums,
    measured_from,
    premium_terms,
    values_held,
)

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
        Regressor whose premium it is; several joined by commas.
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
        """Return the premiums in per cent of one more unit, 100 (exp(b) - 1).

        Errors and intervals are by the delta method, symmetric about the per cent; a test of no premium is that of the
        logs, which does not depend on the scale.

        Parameters
        ----------
        correction : {"none", "kennedy", "van_garderen_shah"}
            exp(b) is biased upwards. Kennedy takes exp(b - v/2), van Garderen and Shah the exact minimum-variance
            unbiased estimate exp(b) 0F1(m; -m v/2), m = df/2, with their approximate variance
            exp(2b) (exp(-v) - exp(-2v)) for the standard error.

        Raises
        ------
        OptionError
            When the premiums are no differences of logs.
        """
        if self.unit not in PER_LOG:
            raise OptionError(
                f"premiums in {self.unit!r} cannot be turned into per cent; only differences of logs can. If the "
                "outcome is a column of logarithms, say so: read_panel(..., units={'lwage': 'log'})."
            )
        logs = self.estimates.in_unit("log")
        ratio, slope = _relative_pay(logs, correction)
        labels = logs.labels.assign(unit="per cent")
        per_cent = logs.map(lambda _: 100 * (ratio - 1), labels=labels, jacobian=lambda _: np.diag(100 * slope))
        return replace(self, estimates=per_cent)

    def in_unit(self, unit: str) -> Premiums:
        """Return the premiums in another unit that a factor leads to: log points, a hundred logs each.

        Parameters
        ----------
        unit : str
            Unit to convert to: "log", "log points".

        Raises
        ------
        UnitError
            For any other; `per_cent` turns differences of logs into per cent.
        """
        return replace(self, estimates=self.estimates.in_unit(unit))

    def reliability(self, term: str | None = None) -> float:
        """Return the share of the premiums' variance across cells that is not sampling noise.

        Parameters
        ----------
        term : str, optional
            Premium meant, where there are several.
        """
        chosen = self.estimates if term is None else self.estimates.select(term=term)
        return reliability(chosen.values, chosen.covariance)

    def glance(self) -> pd.DataFrame:
        """Return one row about the whole."""
        frame = super().glance().assign(n_cells=len(self.cells), n_absent=len(self.absent))
        if self.estimates.labels["term"].nunique() == 1 and len(self.estimates.values) > 2:
            frame["reliability"] = self.reliability()
        return frame

    def spec_of_table(self, alpha: Alpha = 0.05) -> TableSpec:
        """Return the premiums as a table, with the cells that they are of."""
        spec, by = super().spec_of_table(alpha), self.estimates.by
        said = f"Cells: {len(self.cells):,} by {listing(by)}." if by else "Cells: one, of everybody."
        return replace(spec, notes=(spec.notes[0], said, *spec.notes[1:]))

    def plot(self, ax: AxesLike = None, *, alpha: Alpha = 0.05) -> Any:
        """Draw the premiums with their intervals, largest first, on new axes where none are given.

        Examples
        --------
        >>> import wagegap as wg
        >>> premiums = wg.fit_premiums(wg.datasets.developer_pay(), premium="ai")
        >>> premiums.plot().get_xlabel()
        'Premium of ai (log points), 95 % intervals'
        """
        from wagegap.regression.figures import draw_cells

        largest_first = self.estimates.select(np.argsort(-self.estimates.values, kind="stable"))
        scale = level_of("none" if "," in self.unit else self.unit)
        return draw_cells(largest_first, ax, alpha, self.title, scale)


@refittable
def fit_premiums(  # noqa: PLR0913
    data: Any,
    formula: Formula | None = None,
    *,
    premium: Annotated[str | Sequence[str], "the name of a regressor or a list of them"],
    by: ColumnNames | None = None,
    base: str | float | None = None,
    at: At = None,
    cov: CovLike | None = None,
    method: PremiumMethod = "separate",
    small_sample: SmallSample = "stata",
    singletons: Singletons = "drop",
    weights: str | FloatArray | None = None,
    weight_kind: WeightKind | None = None,
    subpop: Condition | BoolArray | None = None,
    min_treated: Count = 20,
    min_comparison: Count = 30,
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
    premium : str or sequence of str
        Regressor whose coefficient is the premium: 0/1, a number, or a category with a premium for each level. Of a
        product, `"ai:female"`, it is the difference that the second makes to the premium of the first. Several are
        estimated jointly, `["ai", "cloud"]`.
    by : str or sequence of str, optional
        Cell keys; the panel's country where absent.
    base : str or number, optional
        Level that the others are compared with, for a category.
    at : "mean" or mapping of column to value, optional
        Of a premium that differs with other regressors (`ai * female`): its average over the workers of the cell, or
        at some values, `{"female": 1}`, averaged over what is not named. By default it is the coefficient, the premium
        where the others are zero or at their base, which its label says.
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
        Other weights than the panel's: a column, or values of shape (n,), of which a series is aligned on its index.
    min_treated, min_comparison : int
        Cells with fewer holders, or fewer others, are left out and listed in `absent`.
    empty_cells : {"raise", "exclude"}
        What to do with cells in which nobody, or everybody, holds the premium.
    keep_units : bool
        Keep the scores, so that results can be joined; without them the result is small.
    comparison : str, optional
        Who the premium compares with, in words.
    subpop : str, callable, or ndarray of bool of shape (n,), optional
        Rows asked about, as an expression, a callable of the data frame, or a mask: a domain, of which a survey's
        design counts the others' units.

    Returns
    -------
    Premiums
        Differences of logs where the outcome is a logarithm, `log(wage)` or a column that the panel declares so.

    Raises
    ------
    ColumnError, OptionError, FormulaError, WageError, UnitError, EmptyDataError, IdentificationError, CovarianceError

    Examples
    --------
    >>> import wagegap as wg
    >>> data = wg.simulate_panel(countries=3, workers=500, rng=1).panel
    >>> premiums = wg.fit_premiums(data, "log(hourly_wage) ~ ai + exper + female", premium="ai", by="iso3")
    >>> premiums.unit
    'log'
    >>> premiums.cov_params().shape
    (3, 3)

    A coefficient beside a product is the premium at zero, and says so:

    >>> wg.fit_premiums(data, "log(hourly_wage) ~ ai * female", premium="ai").title
    'Premium of ai at female = 0'
    >>> wg.fit_premiums(data, "log(hourly_wage) ~ ai * female", premium="ai", at="mean").title
    'Premium of ai, averaged over female'
    """
    data, weights, weight_kind = domain_of(data, subpop, weights, weight_kind)
    least = (min_treated, min_comparison)
    if isinstance(data, CrossProducts):
        given = dict(
            by=by, base=base, at=at, method=method, small_sample=small_sample, weights=kept("weights", weights),
            weight_kind=weight_kind, empty_cells=empty_cells,
        )  # fmt: skip
        _check_products_call(data, formula, cov, given)
        return _from_products(data, premium, least, comparison)
    if formula is None:
        raise OptionError("fit_premiums needs a formula: 'log(wage) ~ skill + controls | absorbed effects'.")
    panel = as_panel(data)
    names = check_premiums(premium, base, list(panel.frame.columns))
    every = prepare(
        _rebased(panel, names[0], base), formula, by=by, cov=cov, small_sample=small_sample, weights=weights,
        weight_kind=weight_kind,
    )  # fmt: skip
    rows = every.without_singletons(singletons, common=method == "stacked")
    asked = _asked(rows, every, names, formula, base=base, at=at)
    rows, wanted, cells, absent = _kept_cells(asked.rows, asked.terms, least, empty_cells)
    labels = asked.labels(rows.design, comparison)
    estimates, sigma = _fitted(rows, asked.columns, labels, wanted, method=method, title=asked.title)
    estimates = replace(estimates, notes=(*estimates.notes, *asked.notes))
    _warn_of_sides(rows, asked.terms)
    premiums = Premiums(estimates, ", ".join(names), cells.assign(sigma=sigma), absent)
    return premiums if keep_units else premiums.without_units()


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """Premiums that a call asks for.

    Attributes
    ----------
    rows : Rows
        Of the regression whose coefficients they are.
    terms : tuple of PremiumTerm
        The premiums.
    values : tuple of str
        At which values of what it is crossed with each is; empty where it is crossed with nothing.
    notes : tuple of str
        What a reader should know.
    """

    rows: Rows
    terms: tuple[PremiumTerm, ...]
    values: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def columns(self) -> list[int]:
        """Columns of the design, those of each premium in turn."""
        return [j for term in self.terms for j in term.columns]

    @property
    def title(self) -> str:
        """What is estimated."""
        if len(self.terms) > 1:
            each = zip(self.terms, self.values, strict=True)
            return f"Premiums of {listing((term.holder + (f' ({at})' if at else '') for term, at in each), 4)}"
        (term,), (value,) = self.terms, self.values
        of = f"{'Difference of premiums,' if term.kind == 'product' else 'Premium of'} {term.holder}"
        return of + (f"{', ' if value.startswith('averaged') else ' at '}{value}" if value else "")

    def labels(self, design: Design, comparison: str | None) -> pd.DataFrame:
        """Term, unit and comparison of each column."""
        rows = [
            (
                term.name if len(term.columns) == 1 else design.names[j], design.unit,
                comparison or term.comparison + (f" ({value})" if value else ""),
            )
            for term, value in zip(self.terms, self.values, strict=True) for j in term.columns
        ]  # fmt: skip
        return pd.DataFrame(rows, columns=["term", "unit", "comparison"])


def _asked(rows: Rows, every: Rows, names: Sequence[str], formula: str, *, base: Any, at: At) -> _Asked:
    """Find the premiums among the regressors, at the values that are asked for."""
    terms = premium_terms(rows, names, formula, base)
    zeros = [values_held(rows.design, term) for term in terms]
    if at is None:
        notes = [
            f"The premium of {term.name} is that at {listing(held, 4)}: it differs with what it is crossed with. "
            "at='mean' gives the average."
            for term, held in zip(terms, zeros, strict=True) if held
        ]  # fmt: skip
        return _Asked(rows, terms, tuple(listing(held, 4) for held in zeros), tuple(notes))
    rows, values = measured_from(rows, every, terms, split_formula(formula).regressors, at)
    note = "Premiums that differ with other regressors are averaged over the workers of a cell, who are taken as given."
    return _Asked(rows, terms, tuple(values), (note,) if any("averaged" in value for value in values) else ())


def _fitted(
    rows: Rows, columns: list[int], labels: pd.DataFrame, wanted: BoolArray, *, method: PremiumMethod, title: str
) -> tuple[Estimates, FloatArray]:
    """Premiums of all cells, and the deviation of the residuals."""
    if method == "stacked":
        return _stacked(rows, columns, labels, wanted, title)
    estimates, fits = _separate(rows, columns, labels, wanted, title)
    return estimates, np.array([fit.sigma for fit in fits])


def _separate(
    rows: Rows, columns: list[int], labels: pd.DataFrame, wanted: BoolArray, title: str
) -> tuple[Estimates, list[LinearFit]]:
    """Premiums of cells with slopes of their own; all coefficients are related where a variance may be negative."""
    if rows.cov.replicated or not rows.cov.indefinite:
        fits, refit = least_squares(rows, columns, wanted)
        return relate(rows, fits, refit, labels, title=title, wanted=wanted), fits
    names = list(rows.design.names)
    every = pd.DataFrame({"term": names, "unit": "none", "comparison": ""})
    every.loc[columns, labels.columns] = labels.to_numpy()
    asked = np.zeros((len(wanted), len(names)), dtype=bool)
    asked[:, columns] = wanted
    fits, refit = least_squares(rows, None, asked)
    estimates = relate(rows, fits, refit, every, title=title, wanted=asked)
    place = np.cumsum(asked.ravel()).reshape(asked.shape) - 1
    return estimates.select(place[:, columns][wanted]), fits


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
    matrix = matrix[keep]
    estimates = Estimates(
        cell_labels(rows.cells, labels, len(keep))[keep].reset_index(drop=True), fits.values.ravel()[keep],
        (source.reported(matrix),), (matrix,), title=title, ledger=rows.design.ledger,
    )  # fmt: skip
    return estimates, fits.sigma


def _rebased(panel: Panel, premium: str, base: str | float | None) -> Panel:
    """Put the base level first."""
    if base is None:
        return panel
    levels = sorted(panel.frame[premium].dropna().unique(), key=str)
    if base not in levels:
        raise OptionError(
            f"base={base!r} is not a level of {premium!r}.{did_you_mean(base, levels)} Levels: {listing(levels)}."
        )
    ordered = [base, *(level for level in levels if level != base)]
    return panel.with_columns(**{premium: pd.Categorical(panel.frame[premium], categories=ordered)})


def _warn_of_sides(rows: Rows, terms: Sequence[PremiumTerm]) -> None:
    """Warn of cells whose holders, or others, are all of one cluster, sampling unit, place or period."""
    if rows.cov.replicated:
        return
    held = [term.holds(rows.design.x) for term in terms if term.held is not None]
    sides = [side for holds in held for side in (*holds.T, ~holds.any(axis=1))]
    warn_of_sides(rows.cov, rows.sample, sides)


def _kept_cells(
    rows: Rows, terms: Sequence[PremiumTerm], least: tuple[int, int], empty_cells: str
) -> tuple[Rows, BoolArray, pd.DataFrame, pd.DataFrame]:
    """Leave out cells that are too small, and say so.

    Returns
    -------
    rows : Rows
        Of the cells kept.
    wanted : ndarray of bool, shape (C kept, r)
        Columns with enough holders, and enough others, in the cells kept.
    cells : DataFrame
        Keys, n, n_treated (over all columns), n_comparison of the cells kept.
    absent : DataFrame
        The same and the reason of the others; of each column left out of a cell kept also the term.
    """
    names, (treated, others) = rows.cells.names, least
    counts = _count(rows, terms, least)
    enough, used = counts.enough, np.asarray(counts.enough.any(axis=1))
    if empty_cells == "raise" and counts.empty.any():
        reasons = [
            f"{names[c] or 'the data'} ({counts.reason(int(c))})" for c in np.flatnonzero(counts.empty.any(axis=1))
        ]
        raise IdentificationError(
            f"{len(reasons)} of {len(names)} cells cannot have a premium: {listing(reasons)}. "
            "Filter them out, or pass empty_cells='exclude' to list them in .absent."
        )
    frame = counts.frame.assign(reason=[counts.reason(c) for c in range(len(names))])
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
    levels = counts.left_out(rows.design.names)
    if len(levels):
        named = levels[[*rows.by, "term"]].astype(str).agg(" ".join, axis=1)
        what = "levels are" if len(terms) == 1 else f"of {enough[used].size} premiums are"
        few = f"{treated} holders" if len(terms) == 1 else f"{treated} holders or {others} others"
        warn(
            f"{len(named)} {what} left out of their cells, with fewer than {few}: {listing(named)}. They are listed in "
            ".absent.",
            SmallCellWarning,
        )
    absent = pd.concat([frame[~used], levels] if len(levels) else [frame[~used]], ignore_index=True)
    return rows, enough[used], frame[used].drop(columns="reason").reset_index(drop=True), absent


@dataclass(frozen=True, slots=True, eq=False)
class _Counts:
    """Observations of each cell.

    Attributes
    ----------
    frame : DataFrame, C rows
        Keys, n, n_treated (who hold any of the premiums), n_comparison.
    terms : tuple of PremiumTerm
        The premiums.
    of_column : ndarray of int, shape (r,)
        Premium of each column.
    by_level : ndarray of int, shape (C, r)
        Holders by column.
    others : ndarray of int, shape (C, terms)
        Others by premium.
    enough : ndarray of bool, shape (C, r)
        Columns with enough of both.
    reasons : ndarray of str, shape (C, terms)
        Why a premium cannot be had, where it cannot.
    """

    frame: pd.DataFrame
    terms: tuple[PremiumTerm, ...]
    of_column: IntArray
    by_level: IntArray
    others: IntArray
    enough: BoolArray
    reasons: Any
    empty: BoolArray

    def reason(self, cell: int) -> str:
        """Why a cell is left out."""
        if len(self.terms) == 1:
            return str(self.reasons[cell, 0])
        return "; ".join(f"{term.name}: {why}" for term, why in zip(self.terms, self.reasons[cell], strict=True) if why)

    def left_out(self, names: Sequence[str]) -> pd.DataFrame:
        """Columns left out of cells that are kept, a row each."""
        cell, column = np.nonzero(self.enough.any(axis=1, keepdims=True) & ~self.enough)
        of = self.of_column[column]
        at = np.concatenate([term.columns for term in self.terms])[column]
        term = [
            self.terms[t].name if len(self.terms[t].columns) == 1 else names[j] for t, j in zip(of, at, strict=True)
        ]
        return self.frame.iloc[cell].assign(
            term=term, n_treated=self.by_level[cell, column], n_comparison=self.others[cell, of],
            reason=self.reasons[cell, of],
        )  # fmt: skip


def _count(rows: Rows, terms: Sequence[PremiumTerm], least: tuple[int, int]) -> _Counts:
    """Count holders and others of each premium in each cell."""
    held, n = [term.holds(rows.design.x) for term in terms], rows.count()
    treated = np.column_stack([rows.count(np.asarray(one.any(axis=1))) for one in held])
    others = np.where([term.held is None for term in terms], n[:, None], n[:, None] - treated)
    by_level = np.column_stack([rows.count(level) for one in held for level in one.T])
    of_column = np.repeat(np.arange(len(terms)), [len(term.columns) for term in terms])
    enough: BoolArray = np.asarray((by_level >= least[0]) & (others >= least[1])[:, of_column])
    most = np.column_stack([by_level[:, of_column == t].max(axis=1) for t in range(len(terms))])
    least_held = np.column_stack([by_level[:, of_column == t].min(axis=1) for t in range(len(terms))])
    reasons = np.select(
        [treated == 0, others == 0, (most < least[0]) | ((others >= least[1]) & (least_held < least[0])),
         others < least[1]],
        ["no premium holder", "everybody holds the premium", f"fewer than {least[0]} premium holders",
         f"fewer than {least[1]} others"],
        "",
    )  # fmt: skip
    anyone = rows.count(np.asarray(np.column_stack(held).any(axis=1)))
    everybody = n if any(term.held is None for term in terms) else n - anyone
    frame = rows.cells.keys.assign(n=n, n_treated=anyone, n_comparison=everybody)
    return _Counts(
        frame, tuple(terms), of_column, by_level, others, enough, reasons, (treated == 0) | (others == 0)
    )  # fmt: skip


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


def _from_products(
    data: CrossProducts, premium: str | Sequence[str], least: tuple[int, int], comparison: str | None
) -> Premiums:
    """Premiums from cross-products; cells are independent, as no worker stands in two."""
    if not isinstance(premium, str):
        raise OptionError(f"premium={premium!r}: cross-products give one premium at a time; name it.")
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
    labels = labels.assign(
        term=premium, unit=unit_of_outcome(data.formula.split("~")[0]), comparison=comparison or data.comparison
    )
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
