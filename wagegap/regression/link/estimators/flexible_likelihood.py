"""Likelihood of the structural model where cells are not all alike: variances that differ with a trait, heavy tails.

P_c = z_c'd + r_c and Y_c = b P_c + z_c'g + u_c as in `ml`, but

    var r_c = sigma^2 exp(g_s m_c),    var u_c = tau^2 exp(g_t m_c),

m a trait of the cells with mean zero. The observed pair (p_c, y_c) has covariance O_c, sampling errors included; it is
normal or, where rows are independent, bivariate t with h = 1 / degrees of freedom, scaled so that its covariance is
O_c too, and known errors keep the variance that is known:

    -2 l = sum_c log|O_c| + 2 log(1 - 2 h) + (1 / h + 2) log(1 + h d_c / (1 - 2 h)),    d_c = e_c'O_c^-1 e_c,

a normal of covariance proportional to O_c / k_c, k_c a chi-squared over its degrees: a cell whose deviation is large
has sampling errors that are large too. That is what can be computed; a t of true deviations alone has no density in
closed form. The means are profiled out, with weights w_c = (1 + 2 h) / (1 - 2 h + h d_c), and the restricted
likelihood takes off half of the log determinant of their expected information (Cox and Reid 1987), to which location
is orthogonal; at h = 0 it is the restricted likelihood of the normal. Where rows are correlated a t has no density by
rows: only the variances differ.

References
----------
Lange, K. L., R. J. A. Little and J. M. G. Taylor (1989). Robust statistical modeling using the t distribution. Journal
of the American Statistical Association 84, 881-896.
Cox, D. R. and N. Reid (1987). Parameter orthogonality and approximate conditional inference. Journal of the Royal
Statistical Society B 49, 1-39.
Harvey, A. C. (1976). Estimating regression models with multiplicative heteroscedasticity. Econometrica 44, 461-465.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from wagegap._typing import FloatArray, IntArray
from wagegap.regression.link.estimators.likelihood import DenseLikelihood, Point, RowLikelihood, row_blocks

__all__ = ["MOST_GROWTH", "Varying", "VaryingDense", "VaryingRows"]

MOST_GROWTH = 3.0
"""Largest |g_s| and |g_t| of a trait in units of its standard deviation: a factor of 20 in variance for each."""

_LOWEST = -1e300
_BASIS = np.array([0, 1, 2, 1, 2])
"""Of the parameters b, sigma^2, tau^2, g_s, g_t: which of a e' + e a', a a', e e' multiplies their weight by row."""
_ELEMENTS = np.array([[0, 1, 2], [1, 3, 4], [2, 4, 5]])
"""Where the elements of a symmetric matrix of three stand in a row of its upper triangle."""
_SETTLED = 1e-5  # step of the means, in standard errors, at which they are found: Newton's next is its square
_FARTHEST = 2.0  # standard errors that a step of the means goes
_NEWTON = 25  # steps of the means


@dataclass(frozen=True, slots=True, eq=False)
class VaryingRows(RowLikelihood):
    """Independent rows, each with variances of its own.

    Attributes
    ----------
    trait : ndarray, shape (m, n)
        m_c.
    tail : ndarray, shape (m,)
        h, one over the degrees of freedom of the t; zero is normal.
    most : ndarray, shape (2,)
        Largest |g_s| and |g_t|; zero where a variance does not differ with the trait.
    """

    trait: FloatArray
    tail: FloatArray
    most: FloatArray

    @property
    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Least and largest values of b, sigma^2, tau^2, g_s, g_t."""
        return np.array([-np.inf, *self.floor, *-self.most]), np.array([np.inf] * 3 + [*self.most])

    def take(self, which: IntArray) -> VaryingRows:
        """Return the data sets of these numbers."""
        return replace(
            self, p=self.p[which], y=self.y[which], v=self.v[:, which], used=self.used[which],
            trait=self.trait[which], tail=self.tail[which],
        )  # fmt: skip

    def at(self, theta: FloatArray) -> Point:
        """Evaluate every data set at its point."""
        b, h = theta[:, :1], self.tail[:, None]
        s, t, weights = _variances(theta, self.trait)
        i11, i12, i22, logdet, good = self._inverse(b, s, t)
        squares = self._squares()
        means, bread, log_normal = self._means(i11, i12, i22, squares)
        size = np.sqrt(np.einsum("mii->mi", bread))
        means, (r_p, r_y, g_p, g_y) = self._profiled(means, size, (i11, i12, i22), squares)
        distance = g_p * r_p + g_y * r_y
        positive = np.where(h > 0, h, 1.0)
        heavy = 2 * np.log1p(-2 * h) + (1 / positive + 2) * np.log1p(h * distance / (1 - 2 * h))
        value = -0.5 * (logdet + np.sum(self.used * np.where(h > 0, heavy, distance), axis=1))
        a1, a2 = i11 + b * i12, i12 + b * i22
        aa = a1 + b * a2
        of_rows = weights * self._by_row(distance, (aa, a2, i22), (g_p + b * g_y, g_y))[_BASIS]
        gradient = np.sum(of_rows, axis=2).T
        information = _information(weights, self._expected(aa, a2, i22))
        if self.restricted:
            # l_R = l - log|kappa X'O^-1 X| / 2, kappa = (1 + 2 h) / ((1 + 4 h) (1 - 2 h))
            q, kappa = self.z.shape[1], (1 + 2 * self.tail) / ((1 + 4 * self.tail) * (1 - 2 * self.tail))
            value = value - 0.5 * log_normal - q * np.log(kappa)
            blocks = np.array(row_blocks(a1, a2, i12, i22))
            gradient = gradient + 0.5 * self._restriction(weights[:, None] * blocks[_BASIS], bread, squares)
            information = information * (1 - q / np.sum(self.used, axis=1))[:, None, None]
        return Point(np.where(good, value, _LOWEST), gradient, information, means, bread)

    def scores(self, theta: FloatArray) -> FloatArray:
        """Derivative of each row's log likelihood at given means, centred, shape (m, n, 5)."""
        b = theta[:, :1]
        s, t, weights = _variances(theta, self.trait)
        i11, i12, i22, _, _ = self._inverse(b, s, t)
        r_p, r_y, g_p, g_y = self._residuals(self.at(theta).means, i11, i12, i22)
        a2 = i12 + b * i22
        diagonals = i11 + b * (i12 + a2), a2, i22
        by_row = self._by_row(g_p * r_p + g_y * r_y, diagonals, (g_p + b * g_y, g_y))
        scores, used = (weights * by_row[_BASIS]).transpose(1, 2, 0), self.used[:, :, None]
        mean = np.sum(scores * used, axis=1, keepdims=True) / used.sum(axis=1, keepdims=True)
        return np.asarray(used * (scores - mean))

    def _profiled(
        self, means: FloatArray, size: FloatArray, inverse: tuple[FloatArray, FloatArray, FloatArray],
        squares: FloatArray,
    ) -> tuple[FloatArray, tuple[FloatArray, FloatArray, FloatArray, FloatArray]]:  # fmt: skip
        """Means of the t by Newton's method, from those of least squares with errors of some size; and residuals."""
        parts = self._residuals(means, *inverse)
        if not self.tail.any() or self.z.shape[1] == 0:
            return means, parts
        # By row: w O^-1 - c g g', c = 2 h w^2 / (1 + 2 h), of which no row is let fall below zero: c <= w / d
        h = self.tail[:, None]
        for _ in range(_NEWTON):
            r_p, r_y, g_p, g_y = parts
            distance = g_p * r_p + g_y * r_y
            w = self._weight(distance)
            c = np.minimum(2 * h / (1 + 2 * h) * w * w, w / np.maximum(distance, 1e-300))
            i11, i12, i22 = (
                w * part - c * g for part, g in zip(inverse, (g_p * g_p, g_p * g_y, g_y * g_y), strict=True)
            )
            pull = np.hstack([(w * g_p) @ self.z, (w * g_y) @ self.z])
            step = np.einsum("mij,mj->mi", self._bread(i11, i12, i22, squares)[0], pull)
            step /= np.maximum(np.max(np.abs(step) / size, axis=1, keepdims=True) / _FARTHEST, 1.0)
            means = means + step
            parts = self._residuals(means, *inverse)
            if np.all(np.abs(step) <= _SETTLED * size):
                break
        return means, parts

    def _weight(self, distance: FloatArray) -> FloatArray:
        h = self.tail[:, None]
        return np.asarray((1 + 2 * h) / (1 - 2 * h + h * distance))

    def _by_row(
        self, distance: FloatArray, diagonals: tuple[FloatArray, ...], pulls: tuple[FloatArray, FloatArray]
    ) -> FloatArray:
        """(w g'dO g - tr(O^-1 dO)) / 2 of each row for dO = a e' + e a', a a', e e', shape (3, m, n)."""
        (aa, a2, i22), (g_a, g_y), w = diagonals, pulls, self._weight(distance)
        return np.stack([w * g_y * g_a - a2, 0.5 * (w * g_a * g_a - aa), 0.5 * (w * g_y * g_y - i22)])

    def _expected(self, aa: FloatArray, a2: FloatArray, i22: FloatArray) -> FloatArray:
        """Expected information of the three by row: elements 11, 12, 13, 22, 23, 33 of a symmetric matrix."""
        # kappa tr(O^-1 dO_j O^-1 dO_k) / 2 - h tr(O^-1 dO_j) tr(O^-1 dO_k) / (2 (1 + 4 h))
        h = self.tail[:, None]
        kappa, less = (1 + 2 * h) / (1 + 4 * h), h / (2 * (1 + 4 * h))
        traces = 2 * a2, aa, i22
        products = (a2 * a2 + aa * i22, a2 * aa, a2 * i22), (0.5 * aa * aa, 0.5 * a2 * a2), (0.5 * i22 * i22,)
        upper = [kappa * products[j][k - j] - less * traces[j] * traces[k] for j in range(3) for k in range(j, 3)]
        return np.stack(upper)


