"""Every defensible choice at once: the slope under all sources, controls, estimators and samples.

Weighted moments, the default of a link, are among the estimators: their slopes are linear in the rates, so that a
permuted order costs a product of matrices, deletions and all. Each estimator stands by itself here: whether moments and
likelihood settle on one slope is asked of a single link, not of a thousand.

Under the null no country's rate has to do with its premium: rates are given to countries in permuted orders, the same
for all specifications (residuals of each one's null model, after Freedman and Lane), and the share of significant
slopes is counted anew. What a curve is worth is how rarely chance gives as large a share.

References
----------
Simonsohn, U., J. P. Simmons and L. D. Nelson (2020). Specification curve analysis. Nature Human Behaviour 4, 1208-1214.
Freedman, D. and D. Lane (1983). A nonstochastic interpretation of reported significance levels. Journal of Business &
Economic Statistics 1, 292-298.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy import stats

from wagegap._arguments import public
from wagegap._display.axes import FAINT, PALETTE, apply_style, literal, name_axes, new_axes, put_legend
from wagegap._display.facts import note_stroke
from wagegap._progress import track
from wagegap._typing import Alpha, AxesLike, ColumnNames, Count, FloatArray, FrameLike, IntArray, RngLike
from wagegap.errors import (
    DataError,
    EmptyDataError,
    FormulaError,
    OptionError,
    did_you_mean,
    listing,
)
from wagegap.estimation.carriers import as_pandas
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.formula import split_formula
from wagegap.estimation.reliability import REFUSED_BELOW, annihilator
from wagegap.estimation.units import check_one_unit
from wagegap.regression.link.cells import LinkCells, cell_matcher, estimates_of, rate_of
from wagegap.regression.link.estimators.estimator import jackknife_errors
from wagegap.regression.link.estimators.exact import lies_on_line
from wagegap.regression.link.estimators.ml import fit_ml
from wagegap.regression.link.estimators.moments import corrected_moments, precision_weights
from wagegap.regression.link.fitted import Answer, t_test
from wagegap.regression.link.problem import LinkProblem

__all__ = ["SpecificationCurve", "specification_curve"]

CurveMethod = Literal["ols", "meta", "moments", "eiv", "ml"]


@dataclass(frozen=True, slots=True, eq=False)
class SpecificationCurve(Answer):
    """Slopes under every specification.

    Attributes
    ----------
    frame : DataFrame
        source, controls, method, sample, n, estimate, std_error, p_value, conf_low, conf_high, reliability, refused.
    share_positive, share_negative : float
        Share of specifications with a significant slope of either sign.
    p_value : float
        Share of permuted orders in which the larger of the two is as large.
    null_shares : ndarray, shape (R,)
        The larger share in each order.
    alpha : float
        Size of each test.
    outcome : str
        The rate.
    """

    frame: pd.DataFrame
    share_positive: float
    share_negative: float
    p_value: float
    null_shares: FloatArray
    alpha: Alpha
    outcome: str

    def tidy(self) -> pd.DataFrame:
        """Return the specifications, smallest slope first."""
        return self.frame.sort_values("estimate", kind="stable").reset_index(drop=True)

    def in_words(self) -> str:
        """Say how many specifications agree, and how often chance does as well."""
        estimated = self.frame.query("not refused")["estimate"]
        refused = len(self.frame) - len(estimated)
        tail = f" {refused} more were refused because premiums are mostly noise there." if refused else ""
        often = "fewer than 1" if self.p_value < 0.01 else f"{100 * self.p_value:.0f}"
        return (
            f"Of {len(estimated)} specifications {100 * (estimated > 0).mean():.0f} % give a positive slope; "
            f"{100 * self.share_positive:.0f} % are significantly positive and {100 * self.share_negative:.0f} % "
            f"significantly negative at {100 * self.alpha:g} %. With rates dealt to countries at random the larger "
            f"share is usually {100 * np.median(self.null_shares):.0f} %, and as large as here in {often} of 100 deals."
            f"{tail}"
        )

    def plot(self, ax: AxesLike = None) -> Any:
        """Draw the sorted slopes with their intervals, and below them the choices behind each."""
        shown = self.tidy().query("not refused").reset_index(drop=True)
        held = shown["controls"].str.split(" + ", regex=False)
        marks = [(f"{c}: {v}", shown[c] == v) for c in ("source", "method", "sample") for v in shown[c].unique()]
        marks += [
            (f"control: {c}", held.map(lambda names, c=c: c in names)) for c in held.explode().unique() if c != "none"
        ]
        ax = new_axes(6.3, 3.6 + 0.16 * len(marks)) if ax is None else ax
        at = np.arange(len(shown))
        b, low, high = shown[["estimate", "conf_low", "conf_high"]].to_numpy(dtype=float).T
        sure = (shown["p_value"] < self.alpha).to_numpy()
        bottom, top = float(np.quantile(low, 0.02)), float(np.quantile(high, 0.98))
        p = f"p < {self.alpha:g}"
        for rows, color, name in ((sure, PALETTE[0], p), (~sure, FAINT, f"not {p}")):
            lines = np.maximum(low[rows], bottom), np.minimum(high[rows], top)
            drawn = ax.vlines(at[rows], *lines, color=color, linewidth=0.6)
            ax.plot(at[rows], b[rows], ".", color=color, markersize=3)
            put_legend(ax, [drawn], [f"slope and {100 * (1 - self.alpha):g} % interval, {name}"])
            note_stroke(ax, "line", f"{int(rows.sum())} slopes with {name}")
        ax.axhline(0.0, color=FAINT, linewidth=0.8)
        places = bottom - (np.arange(len(marks)) + 1.5) * (top - bottom) / 14
        for place, (_, rows) in zip(places, marks, strict=True):
            ax.plot(at[rows], np.full(rows.sum(), place), "|", color=PALETTE[3], markersize=3)
        ticks = [t for t in ax.get_yticks() if bottom <= t <= top]
        ax.set_yticks(
            [*ticks, *places], [*(f"{t:g}" for t in ticks), *(literal(name) for name, _ in marks)], fontsize=7
        )
        return name_axes(apply_style(ax), x="specifications, by slope", y="slope, and choices behind it")


@dataclass(frozen=True, slots=True, eq=False)
class _Permuted:
    """Outcomes of one specification: as observed, then in permuted orders.

    Attributes
    ----------
    m : ndarray, shape (n, n)
        Annihilator of the controls.
    p : ndarray, shape (n,)
        Premiums.
    y : ndarray, shape (R + 1, n)
        Outcomes given the controls; the first row is as observed.
    v_p, v_py : ndarray, shape (n, n)
        Error covariance of premiums, and with the rates.
    v_y : ndarray, shape (R + 1, n)
        Variances of the rates' errors, permuted with them; NaN where unknown.
    z : ndarray, shape (n, q)
        Controls, the constant among them.
    """

    m: FloatArray
    p: FloatArray
    y: FloatArray
    v_p: FloatArray
    v_py: FloatArray
    v_y: FloatArray
    z: FloatArray

    @property
    def df(self) -> int:
        """N - k."""
        return int(len(self.p) - self.z.shape[1] - 1)

    def knows(self, method: CurveMethod) -> bool:
        """Whether the errors that a method needs are known: of the rates, or of the premiums."""
        needed = {"ols": np.zeros(0), "meta": self.v_y}.get(method, np.diag(self.v_p))
        return not np.isnan(needed).any()

    def problem(self, order: int) -> LinkProblem:
        """Arrays of one order, whose errors of rates are related to those of premiums where it is the observed one."""
        n = len(self.p)
        return LinkProblem(
            self.y[order], np.column_stack([self.p, self.z]), (0,), np.diag(np.nan_to_num(self.v_y[order])),
            self.v_p[None, None], (self.v_py if order == 0 else np.zeros((n, n)))[None],
            tuple(str(j) for j in range(1 + self.z.shape[1])),
        )  # fmt: skip


@public
def specification_curve(  # noqa: PLR0913
    outcome: str,
    rates: Any,
    premiums: Mapping[str, Any],
    *,
    data: FrameLike | None = None,
    controls: str | Sequence[str] = (),
    methods: CurveMethod | Sequence[CurveMethod] = ("ols", "meta", "moments"),
    samples: Mapping[str, Sequence[str]] | None = None,
    on: ColumnNames | None = None,
    alpha: Alpha = 0.05,
    reps: Count = 499,
    rng: RngLike = 0,
    progress: bool = False,
) -> SpecificationCurve:
    """Estimate the slope under every choice of source, controls, estimator and sample.

    Parameters
    ----------
    outcome : str
        Term of the rates, whose regressors are `premium` and every subset of the controls: no formula.
    rates : Rates or Estimates
        The outcome.
    premiums : mapping of str to Premiums or Estimates
        Sources, in one unit.
    data : DataFrame, optional
        Covariates, a row for each cell.
    controls : sequence of str
        Columns of `data`, or expressions of them; every subset is tried.
    methods : sequence of {"ols", "meta", "moments", "eiv", "ml"}
        Least squares with HC3; meta-regression (Hedges' tau^2, Knapp and Hartung's t), where errors of the rates are
        known; corrected moments weighted by precision with their jackknife, where errors of the premiums are. On
        request moments without weights and with their sandwich, and the restricted likelihood, which is fitted anew
        in every order: 10 seconds a specification of 40 countries at 499 orders.
    samples : mapping of str to sequence of str, optional
        Names of samples, with the countries, or cells, that each leaves out; all countries where absent. Every name
        must be one of the rates'.
    on : str or sequence of str, optional
        Keys to match.
    alpha : float
        Size of each test.
    reps : int
        Permuted orders of the rates.
    rng : Generator, int or None
        Their source.
    progress : bool
        Report on stderr.

    Returns
    -------
    SpecificationCurve
        A row of `frame` for each specification: slope, error, interval, p-value, in the units of rates and premiums.

    Raises
    ------
    ColumnError, OptionError, FormulaError, DataError
    UnitError
        Where sources are in several units, so that their slopes are for several steps.
    EmptyDataError
        When no specification can be estimated.

    Examples
    --------
    >>> import wagegap as wg
    >>> sources = {name: wg.datasets.country_premiums(name) for name in ("stack_overflow", "kaggle")}
    >>> net, income = wg.datasets.talent_migration("ai"), wg.datasets.income()
    >>> curve = specification_curve(
    ...     "net_migration", net, sources, data=income, controls=["log(gdp_per_head)"], methods=["ols"], reps=99
    ... )
    >>> len(curve.frame)
    4
    """
    if not isinstance(premiums, Mapping) or not premiums:
        raise OptionError("premiums must be a dict of source -> premiums.")
    controls, ways = _listed(controls), _listed(methods)
    if "premium" in controls:
        raise OptionError("controls= holds 'premium', which is in every specification: name covariates alone.")
    if not ways:
        raise OptionError("methods=[] names no estimator: 'ols', 'meta', 'moments', 'eiv', 'ml'.")
    rates = estimates_of(rates, "rates")
    _check_outcome(outcome, rates)
    check_one_unit(
        [unit for name, given in premiums.items() for unit in estimates_of(given, name).labels["unit"]],
        "the sources of premiums",
    )
    _check_samples(samples or {}, rates, on)
    data = None if data is None else as_pandas(data)
    keys: dict[str, FloatArray] = {}
    generator = np.random.default_rng(rng)
    rows, signs = [], []
    subsets = [s for r in range(len(controls) + 1) for s in combinations(controls, r)]
    matchers = {name: cell_matcher(outcome, rates, given, data=data, on=on) for name, given in premiums.items()}
    for source, subset in track(list(product(premiums, subsets)), "sources and controls", progress):
        cells = matchers[source](split_formula(" + ".join([f"{outcome} ~ premium", *subset])))
        names = {"source": source, "controls": " + ".join(subset) or "none"}
        for sample, left_out in ({"all": ()} if samples is None else samples).items():
            permuted = _permuted(cells, left_out, keys, reps, generator)
            for method in ways:
                if permuted is not None and permuted.knows(method):
                    row, sign = _specification(permuted, method, alpha)
                    rows.append({**names, "method": method, "sample": sample, **row})
                    signs.append(sign)
    return _curve(pd.DataFrame(rows), signs, alpha, outcome)


def _check_outcome(outcome: object, given: Estimates) -> None:
    """Raise unless the outcome is the name of a rate."""
    terms = given.labels["term"].astype(str).unique()
    if not isinstance(outcome, str) or ("~" in outcome and outcome not in terms):
        raise FormulaError(
            f"outcome={outcome!r} must be the name of a rate ({listing(terms)}), not a formula: the curve writes "
            "'outcome ~ premium + controls' itself, for every subset of controls=."
        )
    rate_of(given, outcome)


def _check_samples(samples: Mapping[str, Any], given: Estimates, on: str | Sequence[str] | None) -> None:
    """Raise where a sample leaves out what is no country, or cell, of the rates."""
    keys = [name for name in ([on] if isinstance(on, str) else on or given.by) if name in given.labels]
    cells = given.labels[keys].astype(str)
    known = {*cells.to_numpy().ravel().tolist(), *cells.agg(" ".join, axis=1)} if keys else set()
    for sample, left_out in samples.items():
        if not isinstance(left_out, str | Sequence | set | frozenset):
            raise OptionError(f"samples[{sample!r}]={left_out!r} must be a list of the countries left out.")
        odd = [str(name) for name in ([left_out] if isinstance(left_out, str) else left_out) if str(name) not in known]
        if odd:
            raise OptionError(
                f"samples[{sample!r}] leaves out {listing(map(repr, odd))}, of which the rates have none."
                f"{did_you_mean(odd[0], sorted(known))} There are: {listing(sorted(known), 12)}."
            )


def _listed(given: str | Sequence[str]) -> list[Any]:
    """One name, or several, as a list."""
    return [given] if isinstance(given, str) else list(given)


def _curve(frame: pd.DataFrame, signs: list[FloatArray], alpha: Alpha, outcome: str) -> SpecificationCurve:
    if frame.empty or frame["refused"].all():
        raise EmptyDataError("no specification can be estimated: too few countries, or premiums that are mostly noise.")
    kept = np.array(signs)[~frame["refused"].to_numpy()]
    positive, negative = (kept > 0).mean(axis=0), (kept < 0).mean(axis=0)
    larger = np.maximum(positive, negative)
    p = (1 + float(np.sum(larger[1:] >= larger[0] - 1e-12))) / len(larger)
    return SpecificationCurve(frame, float(positive[0]), float(negative[0]), p, larger[1:], alpha, outcome)


def _permuted(
    cells: LinkCells, left_out: Sequence[str], keys: dict[str, FloatArray], reps: int, rng: np.random.Generator
) -> _Permuted | None:
    """Permute the rates of a sample; a country has the same random numbers in every specification."""
    absent = {left_out} if isinstance(left_out, str) else {str(name) for name in left_out}
    keyed = zip(cells.names, cells.keys.astype(str).itertuples(index=False), strict=True)
    rows = np.flatnonzero([not {name, *keys_of_cell} & absent for name, keys_of_cell in keyed])
    for i in rows:
        keys.setdefault(cells.names[i], rng.random(reps))
    p, z = cells.p[rows, 0], np.delete(cells.design.x[rows], cells.design.columns_of(cells.premiums[0]), axis=1)
    if len(rows) < z.shape[1] + 3:
        return None
    m = annihilator(z)
    rank = np.linalg.matrix_rank(z / np.maximum(np.linalg.norm(z, axis=0), 1e-300))
    if np.linalg.norm(m @ p) <= 1e-9 * np.linalg.norm(p) or rank < z.shape[1]:
        raise DataError(_collinear(cells, rows))
    # Freedman and Lane: residuals M y in another order, and M of those
    order = np.argsort(np.array([keys[cells.names[i]] for i in rows]), axis=0).T
    orders = np.vstack([np.arange(len(rows)), order])
    grid, residuals = np.ix_(rows, rows), m @ cells.y[rows]
    if lies_on_line(cells.y[rows], z):
        residuals = np.zeros(len(rows))
    return _Permuted(
        m, p, residuals[orders] @ m, cells.block(1, 1)[grid], np.nan_to_num(cells.block(1, 0)[grid]),
        np.diag(cells.block(0, 0))[rows][orders], z,
    )  # fmt: skip


def _collinear(cells: LinkCells, rows: IntArray) -> str:
    """Say which columns are at fault in a sample."""
    columns = zip(cells.design.names, cells.design.x[rows].T, strict=True)
    values = {name: column for name, column in columns if name != "Intercept"}
    same = [f"{name} is {column[0]:g}" for name, column in values.items() if np.ptp(column) == 0]
    if same:
        return f"{listing(same)} in all {len(rows)} cells of a sample: leave it out of controls=."
    return f"{listing(values)} are collinear in the {len(rows)} cells of a sample: leave one of the controls out."


@dataclass(frozen=True, slots=True)
class _Slopes:
    """Slopes in every order with their errors, and the interval of the observed one where it is no t interval."""

    b: FloatArray
    error: FloatArray
    interval: tuple[float, float] | None = None


def _ols(permuted: _Permuted) -> _Slopes:
    """Least squares with HC3."""
    # b = y'M p / p'M p, V = sum_i (Mp)_i^2 e_i^2 / (1 - h_i)^2 / (p'M p)^2, 1 - h_i = M_ii - (Mp)_i^2 / p'M p
    mp = permuted.m @ permuted.p
    square = float(mp @ mp)
    b = permuted.y @ mp / square
    room = np.maximum(np.diag(permuted.m) - mp**2 / square, 1e-12)
    return _Slopes(b, np.sqrt(np.sum((mp * (permuted.y - b[:, None] * mp) / room) ** 2, axis=1)) / square)


def _meta(permuted: _Permuted) -> _Slopes:
    """Hedges' tau^2, weights, and Knapp and Hartung's scale."""
    # tau^2 = (y'M_x y - sum_i M_x,ii v_i) / (n - k), w = 1 / (v + tau^2), V = (e'W e / (n - k)) (X'W X)^-1
    x = np.column_stack([permuted.p, permuted.z])
    n, k = x.shape
    m_x = annihilator(x)
    squares = np.sum((permuted.y @ m_x) ** 2, axis=1)
    tau2 = np.maximum((squares - permuted.v_y @ np.diag(m_x)) / permuted.df, 0.0)
    w = 1 / np.maximum(permuted.v_y + tau2[:, None], 1e-300)
    bread = np.linalg.inv((w @ (x[:, :, None] * x[:, None, :]).reshape(n, k * k)).reshape(-1, k, k))
    b = (bread @ ((w * permuted.y) @ x)[..., None])[..., 0]
    return _Slopes(b[:, 0], np.sqrt(np.sum(w * (permuted.y - b @ x.T) ** 2, axis=1) / permuted.df * bread[:, 0, 0]))


def _weighted(permuted: _Permuted) -> _Slopes:
    """Corrected moments weighted by precision, with their jackknife; unknown where some deletion has none."""
    problem = permuted.problem(0)
    moments = corrected_moments(problem, precision_weights(problem))
    slopes = np.concatenate([moments.slopes(permuted.y[:1]), moments.slopes(permuted.y[1:], related=False)])[..., 0]
    return _Slopes(slopes[:, 0], jackknife_errors(slopes[:, 1:].T))


def _likelihood(permuted: _Permuted, alpha: Alpha) -> _Slopes:
    """Restricted likelihood, fitted in every order: the error is that whose t test has its p-value."""
    fits = [fit_ml(permuted.problem(order), alpha=alpha) for order in range(len(permuted.y))]
    b, p = np.array([(fit.params[0], fit.p_value) for fit in fits]).T
    return _Slopes(b, np.abs(b) / stats.t.isf(p / 2, permuted.df), fits[0].interval)


def _unweighted(permuted: _Permuted) -> _Slopes:
    """Corrected moments without weights, with their sandwich; errors of permuted rates are not those of premiums."""
    # b = (y'M p - tr(M V_py)) / (p'M p - tr(M V_pp)), s_i = (Mp)_i e_i + b (M V_pp)_ii - (M V_py)_ii
    mp = permuted.m @ permuted.p
    noise = np.einsum("ab,ba->a", permuted.m, permuted.v_p)
    cross = np.zeros_like(permuted.y)
    cross[0] = np.einsum("ab,ba->a", permuted.m, permuted.v_py)
    inside = float(mp @ mp - noise.sum())
    # No slope where the premiums vary no more than their errors
    inside = inside if inside > 0 else np.nan
    b = (permuted.y @ mp - cross.sum(axis=1)) / inside
    scores = mp * (permuted.y - b[:, None] * mp) + b[:, None] * noise - cross
    return _Slopes(b, np.sqrt(len(mp) / permuted.df * np.sum(scores**2, axis=1)) / inside)


def _slopes(permuted: _Permuted, method: CurveMethod, alpha: Alpha) -> _Slopes:
    """Slopes of one estimator in every order."""
    if method == "ml":
        return _likelihood(permuted, alpha)
    return {"ols": _ols, "meta": _meta, "moments": _weighted, "eiv": _unweighted}[method](permuted)


def _specification(permuted: _Permuted, method: CurveMethod, alpha: Alpha) -> tuple[dict[str, Any], FloatArray]:
    """Numbers of one specification, and the sign of its slope in every order where it is significant."""
    # 1 - tr(M V) / p'M p; NaN where errors are unknown
    share = 1.0 - float(np.sum(permuted.m * permuted.v_p)) / float(permuted.p @ permuted.m @ permuted.p)
    corrects = method in ("moments", "eiv", "ml")
    unreliable = corrects and not share >= REFUSED_BELOW
    if unreliable and method == "ml":
        nothing = np.full(len(permuted.y), np.nan)
        slopes = _Slopes(nothing, nothing)
    else:
        slopes = _slopes(permuted, method, alpha)
    b, error = slopes.b, slopes.error
    low, high, p = t_test(float(b[0]), float(error[0]), permuted.df, alpha)
    if slopes.interval is not None:
        low, high = slopes.interval
    row = {
        "n": len(permuted.p), "estimate": float(b[0]), "std_error": float(error[0]),
        "p_value": p if error[0] > 0 else np.nan, "conf_low": low, "conf_high": high, "reliability": share,
        "refused": bool(unreliable or (corrects and not np.isfinite(error[0]))),
    }  # fmt: skip
    reach = float(stats.t.isf(alpha / 2, permuted.df)) * error
    return row, np.where(np.abs(b) > reach, np.sign(b), 0.0)
