"""What many effects of origins, destinations and pairs do to Poisson gravity, to the first order, and its undoing.

A flow from i to j in period t has the mean l_ijt = exp(x_ijt'b + a_it + c_jt + e_ij). The effects of a pair drop out of
the multinomial likelihood of its periods, whose score in the indices of the pair is S_ij = y_ij - l_ij and whose
information is H_ij = diag(l_ij) - l_ij l_ij' / L_ij, L_ij = sum_t l_ijt. The effects a_i of an origin, one for each
period, rest on its N - 1 pairs: their errors, of variance H_i^- (sum_j S_ij S_ij') H_i^- with H_i = sum_j H_ij, enter
the score of b through its second and third derivatives. Where periods are few this moves the estimate by W^-1 (B + D),
of the order of its standard error, with W = sum_ij X_ij'H_ij X_ij, X the regressors without effects under weights l,
and for each regressor

    B = sum_i { -tr[H_i^- sum_j (H_ij X_ij) S_ij'] + tr[(sum_j G_ij X_ij) H_i^- (sum_j S_ij S_ij') H_i^-] / 2 },

D the same over destinations, G_ij the third derivatives of the likelihood. Each sum is taken times N / (N - 1), since
estimated scores vary less than true ones. Without effects of pairs (H_ij = diag(l_ij)) nothing is to correct.

Estimated scores are too small besides, and so are standard errors clustered by pair. Where the variance of a flow goes
as its mean, that of y_ij - l_ij in units of the root of the mean is

    Q_ij - R_ij (Z_ij + X_ij W^-1 X_ij') R_ij',    R_ij = Q_ij diag(l_ij)^(1/2),

Q_ij the projection that takes the effect of the pair out, Z_ij the variance of the estimated a_i + c_j. Residuals are
multiplied by the symmetric root of its inverse, as Bell and McCaffrey's CR2 does, so that they keep being scores;
Weidner and Zylkin multiply one side by the inverse, with the same expectation. Z_ij takes the inverse of a matrix of
destinations times periods; where that is large, the product of what the effects of the origin, those of the
destination, and the regressors leave stands for it, which is exact in a balanced table.

References
----------
Bell, R. and D. McCaffrey (2002). Bias reduction in standard errors for linear regression with multi-stage samples.
Survey Methodology 28, 169-181.
Fernandez-Val, I. and M. Weidner (2016). Individual and time effects in nonlinear panel models with large N, T. Journal
of Econometrics 192, 291-312.
Weidner, M. and T. Zylkin (2021). Bias and consistency in three-way gravity models. Journal of International Economics
132, 103513.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from wagegap._typing import CodeArray, FloatArray, IntArray
from wagegap.errors import DataError

__all__ = ["GravityBias", "gravity_bias"]

_NOTHING = 1e-10  # eigenvalues, relative to the largest of a matrix with ones on its diagonal, that count as zero
_EXACT = 3_000


@dataclass(frozen=True, slots=True, eq=False)
class GravityBias:
    """Bias of Poisson gravity, and residuals without the shrinkage that its effects cause.

    Attributes
    ----------
    bias : ndarray, shape (k,)
        Estimated bias of the coefficients, to be subtracted.
    residuals : ndarray, shape (n,)
        y - mean, corrected within pairs for leverage.
    exact : bool
        Whether leverage is exact, or that of a balanced table.
    """

    bias: FloatArray
    residuals: FloatArray
    exact: bool


def gravity_bias(
    residuals: FloatArray,
    mean: FloatArray,
    x: FloatArray,
    origins: CodeArray,
    destinations: CodeArray,
    periods: CodeArray,
    *,
    pairs: bool = True,
    exact_up_to: int = _EXACT,
) -> GravityBias:
    """Estimate the bias of a Poisson fit with origin-period, destination-period and pair effects.

    Parameters
    ----------
    residuals, mean : ndarray, shape (n,)
        y - mean and the mean of the fit.
    x : ndarray, shape (n, k)
        Regressors without the effects, under the weights of the fit.
    origins, destinations, periods : ndarray of int, shape (n,)
        Where and when, each from 0; a row for each combination at most.
    pairs : bool
        Whether effects of pairs were absorbed too.
    exact_up_to : int
        Destinations times periods up to which leverage is exact.

    Returns
    -------
    GravityBias

    Raises
    ------
    DataError
        Where an origin, destination and period stand in several rows.

    Examples
    --------
    >>> import numpy as np
    >>> o, d = np.nonzero(~np.eye(4, dtype=bool))
    >>> t = np.zeros(12, dtype=int)
    >>> found = gravity_bias(np.tile([1.0, -1], 6), np.ones(12), np.zeros((12, 0)), o, d, t, pairs=False)
    >>> found.bias, found.exact
    (array([], dtype=float64), True)
    """
    table = _lay_out(residuals, mean, x, origins, destinations, periods, pairs=pairs)
    # W^-1 (B + D)
    moved = _score_bias(table, table.origin) + _score_bias(table, table.destination) if pairs else np.zeros(x.shape[1])
    bias = np.linalg.solve(table.information, moved).astype(float, copy=False)
    exact = (int(table.destination.max()) + 1) * table.mean.shape[1] <= exact_up_to
    # residuals times the symmetric root of the inverse of what is left: diag(l)^1/2 P^-1/2 diag(l)^-1/2 (y - l)
    inverse_root = _power(_left_exactly(table) if exact else _left_in_balance(table), -0.5)
    scale = np.sqrt(table.mean)[:, :, None]
    scaled = np.divide(table.residuals[:, :, None], scale, out=np.zeros_like(scale), where=scale > 0)
    return GravityBias(bias, (scale * (inverse_root @ scaled))[table.pair, periods, 0], exact)


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """Pairs by periods; periods that a pair lacks have no mean.

    `mean` and `residuals` (P, T), `x` (P, T, k), `within` Q and `curvature` H (P, T, T), `information` W (k, k),
    `origin` and `destination` of each pair (P,), `pair` of each row (n,).
    """

    mean: FloatArray
    residuals: FloatArray
    x: FloatArray
    within: FloatArray
    curvature: FloatArray
    information: FloatArray
    origin: IntArray
    destination: IntArray
    pair: IntArray


def _lay_out(
    residuals: FloatArray,
    mean: FloatArray,
    x: FloatArray,
    origins: CodeArray,
    destinations: CodeArray,
    periods: CodeArray,
    *,
    pairs: bool,
) -> _Table:
    width = int(destinations.max()) + 1
    keys, pair = np.unique(origins.astype(np.int64) * width + destinations, return_inverse=True)
    shape = (len(keys), int(periods.max()) + 1)
    twice = len(pair) - len(np.unique(pair * shape[1] + periods))
    if twice:
        raise DataError(
            f"{twice:,} rows repeat an origin, destination and period of another row: the correction is derived for "
            "one flow in each; sum the flows first."
        )
    m, s, z = np.zeros(shape), np.zeros(shape), np.zeros((*shape, x.shape[1]))
    for cube, values in ((m, mean), (s, residuals), (z, x)):
        cube[pair, periods] = values
    # Q = I - l^1/2 l^1/2' / L,   H = diag(l)^1/2 Q diag(l)^1/2 = diag(l) - l l' / L,
    # W = sum_ij X_ij' diag(l_ij) X_ij = sum_ij X_ij' H_ij X_ij, since l_ij'X_ij = 0
    root = np.sqrt(m)
    within = (m > 0)[:, :, None] * np.eye(shape[1])
    if pairs:
        within -= root[:, :, None] * root[:, None, :] / m.sum(axis=1)[:, None, None]
    return _Table(
        m, s, z, within,
        curvature=root[:, :, None] * within * root[:, None, :],
        information=np.einsum("pt,ptk,ptl->kl", m, z, z),
        origin=keys // width, destination=keys % width, pair=pair,
    )  # fmt: skip


def _sums(values: FloatArray, codes: IntArray) -> FloatArray:
    """Sums of the pairs' matrices over the pairs of each place."""
    member = sparse.csr_array((np.ones(len(codes)), (codes, np.arange(len(codes)))))
    return np.asarray(member @ values.reshape(len(values), -1)).reshape(-1, *values.shape[1:])