def _variances(theta: FloatArray, trait: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Variances by row, shape (m, n), and the weights by which parameters enter dO, shape (5, m, n)."""
    # dO/db = s_c (a e' + e a'); ds_c/dsigma^2 = exp(g_s m_c), ds_c/dg_s = m_c s_c, and of t alike
    grow_s, grow_t = np.exp(theta[:, 3:4] * trait), np.exp(theta[:, 4:5] * trait)
    s, t = theta[:, 1:2] * grow_s, theta[:, 2:3] * grow_t
    return s, t, np.stack([s, grow_s, grow_t, trait * s, trait * t])


def _information(weights: FloatArray, products: FloatArray) -> FloatArray:
    """Sum over rows of w_j w_k times the information of the matrices that they weigh, shape (m, 5, 5)."""
    out = np.empty((weights.shape[1], len(_BASIS), len(_BASIS)))
    for j, of_j in enumerate(_BASIS):
        weighted = weights[j] * products[_ELEMENTS[of_j]]
        for k in range(j, len(_BASIS)):
            out[:, j, k] = out[:, k, j] = np.einsum("mn,mn->m", weighted[_BASIS[k]], weights[k])
    return out


@dataclass(frozen=True, slots=True, eq=False)
class VaryingDense(DenseLikelihood):
    """Rows whose errors are correlated, each with variances of its own; normal.

    Attributes
    ----------
    trait : ndarray, shape (m, n)
        m_c.
    tail : ndarray, shape (m,)
        Zeros.
    most : ndarray, shape (2,)
        Largest |g_s| and |g_t|; zero where a variance does not differ with the trait.
    """

    trait: FloatArray
    tail: FloatArray
    most: FloatArray

    @property
    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Least and largest values of b, sigma^2, tau^2, g_s, g_t."""
        return np.array([-np.inf, *self.floor, *-self.most]), np.array([np.inf] * 3 + [*self.most])

    def take(self, which: IntArray) -> VaryingDense:
        """Return the data sets of these numbers."""
        return replace(
            self, data=self.data[which], x=self.x[which], v=self.v[which], trait=self.trait[which],
            tail=self.tail[which],
        )  # fmt: skip

    def at(self, theta: FloatArray) -> Point:
        """Evaluate every data set at its point."""
        b, n = theta[:, :1], self.trait.shape[1]
        s, t, weights = _variances(theta, self.trait)
        value, g, (aa, a2, w22), means, bread = self._solved(b, s, t)
        d_aa, d_a2, d_22 = (np.einsum("mii->mi", part) for part in (aa, a2, w22))
        g_a, g_y = g[:, :n] + b * g[:, n:], g[:, n:]
        by_row = np.stack([g_y * g_a - d_a2, 0.5 * (g_a * g_a - d_aa), 0.5 * (g_y * g_y - d_22)])
        gradient = np.sum(weights * by_row[_BASIS], axis=2).T
        # tr(W dO_j W dO_k) / 2 = w_j'K w_k, K the elementwise products of blocks of W
        a2_t = np.swapaxes(a2, 1, 2)
        along = {
            (0, 0): a2 * a2_t + aa * w22, (0, 1): a2 * aa, (0, 2): a2_t * w22, (1, 1): 0.5 * aa * aa,
            (1, 2): 0.5 * a2_t * a2_t, (2, 2): 0.5 * w22 * w22,
        }  # fmt: skip
        information = np.empty((len(theta), len(_BASIS), len(_BASIS)))
        for j, of_j in enumerate(_BASIS):
            for k, of_k in enumerate(_BASIS):
                product = along[of_j, of_k] if of_j <= of_k else np.swapaxes(along[of_k, of_j], 1, 2)
                information[:, j, k] = np.einsum("mi,mil,ml->m", weights[j], product, weights[k])
        return Point(value, gradient, information, means, bread)


Varying: TypeAlias = VaryingRows | VaryingDense
"""A likelihood of (b, sigma^2, tau^2, g_s, g_t) for m data sets."""
