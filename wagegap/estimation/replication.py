"""Replicates: refit with other weights, and keep the scaled deviations.

Replicate weights that a survey supplies (BRR, Fay, JK1, JK2, JKn, bootstrap), or resamples drawn here, of rows or of
clusters, by multinomial counts or exponential weights. A replicate of one country says nothing of the replicate of the
same number in another, so deviations are keyed by scope and number.

References
----------
Wolter, K. (2007). Introduction to Variance Estimation, 2nd ed. Springer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from wagegap._typing import CodeArray, FloatArray
from wagegap.errors import CovarianceError, listing
from wagegap.estimation.cov import Bootstrap
from wagegap.estimation.roots import ReplicateRoot

__all__ = ["ReplicateWeights", "bootstrap_weights", "replicate_root"]


@dataclass(frozen=True, slots=True, eq=False)
class ReplicateWeights:
    """Weights of every replicate for the rows of a sample.

    Attributes
    ----------
    draw : callable
        Returns the weights of replicate number i, shape (n,).
    scale : ndarray, shape (R,)
        Factor of each squared deviation.
    kind : str
        How they were made.
    design : str
        Identity of the design; deviations of one design are related.
    """

    draw: Callable[[int], FloatArray]
    scale: FloatArray
    kind: str
    design: str

    def __iter__(self) -> Iterator[FloatArray]:
        return (self.draw(i) for i in range(len(self.scale)))


def bootstrap_weights(
    bootstrap: Bootstrap, units: CodeArray, rows: CodeArray, weights: FloatArray | None, design: str
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
    """
    n_units = int(units.max()) + 1
    root = int(np.random.default_rng(bootstrap.rng).integers(2**63))
    seeds = np.random.SeedSequence(root).spawn(bootstrap.reps)
    base = np.ones(len(rows)) if weights is None else weights

    def draw(i: int) -> FloatArray:
        generator = np.random.default_rng(seeds[i])
        if bootstrap.kind == "bayesian":
            counts = generator.standard_exponential(n_units)
        else:
            counts = np.bincount(generator.integers(n_units, size=n_units), minlength=n_units).astype(float)
        return np.asarray(base * counts[units[rows]])

    scale = np.full(bootstrap.reps, 1 / (bootstrap.reps - 1))
    seed = root
    return ReplicateWeights(
        draw, scale, "bootstrap", f"{design}|{bootstrap.kind}|{bootstrap.cluster}|{seed}|{bootstrap.reps}"
    )


def replicate_root(
    estimate: FloatArray,
    refit: Callable[[FloatArray], FloatArray],
    replicates: ReplicateWeights,
    scopes: Sequence[str],
    free: float,
) -> ReplicateRoot:
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
    free : float
        Degrees of freedom of the design.
    """
    n_cells, r = estimate.shape
    names = tuple(dict.fromkeys(scopes))
    number = len(replicates.scale)
    deviations = np.zeros((len(names) * number, n_cells * r))
    row_start = np.array([names.index(scope) * number for scope in scopes])
    for i, weights in enumerate(replicates):
        gap = (refit(weights) - estimate) * np.sqrt(replicates.scale[i])
        if not np.isfinite(gap).all():
            bad = np.flatnonzero(~np.isfinite(gap).all(axis=1))
            raise CovarianceError(
                f"replicate {i + 1} of {number} cannot be fitted in {len(bad)} of {n_cells} cells "
                f"(numbers {listing(bad)}): too few rows there carry weight. Leave these cells out, or use "
                "Bootstrap(kind='bayesian')."
            )
        for c in range(n_cells):
            deviations[row_start[c] + i, c * r : (c + 1) * r] = gap[c]
    keys = tuple((name, i) for name in names for i in range(number))
    return ReplicateRoot(replicates.design, deviations, keys, replicates.kind, free)