def _power(matrices: FloatArray, exponent: float) -> FloatArray:
    """Power of symmetric matrices (..., T, T) on their ranges."""
    # U diag(l^p) U' over the eigenvalues l that are not zero
    values, vectors = np.linalg.eigh(matrices)
    kept = values > _NOTHING * np.maximum(values[..., -1:], 0.0)
    powers = np.where(kept, np.where(kept, values, 1.0) ** exponent, 0.0)
    return np.asarray((vectors * powers[..., None, :]) @ vectors.swapaxes(-1, -2))


def _inverse(matrices: FloatArray) -> FloatArray:
    """Generalised inverse of symmetric matrices, rows and columns scaled to a diagonal of ones."""
    size = np.sqrt(np.maximum(np.einsum("...ii->...i", matrices), 0.0))
    scale = np.divide(1.0, size, out=np.zeros_like(size), where=size > 0)
    scales = scale[..., :, None] * scale[..., None, :]
    return np.asarray(_power(matrices * scales, -1.0) * scales)


def _score_bias(table: _Table, places: IntArray) -> FloatArray:
    """B of the head of this module, for origins or destinations, times N / (N - 1)."""
    m, s, total = table.mean, table.residuals, table.mean.sum(axis=1)[:, None, None]
    # H_i^- and the variance of the estimated effects, H_i^- (sum_j S_ij S_ij') H_i^-
    inverse = _inverse(_sums(table.curvature, places))
    variance = inverse @ _sums(s[:, :, None] * s[:, None, :], places) @ inverse
    out = np.empty(table.x.shape[2])
    for k in range(len(out)):
        # H X = l x, since l'x = 0 over the periods of a pair;   G X = (l x) l' / L + l (l x)' / L - diag(l x)
        hx = m * table.x[:, :, k]
        crossed = hx[:, :, None] * m[:, None, :] / total
        third = crossed + crossed.swapaxes(1, 2) - hx[:, :, None] * np.eye(m.shape[1])
        # -tr[H_i^- sum_j (H_ij X_ij) S_ij'] + tr[(sum_j G_ij X_ij) V_i] / 2, summed over i
        first = np.einsum("gab,gba->", inverse, _sums(hx[:, :, None] * s[:, None, :], places))
        out[k] = np.einsum("gab,gba->", _sums(third, places), variance) / 2 - first
    return out * (len(inverse) / (len(inverse) - 1))


