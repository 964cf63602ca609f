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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from wagegap._typing import CodeArray, FloatArray, IntArray, ReplicateKind, RngLike
from wagegap.errors import CovarianceError, OptionError, listing
from wagegap.estimation.covariance.resampling import (
    Multipliers,
    draw_resamples,
    replicate_moments,
)

__all__ = ["ReplicateWeights", "bootstrap_weights", "check_replicates", "replicate_scale"]

_SAME = 1e-9  # relative difference of weights that is rounding


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
    units: CodeArray,
    rows: IntArray | CodeArray,
    weights: FloatArray | None,
    design: str,
    *,
    reps: int,
    kind: Literal["pairs", "bayesian"] = "pairs",
    rng: RngLike = None,
    strata: CodeArray | None = None,
) -> ReplicateWeights:
    """Weights of resampled units.

    Parameters
    ----------
    units : ndarray of int, shape (N,)
        Unit of every row of the panel, so that two stages of one panel draw the same units.
    rows : ndarray of int, shape (n,)
        Rows of the panel in the sample.
    weights : ndarray, shape (n,), optional
        Weights of the fit.
    design : str
        Name of the panel and of its units.
    reps, kind, rng
        Of `Bootstrap`.
    strata : ndarray of int, shape (N,), optional
        Stratum, or sample, of every row of the panel; each is resampled by itself.

    Raises
    ------
    CovarianceError
        When rows of one unit are in several strata.
    """
    n_units = int(units.max()) + 1
    within = None if strata is None else _strata_of_units(units, strata, n_units)
    draws = draw_resamples(n_units, reps, kind=kind, strata=within, rng=rng)
    name = f"{design}|{draws.seed}|{reps}"
    if within is not None:
        name += f"|{hashlib.sha256(within.tobytes()).hexdigest()[:16]}"
    scale = replicate_scale("bootstrap", reps, 0.0, None)
    of_rows = units[rows]
    each = np.array_equal(of_rows, np.arange(n_units))
    return ReplicateWeights(draws, None if each else of_rows, weights, scale, "bootstrap", name)


def check_replicates(replicates: ReplicateWeights, members: Sequence[IntArray], names: Sequence[str]) -> None:
    """Refuse cells, given by their rows, in which every replicate has the same weights up to a factor.

    They lie inside one unit that is drawn or left out whole, so that nothing varies between replicates.

    Raises
    ------
    CovarianceError
    """
    first: dict[int, FloatArray] = {}
    alone = list(range(len(members)))
    for weights in replicates:
        for c in list(alone):
            shares = weights[members[c]]
            total = float(shares.sum())
            if total <= 0:
                continue
            shares = shares / total
            if np.abs(shares - first.setdefault(c, shares)).max() > _SAME * shares.max():
                alone.remove(c)
        if not alone:
            return
    where = listing((names[c] or "the data" for c in alone), 4)
    raise CovarianceError(
        f"{len(alone)} of {len(members)} cells have the same weights in all {len(replicates)} replicates ({where}): "
        "they lie inside a single unit, and nothing varies between units. Draw finer units, pool these cells with "
        "others, or leave them out."
    )


def replicate_scale(kind: ReplicateKind, n: int, fay: float, scales: tuple[float, ...] | None) -> FloatArray:
    """Return the factor of each replicate's squared deviation, shape (n,).

    BRR 1/R; Fay 1/(R (1 - f)^2); JK1 (R - 1)/R; JK2 1; JKn as given; bootstrap 1/(R - 1).

    >>> replicate_scale("JK2", 2, 0.0, None)
    array([1., 1.])
    """
    if n < 2:
        raise OptionError(f"{n} replicate is too few for a variance: at least 2.")
    if kind == "JKn":
        if scales is None or len(scales) != n:
            raise OptionError(f"JKn needs scales, one for each of the {n} replicates: (n_h - 1)/n_h of its stratum.")
        return np.asarray(scales, dtype=float)
    value = {"BRR": 1 / n, "Fay": 1 / (n * (1 - fay) ** 2), "JK1": (n - 1) / n, "JK2": 1.0, "bootstrap": 1 / (n - 1)}
    return np.full(n, value[kind])


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
