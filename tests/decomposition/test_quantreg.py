"""Quantile regression against linear programming, published coefficients, and its own equivariances."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from wagegap.decomposition.distributions import quantreg
from wagegap.decomposition.distributions.quantreg import check_probs, fit_quantiles, hall_sheather, score_update
from wagegap.errors import DataError, IdentificationError, OptionError

PROBS = np.array([0.02, 0.1, 0.25, 0.5, 0.77, 0.9, 0.98])


def solve_lp(y, x, p, weights=None):
    """The linear program, by the dual simplex of HiGHS: coefficients and loss."""
    n, k = x.shape
    w = np.ones(n) if weights is None else weights
    found = linprog(
        np.concatenate([np.zeros(k), p * w, (1 - p) * w]),
        A_eq=np.hstack([x, np.eye(n), -np.eye(n)]),
        b_eq=y,
        bounds=[(None, None)] * k + [(0, None)] * (2 * n),
        method="highs-ds",
    )
    return found.x[:k], found.fun


def loss(y, x, b, p, weights=None):
    rest = y - x @ b
    return float((np.ones(len(y)) if weights is None else weights) @ (rest * (p - (rest < 0))))


def sample(seed=1, n=250, k=5):
    rng = np.random.default_rng(seed)
    x = np.column_stack([np.ones(n), rng.normal(size=(n, k - 2)), rng.random(n) < 0.3])
    y = x @ rng.normal(size=k) + (1 + 0.4 * np.abs(x[:, 1])) * rng.standard_t(4, size=n)
    return y, x, rng.exponential(size=n)


def is_optimal(fit, j, y, x, weights=None):
    """The certificate of optimality: duals within their bounds whose weighted sum of regressors is zero."""
    psi, p = fit.scores(j, y, x, weights), fit.probs[j]
    w = np.ones(len(y)) if weights is None else weights
    size = np.abs(x * w[:, None]).sum(axis=0)
    return (np.abs((psi * w) @ x) < 1e-9 * size).all() and psi.min() >= p - 1 - 1e-9 and psi.max() <= p + 1e-9


@pytest.mark.parametrize("weighted", [False, True])
def test_coefficients_are_those_of_the_linear_program(weighted):
    y, x, w = sample()
    weights = w if weighted else None
    fit = fit_quantiles(y, x, PROBS, weights)
    for j, p in enumerate(PROBS):
        expected, _ = solve_lp(y, x, p, weights)
        # Both stand on the same vertex: only the rounding of a solve of five equations is between them.
        np.testing.assert_allclose(fit.params[j], expected, rtol=1e-8, atol=1e-10)
        assert is_optimal(fit, j, y, x, weights)


def test_engels_food_expenditure():
    engel = sm.datasets.engel.load_pandas().data
    y, x = engel["foodexp"].to_numpy(), sm.add_constant(engel["income"].to_numpy())
    fit = fit_quantiles(y, x, np.array([0.05, 0.5, 0.95]))
    # R, quantreg, rq(foodexp ~ income, tau = c(.05, .5, .95)), as its vignette prints them.
    printed = [[124.88004, 0.34336], [81.48225, 0.56018], [64.10396, 0.70907]]
    np.testing.assert_allclose(fit.params, printed, atol=5e-6)


def test_statsmodels_is_near_and_never_better():
    y, x, _ = sample(3, 400, 4)
    fit = fit_quantiles(y, x, PROBS)
    for j, p in enumerate(PROBS[1:-1], start=1):
        near = sm.QuantReg(y, x).fit(q=p, p_tol=1e-8, max_iter=5000).params
        # statsmodels stops its reweighted least squares near the vertex; three digits are what it gives.
        np.testing.assert_allclose(fit.params[j], near, atol=5e-3)
        assert loss(y, x, fit.params[j], p) <= loss(y, x, near, p) + 1e-10


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(5, 80), st.integers(1, 4), st.floats(0.02, 0.98))
def test_ties_and_degenerate_designs_reach_the_minimum(seed, n, k, p):
    rng = np.random.default_rng(seed)
    x = np.column_stack([np.ones(n), rng.integers(0, 3, size=(n, k - 1))]).astype(float)
    y, w = rng.integers(0, 4, size=n).astype(float), rng.integers(0, 3, size=n).astype(float)
    if (w > 0).sum() < k:
        w += 1
    fit = fit_quantiles(y, x, np.array([p]), w)
    _, least = solve_lp(y, x, p, w)
    assert loss(y, x, fit.params[0], p, w) == pytest.approx(least, abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.1, 50), st.floats(0.05, 0.95))
def test_equivariance(seed, factor, p):
    y, x, w = sample(seed, 90, 4)
    rng = np.random.default_rng(seed)
    shift, mix = rng.normal(size=4), rng.normal(size=(4, 4)) + 3 * np.eye(4)
    at = np.array([p])
    b = fit_quantiles(y, x, at, w).params[0]
    close = dict(rtol=1e-7, atol=1e-7 * factor)
    np.testing.assert_allclose(fit_quantiles(factor * y, x, at, w).params[0], factor * b, **close)
    np.testing.assert_allclose(fit_quantiles(-factor * y, x, 1 - at, w).params[0], -factor * b, **close)
    np.testing.assert_allclose(fit_quantiles(y + x @ shift, x, at, w).params[0], b + shift, rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(
        fit_quantiles(y, x @ mix, at, w).params[0], np.linalg.solve(mix, b), rtol=1e-6, atol=1e-6
    )


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_weights_are_repeated_rows_and_zero_is_absence(seed):
    y, x, _ = sample(seed, 80, 3)
    times = np.random.default_rng(seed).integers(0, 4, size=80)
    weighted = fit_quantiles(y, x, PROBS, times.astype(float))
    rows = np.repeat(np.arange(80), times)
    # Whole multiplicities can make the solution an edge, of which either end is a solution: losses are compared.
    repeated = fit_quantiles(y[rows], x[rows], PROBS)
    for j, p in enumerate(PROBS):
        least = loss(y, x, repeated.params[j], p, times)
        assert loss(y, x, weighted.params[j], p, times) == pytest.approx(least, rel=1e-12, abs=1e-12)
    assert (times[weighted.basis] > 0).all()


def test_scale_of_weights_and_order_of_rows_do_not_matter():
    y, x, w = sample(5)
    order = np.random.default_rng(0).permutation(len(y))
    b = fit_quantiles(y, x, PROBS, w).params
    np.testing.assert_allclose(fit_quantiles(y, x, PROBS, 1e6 * w).params, b, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(fit_quantiles(y[order], x[order], PROBS, w[order]).params, b, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("weighted", [False, True])
def test_many_rows_take_signs_from_their_neighbours_and_are_exact(weighted):
    y, x, w = sample(7, 6000, 6)
    weights = w if weighted else None
    probs = (np.arange(40) + 0.5) / 40
    fit = fit_quantiles(y, x, probs, weights)
    assert all(is_optimal(fit, j, y, x, weights) for j in range(len(probs)))


def test_quantiles_without_regressors_are_those_of_the_sample():
    y = np.random.default_rng(2).normal(size=101)
    fit = fit_quantiles(y, np.ones((101, 1)), PROBS)
    np.testing.assert_allclose(fit.params[:, 0], np.quantile(y, PROBS, method="inverted_cdf"))


def test_a_column_that_others_make_changes_nothing():
    y, x, _ = sample(9)
    doubled = np.column_stack([x, 2 * x[:, 1] - x[:, 0]])
    fit = fit_quantiles(y, doubled, PROBS)
    assert fit.kept.tolist() == [True] * 5 + [False]
    np.testing.assert_allclose(fit.params[:, :5], fit_quantiles(y, x, PROBS).params, rtol=1e-9, atol=1e-11)


def test_columns_of_very_different_size():
    y, x, _ = sample(11)
    wide = x * np.array([1.0, 1e7, 1e-7, 1.0, 1.0])
    np.testing.assert_allclose(
        fit_quantiles(y, wide, PROBS).params * np.array([1.0, 1e7, 1e-7, 1.0, 1.0]),
        fit_quantiles(y, x, PROBS).params,
        rtol=1e-8,
    )


def test_an_exact_fit_is_found():
    _, x, _ = sample(13)
    b = np.arange(1.0, 6.0)
    np.testing.assert_allclose(fit_quantiles(x @ b, x, PROBS).params, np.tile(b, (len(PROBS), 1)), rtol=1e-10)


def test_one_step_updates_agree_with_refits():
    y, x, _ = sample(15, 2000, 4)
    probs = (np.arange(20) + 0.5) / 20
    fit = fit_quantiles(y, x, probs)
    update, rng = score_update(fit, y, x, np.ones(len(y))), np.random.default_rng(1)
    weights = rng.exponential(size=(60, len(y)))
    quick = np.array([update.step(w) for w in weights])
    full = np.array([fit_quantiles(y, x, probs, w).params for w in weights]) - fit.params
    # The same weights in both, so that no noise of the draws is between them: the law of large numbers of the
    # density is, about n^(-1/4); over the middle of the process errors differ by less than a tenth.
    ratio = quick.std(axis=0)[2:-2] / full.std(axis=0)[2:-2]
    assert abs(ratio.mean() - 1) < 0.1
    assert (np.abs(ratio - 1) < 0.25).all()
    together = np.corrcoef(quick[:, 2:-2].ravel(), full[:, 2:-2].ravel())[0, 1]
    assert together > 0.93


def test_update_under_the_own_weights_is_no_update():
    y, x, w = sample(17)
    fit = fit_quantiles(y, x, PROBS, w)
    step = score_update(fit, y, x, w).step(3 * w)
    assert np.abs(step).max() < 1e-10


def test_bandwidth_of_hall_and_sheather():
    # At the median x = 0 and phi^2 = 1 / (2 pi): n^(-1/3) 1.96^(2/3) (1.5 / (2 pi))^(1/3).
    assert hall_sheather(0.5, 1000) == pytest.approx(0.1 * 1.959964 ** (2 / 3) * (0.75 / np.pi) ** (1 / 3), rel=1e-6)
    assert hall_sheather(0.1, 100) == pytest.approx(hall_sheather(0.9, 100))


@pytest.mark.parametrize(
    ("probs", "message"),
    [
        ([0.5, 1.2], "1.2 is not between 0 and 1"),
        ([10, 90], "Per cent"),
        ([], "probs is empty"),
        ([float("nan")], "nan is not between"),
        ("median", "must be numbers"),
        ([0.0], "0.0 is not between"),
    ],
)
def test_probabilities_that_are_none(probs, message):
    with pytest.raises(OptionError, match=message):
        check_probs(probs)


def test_bad_weights_and_too_few_rows():
    y, x, w = sample(19, 30, 4)
    with pytest.raises(DataError, match="1 of 30 weights are negative"):
        fit_quantiles(y, x, PROBS, np.where(np.arange(30) == 3, -1.0, w))
    with pytest.raises(DataError, match="sum to zero"):
        fit_quantiles(y, x, PROBS, 0 * w)
    with pytest.raises(IdentificationError, match="3 rows are fewer than the 4 columns"):
        fit_quantiles(y[:3], x[:3], PROBS)


def test_level_and_slopes_of_the_outcome_cost_no_digits():
    y, x, w = sample(21)
    far = fit_quantiles(1e8 + y, x, PROBS, w).params - np.array([1e8, 0, 0, 0, 0])
    np.testing.assert_allclose(far, fit_quantiles(y, x, PROBS, w).params, atol=1e-6)


def test_where_pivots_end_early_the_linear_program_is_solved_as_it_stands(monkeypatch):
    y, x, w = sample(23)
    expected = fit_quantiles(y, x, PROBS, w)
    monkeypatch.setattr(quantreg, "_PIVOTS", 0)
    found = fit_quantiles(y, x, PROBS, w)
    np.testing.assert_allclose(found.params, expected.params, rtol=1e-9, atol=1e-11)
    np.testing.assert_array_equal(np.sort(found.basis), np.sort(expected.basis))
