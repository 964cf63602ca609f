"""Replicates: refit with other weights, and keep the scaled deviations.

Replicate weights that a survey supplies (BRR, Fay, JK1, JK2, JKn, bootstrap, SDR), or resamples drawn here, of rows or
of clusters, by multinomial counts or exponential weights. An estimator refits with the weights of one replicate after
the other, or takes the cross-products under all of them at once; the numbers are the same. A replicate of one country
says nothing of the replicate of the same number in another, so deviations are keyed by scope and number.

References
----------
Fay, R. and G. Train (1995). Aspects of survey and model-based postcensal estimation of income and poverty
characteristics for states and counties. Proceedings of the Government Statistics Section, ASA, 154-159.
Wolter, K. (2007). Introduction to Variance Estimation, 2nd ed. Springer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from scipy import linalg, sparse

from wagegap._arguments import public
from wagegap._typing import CodeArray, FloatArray, IntArray, ReplicateKind, RngLike
from wagegap.errors import CovarianceError, OptionError, listing
from wagegap.estimation.covariance.resampling import (
    GivenWeights,
    Multipliers,
    draw_resamples,
    replicate_moments,
)

__all__ = [
    "Centre",
    "ReplicateWeights",
    "bootstrap_weights",
    "check_replicates",
    "check_whole",
    "replicate_rank",
    "replicate_scale",
]

Centre: TypeAlias = Literal["full", "mean"]
"""What replicates deviate from: the estimate of the full sample, or their own mean."""

_RANK = 1e-5  # share of a replicate's weights that the others leave; below, it is one of theirs (as R survey)
_APART = 4.0  # standard errors between the replicates' slope on the weights and one, beyond which they are apart
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
    centre : {"full", "mean"}
        What the estimates of replicates deviate from.
    """

    multipliers: Multipliers
    units: CodeArray | None
    base: FloatArray | None
    scale: FloatArray
    kind: str
    design: str
    workers: int = 1
    progress: bool = False
    centre: Centre = "full"

    def __len__(self) -> int:
        return self.multipliers.reps

    def __iter__(self) -> Iterator[FloatArray]:
        return (self.draw(i) for i in range(len(self)))

    def draw(self, i: int) -> FloatArray:
        """Weights of replicate number i, shape (n,)."""
        drawn = self.multipliers.replicate(i)
        own = drawn if self.units is None else drawn[self.units]
        return own if self.base is None else self.base * own

    @property
    def signed(self) -> bool:
        """Whether some weights are negative, as under successive differences."""
        return isinstance(self.multipliers, GivenWeights) and bool((self.multipliers.columns < 0).any())

    def rank(self, rows: IntArray) -> int:
        """Independent replicates among some rows: the rank of given weights; of resamples their number."""
        return (
            replicate_rank(self.multipliers.columns[rows]) if isinstance(self.multipliers, GivenWeights) else len(self)
        )

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


@public
def replicate_scale(
    kind: ReplicateKind, n: int, fay: float, scales: tuple[float, ...] | None, scale: float | None = None
) -> FloatArray:
    """Return the factor of each replicate's squared deviation, shape (n,).

    BRR 1/R; Fay 1/(R (1 - f)^2); JK1 (R - 1)/R; JK2 1; JKn as given; bootstrap 1/(R - 1); SDR 4/R. Where `scales` or
    `scale` are given they stand in place of these, for every kind, and both are multiplied.

    >>> replicate_scale("JK2", 2, 0.0, None)
    array([1., 1.])
    """
    if n < 2:
        raise OptionError(f"{n} replicate is too few for a variance: at least 2.")
    if scales is not None and len(scales) != n:
        raise OptionError(f"scales has {len(scales)} numbers for {n} replicates: one for each.")
    if scales is not None or scale is not None:
        return np.asarray((1.0,) * n if scales is None else scales, dtype=float) * (1.0 if scale is None else scale)
    if kind == "JKn":
        raise OptionError(f"JKn needs scales, one for each of the {n} replicates: (n_h - 1)/n_h of its stratum.")
    if kind == "Fay" and not fay:
        raise OptionError("kind='Fay' needs Fay's factor: fay=0.5, say; kind='BRR' is without.")
    value = {"BRR": 1 / n, "Fay": 1 / (n * (1 - fay) ** 2), "JK1": (n - 1) / n, "JK2": 1.0, "bootstrap": 1 / (n - 1),
             "SDR": 4 / n}  # fmt: skip
    return np.full(n, value[kind])


def replicate_rank(columns: FloatArray) -> int:
    """Return how many columns of replicate weights, shape (n, R), are independent.

    Rows are added up, with random numbers in front, to twice as many sums as there are replicates, whose rank is the
    same almost surely; a column counts where the others leave more than 1e-5 of it, as in R survey's `degf`.

    >>> replicate_rank(np.array([[2.0, 0, 1], [0, 2, 1], [1, 1, 1]]))
    2
    """
    n, reps = columns.shape
    if n > 2 * reps:
        rng = np.random.default_rng(0)
        sums = sparse.coo_array(
            (rng.standard_normal(n), (rng.integers(2 * reps, size=n), np.arange(n))), shape=(2 * reps, n)
        )
        columns = sums.tocsr() @ columns
    length = np.linalg.norm(columns, axis=0)
    (r,) = linalg.qr(columns / np.where(length > 0, length, 1.0), mode="r", pivoting=True)[:1]
    left = np.abs(np.diag(r))
    return int((left > _RANK * left.max(initial=0.0)).sum())


def check_whole(columns: FloatArray, weights: FloatArray, *, multiplied: bool) -> None:
    """Refuse replicate weights that are factors of the weights, or the other way round.

    Parameters
    ----------
    columns : ndarray, shape (n, R)
        Weights of every replicate, after they were multiplied by the weights where that was asked for.
    weights : ndarray, shape (n,)
        Weights of the full sample.
    multiplied : bool
        Whether it was asked for.

    Raises
    ------
    CovarianceError
        Where the mean of a row's replicates is, over all rows, beyond half and twice the weight; or where its slope on
        the weights, which is one where it estimates them, is nearer to zero, and surely not one.
    """
    mean = columns.mean(axis=1)
    ratio = float(mean.sum() / weights.sum())
    # m_i = a + b w_i + e_i:   b = sum (w - w.)(m - m.)/S, S = sum (w - w.)^2,   se(b)^2 = sum e^2/(n - 2)/S
    gap, rise = weights - weights.mean(), mean - mean.mean()
    spread = float(gap @ gap)
    slope = float(gap @ rise) / spread if spread > 0 else 1.0
    error = float(np.sqrt(np.sum((rise - slope * gap) ** 2) / max(len(gap) - 2, 1) / spread)) if spread > 0 else 0.0
    alike = slope > 0.5 or 1 - slope <= _APART * error
    if 0.5 <= ratio <= 2 and alike:
        return
    if multiplied:
        raise CovarianceError(
            f"replicate weights times the weights average {mean.mean():,.4g} a row and the weights alone "
            f"{weights.mean():,.4g}: they are whole weights already, so leave out multiplies=True."
        )
    raise CovarianceError(
        f"replicate weights average {mean.mean():,.4g} a row and the weights {weights.mean():,.4g}, "
        f"{'without going with them' if not alike else 'which they should equal'}: where they are factors of the "
        "weights say wagegap.cov.Replicates(columns, kind, multiplies=True) (R: combined.weights = FALSE); else name "
        "the weights that they were made from."
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
