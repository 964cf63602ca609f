"""Likelihood of the structural model, for many data sets or many parameters at once.

Observed (p, y) have means Z d and Z g, free, and the covariance

    O(b, s, t) = V + s (aa') x I + t (ee') x I,    a = (1, b), e = (0, 1),

with V known, s the variance of true premiums given Z and t that of true rates given premium and Z. The means are
profiled out by generalised least squares; the restricted likelihood integrates them out, which counts the degrees of
freedom that they take. A point is (b, s, t); arrays of points are moved together by Fisher scoring, one step of all at
a time, so that the profile on a grid of slopes, every deletion of a row, or a thousand simulated data sets cost one
sweep of array operations.

Where no two rows have correlated errors, O falls into 2 x 2 blocks and everything is elementwise; else it is dense.

References
----------
Fuller, W. A. (1987). Measurement Error Models. Wiley, section 3.2.
Harville, D. A. (1977). Maximum likelihood approaches to variance component estimation and to related problems. Journal
of the American Statistical Association 72, 320-338.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias

import numpy as np

from wagegap._typing import BoolArray, FloatArray, IntArray

__all__ = ["DenseLikelihood", "Likelihood", "Point", "RowLikelihood", "fisher_scoring", "row_blocks"]

_LOWEST = -1e300


class Point(NamedTuple):
    """Likelihood at some points.

    Attributes
    ----------
    value : ndarray, shape (m,)
        Log likelihood; -1e300 where the covariance is none.
    gradient : ndarray, shape (m, k)
        By slope, variance of premiums, variance of rates, and what else the likelihood has.
    information : ndarray, shape (m, k, k)
        Expected information; by rows, that of the restricted likelihood is the one of equal errors: near enough for
        scoring.
    means : ndarray, shape (m, 2 q)
        Coefficients of the means of premiums, then of rates.
    bread : ndarray, shape (m, 2 q, 2 q)
        Their covariance.
    """

    value: FloatArray
    gradient: FloatArray
    information: FloatArray
    means: FloatArray
    bread: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class RowLikelihood:
    """Independent rows.

    Attributes
    ----------
    p, y : ndarray, shape (m, n)
        Premiums and rates.
    z : ndarray, shape (n, q)
        Exact columns.
    v : ndarray, shape (3, m, n)
        Variances of p, covariances, variances of y.
    used : ndarray, shape (m, n)
        One for rows that count, zero for those left out.
    restricted : bool
        Whether the means are integrated out.
    floor : ndarray, shape (2,)
        Smallest variances allowed: zero unless rows without any error would make the covariance singular.
    """

    p: FloatArray
    y: FloatArray
    z: FloatArray
    v: FloatArray
    used: FloatArray
    restricted: bool
    floor: FloatArray

    @property
    def size(self) -> int:
        """Number of data sets."""
        return len(self.p)

    def take(self, which: IntArray) -> RowLikelihood:
        """Return the data sets of these numbers."""
        return replace(self, p=self.p[which], y=self.y[which], v=self.v[:, which], used=self.used[which])

    def at(self, theta: FloatArray) -> Point:
        """Evaluate every data set at its point."""
        b, s, t = theta.T[:, :, None]
        i11, i12, i22, logdet, good = self._inverse(b, s, t)
        squares = self._squares()
        means, bread, log_normal = self._means(i11, i12, i22, squares)
        r_p, r_y, g_p, g_y = self._residuals(means, i11, i12, i22)
        # l = -(log|O| + r'O^-1 r) / 2
        value = -0.5 * (logdet + np.sum(g_p * r_p + g_y * r_y, axis=1))
        # O^-1 a = (a1, a2), a'O^-1 a = a1 + b a2
        a1, a2 = i11 + b * i12, i12 + b * i22
        gradient = _gradient(s, a1 + b * a2, a2, i22, g_p + b * g_y, g_y)
        information = _information(s[:, 0], a1 + b * a2, a2, i22)
        if self.restricted:
            # l_R = l - log|X'O^-1 X| / 2
            value = value - 0.5 * log_normal
            along_b, along_s, along_t = row_blocks(a1, a2, i12, i22)
            gradient += 0.5 * self._restriction((_times(s, along_b), along_s, along_t), bread, squares)
            information *= (1 - self.z.shape[1] / np.sum(self.used, axis=1))[:, None, None]
        return Point(np.where(good, value, _LOWEST), gradient, information, means, bread)

    def scores(self, theta: FloatArray) -> FloatArray:
        """Derivative of each row's log likelihood at given means, centred, shape (m, n, 3)."""
        b, s, t = theta.T[:, :, None]
        i11, i12, i22, _, _ = self._inverse(b, s, t)
        _, _, g_p, g_y = self._residuals(self.at(theta).means, i11, i12, i22)
        # (g'dO g - tr(O^-1 dO)) / 2 of each row: dO = s (a e' + e a'), a a', e e'
        a2, g_a = i12 + b * i22, g_p + b * g_y
        parts = s * (g_y * g_a - a2), 0.5 * (g_a**2 - (i11 + b * (i12 + a2))), 0.5 * (g_y**2 - i22)
        out, used = np.stack(parts, axis=2), self.used[:, :, None]
        return np.asarray(used * (out - np.sum(out * used, axis=1, keepdims=True) / used.sum(axis=1, keepdims=True)))

    @property
    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Least and largest values of the parameters."""
        return np.array([-np.inf, *self.floor]), np.full(3, np.inf)

    def _means(
        self, i11: FloatArray, i12: FloatArray, i22: FloatArray, squares: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Means by generalised least squares, their covariance, and the log determinant of its inverse."""
        # means = (X'O^-1 X)^-1 X'O^-1 (p, y)
        bread, log_normal = self._bread(i11, i12, i22, squares)
        right = np.hstack([(i11 * self.p + i12 * self.y) @ self.z, (i12 * self.p + i22 * self.y) @ self.z])
        return np.einsum("mij,mj->mi", bread, right), bread, log_normal

    def _bread(
        self, i11: FloatArray, i12: FloatArray, i22: FloatArray, squares: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Inverse of X'O^-1 X, X = I x Z, and the log determinant of X'O^-1 X."""
        q = self.z.shape[1]
        n11, n12, n22 = ((part @ squares).reshape(len(part), q, q) for part in (i11, i12, i22))
        return _inverted(
            np.concatenate([np.concatenate([n11, n12], axis=2), np.concatenate([n12, n22], axis=2)], axis=1)
        )

    def _squares(self) -> FloatArray:
        """z_c z_c' of each row, shape (n, q q)."""
        return np.asarray((self.z[:, :, None] * self.z[:, None, :]).reshape(len(self.z), -1))

    def _residuals(
        self, means: FloatArray, i11: FloatArray, i12: FloatArray, i22: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Residuals r of premiums and rates, and g = O^-1 r."""
        q = self.z.shape[1]
        r_p, r_y = self.p - means[:, :q] @ self.z.T, self.y - means[:, q:] @ self.z.T
        return r_p, r_y, i11 * r_p + i12 * r_y, i12 * r_p + i22 * r_y

    def _inverse(
        self, b: FloatArray, s: FloatArray, t: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, BoolArray]:
        """Elements of the inverse of each 2 x 2 block, zero for rows left out, and the log determinant."""
        # O = [[v_p + s, v_py + b s], [., v_y + b^2 s + t]]
        v_p, v_py, v_y = self.v
        o11, o12, o22 = v_p + s, v_py + b * s, v_y + b * b * s + t
        det = o11 * o22 - o12 * o12
        wrong = (det <= 0) & (self.used > 0)
        det = np.where(det > 0, det, 1.0)
        scale = self.used / det
        return o22 * scale, -o12 * scale, o11 * scale, np.sum(self.used * np.log(det), axis=1), ~wrong.any(axis=1)

    def _restriction(
        self, blocks: Sequence[tuple[FloatArray, ...]], bread: FloatArray, squares: FloatArray
    ) -> FloatArray:
        """tr((X'O^-1 X)^-1 X'O^-1 dO O^-1 X) for each parameter, shape (m, k), from the blocks of O^-1 dO O^-1."""
        q = self.z.shape[1]
        weights = np.array([bread[:, :q, :q], bread[:, :q, q:] + bread[:, q:, :q], bread[:, q:, q:]])
        moments = np.array(blocks) @ squares
        return np.asarray(np.einsum("jcmk,cmk->mj", moments, weights.reshape(3, len(bread), q * q)))


@dataclass(frozen=True, slots=True, eq=False)
class DenseLikelihood:
    """Rows whose errors are correlated.

    Attributes
    ----------
    data : ndarray, shape (m, 2 n)
        Premiums, then rates.
    x : ndarray, shape (m, 2 n, 2 q)
        Exact columns, for each of the two.
    v : ndarray, shape (m, 2 n, 2 n)
        Covariance of the errors of premiums and rates.
    restricted : bool
        Whether the means are integrated out.
    floor : ndarray, shape (2,)
        Smallest variances allowed.
    """

    data: FloatArray
    x: FloatArray
    v: FloatArray
    restricted: bool
    floor: FloatArray

    @property
    def size(self) -> int:
        """Number of data sets."""
        return len(self.data)

    def take(self, which: IntArray) -> DenseLikelihood:
        """Return the data sets of these numbers."""
        return replace(self, data=self.data[which], x=self.x[which], v=self.v[which])

    @property
    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Least and largest values of the parameters."""
        return np.array([-np.inf, *self.floor]), np.full(3, np.inf)

    def rows(self, which: IntArray) -> DenseLikelihood:
        """Return all data sets with some of their n rows."""
        at = np.concatenate([which, which + self.data.shape[1] // 2])
        return replace(self, data=self.data[:, at], x=self.x[:, at], v=self.v[:, at[:, None], at[None, :]])

    def at(self, theta: FloatArray) -> Point:
        """Evaluate every data set at its point."""
        b, s, t = theta.T[:, :, None]
        value, g, (aa, a2, w22), means, bread = self._solved(b, s, t)
        n = aa.shape[1]
        d_aa, d_a2, d_22 = (np.einsum("mii->mi", part) for part in (aa, a2, w22))
        gradient = _gradient(s, d_aa, d_a2, d_22, g[:, :n] + b * g[:, n:], g[:, n:])
        return Point(value, gradient, _information(s[:, 0], aa, a2, w22), means, bread)

    def _solved(
        self, b: FloatArray, s: FloatArray, t: FloatArray
    ) -> tuple[FloatArray, FloatArray, tuple[FloatArray, FloatArray, FloatArray], FloatArray, FloatArray]:
        """Log likelihood, g = O^-1 r, a'W a, e'W a and e'W e as n x n blocks, means and their covariance.

        b is of shape (m, 1), variances are of shape (m, 1) or (m, n).
        """
        n = self.data.shape[1] // 2
        # O = V + G x I, G = [[s, b s], [b s, b^2 s + t]]; the identity where it is no covariance
        true = np.array([[s, b * s], [b * s, b * b * s + t]])
        full = self.v + np.einsum("ijma,ab->miajb", np.broadcast_to(true, (2, 2, len(b), n)), np.eye(n)).reshape(
            self.v.shape
        )
        sign, logdet = np.linalg.slogdet(full)
        good = (sign > 0) & np.isfinite(logdet)
        full[~good] = np.eye(2 * n)
        inverse = np.linalg.inv(full)
        # means = (X'O^-1 X)^-1 X'O^-1 (p, y), g = O^-1 r, l = -(log|O| + r'O^-1 r) / 2
        ix = inverse @ self.x
        bread, log_normal = _inverted(np.swapaxes(self.x, 1, 2) @ ix)
        means = np.einsum("mij,maj,ma->mi", bread, ix, self.data)
        residuals = self.data - np.einsum("mai,mi->ma", self.x, means)
        g = np.einsum("mab,mb->ma", inverse, residuals)
        value = -0.5 * (np.where(good, logdet, 0.0) + np.sum(g * residuals, axis=1))
        if self.restricted:
            # W = O^-1 - O^-1 X (X'O^-1 X)^-1 X'O^-1 takes the place of O^-1 in traces
            value = value - 0.5 * log_normal
            inverse = inverse - ix @ bread @ np.swapaxes(ix, 1, 2)
        w11, w12, w22 = inverse[:, :n, :n], inverse[:, :n, n:], inverse[:, n:, n:]
        slope = b[:, :, None]
        a2 = w12 + slope * w22
        aa = w11 + slope * (w12 + np.swapaxes(w12, 1, 2)) + slope**2 * w22
        return np.where(good, value, _LOWEST), g, (aa, a2, w22), means, bread


Likelihood: TypeAlias = RowLikelihood | DenseLikelihood
"""A likelihood of (b, s, t) for m data sets."""


def fisher_scoring(
    model: Likelihood,
    theta: FloatArray,
    *,
    free: tuple[bool, ...] | None = None,
    steps: int = 60,
    tolerance: float = 1e-12,
) -> tuple[FloatArray, Point]:
    """Maximise from every point by Fisher scoring, variances held at or above their floor.

    A step that would not rise is cut to a quarter; a variance at its floor that wants to fall stays there.

    Parameters
    ----------
    model : Likelihood
        m data sets.
    theta : ndarray, shape (m, k)
        Where each starts: slope, variance of premiums, variance of rates, and what else the model has.
    free : tuple of bool, length k, optional
        Which parameters move; all, where absent.
    steps : int
        At most so many evaluations.
    tolerance : float
        Expected gain of log likelihood at which it ends.

    Returns
    -------
    tuple
        Points reached, shape (m, k), and the likelihood there.
    """
    lower, upper = model.bounds
    moving = np.ones(len(lower), dtype=bool) if free is None else np.array(free)
    theta = np.minimum(np.maximum(theta, lower), upper)
    here = model.at(theta)
    step, gain = _step(theta, here, (lower, upper), moving)
    active = gain > tolerance
    for _ in range(steps):
        which = np.flatnonzero(active)
        if which.size == 0:
            break
        trial = np.minimum(np.maximum(theta[which] + step[which], lower), upper)
        there = (model if which.size == model.size else model.take(which)).at(trial)
        better = there.value > here.value[which] - 1e-13 * (1 + np.abs(here.value[which]))
        moved = which[better]
        theta[moved] = trial[better]
        for old, new in zip(here, there, strict=True):
            old[moved] = new[better]
        step[which[~better]] *= 0.25
        gain[which[~better]] *= 0.25
        if moved.size:
            reached = Point(*(part[better] for part in there))
            step[moved], gain[moved] = _step(theta[moved], reached, (lower, upper), moving)
        active[which] = gain[which] > tolerance
    return theta, here


def _step(
    theta: FloatArray, here: Point, bounds: tuple[FloatArray, FloatArray], free: BoolArray
) -> tuple[FloatArray, FloatArray]:
    """Scoring step of every point, and the gain that it promises."""
    # I d = gradient over the parameters that move, d cut so that the slope moves by at most 2 + |b|; gain = gradient'd
    lower, upper = bounds
    moves = ((theta > lower) | (here.gradient > 0)) & ((theta < upper) | (here.gradient < 0)) & free
    moves[:, 0] &= theta[:, 1] > lower[1]
    gradient = np.where(moves, here.gradient, 0.0)
    information = np.where(moves[:, :, None] & moves[:, None, :], here.information, 0.0)
    ridge = np.where(moves, 1e-12 * np.einsum("mii->mi", information) + 1e-200, 1.0)
    step = np.asarray(np.linalg.solve(information + ridge[:, :, None] * np.eye(len(lower)), gradient[:, :, None]))
    step = step[:, :, 0] / np.maximum(np.abs(step[:, :1, 0]) / (2.0 + np.abs(theta[:, :1])), 1.0)
    # What clipping at the bounds takes away of a step promises nothing.
    reached = np.minimum(np.maximum(theta + step, lower), upper)
    return step, np.asarray(np.abs(np.sum(gradient * (reached - theta), axis=1)))


def row_blocks(a1: FloatArray, a2: FloatArray, i12: FloatArray, i22: FloatArray) -> tuple[tuple[FloatArray, ...], ...]:
    """O^-1 dO O^-1 by row for dO = a e' + e a', a a', e e': its elements 11, 12 and 22."""
    # u = O^-1 a = (a1, a2), w = O^-1 e = (i12, i22): u w' + w u', u u', w w'
    return (
        (2 * i12 * a1, i12 * a2 + i22 * a1, 2 * i22 * a2),
        (a1 * a1, a1 * a2, a2 * a2),
        (i12 * i12, i12 * i22, i22 * i22),
    )


def _times(factor: FloatArray, block: tuple[FloatArray, ...]) -> tuple[FloatArray, ...]:
    return tuple(factor * part for part in block)


def _gradient(
    s: FloatArray, aa: FloatArray, a2: FloatArray, i22: FloatArray, g_a: FloatArray, g_y: FloatArray
) -> FloatArray:
    """Half of g'dO g - tr(O^-1 dO), by slope and variances, shape (m, 3)."""
    # dO/db = s (a e' + e a'), dO/ds = a a', dO/dt = e e'; aa, a2, i22 the diagonals of a'O^-1 a, e'O^-1 a, e'O^-1 e
    parts = s * (g_y * g_a - a2), 0.5 * (g_a * g_a - aa), 0.5 * (g_y * g_y - i22)
    return np.stack([np.sum(part, axis=1) for part in parts], axis=1)


def _information(s: FloatArray, aa: FloatArray, a2: FloatArray, i22: FloatArray) -> FloatArray:
    """Half of tr(O^-1 dO_j O^-1 dO_k), shape (m, 3, 3), from a'W a, e'W a and e'W e."""
    # Diagonals of blocks of two, or full matrices, of which a2 = e'W a is not symmetric
    trace = "mi,mi->m" if aa.ndim == 2 else "mij,mji->m"
    turned = a2 if aa.ndim == 2 else np.swapaxes(a2, 1, 2)
    # I_bb = s^2 (tr(a2 a2) + tr(aa i22)), I_bs = s tr(a2 aa), I_bt = s tr(a2 i22), I_ss = tr(aa aa) / 2,
    # I_st = tr(a2 a2') / 2, I_tt = tr(i22 i22) / 2
    pairs = (a2, a2), (aa, i22), (a2, aa), (a2, i22), (aa, aa), (a2, turned), (i22, i22)
    a2_a2, aa_22, a2_aa, a2_22, aa_aa, a2_a2t, i22_i22 = (np.einsum(trace, *pair) for pair in pairs)
    rows = (
        (s * s * (a2_a2 + aa_22), s * a2_aa, s * a2_22),
        (s * a2_aa, 0.5 * aa_aa, 0.5 * a2_a2t),
        (s * a2_22, 0.5 * a2_a2t, 0.5 * i22_i22),
    )
    return np.array(rows).transpose(2, 0, 1)


def _inverted(normal: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Inverse and log determinant of m normal matrices; a column that no row has left counts for nothing."""
    if normal.shape[1] == 0:  # no constant and no control
        return normal, np.zeros(len(normal))
    if normal.shape[1] == 2:
        n00, n01, n11 = normal[:, 0, 0], normal[:, 0, 1], normal[:, 1, 1]
        det = np.maximum(n00 * n11 - n01 * n01, 1e-300)
        bread = np.array([[n11, -n01], [-n01, n00]], dtype=np.float64) / det
        return bread.transpose(2, 0, 1), np.asarray(np.log(det))
    diagonal = np.einsum("mii->mi", normal)
    empty = diagonal <= 1e-12 * diagonal.max(axis=1, keepdims=True)
    filled = normal + empty[:, :, None] * np.eye(normal.shape[1])
    return np.asarray(np.linalg.inv(filled)), np.asarray(np.linalg.slogdet(filled)[1])
