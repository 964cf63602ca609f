"""The parts of a gap as products of means and coefficients: every variant of a decomposition as a table of signs.

A part is a sum over regressors of c_uv m_u b_v, where m_u are the means of sample u, b_v the coefficients of fit v, and
c_uv is -1, 0 or 1. With samples a (first), b (second) and reference coefficients r, the explained part is
(m_a - m_b) b_r: c_ar = 1, c_br = -1. Twofold, threefold, split and reweighted decompositions differ in their tables
only; values, derivatives, detail and normalisation are the same few lines for all of them.

References
----------
Blinder, A. (1973). Wage discrimination: reduced form and structural estimates. Journal of Human Resources 8, 436-455.
Oaxaca, R. (1973). Male-female wage differentials in urban labor markets. International Economic Review 14, 693-709.
Jann, B. (2008). The Blinder-Oaxaca decomposition for linear regression models. Stata Journal 8, 453-479.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from wagegap._typing import FloatArray

__all__ = ["REWEIGHTED", "SPLIT", "THREEFOLD", "THREEFOLD_REVERSE", "TWOFOLD", "Parts"]


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """Signs of a decomposition.

    Attributes
    ----------
    components : tuple of str
        Components, the first of which is the gap.
    levels : tuple of str
        Levels of the samples.
    signs : ndarray, shape (p, u, v)
        c_uv of each component, then of each level.
    """

    components: tuple[str, ...]
    levels: tuple[str, ...]
    signs: FloatArray

    def evaluate(self, means: FloatArray, coefs: FloatArray) -> FloatArray:
        """Return every component by column: (..., u, k) means and (..., v, k) coefficients to (..., p, k)."""
        # part_pk = sum_uv c_puv m_uk b_vk
        return np.asarray(np.einsum("puv,...uk,...vk->...pk", self.signs, means, coefs))

    def second_order(self, v_means: FloatArray, v_coefs: FloatArray) -> FloatArray:
        """Return the covariance of products of errors of means and coefficients, shape (p, k, p, k).

        Means (u, k, k), independent across samples and of the coefficients (v, v, k, k).
        """
        # cov(part_pj, part_qk) = sum_uvw c_puv c_quw V(m_u)_jk V(b_v, b_w)_jk, as cov(m_u, m_t) = 0 for t != u
        return np.asarray(np.einsum("puv,quw,ujk,vwjk->pjqk", self.signs, self.signs, v_means, v_coefs))

    def jacobian(self, means: FloatArray, coefs: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return derivatives by column: with respect to means (p, u, k), and to coefficients (p, v, k)."""
        # d part_pk / d m_uk = sum_v c_puv b_vk,  d part_pk / d b_vk = sum_u c_puv m_uk
        return np.einsum("puv,vk->puk", self.signs, coefs), np.einsum("puv,uk->pvk", self.signs, means)


def _parts(components: Mapping[str, str], samples: str = "ab", fits: str = "abr") -> Parts:
    """Signs of the gap, of components such as {"explained": "+ar -br"} (a sign, a sample, a fit), and of the levels."""
    levels = {"first": "+aa", "second": "+bb", **({"counterfactual": "+cc"} if "c" in samples else {})}
    table = {"difference": "+aa -bb", **components, **levels}
    signs = np.zeros((len(table), len(samples), len(fits)))
    for i, terms in enumerate(table.values()):
        for sign, sample, fit in map(tuple, terms.split()):
            signs[i, samples.index(sample), fits.index(fit)] += 1.0 if sign == "+" else -1.0
    return Parts(("difference", *components), tuple(levels), signs)


TWOFOLD = _parts({"explained": "+ar -br", "unexplained": "+aa -ar +br -bb"})
SPLIT = _parts({"explained": "+ar -br", "unexplained_first": "+aa -ar", "unexplained_second": "+br -bb"})
THREEFOLD = _parts({"endowments": "+ab -bb", "coefficients": "+ba -bb", "interaction": "+aa -ab -ba +bb"})
THREEFOLD_REVERSE = _parts({"endowments": "+aa -ba", "coefficients": "+aa -ab", "interaction": "-aa +ab +ba -bb"})

_REWEIGHTED = {
    "A": ("+aa -ca", "+ca -cc", "+bc -bb", "+cc -bc"),
    "B": ("+cb -bb", "+cc -cb", "+aa -ac", "+ac -cc"),
}
REWEIGHTED = {
    group: _parts(
        dict(zip(("explained", "specification_error", "unexplained", "reweighting_error"), terms, strict=True)),
        "abc",
        "abc",
    )
    for group, terms in _REWEIGHTED.items()
}
"""By the group whose rows are reweighted, which make the third sample c."""
