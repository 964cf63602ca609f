"""Several outcomes at once: emigration and switching on premiums, with the covariance across equations.

Each equation is corrected by moments with the joint error covariance of its rate, its premiums, and those of the other
equations. With block-diagonal weights the estimates are those of separate fits, and only the covariance is joint; with
`weighting="sur"` equations are weighted by the covariance of their residuals, which helps where their regressors
differ.

References
----------
Zellner, A. (1962). An efficient method of estimating seemingly unrelated regressions and tests for aggregation bias.
Journal of the American Statistical Association 57, 348-368.
Fuller, W. A. (1987). Measurement Error Models. Wiley, section 4.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from wagegap._arguments import public
from wagegap._display.numbers import spaced
from wagegap._typing import Alpha, AxesLike, ColumnNames, FloatArray, FrameLike
from wagegap.errors import (
    CovarianceError,
    DataError,
    IdentificationError,
    OptionError,
    listing,
)
from wagegap.estimation.carriers import as_pandas
from wagegap.estimation.covariance.sources import StatedSource
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.result import Result
from wagegap.regression.link.cells import estimates_of, match_cells, positions
from wagegap.regression.link.estimators.eiv import coefficients_of, solve_moments, solve_params
from wagegap.regression.link.setup import Setup, build_setup

__all__ = ["LinkSystem", "fit_link_system"]

_SINGULAR = 1e-10  # eigenvalue of the residuals' correlation that is zero
Weighting = Literal["separate", "sur"]


@dataclass(frozen=True, eq=False, repr=False)
class LinkSystem(Result):
    """Several links with a joint covariance; terms are `outcome: regressor`.

    Attributes
    ----------
    estimates : Estimates
        Coefficients of every equation.
    outcomes : tuple of str
        The equations.
    residual_correlation : DataFrame
        Of the equations' residuals.
    weighting : str
        How equations are weighted.
    """

    outcomes: tuple[str, ...]
    residual_correlation: pd.DataFrame
    weighting: str

    def plot(self, ax: AxesLike = None, *, alpha: Alpha = 0.05) -> Any:
        """Draw the slopes of every outcome with their intervals, outcomes beside each other.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw.
        alpha : float
            One minus the coverage.

        Returns
        -------
        Axes

        Raises
        ------
        DataError
            Where outcomes are in several units.
        """
        from wagegap.regression.figures import draw_effects

        outcome, term = (self.estimates.labels["term"].str.partition(": ")[part] for part in (0, 2))
        named = {}
        for name in self.outcomes:
            chosen = ((outcome == name) & (term != "Intercept")).to_numpy()
            part = self.estimates.select(chosen)
            named[spaced(name)] = replace(part, labels=part.labels.assign(term=term[chosen].to_numpy()))
        return draw_effects(named, what="slope", ax=ax, alpha=alpha)


@public
def fit_link_system(
    formulas: Sequence[str],
    rates: Any,
    premiums: Any,
    *,
    data: FrameLike | None = None,
    on: ColumnNames | None = None,
    weighting: Weighting = "separate",
) -> LinkSystem:
    """Fit links of several outcomes jointly, on the cells that all of them have.

    Parameters
    ----------
    formulas : sequence of str
        One for each outcome, as in `fit_link`.
    rates : Rates or Estimates
        With a term for each outcome.
    premiums : Premiums, Estimates, or dict of name -> these
        Estimated regressors, with known errors.
    data : DataFrame, optional
        Covariates.
    on : str or sequence of str, optional
        Keys to match.
    weighting : {"separate", "sur"}
        Block-diagonal weights, or seemingly unrelated regressions.

    Returns
    -------
    LinkSystem
        `.test("emigration: premium = switching: premium")` tests across equations.

    Raises
    ------
    CovarianceError
        When errors of the premiums are unknown.
    DataError, OptionError

    Examples
    --------
    >>> import wagegap as wg
    >>> made = wg.simulate_panel(countries=10, workers=500, premium_sd=0.2, link_slope=-0.2, rng=1)
    >>> premiums = wg.fit_premiums(made.panel, "log(hourly_wage) ~ ai + exper", premium="ai", by="iso3")
    >>> rates = wg.fit_rates(made.panel, {"emigration": "abroad_next", "switching": "new_field_next"},
    ...                      among="ai", by="iso3")
    >>> system = fit_link_system(["emigration ~ premium", "switching ~ premium"], rates, premiums)
    >>> system.params.index.tolist()
    ['emigration: Intercept', 'emigration: premium', 'switching: Intercept', 'switching: premium']
    """
    if isinstance(formulas, str) or len(formulas) < 2:
        raise OptionError("a system needs two formulas at least, in a list; fit_link takes one.")
    setups = _setups(formulas, rates, premiums, None if data is None else as_pandas(data), on)
    if not all(setup.cells.premiums_known for setup in setups):
        raise CovarianceError("a system needs the errors of the premiums; fit the outcomes one by one instead.")
    equations, v_y = [setup.problem.checked() for setup in setups], _outcome_covariance(setups, rates)
    weights: FloatArray = np.eye(len(equations))
    b = solve_params(equations, weights)
    residuals = np.column_stack(
        [e.y - e.x @ part for e, part in zip(equations, coefficients_of(equations, b), strict=True)]
    )
    names = [setup.cells.outcome for setup in setups]
    correlation = _correlation(residuals, names)
    if weighting == "sur":
        _check_sur(correlation)
        weights = np.asarray(np.linalg.inv(residuals.T @ residuals / len(residuals)))
    b, cov = solve_moments(equations, weights, v_y)
    return LinkSystem(_labelled(setups, b, cov, weighting), tuple(names), correlation, weighting)


def _correlation(residuals: FloatArray, names: list[str]) -> pd.DataFrame:
    """Correlations of the equations' residuals; missing where an equation has none."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return pd.DataFrame(np.corrcoef(residuals, rowvar=False), index=names, columns=names)


