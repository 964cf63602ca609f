"""Linear models of panels: fixed and random effects, between, first differences, and instruments.

What moves people is often measured by regressions of the ordinary kind: wages on moving with a worker's own effect,
log flows on income with an origin's, the return to leaving with a randomised incentive for an instrument,

    y_it = x_it'b + a_i + e_it.

With the effects behind a bar they are absorbed (within). `model="random"` takes a_i as uncorrelated with x, "between"
compares means of units, "differences" steps from one period to the next. `instruments="moved ~ incentive"` fits by
two-stage least squares. All of them give `Estimates` whose scores join those of other results.

References
----------
Hausman, J. (1978). Specification tests in econometrics. Econometrica 46, 1251-1271.
Staiger, D. and J. Stock (1997). Instrumental variables regression with weak instruments. Econometrica 65, 557-586.
Wooldridge, J. (2010). Econometric Analysis of Cross Section and Panel Data, 2nd ed., chapters 5, 6 and 10.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy import linalg, stats

from wagegap._arguments import public
from wagegap._typing import (
    Alpha,
    AxesLike,
    BoolArray,
    ColumnName,
    Condition,
    FloatArray,
    Formula,
    Singletons,
    SmallSample,
    WeightKind,
)
from wagegap.errors import (
    CovarianceError,
    DataError,
    IdentificationError,
    IdentificationWarning,
    OptionError,
    listing,
    warn,
)
from wagegap.estimation.cellwise import Rows, error_source, least_squares, relate, replicated_source
from wagegap.estimation.covariance.options import BeckKatz, CovLike
from wagegap.estimation.covariance.sources import ErrorSource, ScoreSource, StatedSource
from wagegap.estimation.design import Design
from wagegap.estimation.estimates import Estimates, join
from wagegap.estimation.formula import Column
from wagegap.estimation.hypothesis import TestResult
from wagegap.estimation.least_squares.absorb import recode
from wagegap.estimation.least_squares.lstsq import fit_lstsq
from wagegap.estimation.result import Result, draw_estimates
from wagegap.estimation.spec import refittable
from wagegap.panel.panel import as_panel
from wagegap.panel.rows import domain_of
from wagegap.regression.linear.linear_design import (
    Instrumented,
    changed_rows,
    linear_rows,
    without_effects,
)
from wagegap.regression.linear.panel_models import TwoStage, beck_katz, sargan, two_stage

__all__ = ["Linear", "PanelModel", "fit_linear", "hausman"]

PanelModel = Literal["pooled", "random", "between", "differences"]
_MODELS = {"pooled": "pooled", "random": "random effects", "between": "between", "differences": "first differences"}
_WEAK = 10.0
_TESTS = ["test", "of", "statistic", "df_num", "df_denom", "p_value"]


@dataclass(frozen=True, eq=False, repr=False)
class Linear(Result):
    """Coefficients of a linear model.

    Attributes
    ----------
    estimates : Estimates
        A coefficient for each regressor (the term), with the covariance.
    model : str
        Pooled, random, between or differences.
    effects : tuple of str
        Absorbed effects.
    endogenous : tuple of str
        Regressors that were instrumented.
    diagnostics : DataFrame
        Tests of instruments: test, of (the regressor), statistic, df_num, df_denom, p_value.
    sigma : float
        Standard deviation of the errors.
    rsquared, rsquared_adj : float
        Share of the outcome's variance that regressors and absorbed effects explain, and the same corrected for their
        number; of a model without constant or effects about zero. NaN for other models than pooled least squares.
    """

    model: str = "pooled"
    effects: tuple[str, ...] = ()
    endogenous: tuple[str, ...] = ()
    diagnostics: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=_TESTS))
    sigma: float = np.nan
    rsquared: float = np.nan
    rsquared_adj: float = np.nan

    def glance(self) -> pd.DataFrame:
        """Return one row about the whole."""
        frame = super().glance()
        return frame.assign(r2=self.rsquared, r2_adjusted=self.rsquared_adj) if np.isfinite(self.rsquared) else frame

    def plot(self, ax: AxesLike = None, *, alpha: Alpha = 0.05) -> Any:
        """Draw the coefficients with their intervals, on new axes where none are given.

        Examples
        --------
        >>> rows = pd.DataFrame({"y": [1.0, 2, 4, 3], "x": [1.0, 2, 3, 4]})
        >>> fit_linear(rows, "y ~ x").plot().get_xlabel()
        'Linear model, pooled, 95 % intervals'
        """
        slopes = self.estimates.select(self.estimates.labels["term"].to_numpy() != "Intercept")
        return draw_estimates(slopes, ax, alpha, self.title)


@refittable
def fit_linear(  # noqa: PLR0913
    data: Any,
    formula: Formula,
    *,
    model: PanelModel = "pooled",
    unit: ColumnName | None = None,
    period: ColumnName | None = None,
    instruments: str | None = None,
    cov: CovLike | BeckKatz | None = None,
    small_sample: SmallSample = "stata",
    singletons: Singletons = "drop",
    weights: str | FloatArray | None = None,
    weight_kind: WeightKind | None = None,
    subpop: Condition | BoolArray | None = None,
    keep_units: bool = True,
) -> Linear:
    """Fit a linear model to a panel, by least squares or with instruments.

    Parameters
    ----------
    data : Panel or data frame
        A row for each observation.
    formula : str
        `outcome ~ regressors`, or `outcome ~ regressors | effects` to absorb (fixed effects).
    model : {"pooled", "random", "between", "differences"}
        Least squares of the rows; random effects of the units (Swamy and Arora's variances); of the units' means; of
        steps between neighbouring periods, where a constant is a drift.
    unit, period : str, optional
        Columns that `model` needs; those the panel declares (worker, period) where absent. Periods that are text
        ("wave 8" to "wave 11", "2019Q4", "Mar 2019") are in the order of time; neighbours are those that occur.
    instruments : str, optional
        `"moved ~ incentive"`: regressors correlated with the error, left, and columns outside the formula that move
        them but not the outcome, right.
    cov : str or object of `wagegap.cov`, optional
        Covariance; the panel's declared cluster, else HC1. `BeckKatz(unit, period)` besides.
    small_sample : str
        Small-sample factor, by the software whose convention it is.
    singletons : {"drop", "keep"}
        Rows alone in a level of an absorbed effect: left out and counted, as reghdfe and pyfixest have it, or kept as
        rows and clusters, as areg has it. The estimates are the same.
    weights, weight_kind
        Other weights than the panel's: a column, or values of shape (n,), a series aligned on its index; for
        "pooled" only.
    keep_units : bool
        Keep the scores, so that results can be joined.
    subpop : str, callable, or ndarray of bool of shape (n,), optional
        Rows asked about, as an expression, a callable of the data frame, or a mask: a domain, of which a survey's
        design counts the others' units.

    Returns
    -------
    Linear

    Raises
    ------
    ColumnError, OptionError, FormulaError, DataError, DuplicateKeyError, EmptyDataError, IdentificationError
    CovarianceError

    Notes
    -----
    Random effects: least squares of y_it - t_i ybar_i on the same of x, t_i = 1 - sqrt(s_e^2 / (s_e^2 + T_i s_a^2)).
    Two-stage least squares: b = (X'P X)^-1 X'P y with P the projection on all instruments, scores (P x_i) e_i.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> import wagegap as wg
    >>> rng = np.random.default_rng(0)
    >>> rows = pd.DataFrame({"offer": rng.normal(size=4000), "taste": rng.normal(size=4000)})
    >>> rows["moved"] = rows.offer + rows.taste + rng.normal(size=4000)
    >>> rows["pay"] = 0.5 * rows.moved + rows.taste
    >>> float(wg.fit_linear(rows, "pay ~ moved", instruments="moved ~ offer").params["moved"].round(1))
    0.5
    """
    data, weights, weight_kind = domain_of(data, subpop, weights, weight_kind)
    panel = as_panel(data)
    unit, period = unit or panel.roles.worker, period or panel.roles.period
    rows, instrumented = linear_rows(
        panel, formula, instruments, model, unit, period, cov="iid" if isinstance(cov, BeckKatz) else cov,
        small_sample=small_sample, weights=weights, weight_kind=weight_kind, singletons=singletons,
    )  # fmt: skip
    if instrumented is not None:
        if isinstance(cov, BeckKatz):
            raise OptionError(f"cov={cov} does not go with instruments: use a cluster or DriscollKraay.")
        fitted = _instrumented(rows, instrumented)
    else:
        rows, notes = changed_rows(rows, model, unit, period)
        if rows.cov.replicated and model != "pooled":
            raise OptionError(f"cov={str(rows.cov)!r} is for model='pooled' only: use a cluster.")
        values, source, sigma, df = _least_squares(rows)
        if isinstance(cov, BeckKatz):
            source = _panel_corrected(rows, values, source, cov)
        labelled = _labelled(rows.design, values, source, "Linear model", _MODELS[model], notes)
        explained = _explained(rows, sigma, df) if model == "pooled" else (np.nan, np.nan)
        fitted = replace(labelled, model=model, sigma=sigma, rsquared=explained[0], rsquared_adj=explained[1])
    return fitted if keep_units else fitted.without_units()


@public
def hausman(
    fixed: Linear, random: Linear, *, error_variance: Literal["own", "fixed", "random"] = "own"
) -> pd.DataFrame:
    """Test whether two fits of the same coefficients differ by more than chance: fixed against random effects.

    Parameters
    ----------
    fixed : Linear
        Consistent under both hypotheses, such as the fit with the units' effects absorbed.
    random : Linear
        Efficient under the null. Of the same data.
    error_variance : {"own", "fixed", "random"}
        With `cov="iid"`: whether each fit has its own error variance, as in R's plm and by itself in Stata, or both
        have that of the first (Stata's sigmaless) or of the second (sigmamore), under which V_f - V_r is positive.

    Returns
    -------
    DataFrame
        One row: test, of (the shared coefficients), statistic, df_num, df_denom, p_value. With `cov="iid"` on both it
        is Hausman's chi-square, (b_f - b_r)' (V_f - V_r)^-1 (b_f - b_r), with a warning where error variances of their
        own leave V_f - V_r negative in some direction. Otherwise both fits are joined, and the
        covariance of the difference comes from their scores, which holds without efficiency under the null.

    Raises
    ------
    CovarianceError
        When the fits cannot be joined, or V_f - V_r is no covariance under one error variance either.
    IdentificationError
        When they share no coefficient.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> rows = pd.DataFrame({"firm": np.repeat(range(50), 6), "x": rng.normal(size=300)})
    >>> rows["y"] = rows.x + rng.normal(size=50)[rows.firm] + rng.normal(size=300)
    >>> fits = [fit_linear(rows, "y ~ x | firm", cov="CR1:firm"),
    ...         fit_linear(rows, "y ~ x", model="random", unit="firm", cov="CR1:firm")]
    >>> bool(hausman(*fits).loc[0, "p_value"] > 0.05)
    True
    """
    for fit in (fixed, random):
        if not isinstance(fit, Linear):
            raise OptionError(f"hausman compares two results of fit_linear, not {type(fit).__name__}.")
    names = [n for n in fixed.params.index if n in random.params.index and n != "Intercept"]
    if not names:
        raise IdentificationError("the two fits share no coefficient beside the constant.")
    one, two = (fit.estimates.select([list(fit.params.index).index(n) for n in names]) for fit in (fixed, random))
    if all(isinstance(r, ScoreSource) and r.cov.model_based for r in (*one.sources, *two.sources)):
        ratio = (random.sigma / fixed.sigma) ** 2 if fixed.sigma > 0 else 1.0
        scale = {"own": (1.0, 1.0), "fixed": (1.0, 1 / ratio), "random": (ratio, 1.0)}[error_variance]
        gap, both = one.values - two.values, (scale[0] * one.covariance, scale[1] * two.covariance)
        test = "Hausman", listing(names), *_classical(gap, *both, ratio if error_variance == "own" else 1.0)
    else:
        # rows of [I, -I]: fixed less random
        joined = join(*(
            replace(fit, labels=fit.labels.assign(term=f"{name} " + fit.labels["term"]))
            for name, fit in (("fixed", one), ("random", two))
        ))  # fmt: skip
        difference = np.hstack([np.eye(len(names)), -np.eye(len(names))])
        test = "Hausman, robust", listing(names), *_f_test(joined.test(difference))
    return pd.DataFrame([test], columns=_TESTS)


def _classical(
    gap: FloatArray, fixed: FloatArray, random: FloatArray, ratio: float
) -> tuple[float, float, float, float]:
    """Hausman's chi-square of two fits, the second efficient under the null; `ratio` is of its error variance."""
    # V_r u = mu V_f u, the variances of the second fit relative to those of the first, whatever the units: with one
    # error variance for both all mu are below one
    size = np.sqrt(np.diag(fixed))
    relative = linalg.eigh(random / np.outer(size, size), fixed / np.outer(size, size), eigvals_only=True)
    largest = float(relative.max())
    # (b_f - b_r)' (V_f - V_r)^-1 (b_f - b_r)
    value = float(gap @ np.linalg.solve(fixed - random, gap))
    if largest / ratio >= 1 or not value >= 0:
        raise CovarianceError(
            f"the variance of the second fit is {largest:.4g} times that of the first in some direction, so that their "
            "difference is no variance: fit both with a cluster, cov='CR1:UNIT', for the robust test"
            f"{', or give both one error variance, error_variance=' + repr('random') if largest < ratio else ''}."
        )
    if largest >= 1:
        warn(
            f"the variance of the second fit is above that of the first, {largest:.4g} times, in "
            f"{int((relative >= 1).sum())} of {len(gap)} directions, because each fit has an error variance of its own "
            f"(their ratio is {ratio:.4g}): error_variance='random' (Stata's sigmamore) gives both one.",
            IdentificationWarning,
        )
    return value, len(gap), np.inf, float(stats.chi2.sf(value, len(gap)))


def _f_test(test: TestResult) -> tuple[float, float, float, float]:
    """F, its two degrees of freedom and p of a test, whose statistic is a t where it is of one restriction."""
    value = test.statistic**2 if test.df_num == 1 else test.statistic
    return float(value), float(test.df_num), float(test.df_denom), float(test.p_value)


def _least_squares(rows: Rows) -> tuple[FloatArray, ErrorSource, float, float]:
    """Coefficients of all columns, their source of error, the standard deviation of the errors and its degrees."""
    (fit,), refit = least_squares(rows)
    df = rows.observations.sum() - fit.n_params - sum(effect.rank for effect in fit.absorbed)
    return fit.values, error_source(rows, [fit], refit), fit.sigma, float(df)


def _explained(rows: Rows, sigma: float, df: float) -> tuple[float, float]:
    """R-squared and adjusted R-squared."""
    # R^2 = 1 - sum w e^2 / sum w (y - ybar)^2, adjusted 1 - (1 - R^2) (n - c) / df, c the constant
    design, y = rows.design, rows.design.y
    weights = np.ones(len(y)) if rows.weights is None else rows.weights
    constant = bool(design.effects) or "Intercept" in design.names
    middle = float(np.average(y, weights=weights)) if constant else 0.0
    total, n = float(weights @ (y - middle) ** 2), float(rows.observations.sum())
    if total <= 0:
        return np.nan, np.nan
    left = sigma**2 * df / total
    return 1 - left, 1 - left * (n - constant) / df


def _panel_corrected(rows: Rows, values: FloatArray, source: ErrorSource, cov: BeckKatz) -> StatedSource:
    """Covariance with errors correlated between units within a period."""
    if rows.weights is not None:
        raise OptionError(f"cov={cov} takes no weights.")
    units, periods = rows.codes(cov.unit), rows.codes(cov.period)
    cells = pd.crosstab(units, periods).to_numpy()
    if (cells != 1).any():
        raise DataError(
            f"cov={cov} needs every {cov.unit} in every {cov.period} once: {int((cells == 0).sum()):,} of "
            f"{cells.size:,} pairs are absent and {int((cells > 1).sum()):,} stand more than once."
        )
    y, x, _ = without_effects(rows.design, np.empty((len(rows), 0)), None)
    matrix = beck_katz(x, y - x @ values, fit_lstsq(y, x).bread, units, periods)
    assert isinstance(source, ScoreSource)
    block = source.blocks[0]
    return StatedSource(rows.access.source, matrix, block.nobs - block.counted("stata", ()), str(cov))


def _labelled(
    design: Design, values: FloatArray, source: ErrorSource, name: str, model: str, notes: Sequence[str]
) -> Linear:
    """Coefficients with their labels; `model` says which they are where no effects are absorbed."""
    absorbed = [f"Absorbed: {', '.join(design.effect_names)}."] if design.effects else []
    estimates = Estimates(
        pd.DataFrame({"term": list(design.names), "unit": design.unit, "comparison": ""}), values,
        (source.reported(np.eye(len(values))),), (np.eye(len(values)),), ledger=design.ledger,
        title=f"{name}, {'fixed effects' if design.effects else model}", notes=(*absorbed, *notes),
    )  # fmt: skip
    return Linear(estimates, effects=design.effect_names)


# instruments -------------------------------------------------------------------------------------------------------


def _instrumented(rows: Rows, instruments: Instrumented) -> Linear:
    """Two-stage least squares, with the tests of its instruments."""
    design = rows.design
    ends, names = instruments.ends(design), listing(instruments.names)
    y, x, z = without_effects(design, instruments.z, rows.weights)
    stage = two_stage(y, x, z, instruments.endogenous, rows.weights)
    if np.isnan(stage.params).any():
        raise IdentificationError(f"{names} do not move {listing(ends)} apart: nothing is identified.")
    note, diagnostics, sigma = f"Instruments for {listing(ends)}: {names}", pd.DataFrame(columns=_TESTS), np.nan
    if rows.cov.replicated:
        values, source = stage.params, _replicated(rows, instruments, stage)
    else:
        values, source, sigma, _ = _least_squares(rows.with_design(y=stage.y, x=stage.x))
        diagnostics = pd.DataFrame(_tests(rows.with_design(y=y, x=x), z, instruments, stage), columns=_TESTS)
        note += f"; first-stage F {listing(f'{value:.1f}' for value in diagnostics['statistic'][: len(ends)])}"
        _warn_weak(diagnostics[: len(ends)])
    fitted = _labelled(design, values, source, "Two-stage least squares", "pooled", [f"{note}."])
    return replace(fitted, endogenous=ends, diagnostics=diagnostics, sigma=sigma)


def _tests(rows: Rows, z: FloatArray, instruments: Instrumented, stage: TwoStage) -> list[tuple[Any, ...]]:
    """Tests of instruments, effects taken out of the rows: of their strength, exogeneity, and whether they agree."""
    design, weights, endogenous = rows.design, rows.weights, instruments.endogenous
    exogenous, names = design.x[:, ~endogenous], listing(instruments.names)
    # whether the instruments move each endogenous regressor
    tests: list[tuple[Any, ...]] = [
        ("weak instruments", design.names[j], *_wald(rows, design.x[:, j], exogenous, z))
        for j in np.flatnonzero(endogenous)
    ]
    # Wu and Hausman: whether least squares would do, by the first stage's residuals as regressors
    tests.append(("exogeneity", listing(instruments.ends(design)), *_wald(rows, design.y, design.x, stage.left)))
    # Sargan's chi-square, or by scores where errors are not alike
    more, residuals = z.shape[1] - int(endogenous.sum()), stage.y - stage.x @ stage.params
    if more and rows.cov.model_based:
        value = sargan(residuals, np.column_stack([exogenous, z]), weights)
        tests.append(("Sargan", names, value, float(more), np.inf, float(stats.chi2.sf(value, more))))
    elif more:
        beyond = np.column_stack([fit_lstsq(column, stage.x, weights).residuals for column in z[:, :more].T])
        tests.append(("overidentification", names, *_wald(rows, residuals, exogenous[:, :0], beyond)))
    return tests


def _wald(rows: Rows, y: FloatArray, x: FloatArray, more: FloatArray) -> tuple[float, float, float, float]:
    """Test that columns added to a regression have coefficients of zero."""
    columns = np.column_stack([x, more])
    names = [f"column {j}" for j in range(columns.shape[1])]
    longer = rows.with_design(y=y, x=columns, columns=tuple(Column(name, name) for name in names))
    wanted = np.arange(len(names))[None] >= x.shape[1]
    added = relate(longer, *least_squares(longer), names, title="", wanted=wanted)
    return _f_test(added.test(np.eye(len(added.values))))


def _warn_weak(first_stages: pd.DataFrame) -> None:
    weak = first_stages[first_stages["statistic"] < _WEAK]
    if len(weak):
        named = (f"{of} (F = {value:.1f})" for of, value in zip(weak["of"], weak["statistic"], strict=True))
        warn(
            f"weak instruments for {listing(named)}, below {_WEAK:g}: two-stage least squares is biased towards least "
            "squares and its intervals cover too little.",
            IdentificationWarning,
        )


def _replicated(rows: Rows, instruments: Instrumented, stage: TwoStage) -> ErrorSource:
    """Both stages fitted again with each replicate's weights."""
    design = rows.design

    def refit(weights: FloatArray) -> FloatArray:
        used = np.flatnonzero(weights > 0)
        part = replace(design, y=design.y[used], x=design.x[used], effects=recode(design.effects, used))
        within = without_effects(part, instruments.z[used], weights[used])
        return two_stage(*within, instruments.endogenous, weights[used]).params[None]

    return replicated_source(rows, stage.params[None], refit)
