"""The estimators of the link as results: one function for each method, from a setup to a `Link`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from wagegap._typing import AnyArray, FloatArray
from wagegap.errors import CovarianceError, DataError, OptionError, WagegapError, listing
from wagegap.estimation.covariance.groupings import Grouping
from wagegap.estimation.covariance.options import Robust, parse_cov
from wagegap.estimation.estimates import Estimates, join
from wagegap.estimation.least_squares.fit import fit_cells
from wagegap.estimation.reliability import annihilator
from wagegap.estimation.result import Result
from wagegap.estimation.sample import Sample
from wagegap.regression.link.cells import LinkCells, estimates_of
from wagegap.regression.link.estimators.bounded import Family, quasi_likelihood
from wagegap.regression.link.estimators.eiv import eiv_params, fit_eiv
from wagegap.regression.link.estimators.instruments import anderson_rubin, fit_instruments
from wagegap.regression.link.estimators.meta import fit_meta
from wagegap.regression.link.estimators.ml import fit_ml, slopes_without
from wagegap.regression.link.estimators.simex import Naive, fit_simex, least_squares
from wagegap.regression.link.estimators.two_stage import (
    complete,
    draw_first_stage,
    fit_bootstrap,
    fit_split,
    split_pairs,
)
from wagegap.regression.link.estimators.york import fit_york
from wagegap.regression.link.problem import LinkProblem, delete_groups
from wagegap.regression.link.questions.permutation import permute_slope
from wagegap.regression.link.result import Link
from wagegap.regression.link.setup import Setup, plain_estimates, stated_estimates

__all__ = [
    "Stages",
    "bootstrap_link",
    "bounded_link",
    "corrected_without",
    "eiv_link",
    "iv_link",
    "meta_link",
    "ml_link",
    "plain_link",
    "simex_link",
    "split_link",
    "york_link",
]


@dataclass(frozen=True, slots=True, eq=False)
class Stages:
    """First stages and workers, for the methods that go back to them.

    Attributes
    ----------
    rates : object
        What was given as rates.
    premiums : object
        What was given as the one premium.
    workers : object
        Panel or data frame.
    draws : int
        Splits, or bootstrap draws.
    progress : bool
        Report on stderr.
    """

    rates: Any
    premiums: Any
    workers: Any
    draws: int
    progress: bool


def plain_link(setup: Setup) -> Link:
    """Least squares, with the checks that go with every link."""
    cells = setup.cells
    estimates = robust_estimates(setup, setup.x, cells.y, setup.cov)
    if not setup.estimated:
        return Link(estimates, "ols", cells, None, None, None, _no_deletions(), None)
    j = setup.estimated[0]
    test = permute_slope(cells.y, setup.x[:, j], setup.others, rng=setup.rng)
    without = _slopes(cells, least_squares_without(cells.y, setup.x, j))
    return Link(estimates, "ols", cells, None, None, None, without, test)


def robust_estimates(setup: Setup, x: FloatArray, y: FloatArray, cov: str) -> Estimates:
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
    return plain_estimates(setup, fits.values[0], fits.source)


def least_squares_without(y: FloatArray, x: FloatArray, j: int) -> FloatArray:
    """Coefficient j without each row, by downdating: b_(i) = b - (X'X)^-1 x_i e_i / (1 - h_i).

    >>> import numpy as np
    >>> x = np.column_stack([[0.0, 1.0, 2.0, 5.0], np.ones(4)])
    >>> least_squares_without(np.array([0.0, 1.0, 2.0, 9.0]), x, 0).round(6)[3] + 0.0
    np.float64(1.0)
    """
    q, r = np.linalg.qr(x)
    row = np.linalg.solve(r, q.T)[j]
    left = 1 - np.sum(q**2, axis=1)
    rest = y - q @ (q.T @ y)
    b = float(row @ y)
    # A row that alone identifies a column leaves nothing to identify it with.
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(left > 1e-10, b - row * rest / left, np.nan)


def meta_link(setup: Setup, plain: Link, share: float | None) -> Link:
    """Random-effects meta-regression."""
    cells = setup.cells
    if not cells.known(0):
        raise CovarianceError("method='meta' needs the errors of the rates, which are unknown: use method='ols'.")
    fit = fit_meta(cells.y, setup.x, setup.v_y, tau2=setup.tau2, test=setup.test)
    free = float(fit.df)
    estimates = stated_estimates(setup, fit.params, fit.cov, f"tau2 by {setup.tau2}, {setup.test}", free=free)
    if setup.groups is not None:
        root = np.linalg.cholesky(fit.weight).T
        estimates = robust_estimates(setup, root @ setup.x, root @ cells.y, setup.cov)

    def slope(rows: AnyArray) -> float:
        grid = np.ix_(rows, rows)
        part = fit_meta(cells.y[rows], setup.x[rows], setup.v_y[grid], tau2=setup.tau2, test="z")
        return float(part.params[setup.estimated[0]])

    return replace(
        plain, estimates=estimates, method="meta", reliability=share, tau2=fit.tau2, tau2_interval=fit.tau2_interval,
        leave_one_out=_refitted_without(setup, slope), plain=plain,
    )  # fmt: skip


def eiv_link(setup: Setup, plain: Link, share: float) -> Link:
    """Corrected moments."""
    problem = setup.problem()
    fit = fit_eiv(problem, groups=setup.groups)
    notes = (f"Jackknife error of the slope: {fit.jackknife[setup.estimated[0]]:.4g}.",)
    estimates = stated_estimates(setup, fit.params, fit.cov, "sandwich of corrected scores", notes=notes)
    return _corrected(setup, plain, share, estimates, "eiv", problem, corrected_without(setup, problem))


def ml_link(setup: Setup, plain: Link, share: float) -> Link:
    """Restricted maximum likelihood, with the corrected moments beside it."""
    problem = setup.problem()
    fit = fit_ml(problem)
    phrase = "curvature; interval of the premium from the restricted profile"
    notes: tuple[str, ...] = ()
    if setup.groups is not None:
        notes = ("Likelihood takes deviations as independent; the corrected moments allow for the clusters.",)
    estimates = stated_estimates(setup, fit.params, fit.cov, phrase, free=fit.df, notes=notes)
    try:
        beside = eiv_link(setup, plain, share)
    except WagegapError:
        beside = None
    slopes = slopes_without(problem)
    identified = np.isfinite(least_squares_without(problem.y, problem.x, setup.estimated[0]))
    link = _corrected(
        setup, plain, share, estimates, "ml", problem, _slopes(setup.cells, np.where(identified, slopes, np.nan))
    )
    return replace(link, tau2=fit.tau2, p_premium=fit.p_value, interval=fit.interval, beside=beside)


def york_link(setup: Setup, plain: Link, share: float) -> Link:
    """York's line."""
    problem = setup.problem()
    if setup.x.shape[1] != 2 or not np.allclose(setup.others, 1.0):
        raise OptionError("method='york' takes one premium and a constant, no controls: use 'ml' or 'eiv'.")
    if not problem.rows_independent:
        raise CovarianceError("method='york' takes errors as independent across cells; here they are not: use 'ml'.")
    j = setup.estimated[0]

    def line(part: LinkProblem) -> Any:
        v = np.diag(part.v_x[0, 0]), np.diag(part.v_y), np.diag(part.v_xy[0])
        return fit_york(part.x[:, j], part.y, *v)

    fit = line(problem)
    params = np.empty(2)
    params[j], params[1 - j] = fit.slope, fit.intercept
    cov = fit.cov if j == 0 else fit.cov[::-1, ::-1]
    note = f"Deviations from the line: chi2({problem.n - 2}) = {fit.chi2:.2f}."
    estimates = stated_estimates(setup, params, cov, "York 2004, no equation error", free=np.inf, notes=(note,))
    parts = delete_groups(problem, lambda part: np.array([line(part).slope]))
    return _corrected(setup, plain, share, estimates, "york", problem, _slopes(setup.cells, parts[:, 0]))


def simex_link(setup: Setup, plain: Link, share: float, draws: int) -> Link:
    """Simulation and extrapolation of least squares."""
    problem = setup.problem()
    return _extrapolated(setup, plain, share, problem, "simex", least_squares, draws)


def bounded_link(setup: Setup, plain: Link, share: float | None, family: Family, draws: int) -> Link:
    """Fractional logit or Poisson pseudo-likelihood, by simulation and extrapolation where errors are known."""
    y = setup.cells.y
    if family == "fractional" and not ((y >= 0) & (y <= 1)).all():
        raise DataError(
            f"method='fractional' takes shares between 0 and 1; {int(((y < 0) | (y > 1)).sum())} of {len(y)} rates are "
            f"outside (unit: {setup.cells.units[0]})."
        )
    if family == "poisson" and (y < 0).any():
        raise DataError(f"method='poisson' takes flows, never negative; {int((y < 0).sum())} of {len(y)} are.")
    known = all(setup.cells.known(1 + i) for i in range(len(setup.estimated)))
    problem = setup.problem() if known else LinkProblem.build(y, setup.x, estimated=setup.estimated, names=setup.names)
    naive = quasi_likelihood(family)
    link = _extrapolated(setup, plain, share, problem, family, naive, draws if known else 1)
    b, v = naive(y[None], setup.x[None])
    labels = plain.estimates.labels.assign(unit="none")
    own = replace(stated_estimates(setup, b[0], v[0], "sandwich"), labels=labels)
    naive_link = replace(plain, estimates=own, method=family)
    estimates = replace(link.estimates, labels=labels)
    if not known:
        return replace(naive_link, plain=naive_link)
    return replace(link, estimates=estimates, plain=naive_link)


def iv_link(setup: Setup, plain: Link, share: float | None, z: FloatArray) -> Link:
    """Two-stage least squares, with Anderson and Rubin's interval."""
    j, y = setup.estimated[0], setup.cells.y
    if len(setup.estimated) > 1:
        raise OptionError("method='iv' takes one premium: put further ones among the controls, or use 'eiv'.")
    fit = fit_instruments(y, setup.x, j, z, groups=setup.groups)
    weak = anderson_rubin(y, setup.x[:, j], setup.others, z)
    notes = (
        f"First stage: F = {fit.first_stage_f:.1f} for {z.shape[1]} instrument{'s' if z.shape[1] > 1 else ''}.",
        f"Anderson-Rubin 95 % interval of the slope: {weak}; p of zero {weak.p_value:.3f}.",
    )
    estimates = stated_estimates(setup, fit.params, fit.cov, "2SLS sandwich", notes=notes)

    def slope(rows: AnyArray) -> float:
        return float(fit_instruments(y[rows], setup.x[rows], j, z[rows]).params[j])

    return replace(
        plain, estimates=estimates, method="iv", reliability=share, leave_one_out=_refitted_without(setup, slope),
        plain=plain,
    )  # fmt: skip


def split_link(setup: Setup, plain: Link, share: float | None, stages: Stages) -> Link:
    """Split samples: one half's premium instruments the other's."""
    _check_stages(setup, stages, "split")
    cells, j = setup.cells, setup.estimated[0]
    pairs = split_pairs(
        stages.workers, stages.rates, stages.premiums, cells.outcome, cells.keys, splits=stages.draws, rng=setup.rng,
        progress=stages.progress,
    )  # fmt: skip
    there, note = complete(pairs, cells.names)
    if there.sum() <= setup.x.shape[1]:
        raise DataError(f"{int(there.sum())} cells have enough workers in both halves: too few to split.")
    kept = [(replace(a, y=a.y[there], p=a.p[there]), replace(b, y=b.y[there], p=b.p[there])) for a, b in pairs]
    fit = fit_split(setup.x[there], j, kept)
    notes = (note,) if note else ()
    estimates = stated_estimates(setup, fit.params, fit.cov, f"{fit.splits} random halvings, sandwich", notes=notes)
    out = np.full(cells.n, np.nan)
    for i in np.flatnonzero(there):
        rows = there.copy()
        rows[i] = False
        part = [(replace(a, y=a.y[rows], p=a.p[rows]), replace(b, y=b.y[rows], p=b.p[rows])) for a, b in pairs]
        out[i] = fit_split(setup.x[rows], j, part).params[j]
    return replace(
        plain, estimates=estimates, method="split", reliability=share, leave_one_out=_slopes(cells, out), plain=plain
    )


def bootstrap_link(setup: Setup, plain: Link, share: float, stages: Stages) -> Link:
    """Two-stage bootstrap: workers within countries give the errors, countries the distribution of the slope."""
    generator = np.random.default_rng(setup.rng)
    cells = setup.cells
    rates, premiums = (_with_units(part, stages.workers) for part in (stages.rates, stages.premiums))
    rows = [_positions(rates.select(term=cells.outcome), cells.keys), _positions(premiums, cells.keys)]
    parts = [rates.select(term=cells.outcome).select(rows[0]), premiums.select(rows[1])]
    own = [p.map(np.eye(len(p.values)), labels=p.labels.assign(term=str(i))) for i, p in enumerate(parts)]
    joined = join(own[0], own[1], independent=True)
    deviations = draw_first_stage(joined, stages.draws, generator, progress=stages.progress)
    v, n = np.cov(deviations, rowvar=False), cells.n
    same = np.eye(n) > 0
    problem = LinkProblem.build(
        cells.y, setup.x, estimated=setup.estimated, v_y=np.where(same, v[:n, :n], 0), v_x=np.where(same, v[n:, n:], 0),
        v_xy=np.where(same, v[n:, :n], 0), names=setup.names,
    )  # fmt: skip
    fit = fit_bootstrap(problem, stages.draws, generator)
    lost = int((~np.isfinite(fit.slopes)).sum())
    phrase = f"{stages.draws:,} two-stage bootstrap draws; interval by percentiles"
    notes = (f"In {lost} draws of countries no corrected slope exists.",) if lost else ()
    estimates = stated_estimates(setup, fit.params, fit.cov, phrase, notes=notes)
    link = _corrected(setup, plain, share, estimates, "bootstrap", problem, corrected_without(setup, problem))
    return replace(link, interval=fit.interval(), slopes=fit.slopes)


def corrected_without(setup: Setup, problem: LinkProblem) -> pd.DataFrame:
    """Corrected moments without each cell."""
    return _slopes(setup.cells, delete_groups(problem, eiv_params)[:, setup.estimated[0]])


def _corrected(
    setup: Setup, plain: Link, share: float | None, estimates: Estimates, method: str, problem: LinkProblem,
    without: pd.DataFrame,
) -> Link:  # fmt: skip
    return replace(
        plain,
        estimates=estimates,
        method=method,
        reliability=share,
        problem=problem,
        plain=plain,
        leave_one_out=without,
    )


def _extrapolated(
    setup: Setup, plain: Link, share: float | None, problem: LinkProblem, method: str, naive: Naive, draws: int
) -> Link:
    fit = fit_simex(problem, naive, draws=draws, rng=setup.rng)
    phrase = f"{draws:,} draws of errors at each of {len(fit.scales) - 1} sizes, quadratic"
    estimates = stated_estimates(setup, fit.params, fit.cov, phrase)
    few = max(min(draws, 200), 1)

    def slope(rows: AnyArray) -> float:
        return float(fit_simex(problem.take(rows), naive, draws=few, rng=setup.rng).params[setup.estimated[0]])

    return _corrected(setup, plain, share, estimates, method, problem, _refitted_without(setup, slope))


def _slopes(cells: LinkCells, values: FloatArray) -> pd.DataFrame:
    return pd.DataFrame({"cell": list(cells.names), "slope": values})


def _no_deletions() -> pd.DataFrame:
    return pd.DataFrame({"cell": [], "slope": []})


def _refitted_without(setup: Setup, slope: Callable[[AnyArray], float]) -> pd.DataFrame:
    """Slope without each cell; NaN where the rest does not identify it."""
    if not setup.estimated:
        return _no_deletions()
    values = []
    for i in range(setup.cells.n):
        rows = np.delete(np.arange(setup.cells.n), i)
        try:
            values.append(slope(rows) if _identified(setup, rows) else np.nan)
        except (WagegapError, np.linalg.LinAlgError):
            values.append(np.nan)
    return _slopes(setup.cells, np.array(values))


def _identified(setup: Setup, rows: AnyArray) -> bool:
    x = setup.x[rows]
    rest = annihilator(np.delete(x, setup.estimated[0], axis=1)) @ x[:, setup.estimated[0]]
    return len(rows) > x.shape[1] and bool(np.linalg.norm(rest) > 1e-9 * np.linalg.norm(x[:, setup.estimated[0]]))


def _check_stages(setup: Setup, stages: Stages, method: str) -> None:
    if len(setup.estimated) != 1:
        raise OptionError(f"method={method!r} takes one premium, not {len(setup.estimated)}.")
    if stages.workers is None:
        raise OptionError(f"method={method!r} needs the workers again: pass workers=panel.")


def _with_units(result: Any, workers: Any) -> Estimates:
    """Estimates with their sampling units; fitted again where they were not kept."""
    estimates = result.estimates if isinstance(result, Result) else result
    if workers is not None and isinstance(result, Result) and estimates.spec is not None:
        kept = dict(estimates.spec.arguments)
        if kept.get("keep_units") is False or kept.get("compress"):
            changes: dict[str, Any] = {
                name: value for name, value in (("keep_units", True), ("compress", False)) if name in kept
            }
            again: Estimates = result.refit(workers, **changes).estimates
            return again
    return estimates if isinstance(estimates, Estimates) else estimates_of(estimates, "first stage")


def _positions(estimates: Estimates, keys: pd.DataFrame) -> AnyArray:
    """Where each cell stands among the estimates."""
    names = list(keys.columns)
    at = keys.merge(estimates.labels[names].assign(_at=np.arange(len(estimates.values))), on=names, how="left")["_at"]
    if at.isna().any():
        missing = keys[at.isna().to_numpy()].astype(str).agg(" ".join, axis=1)
        raise DataError(f"no estimate for {listing(missing)}.")
    return at.to_numpy(dtype=int)
