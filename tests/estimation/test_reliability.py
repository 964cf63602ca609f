"""Reliability of estimates against dense formulas, noise that estimates share included."""

from __future__ import annotations

import numpy as np
import pytest

from wagegap.errors import CovarianceError, DataError, IdentificationError, MissingValueError
from wagegap.estimation.reliability import (
    annihilator,
    noise_in_words,
    reliability,
    reliability_in_words,
    reliability_of_rows,
)


def drawn(seed, size=7):
    """Estimates with a covariance whose off-diagonals are large, of either sign."""
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(size, size))
    return rng, rng.normal(size=size), 0.05 * root @ root.T + 0.1


def dense(values, cov, design, others, weights):
    """1 - tr(A V) / p'A p by projection matrices: A = D'W^(1/2) (I - H) W^(1/2) D, H of W^(1/2) Z."""
    half = np.diag(np.sqrt(weights))
    z = half @ np.column_stack([np.ones(len(design)), others])
    a = design.T @ half @ (np.eye(len(design)) - z @ np.linalg.pinv(z)) @ half @ design
    return 1 - np.trace(a @ cov) / (values @ a @ values)


@pytest.mark.parametrize("seed", range(4))
def test_reliability_of_rows_is_that_of_dense_projections(seed):
    rng, values, cov = drawn(seed)
    codes = np.r_[np.arange(7), rng.integers(7, size=40)]
    others, weights = rng.normal(size=(47, 2)), rng.uniform(0.2, 3.0, size=47)
    design = np.eye(7)[codes]
    found = reliability_of_rows(values, cov, codes, others, weights)
    assert found == pytest.approx(dense(values, cov, design, others, weights), rel=1e-10)
    equal = reliability_of_rows(values, cov, codes, others)
    assert equal == pytest.approx(dense(values, cov, design, others, np.ones(47)), rel=1e-10)
    # what the diagonal alone would say is another number
    assert abs(found - dense(values, np.diag(np.diag(cov)), design, others, weights)) > 1e-3


def test_one_row_for_each_estimate_is_reliability_with_errors_that_are_shared():
    rng, values, cov = drawn(9)
    z = rng.normal(size=(7, 1))
    expected = dense(values, cov, np.eye(7), z, np.ones(7))
    assert reliability(values, cov, z) == pytest.approx(expected, rel=1e-12)
    assert reliability(values, cov, z[:, 0]) == pytest.approx(expected, rel=1e-12)
    assert reliability_of_rows(values, cov, np.arange(7), z) == pytest.approx(expected, rel=1e-10)


def test_rows_that_all_have_one_estimate_have_no_spread():
    assert reliability_of_rows(np.array([1.0, 2.0]), np.eye(2), np.zeros(5, dtype=int), np.ones((5, 1))) == -np.inf
    # nor have rows whose estimate another column gives
    codes = np.array([0, 1, 0, 1, 1])
    assert reliability_of_rows(np.array([1.0, 2.0]), np.eye(2), codes, codes[:, None] * 1.0) == -np.inf


def test_annihilator_of_collinear_columns_of_very_different_size():
    x = np.arange(6.0)
    z = np.column_stack([np.ones(6), 1e9 * x, 1e-9 * x, np.zeros(6)])
    m = annihilator(z)
    both = np.column_stack([np.ones(6), x])
    np.testing.assert_allclose(m, np.eye(6) - both @ np.linalg.inv(both.T @ both) @ both.T, atol=1e-12)
    assert np.trace(m) == pytest.approx(4, abs=1e-12)
    np.testing.assert_array_equal(annihilator(np.zeros((3, 0))), np.eye(3))
    # nearly collinear is not collinear
    near = annihilator(np.column_stack([np.ones(6), 1 + 1e-9 * x]))
    np.testing.assert_allclose(near @ x, 0, atol=1e-5)


def test_what_is_refused():
    p, v = np.array([1.0, 2.0, 4.0]), np.eye(3)
    for error, match, call in (
        (DataError, r"\(3,\)", lambda: reliability(p, np.eye(2))),
        (MissingValueError, "1 of 3", lambda: reliability(np.array([1.0, np.nan, 2.0]), v)),
        (CovarianceError, "unknown", lambda: reliability(p, np.diag([1.0, np.nan, 1.0]))),
        (IdentificationError, "the constant are taken out", lambda: reliability(np.full(3, 0.1), v)),
        (IdentificationError, "the other regressors", lambda: reliability(p, v, p)),
        (DataError, "one row for each", lambda: reliability(p, v, np.ones(4))),
        (MissingValueError, "2 cells", lambda: reliability(p, v, np.array([np.nan, 1.0, np.inf]))),
    ):
        with pytest.raises(error, match=match):
            call()


def test_words():
    assert reliability_in_words(0.0) == "0.00"
    assert reliability_in_words(-0.001) == "below 0"
    assert noise_in_words(0.0, "it") == "sampling error makes up 100 % of it"
