"""Replicates: refit with other weights, and keep the scaled deviations.

Replicate weights that a survey supplies (BRR, Fay, JK1, JK2, JKn, bootstrap), or resamples drawn here, of rows or of
clusters, by multinomial counts or exponential weights. An estimator refits with the weights of one replicate after the
other, or takes the cross-products under all of them at once; the numbers are the same. A replicate of one country says
nothing of the replicate of the same number in another, so deviations are keyed by scope and number.

References
----------
Wolter, K. (2007). Introduction to Variance Estimation, 2nd ed. Springer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from wagegap._typing import CodeArray, FloatArray, IntArray
from wagegap.errors import CovarianceError, listing
from wagegap.estimation.covariance.options import Bootstrap
from wagegap.estimation.covariance.resampling import (
    GivenWeights,
    Multipliers,
    draw_resamples,
    map_in_order,
    replicate_moments,
    report_progress,
)
from wagegap.estimation.covariance.sources import ReplicateSource

__all__ = ["ReplicateWeights", "bootstrap_weights", "given_weights", "replicate_source", "source_of_values"]


@dataclass(frozen=True, slots=True, eq=False)
class ReplicateWeights:
    """Weights of every replicate for the rows of a sample.

    Attributes
    ----------
    multipliers : Multipliers
        Resamples of the units, or weights given for the rows.
    units : ndarray of int, shape (n,), optional
        Unit of each row; row i is unit i where absent.
    base : ndarray, shape (n,), optional
        Weights that are multiplied; one where absent.
    scale : ndarray, shape (R,)
        Factor of each squared deviation.
    kind : str
        How they were made.
    design : str
        Identity of the design; deviations of one design are related.
    workers : int
        Threads; the numbers do not depend on them.
    progress : bool
        Whether to say on stderr how far it is.
    """

    multipliers: Multipliers
    units: CodeArray | None
    base: FloatArray | None
    scale: FloatArray
    kind: str
    design: str
    workers: int = 1
    progress: bool = False

    def __len__(self) -> int:
        return self.multipliers.reps

    def __iter__(self) -> Iterator[FloatArray]:
        return (self.draw(i) for i in range(len(self)))

    def draw(self, i: int) -> FloatArray:
        """Weights of replicate number i, shape (n,)."""
        drawn = self.multipliers.replicate(i)
        own = drawn if self.units is None else drawn[self.units]
        return own if self.base is None else self.base * own

    def moments(self, z: FloatArray, cells: CodeArray | None = None) -> FloatArray:
        """Cross-products of columns, shape (n, p), under all replicates; see `replicate_moments`."""
        return replicate_moments(
            z, self.multipliers, units=self.units, weights=self.base, cells=cells, workers=self.workers,
            progress=self.progress,
        )  # fmt: skip


def bootstrap_weights(
    bootstrap: Bootstrap,
    units: CodeArray,
    rows: IntArray | CodeArray,
    weights: FloatArray | None,
    design: str,
    *,
    strata: CodeArray | None = None,
) -> ReplicateWeights:
    """Weights of resampled units.

    Parameters
    ----------
    bootstrap : Bootstrap
        Kind, number and generator.
    units : ndarray of int, shape (N,)
        Unit of every row of the panel, so that two stages of one panel draw the same units.
    rows : ndarray of int, shape (n,)
        Rows of the panel in the sample.
    weights : ndarray, shape (n,), optional
        Weights of the fit.
    design : str
        Name of the panel.
    strata : ndarray of int, shape (N,), optional
        Stratum, or sample, of every row of the panel; each is resampled by itself.

    Raises
    ------
    CovarianceError
        When rows of one unit are in several strata.
    """
    n_units = int(units.max()) + 1
    within = None if strata is None else _strata_of_units(units, strata, n_units)
    draws = draw_resamples(n_units, bootstrap.reps, kind=bootstrap.kind, strata=within, rng=bootstrap.rng)
    name = f"{design}|{bootstrap.kind}|{bootstrap.cluster}|{draws.seed}|{bootstrap.reps}"
    if within is not None:
        name += f"|{hashlib.sha256(within.tobytes()).hexdigest()[:16]}"
    scale = np.full(bootstrap.reps, 1 / (bootstrap.reps - 1))
    of_rows = units[rows]
    own = None if np.array_equal(of_rows, np.arange(n_units)) else of_rows
    return ReplicateWeights(draws, own, weights, scale, "bootstrap", name)


def given_weights(columns: FloatArray, scale: FloatArray, kind: str, design: str) -> ReplicateWeights:
    """Weights that a survey supplies, a column for each replicate, shape (n, R)."""
    return ReplicateWeights(GivenWeights(columns), None, None, scale, kind, design)


def replicate_source(
    estimate: FloatArray,
    refit: Callable[[FloatArray], FloatArray],
    replicates: ReplicateWeights,
    scopes: Sequence[str],
    df: float,
) -> ReplicateSource:
    """Refit with each replicate's weights.

    Parameters
    ----------
    estimate : ndarray, shape (C, r)
        Full-sample coefficients of each cell.
    refit : callable
        From weights (n,) to coefficients (C, r).
    replicates : ReplicateWeights
        The weights.
    scopes : sequence of str, length C
        Scope of each cell's design.
    df : float
        Degrees of freedom of the design.
    """
    values = np.empty((len(replicates), *estimate.shape))
    report = report_progress(replicates.progress, "replicates")
    for i, found in enumerate(
        map_in_order(lambda i: refit(replicates.draw(i)), range(len(replicates)), replicates.workers)
    ):
        _check_fitted(found, i, len(replicates))
        values[i] = found
        report(i + 1, len(replicates))
    return source_of_values(estimate, values, replicates, scopes, df)


def source_of_values(
    estimate: FloatArray,
    values: FloatArray,
    replicates: ReplicateWeights,
    scopes: Sequence[str],
    df: float,
) -> ReplicateSource:
    """Scaled deviations of the replicates' estimates, shape (R, C, r), from those of the full sample, shape (C, r)."""
    number, n_cells, r = values.shape
    names = tuple(dict.fromkeys(scopes))
    gaps = (values - estimate) * np.sqrt(replicates.scale)[:, None, None]
    for i in range(number):
        _check_fitted(gaps[i], i, number)
    deviations = np.zeros((len(names), number, n_cells, r))
    for c, scope in enumerate(scopes):
        deviations[names.index(scope), :, c] = gaps[:, c]
    keys = tuple((name, i) for name in names for i in range(number))
    flat = deviations.reshape(len(names) * number, n_cells * r)
    return ReplicateSource(replicates.design, flat, keys, replicates.kind, df)


def _check_fitted(found: FloatArray, i: int, number: int) -> None:
    """Refuse a replicate that leaves a coefficient of some cell undetermined."""
    if np.isfinite(found).all():
        return
    bad = np.flatnonzero(~np.isfinite(found).all(axis=1))
    raise CovarianceError(
        f"replicate {i + 1} of {number} cannot be fitted in {len(bad)} of {len(found)} cells "
        f"(numbers {listing(bad)}): too few rows there carry weight. Leave these cells out, or use "
        "Bootstrap(kind='bayesian')."
    )


def _strata_of_units(units: CodeArray, strata: CodeArray, n_units: int) -> CodeArray:
    """Stratum of each unit, the same in all its rows."""
    out = np.zeros(n_units, dtype=np.int32)
    out[units] = strata
    across = out[units] != strata
    if across.any():
        raise CovarianceError(
            f"{len(np.unique(units[across])):,} of {n_units:,} units have rows in several strata, and cannot be "
            "resampled within each: cluster on a column that is nested in the strata."
        )
    return out
