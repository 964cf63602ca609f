"""Going back to the workers: estimates of random halves of them, and resamples of them within countries.

Workers are resampled within countries through the scores that the first stages keep (a step of Newton's method from the
estimates; of a cell with n workers it leaves out terms of order 1/n), which gives the joint covariance of premiums and
rates.

References
----------
Kline, P. and A. Santos (2012). A score based approach to wild bootstrap inference. Journal of Econometric Methods 1,
23-41.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from scipy import sparse

from wagegap._progress import track
from wagegap._typing import AnyArray, FloatArray, IntArray
from wagegap.errors import CovarianceError, DataError, OptionError, listing
from wagegap.estimation.covariance.groupings import Grouping
from wagegap.estimation.covariance.sources import ScoreSource
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.result import Result
from wagegap.panel.panel import Panel, as_panel
from wagegap.regression.link.cells import LinkCells, estimates_of, joined, positions
from wagegap.regression.link.problem import LinkProblem

__all__ = ["draw_first_stage", "resampled", "split_halves"]

_GROUPS, _GROUPS_OF_A_CELL = 400, 100
"""Random groups of workers that are resampled as one: at least so many a stratum, and for each cell in it."""


def split_halves(
    cells: LinkCells, rates: Any, premiums: Any, workers: Any, *, splits: int, rng: np.random.Generator, progress: bool
) -> FloatArray:
    """Rates and premiums of both halves of several random halvings, shape (splits, 2, 2, n)."""
    every = track(range(splits), "splits of the workers", progress)
    return np.array([[_half(cells, rates, premiums, half) for half in _halves(workers, rng)] for _ in every])


def _half(cells: LinkCells, rates: Any, premiums: Any, workers: Panel) -> list[FloatArray]:
    """Rates and premiums of half of the workers, in the order of the cells; NaN where there is none."""
    parts = _refit(rates, workers).select(term=cells.outcome), _refit(premiums, workers)
    at = [positions(cells.keys, part.labels) for part in parts]
    return [np.where(i >= 0, part.values[i], np.nan) for part, i in zip(parts, at, strict=True)]


def _halves(workers: Any, rng: np.random.Generator) -> tuple[Panel, Panel]:
    """Halve a panel at random, by its first cluster, else by worker, else by row."""
    panel = as_panel(workers)
    unit = panel.roles.cluster[0] if panel.roles.cluster else panel.roles.worker
    codes: AnyArray = np.arange(len(panel))
    if unit is not None:
        everywhere = panel.roles.worker_scope == "global" and unit == panel.roles.worker
        keys = [name for name in (None if everywhere else panel.roles.country, unit) if name is not None]
        codes = panel.frame.groupby(keys, sort=False, observed=True, dropna=False).ngroup().to_numpy()
    n_units = int(codes.max()) + 1
    if n_units < 2:
        raise DataError("there is one sampling unit: it cannot be halved.")
    first = np.isin(codes, rng.permutation(n_units)[: n_units // 2])
    return panel.filter(first, reason="other half"), panel.filter(~first, reason="other half")


def _refit(result: Any, half: Panel) -> Estimates:
    """Fit a first stage to one half; the least sizes of cells are halved too."""
    if not isinstance(result, Result) or result.estimates.spec is None:
        raise OptionError(
            "split samples need results that can be fitted again (fit_premiums, fit_rates), not published figures."
        )
    given = result.estimates.spec.arguments
    smaller: dict[str, Any] = {name: max(1, int(value) // 2) for name, value in given if name.startswith("min_")}
    return estimates_of(result.refit(half, **smaller), "half of the workers")


def resampled(
    cells: LinkCells, problem: LinkProblem, rates: Any, premiums: Any, workers: Any, *, draws: int,
    rng: np.random.Generator, progress: bool,
) -> LinkProblem:  # fmt: skip
    """Return the problem with the error covariance of workers resampled within their cells."""
    parts = _with_units(rates, workers).select(term=cells.outcome), _with_units(premiums, workers)
    at = [positions(cells.keys, part.labels) for part in parts]
    lost = [name for name, i, j in zip(cells.names, *at, strict=True) if min(i, j) < 0]
    if lost:
        raise DataError(f"no estimate for {listing(lost)}.")
    first_stage = joined([part.select(i) for part, i in zip(parts, at, strict=True)])[0]
    n, v = cells.n, np.cov(draw_first_stage(first_stage, draws, rng, progress=progress), rowvar=False)
    v_y, v_x, v_xy = (np.diag(np.diag(block)) for block in (v[:n, :n], v[n:, n:], v[n:, :n]))
    return replace(problem, v_y=v_y, v_x=v_x[None, None], v_xy=v_xy[None]).checked()


def _with_units(result: Any, workers: Any) -> Estimates:
    """Estimates with their sampling units; fitted again where they were not kept."""
    estimates = estimates_of(result, "first stage")
    if workers is None or not isinstance(result, Result) or estimates.spec is None:
        return estimates
    kept = dict(estimates.spec.arguments)
    if kept.get("keep_units") is not False and not kept.get("compress"):
        return estimates
    changes: dict[str, Any] = {name: name == "keep_units" for name in ("keep_units", "compress") if name in kept}
    return estimates_of(result.refit(workers, **changes), "first stage")


def draw_first_stage(joined: Estimates, reps: int, rng: np.random.Generator, *, progress: bool = False) -> FloatArray:
    """Deviations of premiums and rates over resamples of the workers, shape (reps, parameters).

    Parameters
    ----------
    joined : Estimates
        Rates and premiums, joined, with their scores.
    reps : int
        Resamples.
    rng : Generator
        Source of randomness.
    progress : bool
        Report on stderr.
    """
    out = np.zeros((reps, len(joined.values)))
    for source, matrix in zip(joined.sources, joined.maps, strict=True):
        if not isinstance(source, ScoreSource):
            out += source.draws(rng, reps) @ matrix.T
            continue
        sums, stratum = _grouped_scores(source, rng)
        strata = np.split(sums, np.flatnonzero(np.diff(stratum)) + 1)
        for part in track(strata, "strata resampled", progress):
            out += _resampled(part, reps, rng) @ matrix.T
    return out


def _grouped_scores(source: ScoreSource, rng: np.random.Generator) -> tuple[FloatArray, IntArray]:
    """Scores summed by sampling unit, then by random group of units of a stratum; sorted by stratum.

    A stratum is a set of cells that share units: countries, where a worker stands in several of their periods.
    """
    names = [name for name in source.groupings if name != "row" and isinstance(source.groupings[name], Grouping)]
    clusters = getattr(source.cov, "clusters", ())
    name = clusters[0] if clusters else "row" if "row" in source.groupings else (names[0] if names else "")
    group = source.groupings.get(name)
    if not isinstance(group, Grouping):
        raise CovarianceError("the first stage kept no sampling units: fit it with keep_units=True, or give workers=.")
    n_rows, n_units = len(group.codes), group.n_groups
    links = sparse.coo_array(
        (np.ones(n_rows), (group.codes, source.row_block)), shape=(n_units, len(source.blocks))
    ).tocsr()
    component = sparse.csgraph.connected_components(links.T @ links, directed=False)[1]
    most = np.maximum(_GROUPS, _GROUPS_OF_A_CELL * np.bincount(component))
    block_of = np.full(n_units, -1, dtype=np.intp)
    block_of[group.codes] = component[source.row_block]
    codes, stratum = np.empty(n_units, dtype=np.intp), []
    order = np.argsort(block_of, kind="stable")
    for units in np.split(order, np.flatnonzero(np.diff(block_of[order])) + 1):
        block = int(block_of[units[0]])
        m = min(len(units), int(most[block]))
        codes[units[rng.permutation(len(units))]] = len(stratum) + np.arange(len(units)) % m
        stratum += [block] * m
    pick = sparse.csr_array((np.ones(n_rows), (codes[group.codes], np.arange(n_rows))), shape=(len(stratum), n_rows))
    return np.asarray((pick @ source.scores).todense()), np.array(stratum)


def _resampled(sums: FloatArray, reps: int, rng: np.random.Generator) -> FloatArray:
    """Deviations over resamples of groups, with the factor m / (m - 1) of a variance."""
    m, used = len(sums), np.flatnonzero(np.any(sums != 0, axis=0))
    counts = rng.multinomial(m, np.full(m, 1 / m), size=reps)
    out = np.zeros((reps, sums.shape[1]))
    out[:, used] = counts @ (sums[:, used] - sums[:, used].mean(axis=0)) * np.sqrt(m / max(m - 1, 1))
    return out
