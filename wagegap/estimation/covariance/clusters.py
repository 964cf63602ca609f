"""Cluster-robust adjustments: CR2 and CR3 scores, and the matrices that give degrees of freedom.

Bell and McCaffrey's CR2 multiplies the residuals of a cluster by a symmetric root of their inverse variance under
independence, CR3 by the inverse of one minus the hat matrix (the jackknife). Both roots are the identity plus a matrix
of low rank, so a cluster of n rows and k regressors costs n k^2, not n^3. Satterthwaite's degrees of freedom of any
contrast follow from three small matrices per cluster.

References
----------
Bell, R. and D. McCaffrey (2002). Bias reduction in standard errors for linear regression with multi-stage samples.
Survey Methodology 28, 169-181.
Pustejovsky, J. and E. Tipton (2018). Small-sample methods for cluster-robust variance estimation and hypothesis
testing in fixed effects models. Journal of Business & Economic Statistics 36, 672-683.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import linalg

from wagegap._display.session import Shown
from wagegap._typing import BoolArray, CodeArray, FloatArray

__all__ = ["LEVERAGE_ONE", "DegreesMatrices", "adjust_clusters", "hotelling", "satterthwaite"]

LEVERAGE_ONE = 1e-10
"""How near to one a leverage is taken for one: there the residual is rounding."""

_SHARE = 1e-10  # share of a parameter's variance that counts as something


@dataclass(frozen=True, slots=True, eq=False)
class DegreesMatrices(Shown):
    """What Satterthwaite's degrees of freedom of a contrast need.

    Attributes
    ----------
    groups : ndarray of int, shape (m,)
        Code of each cluster that this fit has rows of.
    own : ndarray, shape (m, r, r)
        R X_i'W_i A_i A_i' W_i X_i R', R the reported rows of (X'WX)^-1.
    left : ndarray, shape (m, r, k)
        R X_i'W_i A_i W_i X_i.
    right : ndarray, shape (m, k, r)
        (X'WX)^-1 X_i' A_i' W_i X_i R'.
    middle : ndarray, shape (k, k)
        X'W^2 X.
    singular : ndarray of bool, shape (m,)
        Clusters that alone decide a reported parameter: its residuals there are zero whatever the errors are.
    undefined : ndarray of bool, shape (r,)
        Parameters that such clusters decide.
    """

    groups: CodeArray
    own: FloatArray
    left: FloatArray
    right: FloatArray
    middle: FloatArray
    singular: BoolArray
    undefined: BoolArray

    def pairs(self, contrast: FloatArray, other: FloatArray | None = None) -> FloatArray:
        """Covariance of what each cluster adds to one contrast and to another (or the same), shape (m, m)."""
        # cov(c'b_i, d'b_j) = 1{i = j} c'P_i d - l_i(c)'r_j(d) - r_i(c)'l_j(d) + r_i(c)'M r_j(d) under equal variances,
        # with P_i = own, l_i(c) = left_i'c, r_i(c) = right_i c, M = middle: the residuals are (I - H)e, e independent.
        second = contrast if other is None else other
        left, left_too = (np.einsum("r,mrk->mk", c, self.left) for c in (contrast, second))
        right, right_too = (np.einsum("mkr,r->mk", self.right, c) for c in (contrast, second))
        own = np.einsum("r,mrs,s->m", contrast, self.own, second)
        crossed = left @ right_too.T + right @ left_too.T
        return np.asarray(np.diag(own) - crossed + right @ self.middle @ right_too.T)


def adjust_clusters(
    x: FloatArray,
    residuals: FloatArray,
    bread: FloatArray,
    clusters: CodeArray,
    reported: FloatArray,
    *,
    kind: str,
    weights: FloatArray | None = None,
) -> tuple[FloatArray, DegreesMatrices]:
    """Adjust and sum the scores of each cluster.

    Parameters
    ----------
    x : ndarray, shape (n, k)
        Regressors with independent columns.
    residuals : ndarray, shape (n,)
        y - Xb.
    bread : ndarray, shape (k, k)
        (X'WX)^-1.
    clusters : ndarray of int, shape (n,)
        Cluster codes.
    reported : ndarray, shape (r, k)
        Rows of the bread, or linear combinations of them, of the parameters wanted.
    kind : {"CR0", "CR1", "CR2", "CR3"}
        Adjustment; CR0 and CR1 have none (their factor is applied elsewhere).
    weights : ndarray, shape (n,), optional
        Weights of the fit; errors are taken as independent with equal variance.

    Returns
    -------
    scores : ndarray, shape (m, r)
        Influence of each cluster on the reported parameters.
    DegreesMatrices
        For the degrees of freedom of a contrast of reported parameters.
    """
    # s_i = R X_i'W_i A_i (y_i - X_i b), V = sum_i s_i s_i'; A_i = I (CR0, CR1), or that of `_adjusted_wx`.
    w = np.ones(len(x)) if weights is None else weights
    wx = x * w[:, None]
    middle = wx.T @ wx
    order = np.argsort(clusters, kind="stable")
    groups, starts = np.unique(clusters[order], return_index=True)
    m, (r, k) = len(groups), reported.shape
    scores, own = np.empty((m, r)), np.empty((m, r, r))
    left, right = np.empty((m, r, k)), np.empty((m, k, r))
    decided = np.zeros((m, r), dtype=bool)
    size = np.einsum("rk,kl,rl->r", reported, x.T @ wx, reported)
    for g, rows in enumerate(np.split(order, starts[1:])):
        xg, wxg = x[rows], wx[rows]
        adjusted, blind = _adjusted_wx(xg, wxg, bread, middle, kind, weights=None if weights is None else w[rows])
        influence = adjusted @ reported.T
        # share of b_j's variance, M_jj, in errors along u, which leave no residual: (u'W_i X_i M e_j)^2, u'W_i u = 1
        decided[g] = ((blind @ reported.T) ** 2 > _SHARE * size).any(axis=0)
        scores[g] = influence.T @ residuals[rows]
        own[g] = influence.T @ influence
        left[g] = influence.T @ wxg
        right[g] = bread @ (xg.T @ influence)
    return scores, DegreesMatrices(
        groups.astype(np.int32), own, left, right, middle, np.asarray(decided.any(axis=1)),
        np.asarray(decided.any(axis=0)),
    )  # fmt: skip


def satterthwaite(pairs: FloatArray) -> float:
    """Degrees of freedom from the matrix of pairs."""
    # nu = 2 E[v]^2 / var(v) = tr(G)^2 / tr(G G), G the covariances of what clusters add to the contrast
    norm = float(np.sum(pairs**2))
    return float(np.trace(pairs) ** 2 / norm) if norm > 0 else np.nan


def hotelling(pairs: Callable[[FloatArray, FloatArray], FloatArray], contrasts: FloatArray) -> float:
    """Degrees of freedom eta of an approximate Hotelling T-squared, for a test of several contrasts.

    With D the covariance estimate of the contrasts scaled so that its mean is the identity,
    eta = q (q + 1) / sum_st var(D_st); Satterthwaite's degrees for a single contrast.

    Parameters
    ----------
    pairs : callable
        Covariance of what each cluster adds to two contrasts, shape (m, m).
    contrasts : ndarray, shape (q, r)
        The contrasts.
    """
    # Omega = E[C V C'], D = Omega^(-1/2) C V C' Omega^(-1/2); var(D_st) = tr(G_ss G_tt) + tr(G_st G_st), G_st the
    # covariances between clusters of what they add to contrasts s and t (Pustejovsky and Tipton 2018).
    q = len(contrasts)
    mean = np.array([[np.trace(pairs(a, b)) for b in contrasts] for a in contrasts])
    values, vectors = linalg.eigh((mean + mean.T) / 2)
    if not values[0] > 1e-12 * values[-1]:
        return np.nan
    scaled = (vectors / np.sqrt(values)) @ vectors.T @ contrasts
    blocks = [[pairs(a, b) for b in scaled] for a in scaled]
    total = sum(
        float(np.sum(blocks[s][s] * blocks[t][t]) + np.sum(blocks[s][t] * blocks[s][t].T))
        for s in range(q)
        for t in range(q)
    )
    return float(q * (q + 1) / total) if total > 0 else np.nan


def _adjusted_wx(
    x: FloatArray, wx: FloatArray, bread: FloatArray, middle: FloatArray, kind: str, *, weights: FloatArray | None
) -> tuple[FloatArray, FloatArray]:
    """A_i'W_i X_i of one cluster, shape (n_i, k), and u'W_i X_i of errors u that leave it no residual, shape (d, k)."""
    if kind in ("CR0", "CR1"):
        return wx, np.zeros((0, x.shape[1]))
    if kind == "CR3":
        # (I - X M X'W)^-1 has a transpose that maps WX to WX (I - M X'WX)^-1.
        gram = x.T @ wx
        left = np.eye(x.shape[1]) - bread @ gram
        inverse = linalg.pinv(left)
        regular = np.abs(inverse @ left - np.eye(x.shape[1])).max(initial=0.0) < 1e-6
        return wx @ inverse, np.zeros((0, x.shape[1])) if regular else _alone(left, gram)
    # B_i = I - X_i M X_i'W_i - W_i X_i M X_i' + X_i M X'W^2 X M X_i', the residuals' variance, M = (X'WX)^-1;
    # A_i = B_i^(-1/2) = I + Q [(Q'B_i Q)^(-1/2) - I] Q', Q an orthonormal basis of [X_i, W_i X_i].
    basis = linalg.qr(x if weights is None else np.hstack([x, wx]), mode="economic", pivoting=True)[0]
    bx, bwx = basis.T @ x, basis.T @ wx
    hat = bx @ bread @ bwx.T
    inside = np.eye(basis.shape[1]) - hat - hat.T + bx @ bread @ middle @ bread @ bx.T
    values, vectors = linalg.eigh((inside + inside.T) / 2)
    positive = values > 1e-12
    root = np.where(positive, 1 / np.sqrt(np.where(positive, values, 1.0)), 0.0)
    adjusted = wx + basis @ (((vectors * (root - 1.0)) @ vectors.T) @ bwx)
    # (I - H_i')v = 0 for v = W_i u
    null = vectors[:, ~positive]
    squares = (basis @ null) ** 2
    length = np.sqrt((squares if weights is None else squares / weights[:, None]).sum(axis=0))
    return adjusted, (null / length).T @ bx


def _alone(left: FloatArray, gram: FloatArray) -> FloatArray:
    """Z'X_i'W_i X_i, Z the coefficients that without the cluster are not identified, scaled to Z'X_i'W_i X_i Z = I."""
    # M X_i'WX_i z = z, so that the rest of the rows have z'(X'WX - X_i'WX_i)z = 0
    null = linalg.null_space(left, rcond=1e-8)
    size = linalg.cholesky(null.T @ gram @ null, lower=True)
    return np.asarray(linalg.solve_triangular(size, null.T @ gram, lower=True))
