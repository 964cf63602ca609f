"""Several outcomes at once: emigration and switching on premiums, with the covariance across equations.

With `weighting="separate"` each equation is fitted by weighted corrected moments, as `fit_link` does, held against its
likelihood, and given as the hull of both where the two do not settle on one slope; the covariance across equations is
that of a jackknife which leaves a cell out of all of them at once. With `weighting="sur"` equations are corrected by
moments whose weights are the covariance of their residuals, which helps where their regressors differ.

References
----------
Zellner, A. (1962). An efficient method of estimating seemingly unrelated regressions and tests for aggregation bias.
Journal of the American Statistical Association 57, 348-368.
Fuller, W. A. (1987). Measurement Error Models. Wiley, section 4.1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from wagegap._arguments import public
from wagegap._display.numbers import spaced
from wagegap._display.spec import TableSpec, tabulate_frame
from wagegap._typing import Alpha, AnyArray, AxesLike, BoolArray, ColumnNames, FloatArray, FrameLike
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
from wagegap.estimation.hypothesis import TestResult, parse_hypothesis
from wagegap.regression.link.cells import estimates_of, in_cells, match_cells, positions
from wagegap.regression.link.estimators.eiv import coefficients_of, solve_moments, solve_params
from wagegap.regression.link.estimators.moments import fit_weighted, jackknife_cov
from wagegap.regression.link.estimators.table import ESTIMATORS
from wagegap.regression.link.fit import fit_link
from wagegap.regression.link.paragraph import headline
from wagegap.regression.link.problem import LinkProblem
from wagegap.regression.link.result import Link
from wagegap.regression.link.settling import SettlingResult
from wagegap.regression.link.setup import Setup, build_setup

__all__ = ["LinkSystem", "fit_link_system"]

_SINGULAR = 1e-10  # eigenvalue of the residuals' correlation that is zero
Weighting = Literal["separate", "sur"]


@dataclass(frozen=True, eq=False, repr=False)
class LinkSystem(SettlingResult):
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
    links : mapping of str to Link
        The equations one by one, each with its verdict; none under "sur".
    """

    outcomes: tuple[str, ...]
    residual_correlation: pd.DataFrame
    weighting: str
    links: Mapping[str, Link] = field(default_factory=dict)

    @property
    def settled(self) -> pd.Series[bool]:
        """Whether each outcome's slope is settled."""
        return pd.Series({name: name not in self.links or self.links[name].settled for name in self.outcomes})

    @property
    def settled_terms(self) -> BoolArray:
        """Whether each coefficient is of an equation that is settled."""
        return self._outcome_of_term().map(self.settled).to_numpy(dtype=bool)

    def _outcome_of_term(self) -> pd.Series[str]:
        return self.estimates.labels["term"].str.partition(": ")[0]

    def conf_int(self, alpha: Alpha = 0.05) -> pd.DataFrame:
        """Return intervals; of an equation that is not settled the hulls of moments and likelihood."""
        frame, outcomes = super().conf_int(alpha), self._outcome_of_term().to_numpy()
        for name in self.settled.index[~self.settled]:
            frame.loc[outcomes == name] = self.links[name].conf_int(alpha).to_numpy()
        return frame

    def tidy(self, alpha: Alpha = 0.05) -> pd.DataFrame:
        """Return one row for each coefficient; `rule` says which rule spoke in its equation."""
        rule = {name: "sur" if name not in self.links else self.links[name].rule for name in self.outcomes}
        return super().tidy(alpha).assign(rule=self._outcome_of_term().map(rule).to_numpy())

    def test(self, hypothesis: str | Sequence[str] | AnyArray, value: float | FloatArray = 0.0) -> TestResult:
        """Test linear hypotheses across equations; refused where one of theirs is not settled."""
        result, rows = super().test(hypothesis, value), parse_hypothesis(hypothesis, value, self.estimates.names)[0]
        asked = self._outcome_of_term().to_numpy()[np.flatnonzero(np.abs(rows).sum(axis=0))]
        unsettled = [name for name in self.outcomes if name in asked and not self.settled[name]]
        if unsettled:
            raise IdentificationError(
                f"the slopes of {listing(unsettled)} are not settled, and there is no single test of them: links[...] "
                "has each equation with both estimators."
            )
        return result

    def spec_of_table(self, alpha: Alpha = 0.05) -> TableSpec:
        """Return the result as a table, with what every equation has to say."""
        frame = self.tidy(alpha)[["term", "estimate", "std_error", "p_value", "conf_low", "conf_high", "rule"]]
        said = [f"{name}: {line}" for name, link in self.links.items() for line in headline(link)]
        notes = (*said, f"Covariance: {self.estimates.describe()}.", f"Cells: {self._ledger_line()}.", *self.notes)
        return tabulate_frame(frame, title=self.estimates.heading, notes=notes)

    def _ledger_line(self) -> str:
        return "none lost" if self.ledger is None else self.ledger.line()

    def plot(self, ax: AxesLike = None, *, alpha: Alpha = 0.05) -> Any:
        """Draw the slopes of every outcome with their intervals, outcomes beside each other.

        Of an outcome whose slope is not settled those of both estimators, each by itself.

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
        from wagegap.regression.figures import draw_rows

        frame = self.tidy(alpha).assign(unit=self.estimates.labels["unit"])
        outcome, term = (frame["term"].str.partition(": ")[part] for part in (0, 2))
        rows = [frame.assign(term=term, group=[spaced(name) for name in outcome])[self.settled_terms]]
        rows += [
            part.tidy(alpha).assign(
                unit=part.estimates.labels["unit"],
                group=f"{spaced(name)}, {ESTIMATORS[part.method].title.split(',')[0]}",
            )
            for name in self.settled.index[~self.settled]
            for part in self.links[name].parts
        ]
        drawn = pd.concat(rows, ignore_index=True).assign(cell="")
        ends = drawn[["conf_low", "conf_high"]]
        drawn[["conf_low", "conf_high"]] = ends.where(np.isfinite(ends))
        return draw_rows(drawn[drawn["term"] != "Intercept"], what="slope", ax=ax, alpha=alpha)


@public
def fit_link_system(
    formulas: Sequence[str],
    rates: Any,
    premiums: Any,
    *,
    data: FrameLike | None = None,
    on: ColumnNames | None = None,
    weighting: Weighting = "separate",
    force: bool = False,
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
        Each equation by weighted moments, with a joint jackknife, or seemingly unrelated regressions.
    force : bool
        Report corrected intervals however low the reliability.

    Returns
    -------
    LinkSystem
        `.test("emigration: premium = switching: premium")` tests across equations.

    Raises
    ------
    CovarianceError
        When errors of the premiums are unknown.
    ReliabilityError
        When less than half of the premiums' spread is more than sampling error and `force` is false.
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
    names = tuple(setup.cells.outcome for setup in setups)
    if weighting == "sur":
        equations = [setup.problem.checked() for setup in setups]
        b = solve_params(equations, np.eye(len(equations)))
        residuals = _residuals(equations, coefficients_of(equations, b))
        correlation = _correlation(residuals, names)
        _check_sur(correlation)
        weights = np.asarray(np.linalg.inv(residuals.T @ residuals / len(residuals)))
        b, cov = solve_moments(equations, weights, _outcome_covariance(setups, rates))
        return LinkSystem(_labelled(setups, b, cov, weighting), names, correlation, weighting)
    cells = setups[0].cells.keys
    fitted = [
        fit_link(formula, _on_cells(rates, cells), premiums, data=data, on=on, force=force) for formula in formulas
    ]
    fits = [fit_weighted(setup.problem.checked()) for setup in setups]
    cov = jackknife_cov(np.hstack([fit.deletions for fit in fits]))
    correlation = _correlation(_residuals([s.problem for s in setups], [fit.params for fit in fits]), names)
    estimates = _labelled(setups, np.concatenate([fit.params for fit in fits]), cov, weighting)
    return LinkSystem(estimates, names, correlation, weighting, dict(zip(names, fitted, strict=True)))


def _residuals(equations: Sequence[LinkProblem], params: Sequence[FloatArray]) -> FloatArray:
    """Residuals of the equations, a column each."""
    return np.column_stack([e.y - e.x @ part for e, part in zip(equations, params, strict=True)])


def _correlation(residuals: FloatArray, names: Sequence[str]) -> pd.DataFrame:
    """Correlations of the equations' residuals; missing where an equation has none."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return pd.DataFrame(np.atleast_2d(np.corrcoef(residuals, rowvar=False)), index=list(names), columns=list(names))


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
    some = _on_cells(rates, kept)
    return [build_setup(match_cells(formula, some, premiums, data=data, on=on), data) for formula in formulas]


def _on_cells(rates: Any, cells: pd.DataFrame) -> Estimates:
    """Rates of some cells."""
    given = estimates_of(rates, "rates")
    return given.select(in_cells(given.labels, cells))


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
    how = {
        "separate": "jackknife over cells, jointly, weights held",
        "sur": "sandwich of corrected scores, seemingly unrelated regressions",
    }
    df = np.array([setup.df for setup, _ in shown])
    source = StatedSource("link system", cov[np.ix_(at, at)], df, how[weighting])
    labels = pd.DataFrame(
        {
            "term": [f"{setup.cells.outcome}: {name}" for setup, name in shown],
            "unit": [setup.cells.units[0] for setup, _ in shown],
            "comparison": "",
        }
    )
    title = f"{' and '.join(setup.cells.outcome for setup in setups)} on premiums"
    return Estimates(labels, b[at], (source,), (np.eye(len(at)),), title=title, ledger=setups[0].cells.ledger)
