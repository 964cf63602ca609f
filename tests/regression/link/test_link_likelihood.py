"""Maximum likelihood of the link: against brute force, against least squares, and against itself in other forms."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg, optimize, stats

from wagegap.errors import OptionError
from wagegap.regression.link.estimators.likelihood import DenseLikelihood, RowLikelihood, fisher_scoring
from wagegap.regression.link.estimators.ml import (
    fit_ml,
    kent_ratio,
    likelihood_of,
    maximise,
    profile_at,
    profile_interval,
    ratio_quantile,
    slopes_without,
)
from wagegap.regression.link.problem import LinkProblem


def made(seed, n=20, share=0.8, rho=0.5, slope=1.0, controls=0):
    """A problem with independent rows."""
    rng = np.random.default_rng(seed)
    sd_y, sd_p = rng.uniform(0.15, 0.85, n), rng.uniform(0.5, 1.5, n)
    sd_p *= np.sqrt((1 - share) / share / np.mean(sd_p**2))
    a, c, true = rng.standard_normal((3, n))
    z = np.column_stack([np.ones(n), rng.standard_normal((n, controls))])
    p = true + sd_p * (rho * a + np.sqrt(1 - rho**2) * c)
    y = slope * true + z.sum(axis=1) + 0.5 * rng.standard_normal(n) + sd_y * a
    return LinkProblem.build(y, np.column_stack([p, z]), v_x=sd_p**2, v_y=sd_y**2, v_xy=rho * sd_p * sd_y)


def brute_loglik(problem, slope, sigma2, tau2, *, restricted):
    """The likelihood written down: no shortcuts."""
    n, z = problem.n, problem.controls
    eye = np.eye(n)
    cross = slope * sigma2 * eye + problem.v_xy[0]
    omega = np.block(
        [[problem.v_x[0, 0] + sigma2 * eye, cross], [cross.T, problem.v_y + (slope**2 * sigma2 + tau2) * eye]]
    )
    x, y = linalg.block_diag(z, z), np.concatenate([problem.premiums[:, 0], problem.y])
    if restricted:
        # Of contrasts whose mean is zero; orthonormal ones, so that no determinant of X enters.
        k = linalg.null_space(x.T)
        return stats.multivariate_normal.logpdf(k.T @ y, cov=k.T @ omega @ k)
    inverse = np.linalg.inv(omega)
    b = np.linalg.solve(x.T @ inverse @ x, x.T @ inverse @ y)
    return stats.multivariate_normal.logpdf(y, mean=x @ b, cov=omega)


@pytest.mark.parametrize("restricted", [True, False])
@pytest.mark.parametrize("controls", [0, 2])
def test_maximum_is_that_of_the_likelihood_written_down(restricted, controls):
    problem = made(1, controls=controls)
    fit = fit_ml(problem, restricted=restricted)

    def minus(t):
        return -brute_loglik(problem, t[0], np.exp(t[1]), np.exp(t[2]), restricted=restricted)

    start = [fit.params[0], np.log(fit.sigma2), np.log(fit.tau2)]
    best = optimize.minimize(minus, start, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12})
    # Nelder and Mead's stops at 1e-9 of its variables; likelihoods agree far better than that.
    assert fit.params[0] == pytest.approx(best.x[0], abs=1e-6)
    assert fit.sigma2 == pytest.approx(np.exp(best.x[1]), rel=1e-5)
    assert fit.tau2 == pytest.approx(np.exp(best.x[2]), rel=1e-5)
    value = brute_loglik(problem, fit.params[0], fit.sigma2, fit.tau2, restricted=restricted)
    # The restricted likelihood is known up to the determinant of the exact columns, the same at every point.
    shift = 0.0 if not restricted else _shift(problem)
    assert fit.loglik == pytest.approx(value + shift, abs=1e-7)


def _shift(problem):
    """Log likelihood of contrasts less the restricted one, from any point."""
    scaled = likelihood_of(problem)
    theta = np.array([[0.3 / scaled.unit, 0.5 / scaled.premium**2, 0.4 / scaled.rate**2]])
    ours = float(scaled.model.at(theta).value[0]) + scaled.constant
    return ours - brute_loglik(problem, 0.3, 0.5, 0.4, restricted=True)


@pytest.mark.parametrize("restricted", [True, False])
def test_gradient_is_the_derivative(restricted):
    problem = made(2, controls=1)
    model = likelihood_of(problem, restricted=restricted).model
    theta = np.array([[0.7, 0.5, 0.3]])
    found, h = model.at(theta).gradient[0], 1e-6
    for j in range(3):
        up, down = theta.copy(), theta.copy()
        up[0, j] += h
        down[0, j] -= h
        assert found[j] == pytest.approx(
            (model.at(up).value[0] - model.at(down).value[0]) / (2 * h), rel=1e-5, abs=1e-6
        )


@pytest.mark.parametrize("seed", range(5))
def test_rows_and_dense_agree(seed):
    problem = made(seed, controls=1)
    rows = likelihood_of(problem)
    z = problem.controls / np.linalg.norm(problem.controls, axis=0) * np.sqrt(problem.n)
    v_p, v_py, v_y = (np.diag(part) for part in rows.model.v[:, 0])
    data = np.concatenate([rows.model.p[0], rows.model.y[0]])
    dense = DenseLikelihood(
        data[None], np.kron(np.eye(2), z)[None], np.block([[v_p, v_py], [v_py, v_y]])[None], True, np.zeros(2)
    )
    (a, la), (b, lb) = maximise(rows.model), maximise(dense)
    assert la[0] == pytest.approx(lb[0], abs=1e-9)
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)
    theta = np.array([[0.4, 0.6, 0.2]])
    np.testing.assert_allclose(rows.model.at(theta).gradient, dense.at(theta).gradient, rtol=1e-9)


@pytest.mark.parametrize("controls", [0, 2])
def test_without_errors_it_is_least_squares(controls):
    problem = made(3, controls=controls)
    exact = LinkProblem.build(problem.y, problem.x)
    fit = fit_ml(exact)
    bread = np.linalg.inv(exact.x.T @ exact.x)
    b = bread @ exact.x.T @ exact.y
    np.testing.assert_allclose(fit.params, b, rtol=1e-10, atol=1e-10)
    free = exact.n - exact.k
    s2 = np.sum((exact.y - exact.x @ b) ** 2) / free
    # Where Kent's ratio is one, the profile interval is the t interval, exactly.
    half = stats.t.isf(0.025, free) * np.sqrt(s2 * bread[0, 0])
    if fit.kent_ratio == 1:
        np.testing.assert_allclose(fit.interval, [b[0] - half, b[0] + half], rtol=1e-8)
    np.testing.assert_allclose(np.sqrt(np.diag(fit.cov)), np.sqrt(s2 * np.diag(bread)), rtol=1e-4)


def test_t_interval_of_least_squares_exactly():
    exact = next(p for p in (_exact(seed) for seed in range(40)) if fit_ml(p).kent_ratio == 1)
    fit, bread = fit_ml(exact), np.linalg.inv(exact.x.T @ exact.x)
    b = bread @ exact.x.T @ exact.y
    s2 = np.sum((exact.y - exact.x @ b) ** 2) / (exact.n - exact.k)
    half = stats.t.isf(0.025, exact.n - exact.k) * np.sqrt(s2 * bread[0, 0])
    np.testing.assert_allclose(fit.interval, [b[0] - half, b[0] + half], rtol=1e-8)
    assert fit.p_value == pytest.approx(
        2 * stats.t.sf(abs(b[0]) / np.sqrt(s2 * bread[0, 0]), exact.n - exact.k), rel=1e-6
    )


def _exact(seed):
    problem = made(seed)
    return LinkProblem.build(problem.y, problem.x)


def test_ends_of_the_interval_are_at_the_cut():
    for seed in range(6):
        problem = made(seed)
        fit = fit_ml(problem)
        for end in fit.interval:
            scaled = likelihood_of(problem)
            fall = 2 * (fit.loglik - profile_at(scaled.model, np.array([end / scaled.unit]))[1][0] - scaled.constant)
            assert fall == pytest.approx(fit.kent_ratio * ratio_quantile(problem.n, problem.k, 1), abs=1e-6)
        assert profile_interval(problem, alpha=0.1)[0] > fit.interval[0]


def test_whole_line_where_true_premiums_may_be_equal():
    rng = np.random.default_rng(0)
    noise = np.full(8, 1.0)
    problem = LinkProblem.build(
        rng.standard_normal(8), np.column_stack([rng.standard_normal(8), np.ones(8)]), v_x=noise
    )
    fit = fit_ml(problem)
    assert fit.interval == (-np.inf, np.inf)
    # As the slope leaves for infinity the profile falls to the likelihood of equal premiums, and no further.
    model = likelihood_of(problem).model
    flat = fisher_scoring(model, np.array([[0.0, 0.0, 0.5]]), free=(False, False, True))[1].value[0]
    for slope in (-1e3, 1e3):
        assert profile_at(model, np.array([slope]))[1][0] >= flat - 1e-9


def test_deletions_are_refits():
    problem = made(4, n=12, controls=1)
    ours = slopes_without(problem)
    again = [fit_ml(problem.take(np.delete(np.arange(12), i))).params[0] for i in range(12)]
    np.testing.assert_allclose(ours, again, rtol=1e-6, atol=1e-8)


def test_deletions_of_correlated_rows_are_refits():
    problem = made(4, n=10)
    v = np.diag(np.diag(problem.v_x[0, 0]))
    v[0, 1] = v[1, 0] = 0.3 * np.sqrt(v[0, 0] * v[1, 1])
    dense = LinkProblem.build(problem.y, problem.x, v_x=v, v_y=np.diag(problem.v_y))
    ours = slopes_without(dense)
    again = [fit_ml(dense.take(np.delete(np.arange(10), i))).params[0] for i in range(10)]
    np.testing.assert_allclose(ours, again, rtol=1e-5, atol=1e-7)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), of_p=st.floats(-3, 3), of_y=st.floats(-3, 3), shift=st.floats(-50, 50))
def test_units_do_not_matter(seed, of_p, of_y, shift):
    problem = made(seed, n=15)
    a, c = 10.0**of_p, 10.0**of_y
    other = LinkProblem.build(
        c * problem.y + shift, np.column_stack([a * problem.x[:, 0] + shift, problem.x[:, 1]]),
        v_x=a**2 * np.diag(problem.v_x[0, 0]), v_y=c**2 * np.diag(problem.v_y), v_xy=a * c * np.diag(problem.v_xy[0]),
    )  # fmt: skip
    ours, theirs = fit_ml(problem), fit_ml(other)
    assert theirs.params[0] * a / c == pytest.approx(ours.params[0], rel=1e-4, abs=1e-5)
    assert theirs.p_value == pytest.approx(ours.p_value, rel=1e-3, abs=1e-7)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_order_of_rows_does_not_matter(seed):
    problem = made(seed, n=12, controls=1)
    turned = problem.take(np.random.default_rng(seed).permutation(12))
    np.testing.assert_allclose(fit_ml(turned).params, fit_ml(problem).params, rtol=1e-5, atol=1e-7)


def test_kent_ratio_is_one_or_more():
    problem = made(5)
    scaled = likelihood_of(problem)
    theta = maximise(scaled.model)[0]
    assert kent_ratio(scaled.model, theta, problem.k)[0] >= 1
    assert kent_ratio(likelihood_of(problem, restricted=False).model, theta, problem.k)[0] == 1


def test_many_premiums_are_refused():
    problem = made(6, controls=1)
    two = LinkProblem.build(problem.y, problem.x, estimated=(0, 2))
    with pytest.raises(OptionError, match="one estimated premium"):
        fit_ml(two)


@pytest.mark.parametrize(("rho", "slope"), [(0.5, 0.0), (0.5, 1.0)])
def test_coverage_and_speed(rho, slope):
    n, draws = 20, 400
    problems = [made(1000 + i, n=n, rho=rho, slope=slope) for i in range(draws)]
    p, y = (np.array([q.premiums[:, 0] for q in problems]), np.array([q.y for q in problems]))
    v = np.array([[np.diag(q.v_x[0, 0]), np.diag(q.v_xy[0]), np.diag(q.v_y)] for q in problems]).transpose(1, 0, 2)
    model = RowLikelihood(p, y, np.ones((n, 1)), v, np.ones((draws, n)), True, np.zeros(2))
    start = time.process_time()
    theta, value = maximise(model)
    wider = kent_ratio(model, theta, 2)
    fall = 2 * (value - profile_at(model, np.full(draws, slope))[1])
    taken = time.process_time() - start
    covered = float(np.mean(fall <= wider * ratio_quantile(n, 2, 1)))
    assert abs(np.median(theta[:, 0]) - slope) < 0.05
    # .93 to .98, widened by three Monte Carlo errors.
    slack = 3 * np.sqrt(0.0475 / draws)
    assert 0.93 - slack <= covered <= 0.98 + slack
    # Measured at a third of a millisecond of one core a data set; the bound leaves room for a busy machine.
    assert taken / draws < 0.005