def _check_sur(correlation: pd.DataFrame) -> None:
    """Raise where residuals of one equation are those of others, so that their covariance has no inverse."""
    r = correlation.to_numpy()
    if not np.isfinite(r).all() or np.linalg.eigvalsh(r)[0] < _SINGULAR:
        pairs = np.abs(r - np.eye(len(r)))
        raise IdentificationError(
            f"residuals of {listing(correlation.columns)} are on the boundary, with a correlation of up to "
            f"{np.nanmax(pairs):.3f}: their covariance has no inverse to weigh by. Use weighting='separate', or leave "
            "out an outcome that the others make up."
        )


def _setups(formulas: Sequence[str], rates: Any, premiums: Any, data: Any, on: Any) -> list[Setup]:
    """Setups on the cells that all outcomes have."""
    every = [match_cells(formula, rates, premiums, data=data, on=on) for formula in formulas]
    names = [cells.outcome for cells in every]
    if len(set(names)) < len(names):
        raise OptionError(f"an outcome stands in two formulas: {listing(names)}.")
    kept = every[0].keys[[all(name in cells.names for cells in every) for name in every[0].names]]
    if kept.empty:
        raise DataError(f"no cell has all of {listing(names)}.")
    given = estimates_of(rates, "rates")
    some = given.select(positions(given.labels[list(kept.columns)], kept) >= 0)
    return [build_setup(match_cells(formula, some, premiums, data=data, on=on), data) for formula in formulas]


def _outcome_covariance(setups: Sequence[Setup], rates: Any) -> FloatArray:
    """Error covariance of the outcomes, shape (J, J, n, n); unknown ones are left to the residuals."""
    given = estimates_of(rates, "rates")
    at = [positions(s.cells.keys.assign(term=s.cells.outcome), given.labels) for s in setups]
    v = np.nan_to_num(given.covariance)
    return np.array([[v[np.ix_(a, c)] for c in at] for a in at])


def _labelled(setups: Sequence[Setup], b: FloatArray, cov: FloatArray, weighting: Weighting) -> Estimates:
    starts = np.cumsum([0, *(setup.problem.k for setup in setups[:-1])])
    at = [int(start) + j for start, setup in zip(starts, setups, strict=True) for j in setup.shown]
    shown = [(setup, name) for setup in setups for name in setup.terms]
    how = "separate equations" if weighting == "separate" else "seemingly unrelated regressions"
    df = np.array([setup.df for setup, _ in shown])
    source = StatedSource("link system", cov[np.ix_(at, at)], df, f"sandwich of corrected scores, {how}")
    labels = pd.DataFrame(
        {
            "term": [f"{setup.cells.outcome}: {name}" for setup, name in shown],
            "unit": [setup.cells.units[0] for setup, _ in shown],
            "comparison": "",
        }
    )
    title = f"{' and '.join(setup.cells.outcome for setup in setups)} on premiums"
    return Estimates(labels, b[at], (source,), (np.eye(len(at)),), title=title, ledger=setups[0].cells.ledger)