def _left_exactly(table: _Table) -> FloatArray:
    """Variance of the residuals of each pair in units of the root of the mean, shape (P, T, T)."""
    # Q - R Z R' - R X W^-1 X' R'
    seen = _seen(table, _effects_variance(table))
    return np.asarray(table.within - (seen + seen.swapaxes(1, 2)) / 2 - _regressors_share(table))


def _seen(table: _Table, variance: FloatArray) -> FloatArray:
    """R Z R', R = Q diag(l)^1/2."""
    root = table.within * np.sqrt(table.mean)[:, None, :]
    return np.asarray(root @ variance @ root.swapaxes(1, 2))


def _effects_variance(table: _Table) -> FloatArray:
    """Covariance of a_i + c_j of each pair, shape (P, T, T), from the inverse of the destinations' Schur complement."""
    # The information of (a, c) is [A B; B' C], A = diag(sum_j H_ij), B = (H_ij), C = diag(sum_i H_ij). With
    # S = (C - B'A^- B)^-:   Var(c) = S,   Cov(a, c) = -A^- B S,   Var(a) = A^- + A^- B S B'A^-.
    i, j, t = table.origin, table.destination, table.mean.shape[1]
    n, m = int(i.max()) + 1, int(j.max()) + 1
    first = _inverse(_sums(table.curvature, i))
    cross = np.zeros((n, t, m, t))
    cross[i, :, j, :] = table.curvature
    solved = first @ cross.reshape(n, t, m * t)
    flat = solved.reshape(n * t, m * t)
    complement = -(cross.reshape(n * t, m * t).T @ flat).reshape(m, t, m, t)
    complement[np.arange(m), :, np.arange(m), :] += _sums(table.curvature, j)
    second = _inverse(complement.reshape(m * t, m * t))
    mixed = flat @ second
    of_origin = (first + mixed.reshape(n, t, -1) @ solved.swapaxes(1, 2))[i]
    between = mixed.reshape(n, t, m, t)[i, :, j, :]
    return np.asarray(of_origin + second.reshape(m, t, m, t)[j, :, j, :] - between - between.swapaxes(1, 2))


def _left_in_balance(table: _Table) -> FloatArray:
    """The product of what origins, destinations and regressors leave."""
    # P <- P^1/2 (Q - R H_i^- R') P^1/2 for origins, destinations, and then the regressors
    left = table.within
    for places in (table.origin, table.destination):
        half = _power(left, 0.5)
        left = half @ (table.within - _seen(table, _inverse(_sums(table.curvature, places))[places])) @ half
    half = _power(left, 0.5)
    return np.asarray(half @ (table.within - _regressors_share(table)) @ half)


def _regressors_share(table: _Table) -> FloatArray:
    # R X W^-1 X' R', where Q leaves diag(l)^1/2 X as it is
    turned = np.sqrt(table.mean)[:, :, None] * table.x
    return np.asarray(turned @ _inverse(table.information) @ turned.swapaxes(1, 2))
