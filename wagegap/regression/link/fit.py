"""Rates on premiums: one door to every estimator of the link.

Y_c = a + b P_c + g'x_c + u_c, where rates and premiums are observed with errors whose joint covariance the first stage
knows. `method="auto"` takes maximum likelihood where that covariance is known, meta-regression where premiums are
exact, and least squares with exact permutation where the premiums' errors are unknown: unknown is never zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from wagegap._typing import AnyArray, FloatArray, LinkMethod, MetaTest, RngLike, Tau2Method
from wagegap.errors import (
    CovarianceError,
    OptionError,
    ReliabilityError,
    ReliabilityWarning,
    WagegapError,
    check_option,
    no_column,
    public,
    warn,
)
from wagegap.estimation.cov import Robust, parse_cov
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.fit import fit_cells
from wagegap.estimation.groupings import Grouping
from wagegap.estimation.kernels.lstsq import fit_lstsq
from wagegap.estimation.roots import PlainRoot
from wagegap.estimation.sample import Sample
from wagegap.regression.link.cells import LinkCells, match_cells
from wagegap.regression.link.eiv import eiv_params, fit_eiv
from wagegap.regression.link.meta import META_TESTS, TAU2_METHODS, fit_meta
from wagegap.regression.link.ml import fit_ml, likelihood_ratio
from wagegap.regression.link.permutation import permute_slope
from wagegap.regression.link.problem import LinkProblem, delete_groups
from wagegap.regression.link.result import Link
from wagegap.regression.link.york import fit_york
from wagegap.regression.reliability import annihilator, reliability

__all__ = ["fit_link"]

_METHODS: tuple[LinkMethod, ...] = ("auto", "ols", "meta", "eiv", "ml", "york")
_WARN_BELOW, _REFUSE_BELOW = 0.9, 0.5


@dataclass(frozen=True, slots=True, eq=False)
class _Setup:
    """What every estimator needs: columns kept, error covariance, clusters and options."""

    cells: LinkCells
    x: FloatArray
    names: tuple[str, ...]
    shown: tuple[int, ...]
    estimated: tuple[int, ...]
    groups: AnyArray | None
    cov: str
    tau2: Tau2Method
    test: MetaTest

    @property
    def v_y(self) -> FloatArray:
        return np.nan_to_num(self.cells.block(0, 0))

    def problem(self) -> LinkProblem:
        """Arrays for the corrected estimators."""
        m = len(self.estimated)
        v_x = np.array([[self.cells.block(1 + i, 1 + j) for j in range(m)] for i in range(m)])
        v_xy = np.array([np.nan_to_num(self.cells.block(1 + i, 0)) for i in range(m)])
        return LinkProblem.build(
            self.cells.y, self.x, estimated=self.estimated, v_y=self.v_y, v_x=v_x, v_xy=v_xy, names=self.names
        )

    @property
    def others(self) -> FloatArray:
        """Columns other than the first premium."""
        return np.delete(self.x, self.estimated[0], axis=1)


@public
def fit_link(  # noqa: PLR0913
    formula: str,
    rates: Any,
    premiums: Any,
    *,
    data: pd.DataFrame | None = None,
    on: str | Sequence[str] | None = None,
    method: LinkMethod = "auto",
    tau2: Tau2Method = "REML",
    test: MetaTest = "knha",
    cov: str | None = None,
    cluster: str | None = None,
    force: bool = False,
    rng: RngLike = 0,
) -> Link:
    """Regress rates on premiums across cells, with the errors of both carried along.

    Parameters
    ----------
    formula : str
        `event ~ premium + controls | effects`: the outcome is a term of the rates, `premium` the estimated regressor.
    rates : Rates or Estimates
        The outcome, with its covariance.
    premiums : Premiums, Estimates, or dict of name -> these, or None
        Estimated regressors; None is a plain meta-regression.
    data : DataFrame, optional
        Covariates, a row for each cell.
    on : str or sequence of str, optional
        Keys to match; those shared where absent.
    method : {"auto", "ols", "meta", "eiv", "ml", "york"}
        Estimator.
    tau2 : str
        Estimator of the variance beyond sampling error, in a meta-regression.
    test : {"z", "t", "knha"}
        Reference distribution there.
    cov : str, optional
        Covariance of `ols`: HC3, or CR2 with a cluster, where absent.
    cluster : str, optional
        Cell key, or column of `data`, within whose values deviations may be correlated.
    force : bool
        Report a corrected interval however low the reliability.
    rng : Generator, int or None
        Source of random orders, where not all can be tried.

    Returns
    -------
    Link

    Raises
    ------
    ReliabilityError
        When less than half of the premiums' spread is more than sampling error and `force` is false.
    ColumnError, DataError, OptionError, FormulaError, CovarianceError, IdentificationError

    Examples
    --------
    >>> import wagegap as wg
    >>> net = wg.datasets.talent_migration("ai")
    >>> link = wg.fit_link("net_migration ~ premium", net, wg.datasets.published_premiums())
    >>> link.method, link.nobs
    ('ols', 6)
    """
    check_option("method", method, _METHODS)
    check_option("tau2", tau2, TAU2_METHODS)
    check_option("test", test, META_TESTS)
    cells = match_cells(formula, rates, premiums, data=data, on=on)
    setup = _setup(cells, data, cov, cluster, tau2, test)
    chosen = _chosen(method, cells)
    plain = _plain(setup, rng)
    if not cells.premiums or not all(cells.known(1 + i) for i in range(len(cells.premiums))):
        return plain if chosen == "ols" else _meta(setup, plain, None)
    share = _reliability(setup)
    if chosen in ("eiv", "ml", "york"):
        _check_reliability(share, setup, plain, force=force)
    plain = replace(plain, reliability=share)
    if chosen == "ols":
        return plain
    if chosen == "meta":
        return _meta(setup, plain, share)
    return {"eiv": _eiv, "ml": _ml, "york": _york}[chosen](setup, plain, share)


def _setup(
    cells: LinkCells, data: pd.DataFrame | None, cov: str | None, cluster: str | None, tau2: Tau2Method, test: MetaTest
) -> _Setup:
    """Columns that can be told apart, effects as dummies, clusters by cell."""
    design = cells.design
    dummies = [np.eye(int(codes.max()) + 1)[codes] for codes in design.effects]
    labels = [f"{name}[{j}]" for name, d in zip(design.effect_names, dummies, strict=True) for j in range(d.shape[1])]
    full = np.column_stack([design.x, *dummies])
    order = (
        [*range(design.x.shape[1], full.shape[1]), *range(design.x.shape[1])] if dummies else list(range(full.shape[1]))
    )
    fit = fit_lstsq(cells.y, full[:, order])
    kept = sorted(order[i] for i in np.flatnonzero(fit.kept))
    names = tuple([*design.names, *labels][j] for j in kept)
    estimated = tuple(names.index(name) for name in cells.premiums if name in names)
    if len(estimated) < len(cells.premiums):
        lost = [name for name in cells.premiums if name not in names]
        raise OptionError(f"{lost[0]!r} cannot be told apart from the controls and effects: leave some of them out.")
    shown = tuple(i for i, j in enumerate(kept) if j < design.x.shape[1])
    groups = None if cluster is None else _groups(cells, data, cluster)
    if cov is None:
        cov = "HC3" if cluster is None else f"CR2:{cluster}"
    return _Setup(cells, full[:, kept], names, shown, estimated, groups, cov, tau2, test)


def _groups(cells: LinkCells, data: pd.DataFrame | None, cluster: str) -> AnyArray:
    if cluster in cells.keys:
        return np.asarray(cells.keys[cluster])
    if data is None or cluster not in data:
        known = [*cells.keys.columns, *([] if data is None else data.columns)]
        raise no_column(cluster, known, "or key to cluster by")
    keys = list(cells.keys.columns)
    values = cells.keys.merge(data[[*keys, cluster]], on=keys, how="left")[cluster]
    if values.isna().any():
        raise CovarianceError(f"cluster {cluster!r} is missing in {int(values.isna().sum())} of {cells.n} cells.")
    return np.asarray(values)


def _chosen(method: LinkMethod, cells: LinkCells) -> LinkMethod:
    """Say what `auto` means, and refuse what the errors known do not allow."""
    known = [cells.known(1 + i) for i in range(len(cells.premiums))]
    if not cells.premiums:
        if method in ("eiv", "ml", "york"):
            raise OptionError(f"method={method!r} needs premiums; without them there are 'meta' and 'ols'.")
        return ("meta" if cells.known(0) else "ols") if method == "auto" else method
    if not all(known):
        if method in ("eiv", "ml", "york"):
            raise CovarianceError(
                f"method={method!r} needs the premiums' errors, which are unknown: unknown is not zero. method='ols' "
                "gives the naive slope with an exact permutation test."
            )
        return "ols" if method == "auto" else method
    if method != "auto":
        return method
    exact = all(not np.any(cells.block(1 + i, 1 + i)) for i in range(len(cells.premiums)))
    return "meta" if exact else "ml" if len(cells.premiums) == 1 else "eiv"


def _plain(setup: _Setup, rng: RngLike) -> Link:
    """Least squares, with the checks that go with every link."""
    cells = setup.cells
    estimates = _robust(setup, setup.x, cells.y, setup.cov)

    def slope(rows: AnyArray) -> float:
        return float(np.linalg.lstsq(setup.x[rows], cells.y[rows], rcond=None)[0][setup.estimated[0]])

    test = permute_slope(cells.y, setup.x[:, setup.estimated[0]], setup.others, rng=rng) if setup.estimated else None
    return Link(estimates, "ols", cells, None, None, None, _leave_one_out(setup, slope), test)


def _robust(setup: _Setup, x: FloatArray, y: FloatArray, cov: str) -> Estimates:
    """Coefficients of (possibly whitened) rows with a robust covariance."""
    parsed = parse_cov(cov)
    if not isinstance(parsed, Robust):
        raise OptionError(f"cov={cov!r} of a link must be a string such as 'HC3' or 'CR2:iso3'.")
    n = len(y)
    groupings: dict[str, Any] = {"row": Grouping.from_keys("row", "link", np.arange(n))}
    for name in parsed.clusters:
        if setup.groups is None:
            raise OptionError(f"cov={cov!r} names a cluster: say which with cluster={name!r}.")
        groupings[name] = Grouping.from_keys(name, "link", setup.groups)
    sample = Sample(
        y, x, setup.names, (), (), None, None, np.zeros(n, dtype=np.int32), ("",), groupings, "link",
    )  # fmt: skip
    fits = fit_cells(sample, list(setup.shown), cov=parsed, rule="stata")
    return _estimates(setup, fits.values[0], fits.root)


def _estimates(setup: _Setup, values: FloatArray, root: Any) -> Estimates:
    cells = setup.cells
    unit = cells.units[0]
    labels = pd.DataFrame({"term": [setup.names[j] for j in setup.shown], "unit": unit, "comparison": ""})
    notes = []
    if not cells.known(0):
        notes.append("Errors of the rates are unknown; the spread of the residuals holds them.")
    if cells.premiums and not cells.related:
        notes.append("Errors of rates and premiums come from different data and are taken as independent.")
    right = ", ".join(setup.names[j] for j in setup.shown if setup.names[j] != "Intercept")
    title = f"{cells.outcome} on {right}" if right else cells.outcome
    return Estimates(
        labels, values, (root,), (np.eye(len(values)),), title=title, ledger=cells.ledger, notes=tuple(notes)
    )


def _stated(setup: _Setup, params: FloatArray, cov: FloatArray, free: float, phrase: str) -> Estimates:
    at = list(setup.shown)
    return _estimates(setup, params[at], PlainRoot("link", cov[np.ix_(at, at)], free, phrase))


def _meta(setup: _Setup, plain: Link, share: float | None) -> Link:
    cells = setup.cells
    if not cells.known(0):
        raise CovarianceError("method='meta' needs the errors of the rates, which are unknown: use method='ols'.")
    fit = fit_meta(cells.y, setup.x, setup.v_y, tau2=setup.tau2, test=setup.test)
    phrase = f"tau2 by {setup.tau2}, {setup.test}"
    estimates = _stated(setup, fit.params, fit.cov, fit.df, phrase)
    if setup.groups is not None:
        root = np.linalg.cholesky(fit.weight).T
        estimates = _robust(setup, root @ setup.x, root @ cells.y, setup.cov)

    def slope(rows: AnyArray) -> float:
        grid = np.ix_(rows, rows)
        part = fit_meta(cells.y[rows], setup.x[rows], setup.v_y[grid], tau2=setup.tau2, test="z")
        return float(part.params[setup.estimated[0]])

    return replace(
        plain, estimates=estimates, method="meta", reliability=share, tau2=fit.tau2, tau2_interval=fit.tau2_interval,
        leave_one_out=_leave_one_out(setup, slope), plain=plain,
    )  # fmt: skip


def _eiv(setup: _Setup, plain: Link, share: float) -> Link:
    problem = setup.problem()
    fit = fit_eiv(problem, groups=setup.groups)
    free = problem.n - problem.k if setup.groups is None else len(np.unique(setup.groups)) - 1
    estimates = _stated(setup, fit.params, fit.cov, float(free), "sandwich of corrected scores")
    jackknife = fit.jackknife[setup.estimated[0]]
    estimates = replace(estimates, notes=(*estimates.notes, f"Jackknife error of the slope: {jackknife:.4g}."))
    return replace(
        plain, estimates=estimates, method="eiv", reliability=share, leave_one_out=_corrected_without(setup, problem),
        problem=problem, plain=plain,
    )  # fmt: skip


def _ml(setup: _Setup, plain: Link, share: float) -> Link:
    problem = setup.problem()
    fit = fit_ml(problem)
    estimates = _stated(setup, fit.params, fit.cov, fit.df, "curvature; interval of the premium from the profile")
    try:
        beside = _eiv(setup, plain, share)
    except WagegapError:
        beside = None
    p_value = float(stats.f.sf(likelihood_ratio(problem, 0.0, fit), 1, fit.df))
    return replace(
        plain, estimates=estimates, method="ml", reliability=share, tau2=fit.tau2, p_premium=p_value, problem=problem,
        leave_one_out=_corrected_without(setup, problem), beside=beside, plain=plain,
    )  # fmt: skip


def _york(setup: _Setup, plain: Link, share: float) -> Link:
    problem = setup.problem()
    if setup.x.shape[1] != 2 or not np.allclose(setup.others, 1.0):
        raise OptionError("method='york' takes one premium and a constant, no controls: use 'ml' or 'eiv'.")
    if not problem.rows_independent:
        raise CovarianceError("method='york' takes errors as independent across cells; here they are not: use 'ml'.")
    j = setup.estimated[0]
    fit = fit_york(setup.x[:, j], problem.y, np.diag(problem.v_x[0, 0]), np.diag(problem.v_y), np.diag(problem.v_xy[0]))
    params = np.empty(2)
    params[j], params[1 - j] = fit.slope, fit.intercept
    cov = fit.cov if j == 0 else fit.cov[::-1, ::-1]
    estimates = _stated(setup, params, cov, np.inf, "York 2004, no equation error")
    note = f"Deviations from the line: chi2({problem.n - 2}) = {fit.chi2:.2f}."
    estimates = replace(estimates, notes=(*estimates.notes, note))
    return replace(
        plain, estimates=estimates, method="york", reliability=share, problem=problem, plain=plain,
        leave_one_out=_corrected_without(setup, problem),
    )  # fmt: skip


def _reliability(setup: _Setup) -> float:
    """Of the first premium, given every other column."""
    return reliability(setup.x[:, setup.estimated[0]], setup.cells.block(1, 1), setup.others)


def _check_reliability(share: float, setup: _Setup, plain: Link, *, force: bool) -> None:
    if share >= _WARN_BELOW:
        return
    if share >= _REFUSE_BELOW or force:
        warn(
            f"reliability of the premiums is {share:.2f}: sampling error makes up {100 * (1 - share):.0f} % of their "
            "spread given the controls, and the correction rests on its covariance.",
            ReliabilityWarning,
        )
        return
    name = setup.cells.premiums[0]
    raise ReliabilityError(
        f"reliability of the premiums is {share:.2f}, below {_REFUSE_BELOW}: sampling error makes up "
        f"{100 * (1 - share):.0f} % of their spread given the controls, and a corrected interval would mean little. "
        f"Naive slope {plain.slope:.4g} (standard error {float(plain.bse[name]):.3g}, {setup.cells.n} cells). "
        f"{_workers_needed(share)} force=True reports it anyway; method='ols' gives the naive fit."
    )


def _workers_needed(share: float) -> str:
    """Factor on the workers of each cell at which half of the spread would be real."""
    if share <= 0:
        return "The premiums spread no more than their errors, so that no number of workers can be read off."
    factor = (1 - share) / share
    return f"With about {factor:.1f} times as many workers in each cell reliability would be one half."


def _leave_one_out(setup: _Setup, slope: Callable[[AnyArray], float]) -> pd.DataFrame:
    """Slope without each cell; NaN where the rest does not identify it."""
    if not setup.estimated:
        return pd.DataFrame({"cell": [], "slope": []})
    values = []
    for i in range(setup.cells.n):
        rows = np.delete(np.arange(setup.cells.n), i)
        values.append(slope(rows) if _identified(setup, rows) else np.nan)
    return pd.DataFrame({"cell": list(setup.cells.names), "slope": values})


def _identified(setup: _Setup, rows: AnyArray) -> bool:
    x = setup.x[rows]
    rest = annihilator(np.delete(x, setup.estimated[0], axis=1)) @ x[:, setup.estimated[0]]
    return len(rows) > x.shape[1] and bool(np.linalg.norm(rest) > 1e-9 * np.linalg.norm(x[:, setup.estimated[0]]))


def _corrected_without(setup: _Setup, problem: LinkProblem) -> pd.DataFrame:
    parts = delete_groups(problem, eiv_params)
    return pd.DataFrame({"cell": list(setup.cells.names), "slope": parts[:, setup.estimated[0]]})
