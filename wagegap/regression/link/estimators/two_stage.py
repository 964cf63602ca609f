"""Estimators that go back to the workers: split samples, and a bootstrap of both stages.

**Split samples.** Workers are halved at random, and every premium and rate is estimated on each half. The halves'
errors are unrelated, so one half's premium is an instrument for the other's:

    b = sum (p_A'M y_B + p_B'M y_A) / sum (p_A'M p_B + p_B'M p_A),

M the annihilator of the controls, the sums over repeated splits. No error covariance is needed, and the rate of the
half that the instrument does not come from is used, so that related errors of premiums and rates do no harm.

**Bootstrap.** Workers are resampled within countries, through the scores that the first stages keep (a step of Newton's
method from the estimates; of a cell with n workers it leaves out terms of order 1/n), which gives the joint covariance
of premiums and rates. Then countries are resampled, and the slope is corrected with that covariance in each draw. The
interval is of percentiles, which lie as far out as a t interval with n - k degrees of freedom asks for.

References
----------
Angrist, J. D. and A. B. Krueger (1995). Split-sample instrumental variables estimates of the return to schooling.
Journal of Business & Economic Statistics 13, 225-235.
Hesterberg, T. (2015). What teachers should know about the bootstrap. The American Statistician 69, 371-386.
Kline, P. and A. Santos (2012). A score based approach to wild bootstrap inference. Journal of Econometric Methods 1,
23-41.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse, stats

from wagegap._progress import track
from wagegap._typing import AnyArray, BoolArray, FloatArray, IntArray, RngLike
from wagegap.errors import CovarianceError, DataError, IdentificationError, OptionError, listing
from wagegap.estimation.covariance.groupings import Grouping
from wagegap.estimation.covariance.sources import ScoreSource
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.result import Result
from wagegap.panel.panel import Panel, as_panel
from wagegap.regression.link.problem import LinkProblem

__all__ = [
    "BootstrapFit",
    "Half",
    "SplitFit",
    "aligned",
    "complete",
    "draw_first_stage",
    "expanded_percentiles",
    "fit_bootstrap",
    "fit_split",
    "halves",
    "refit_half",
    "split_pairs",
]

_GROUPS, _GROUPS_OF_A_CELL = 400, 100
"""Random groups of workers that are resampled as one: at least so many a stratum, and for each cell in it."""


@dataclass(frozen=True, slots=True, eq=False)
class SplitFit:
    """A split-sample fit.

    Attributes
    ----------
    params : ndarray, shape (k,)
        Coefficients.
    cov : ndarray, shape (k, k)
        Sandwich, n / (n - k).
    splits : int
        Random halvings.
    """

    params: FloatArray
    cov: FloatArray
    splits: int


@dataclass(frozen=True, slots=True, eq=False)
class Half:
    """Estimates of one half of the workers, in the order of the link's cells.

    Attributes
    ----------
    y, p : ndarray, shape (n,)
        Rates and premiums; NaN where the half has none.
    """

    y: FloatArray
    p: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class BootstrapFit:
    """A two-stage bootstrap.

    Attributes
    ----------
    params : ndarray, shape (k,)
        Slope and others, corrected with the bootstrap's covariance.
    cov : ndarray, shape (k, k)
        Covariance of the draws within their central 98 %.
    slopes : ndarray, shape (R,)
        Slopes of the draws; infinite where a draw has no corrected slope.
    free : int
        n - k.
    """

    params: FloatArray
    cov: FloatArray
    slopes: FloatArray

    free: int

    def interval(self, alpha: float = 0.05) -> tuple[float, float]:
        """Percentile interval, expanded for few countries."""
        return expanded_percentiles(self.slopes, len(self.params) + self.free, self.free, alpha)


# split samples -----------------------------------------------------------------------------------------------------


def halves(workers: Any, rng: np.random.Generator) -> tuple[Panel, Panel]:
    """Halve a panel at random, by its first cluster, else by worker, else by row."""
    panel = as_panel(workers)
    unit = panel.roles.cluster[0] if panel.roles.cluster else panel.roles.worker
    keys = [name for name in (panel.roles.country, unit) if name is not None]
    if unit is None:
        codes: AnyArray = np.arange(len(panel))
    else:
        keys = [unit] if panel.roles.worker_scope == "global" and unit == panel.roles.worker else keys
        codes = panel.frame.groupby(keys, sort=False, observed=True, dropna=False).ngroup().to_numpy()
    first = _halved(codes, rng)
    return panel.filter(first, reason="other half"), panel.filter(~first, reason="other half")


def refit_half(result: Any, half: Panel) -> Estimates:
    """Fit a first stage to one half; the least sizes of cells are halved too."""
    if not isinstance(result, Result) or result.estimates.spec is None:
        raise OptionError(
            "split samples need results that can be fitted again (fit_premiums, fit_rates), not published figures."
        )
    arguments = dict(result.estimates.spec.arguments)
    smaller: dict[str, Any] = {
        name: max(1, int(value) // 2) for name, value in arguments.items() if name.startswith("min_")
    }
    refitted: Estimates = result.refit(half, **smaller).estimates
    return refitted


def fit_split(x: FloatArray, estimated: int, pairs: Sequence[tuple[Half, Half]]) -> SplitFit:
    """Fit by split samples.

    Parameters
    ----------
    x : ndarray, shape (n, k)
        Regressors; the premium's column is replaced by the halves'.
    estimated : int
        Position of the premium.
    pairs : sequence of pairs of Half
        Random halvings.

    Raises
    ------
    IdentificationError
        When the halves' premiums are unrelated.

    Examples
    --------
    >>> import numpy as np
    >>> p = np.array([0.0, 1.0, 2.0, 4.0])
    >>> half = Half(3 * p + 1, p)
    >>> fit_split(np.column_stack([p, np.ones(4)]), 0, [(half, half)]).params.round(10)
    array([3., 1.])
    """
    n, k = x.shape
    moments, right = np.zeros((k, k)), np.zeros(k)
    directions = [both for a, b in pairs for both in ((a, b), (b, a))]
    designs = [
        (_with_column(x, estimated, z.p), _with_column(x, estimated, other.p), other.y) for z, other in directions
    ]
    for w, own, y in designs:
        moments += w.T @ own / len(designs)
        right += w.T @ y / len(designs)
    others = np.delete(np.arange(k), estimated)
    strength = (
        moments[estimated, estimated]
        - moments[estimated, others]
        @ np.linalg.lstsq(moments[np.ix_(others, others)], moments[others, estimated], rcond=None)[0]
    )
    if strength <= 0:
        raise IdentificationError(
            "premiums of one half of the workers say nothing of those of the other: their spread is all sampling error."
        )
    bread = np.linalg.inv(moments)
    params = bread @ right
    scores = np.sum([w * (y - own @ params)[:, None] for w, own, y in designs], axis=0) / len(designs)
    return SplitFit(params, n / (n - k) * bread @ (scores.T @ scores) @ bread.T, len(pairs))


# bootstrap -----------------------------------------------------------------------------------------------------------


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
        starts = np.concatenate([[0], np.flatnonzero(np.diff(stratum)) + 1, [len(stratum)]])
        for c in track(range(len(starts) - 1), "strata resampled", progress):
            rows = slice(int(starts[c]), int(starts[c + 1]))
            out += _resampled(sums[rows], reps, rng) @ matrix.T
    return out


def fit_bootstrap(problem: LinkProblem, reps: int, rng: np.random.Generator) -> BootstrapFit:
    """Resample countries and correct the slope in every draw.

    Parameters
    ----------
    problem : LinkProblem
        Data, with the covariance that the first stage's bootstrap gave.
    reps : int
        Draws.
    rng : Generator
        Source of randomness.

    Raises
    ------
    IdentificationError
        When hardly any draw identifies the slope.
    """
    n, k = problem.x.shape
    at = np.array(problem.estimated, dtype=np.intp)
    noise_x = np.einsum("jlaa->ajl", problem.v_x)
    noise_y = np.einsum("jaa->aj", problem.v_xy)
    counts = rng.multinomial(n, np.full(n, 1 / n), size=reps + 1).astype(float)
    counts[0] = 1.0
    moments = np.einsum("rn,nj,nk->rjk", counts, problem.x, problem.x)
    right = np.einsum("rn,nj,n->rj", counts, problem.x, problem.y)
    own = np.einsum("rjk,nj,nk->rn", _inverses(moments, at), np.delete(problem.x, at, 1), np.delete(problem.x, at, 1))
    share = counts * np.maximum(1 - own, 0.0)
    grid = np.ix_(np.arange(reps + 1), at, at)
    moments[grid] -= np.einsum("rn,njl->rjl", share, noise_x)
    right[:, at] -= share @ noise_y
    exists = _positive(moments, at)
    if exists.mean() < 0.5 or not exists[0]:
        raise IdentificationError(
            f"in {int((~exists).sum())} of {reps} draws the premiums vary no more than their errors: no interval is "
            "given."
        )
    params = np.full((reps + 1, k), np.inf)
    params[exists] = np.linalg.solve(moments[exists], right[exists][..., None])[..., 0]
    slopes = params[1:, at[0]]
    low, high = np.quantile(slopes, [0.01, 0.99], method="inverted_cdf")
    central = params[1:][(slopes >= low) & (slopes <= high) & np.isfinite(slopes)]
    return BootstrapFit(params[0], np.cov(central, rowvar=False).reshape(k, k), slopes, n - k)


def expanded_percentiles(slopes: FloatArray, n: int, free: int, alpha: float = 0.05) -> tuple[float, float]:
    """Percentiles that lie as far out as a t interval would, at tails Phi(-(n / free)^(1/2) t).

    >>> import numpy as np
    >>> low, high = expanded_percentiles(np.random.default_rng(0).standard_normal(200_000), 20, 18)
    >>> round(high, 1)
    2.2
    """
    tail = float(stats.norm.sf(np.sqrt(n / free) * stats.t.isf(alpha / 2, free)))
    low, high = np.quantile(slopes, [tail, 1 - tail], method="inverted_cdf")
    return float(low), float(high)


def _halved(codes: AnyArray, rng: np.random.Generator) -> BoolArray:
    n_units = int(codes.max()) + 1
    if n_units < 2:
        raise DataError("there is one sampling unit: it cannot be halved.")
    chosen = np.zeros(n_units, dtype=bool)
    chosen[rng.permutation(n_units)[: n_units // 2]] = True
    return np.asarray(chosen[codes])


def _with_column(x: FloatArray, j: int, values: FloatArray) -> FloatArray:
    out = x.copy()
    out[:, j] = values
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
    n_units = group.n_groups
    block_of = np.full(n_units, -1, dtype=np.intp)
    links = sparse.coo_array(
        (np.ones(len(group.codes)), (group.codes, source.row_block)), shape=(n_units, len(source.blocks))
    ).tocsr()
    _, component = sparse.csgraph.connected_components(links.T @ links, directed=False)
    most = np.maximum(_GROUPS, _GROUPS_OF_A_CELL * np.bincount(component))
    block_of[group.codes] = component[source.row_block]
    codes = np.empty(n_units, dtype=np.intp)
    order = np.argsort(block_of, kind="stable")
    base, stratum = 0, []
    for rows in np.split(order, np.flatnonzero(np.diff(block_of[order])) + 1):
        m = min(len(rows), int(most[block_of[rows[0]]]))
        codes[rows[rng.permutation(len(rows))]] = base + np.arange(len(rows)) % m
        stratum += [int(block_of[rows[0]])] * m
        base += m
    pick = sparse.csr_array(
        (np.ones(len(group.codes)), (codes[group.codes], np.arange(len(group.codes)))), shape=(base, len(group.codes))
    )
    return np.asarray((pick @ source.scores).todense()), np.array(stratum)


def _resampled(sums: FloatArray, reps: int, rng: np.random.Generator) -> FloatArray:
    """Deviations over resamples of groups, with the factor m / (m - 1) of a variance."""
    m = len(sums)
    used = np.flatnonzero(np.any(sums != 0, axis=0))
    out = np.zeros((reps, sums.shape[1]))
    counts = rng.multinomial(m, np.full(m, 1 / m), size=reps)
    centred = sums[:, used] - sums[:, used].mean(axis=0)
    out[:, used] = counts @ centred * np.sqrt(m / max(m - 1, 1))
    return out


def _inverses(moments: FloatArray, at: IntArray) -> FloatArray:
    """Inverse of the moments of the exact columns in every draw; a column that a draw lacks counts for none."""
    rest = np.delete(np.delete(moments, at, axis=1), at, axis=2)
    return np.asarray(np.linalg.pinv(rest, hermitian=True))


def _positive(moments: FloatArray, at: IntArray) -> BoolArray:
    """Draws in which the corrected moments of the premiums, given the exact columns, are positive definite."""
    exact = np.setdiff1d(np.arange(moments.shape[1]), at)
    grid = np.arange(len(moments))
    cross = moments[np.ix_(grid, at, exact)]
    inverse = _inverses(moments, at)
    left = moments[np.ix_(grid, at, at)] - cross @ inverse @ np.swapaxes(cross, 1, 2)
    full = np.linalg.matrix_rank(moments[np.ix_(grid, exact, exact)], hermitian=True) == len(exact)
    return np.asarray((np.linalg.eigvalsh(left)[:, 0] > 0) & full)


def aligned(estimates: Estimates, keys: pd.DataFrame) -> FloatArray:
    """Values in the order of the cells; NaN where there is none."""
    own = estimates.labels[list(keys.columns)].assign(_value=estimates.values)
    return keys.merge(own, on=list(keys.columns), how="left")["_value"].to_numpy(dtype=float)


def split_pairs(
    workers: Any, rates: Any, premiums: Any, outcome: str, keys: pd.DataFrame, *, splits: int, rng: RngLike,
    progress: bool = False,
) -> list[tuple[Half, Half]]:  # fmt: skip
    """Estimates of both halves of several random halvings, in the order of the cells."""
    generator = np.random.default_rng(rng)
    pairs = []
    for _ in track(range(splits), "splits of the workers", progress):
        both = []
        for half in halves(workers, generator):
            y = aligned(refit_half(rates, half).select(term=outcome), keys)
            both.append(Half(y, aligned(refit_half(premiums, half), keys)))
        pairs.append((both[0], both[1]))
    return pairs


def complete(pairs: Sequence[tuple[Half, Half]], names: Sequence[str]) -> tuple[BoolArray, str]:
    """Cells that every half has, and a note of those that some half lacks."""
    there = np.all([np.isfinite(half.y) & np.isfinite(half.p) for pair in pairs for half in pair], axis=0)
    lost = [name for name, ok in zip(names, there, strict=True) if not ok]
    return np.asarray(there), f"Too few workers in a half, left out: {listing(lost)}." if lost else ""
