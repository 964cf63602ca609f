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
from scipy import stats

from wagegap._typing import FloatArray, SmallSample, WeightKind
from wagegap.errors import (
    CovarianceError,
    DataError,
    IdentificationError,
    IdentificationWarning,
    OptionError,
    check_option,
    listing,
    public,
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
from wagegap.estimation.units import unit_of_outcome
from wagegap.panel.panel import as_panel
from wagegap.regression.linear.linear_design import (
    Instrumented,
    LinearCall,
    changed_rows,
    linear_rows,
    without_effects,
)
from wagegap.regression.linear.panel_models import TwoStage, beck_katz, sargan, two_stage

__all__ = ["Linear", "PanelModel", "fit_linear", "hausman"]

PanelModel = Literal["pooled", "random", "between", "differences"]
_MODELS = ("pooled", "random", "between", "differences")
_WEAK = 10.0
_TESTS = ("test", "of", "statistic", "df_num", "df_denom", "p_value")


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
    """

    model: str = "pooled"
    effects: tuple[str, ...] = ()
    endogenous: tuple[str, ...] = ()
    diagnostics: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(_TESTS)))

    def plot(self, ax: Any = None, *, alpha: float = 0.05) -> Any:
        """Draw the coefficients with their intervals, on new axes where none are given.

        Examples
        --------
        >>> rows = pd.DataFrame({"y": [1.0, 2, 4, 3], "x": [1.0, 2, 3, 4]})
        >>> fit_linear(rows, "y ~ x").plot().get_xlabel()
        'Linear model, pooled, 95 % intervals'
        """
        own = self.estimates.select(self.estimates.labels["term"].to_numpy() != "Intercept")
        return draw_estimates(own, ax, alpha, self.title)


@refittable
def fit_linear(  # noqa: PLR0913
    data: Any,
    formula: str,
    *,
    model: PanelModel = "pooled",
    unit: str | None = None,
    period: str | None = None,
    instruments: str | None = None,
    cov: CovLike | BeckKatz | None = None,
    small_sample: SmallSample = "stata",
    weights: str | FloatArray | None = None,
    weight_kind: WeightKind | None = None,
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
        Columns that `model` needs; those the panel declares (worker, period) where absent.
    instruments : str, optional
        `"moved ~ incentive"`: regressors correlated with the error, left, and columns outside the formula that move
        them but not the outcome, right.
    cov : str or object of `wagegap.cov`, optional
        Covariance; the panel's declared cluster, else HC1. `BeckKatz(unit, period)` besides.
    small_sample : str
        Small-sample factor, by the software whose convention it is.
    weights, weight_kind
        Other weights than the panel's: a column, or values of shape (n,); for "pooled" only.
    keep_units : bool
        Keep the scores, so that results can be joined.

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
    >>> wg.fit_linear(rows, "pay ~ moved", instruments="moved ~ offer").params.round(1)["moved"]
    np.float64(0.5)
    """
    check_option("model", model, _MODELS)
    panel = as_panel(data)
    asked = LinearCall(model, unit or panel.roles.worker, period or panel.roles.period)
    how = dict(cov="iid" if isinstance(cov, BeckKatz) else cov, small_sample=small_sample, weights=weights)
    rows, instrumented = linear_rows(panel, formula, instruments, asked, {**how, "weight_kind": weight_kind})
    if instrumented is not None:
        if isinstance(cov, BeckKatz):
            raise OptionError(f"cov={cov} does not go with instruments: use a cluster or DriscollKraay.")
        fitted = _instrumented(rows, instrumented, asked)
    else:
        rows, notes = changed_rows(rows, asked)
        if rows.cov.replicated and asked.model != "pooled":
            raise OptionError(f"cov={str(rows.cov)!r} is for model='pooled' only: use a cluster.")
        values, source = _least_squares(rows)
        if isinstance(cov, BeckKatz):
            source = _panel_corrected(rows, values, source, cov)
        fitted = _labelled(rows.design, values, source, asked, notes=notes)
    return fitted if keep_units else fitted.without_units()


@public
def hausman(fixed: Linear, random: Linear) -> pd.DataFrame:
    """Test whether two fits of the same coefficients differ by more than chance: fixed against random effects.

    Parameters
    ----------
    fixed : Linear
        Consistent under both hypotheses, such as the fit with the units' effects absorbed.
    random : Linear
        Efficient under the null. Of the same data.

    Returns
    -------
    DataFrame
        One row: test, of (the shared coefficients), statistic, df_num, df_denom, p_value. With `cov="iid"` on both it
        is Hausman's chi-square, (b_f - b_r)' (V_f - V_r)^-1 (b_f - b_r). Otherwise both fits are joined, and the
        covariance of the difference comes from their scores, which holds without efficiency under the null.

    Raises
    ------
    CovarianceError
        When the fits cannot be joined, or V_f - V_r is no covariance.
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
    if all(isinstance(r, ScoreSource) and str(r.cov) == "iid" for r in (*one.sources, *two.sources)):
        return _tests([_classical(one, two, listing(names))])
    both = join(_marked(one, "fixed"), _marked(two, "random"))
    found = both.test(np.hstack([np.eye(len(names)), -np.eye(len(names))]))
    return _tests([("Hausman, robust", listing(names), *_f_test(found))])


def _classical(fixed: Estimates, random: Estimates, names: str) -> tuple[Any, ...]:
    """Hausman's chi-square of two fits, the second of them efficient under the null."""
    gap, v = fixed.values - random.values, fixed.covariance - random.covariance
    if np.linalg.eigvalsh(v / np.sqrt(np.outer(np.diag(fixed.covariance), np.diag(fixed.covariance))))[0] <= 0:
        raise CovarianceError(
            "the variance of the second fit is not smaller than that of the first in every direction, so that their "
            "difference is no variance: fit both with a cluster, cov='CR1:UNIT', for the robust test."
        )
    value = float(gap @ np.linalg.solve(v, gap))
    return "Hausman", names, value, len(gap), np.inf, float(stats.chi2.sf(value, len(gap)))


def _f_test(found: TestResult) -> tuple[float, float, float, float]:
    """F, its two degrees of freedom and p of a test, whose statistic is a t where it is of one restriction."""
    value = found.statistic**2 if found.df_num == 1 else found.statistic
    return float(value), float(found.df_num), float(found.df_denom), float(found.p_value)


def _marked(estimates: Estimates, word: str) -> Estimates:
    return replace(estimates, labels=estimates.labels.assign(term=[f"{word} {t}" for t in estimates.labels["term"]]))


def _tests(rows: Sequence[tuple[Any, ...]]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=list(_TESTS))


def _least_squares(rows: Rows) -> tuple[FloatArray, ErrorSource]:
    """Coefficients of all columns, and their source of error."""
    (fit,), refit = least_squares(rows)
    return fit.values, error_source(rows, [fit], refit)


def _panel_corrected(rows: Rows, values: FloatArray, source: ErrorSource, cov: BeckKatz) -> StatedSource:
    """Covariance with errors correlated between units within a period."""
    if rows.weights is not None:
        raise OptionError(f"cov={cov} takes no weights.")
    units, periods = rows.codes(cov.unit), rows.codes(cov.period)
    n, t = int(units.max()) + 1, int(periods.max()) + 1
    cells = np.bincount(units * t + periods, minlength=n * t)
    if (cells != 1).any():
        raise DataError(
            f"cov={cov} needs every {cov.unit} in every {cov.period} once: {int((cells == 0).sum()):,} of {n * t:,} "
            f"pairs are absent and {int((cells > 1).sum()):,} stand more than once."
        )
    y, x, _ = without_effects(rows.design, np.empty((len(rows), 0)), None)
    matrix = beck_katz(x, y - x @ values, fit_lstsq(y, x).bread, units, periods)
    assert isinstance(source, ScoreSource)
    block = source.blocks[0]
    return StatedSource(rows.access.source, matrix, block.nobs - block.counted("stata", ()), str(cov))


def _labelled(
    design: Design,
    values: FloatArray,
    source: ErrorSource,
    asked: LinearCall,
    *,
    notes: tuple[str, ...] = (),
    name: str = "Linear model",
) -> Linear:
    words = {"pooled": "pooled", "random": "random effects", "between": "between", "differences": "first differences"}
    how = "fixed effects" if design.effects else words[asked.model]
    labels = pd.DataFrame({"term": list(design.names), "unit": unit_of_outcome(design.outcome), "comparison": ""})
    absorbed = (f"Absorbed: {', '.join(design.effect_names)}.",) * bool(design.effects)
    estimates = Estimates(
        labels, values, (source,), (np.eye(len(values)),), title=f"{name}, {how}", ledger=design.ledger,
        notes=(*absorbed, *notes),
    )  # fmt: skip
    return Linear(estimates, asked.model, design.effect_names)


# instruments -------------------------------------------------------------------------------------------------------


def _instrumented(rows: Rows, found: Instrumented, asked: LinearCall) -> Linear:
    """Two-stage least squares, with the tests of its instruments."""
    cov, weights, design = rows.cov, rows.weights, rows.design
    ends = found.ends(design)
    y, x, z = without_effects(design, found.z, weights)
    stage = two_stage(y, x, z, found.endogenous, weights)
    if np.isnan(stage.params).any():
        raise IdentificationError(f"{listing(found.names)} do not move {listing(ends)} apart: nothing is identified.")
    note, tests = f"Instruments for {listing(ends)}: {listing(found.names)}", []
    if cov.replicated:
        values, source = _replicated(rows, found)
    else:
        values, source = _least_squares(rows.with_design(y=stage.y, x=stage.x))
        stages = _Stages(rows.with_design(y=y, x=x), z, found, stage)
        tests = [*stages.first_stages(), stages.exogeneity(), *stages.overidentification()]
        _warn_weak(tests)
        note += f"; first-stage F {listing(f'{row[2]:.1f}' for row in tests[: len(ends)])}"
    fitted = _labelled(design, values, source, asked, notes=(f"{note}.",), name="Two-stage least squares")
    return replace(fitted, endogenous=ends, diagnostics=_tests(tests))


@dataclass(frozen=True, slots=True, eq=False)
class _Stages:
    """Both stages, effects taken out, whose tests use the covariance of the rows."""

    rows: Rows
    z: FloatArray
    found: Instrumented
    stage: TwoStage

    @property
    def design(self) -> Design:
        """The second stage."""
        return self.rows.design

    def _wald(self, y: FloatArray, x: FloatArray, more: FloatArray) -> tuple[float, float, float, float]:
        """Test that columns added to a regression have coefficients of zero."""
        columns = np.column_stack([x, more])
        names = [f"column {j}" for j in range(columns.shape[1])]
        longer = self.rows.with_design(y=y, x=columns, columns=tuple(Column(name, name) for name in names))
        (fit,), refit = least_squares(longer)
        estimates = relate(longer, [fit], refit, names, title="")
        return _f_test(estimates.test(np.eye(len(names))[x.shape[1] :]))

    def first_stages(self) -> list[tuple[Any, ...]]:
        """Whether the instruments move each endogenous regressor."""
        ends = np.flatnonzero(self.found.endogenous)
        exogenous = self.design.x[:, ~self.found.endogenous]
        return [
            ("weak instruments", self.design.names[j], *self._wald(self.design.x[:, j], exogenous, self.z))
            for j in ends
        ]

    def exogeneity(self) -> tuple[Any, ...]:
        """Wu and Hausman: whether least squares would do, by the first stage's residuals as regressors."""
        return (
            "exogeneity",
            listing(self.found.ends(self.design)),
            *self._wald(self.design.y, self.design.x, self.stage.left),
        )

    def overidentification(self) -> list[tuple[Any, ...]]:
        """Whether the instruments agree: Sargan's chi-square, or by scores where errors are not alike."""
        more, weights = self.z.shape[1] - int(self.found.endogenous.sum()), self.rows.weights
        if more == 0:
            return []
        residuals = self.stage.y - self.stage.x @ self.stage.params
        names = listing(self.found.names)
        if self.rows.cov.kind == "iid":
            both = np.column_stack([self.design.x[:, ~self.found.endogenous], self.z])
            value = sargan(residuals, both, weights)
            return [("Sargan", names, value, float(more), np.inf, float(stats.chi2.sf(value, more)))]
        beyond = np.column_stack([fit_lstsq(column, self.stage.x, weights).residuals for column in self.z[:, :more].T])
        return [("overidentification", names, *self._wald(residuals, np.empty((len(residuals), 0)), beyond))]


def _warn_weak(tests: Sequence[tuple[Any, ...]]) -> None:
    weak = [f"{of} (F = {value:.1f})" for test, of, value, *_ in tests if test == "weak instruments" and value < _WEAK]
    if weak:
        warn(
            f"weak instruments for {listing(weak)}, below {_WEAK:g}: two-stage least squares is biased towards least "
            "squares and its intervals cover too little.",
            IdentificationWarning,
        )


def _replicated(rows: Rows, found: Instrumented) -> tuple[FloatArray, ErrorSource]:
    """Both stages fitted again with each replicate's weights."""
    design = rows.design

    def refit(weights: FloatArray | None) -> FloatArray:
        used = np.arange(len(rows)) if weights is None else np.flatnonzero(weights > 0)
        part = replace(design, y=design.y[used], x=design.x[used], effects=recode(design.effects, used))
        replicate = None if weights is None else weights[used]
        columns = without_effects(part, found.z[used], replicate)
        return two_stage(*columns, found.endogenous, replicate).params[None]

    estimate = refit(rows.weights)
    return estimate[0], replicated_source(rows, estimate, refit)
