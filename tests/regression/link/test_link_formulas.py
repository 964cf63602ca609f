"""Estimators of the link against their formulas written out with dense matrices, a cell at a time."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

import wagegap as wg
from wagegap.errors import CovarianceWarning
from wagegap.regression.link.estimators.eiv import fit_eiv, fit_moments, solve_moments
from wagegap.regression.link.estimators.estimator import cluster_scores, jackknife_errors
from wagegap.regression.link.estimators.ml import fit_ml, profile_interval
from wagegap.regression.link.problem import LinkProblem

pytestmark = pytest.mark.filterwarnings("ignore::wagegap.errors.ReliabilityWarning")


def skewed(seed, n=30):
    """Premiums and rates with skewed errors, related within a cell, and one control."""
    rng = np.random.default_rng(seed)
    sd_p, sd_y, rho = rng.uniform(0.3, 0.8, n), rng.uniform(0.2, 0.5, n), 0.4
    e, u = rng.exponential(size=(2, n)) - 1
    control = rng.normal(size=n)
    true = rng.exponential(size=n) - 1 + 0.3 * control
    p = true + sd_p * e
    y = 0.8 * true + 0.2 * control + 0.3 * (rng.exponential(size=n) - 1)
    y = y + sd_y * (rho * e + np.sqrt(1 - rho**2) * u)
    x = np.column_stack([np.ones(n), p, control])
    return LinkProblem.build(y, x, estimated=[1], v_x=sd_p**2, v_y=sd_y**2, v_xy=rho * sd_p * sd_y)


class Dense:
    """Restricted likelihood of (p, y) by one dense covariance, O = V + s aa' x I + t ee' x I with a = (1, b)."""

    def __init__(self, problem):
        z = problem.controls
        self.n, self.q, self.k = problem.n, z.shape[1], problem.k
        self.v = np.block([[problem.v_x[0, 0], problem.v_xy[0]], [problem.v_xy[0].T, problem.v_y]])
        self.x, self.w = np.kron(np.eye(2), z), np.concatenate([problem.premiums[:, 0], problem.y])

    def cov(self, b, s, t):
        a, e = np.array([1.0, b]), np.array([0.0, 1.0])
        return self.v + np.kron(s * np.outer(a, a) + t * np.outer(e, e), np.eye(self.n))

    def loglik(self, b, s, t):
        o = self.cov(b, s, t)
        inverse = np.linalg.inv(o)
        normal = self.x.T @ inverse @ self.x
        r = self.w - self.x @ np.linalg.solve(normal, self.x.T @ inverse @ self.w)
        return -0.5 * (np.linalg.slogdet(o)[1] + r @ inverse @ r + np.linalg.slogdet(normal)[1])

    def profile(self, b):
        """Largest value over the two variances, at their logarithms."""

        def loss(log):
            return -self.loglik(b, *np.exp(np.clip(log, -30, 10)))

        starts = [(-1.0, -2.0), (0.0, -4.0), (-3.0, -1.0)]
        options = {"xatol": 1e-9, "fatol": 1e-12, "maxiter": 4000}
        found = [optimize.minimize(loss, start, method="Nelder-Mead", options=options) for start in starts]
        best = min(found, key=lambda one: one.fun)
        return -best.fun, np.exp(best.x)

    def kent(self, b, s, t):
        """(I^-1 J I^-1)_bb / (I^-1)_bb: J of the rows' scores at fitted means, I expected, less the means' share."""
        o = self.cov(b, s, t)
        inverse = np.linalg.inv(o)
        normal = self.x.T @ inverse @ self.x
        r = self.w - self.x @ np.linalg.solve(normal, self.x.T @ inverse @ self.w)
        step = 1e-6
        theta = np.array([b, s, t])
        slopes = [
            (self.cov(*(theta + step * unit)) - self.cov(*(theta - step * unit))) / (2 * step) for unit in np.eye(3)
        ]
        g = inverse @ r
        scores = np.zeros((self.n, 3))
        for i in range(self.n):
            rows = [i, i + self.n]
            for j, slope in enumerate(slopes):
                block, inside = slope[np.ix_(rows, rows)], inverse[np.ix_(rows, rows)]
                scores[i, j] = 0.5 * (g[rows] @ block @ g[rows] - np.trace(inside @ block))
        scores -= scores.mean(axis=0)
        meat = self.n / (self.n - self.k) * scores.T @ scores
        information = np.array([[0.5 * np.trace(inverse @ a @ inverse @ c) for c in slopes] for a in slopes])
        information *= 1 - self.q / self.n
        bread = np.linalg.inv(information)
        return max((bread @ meat @ bread)[0, 0] / bread[0, 0], 1.0)


@pytest.mark.parametrize(("seed", "stretched"), [(1, True), (2, False), (5, True)])
def test_the_interval_of_ml_is_cut_at_kents_ratio_times_the_quantile(seed, stretched):
    problem = skewed(seed)
    fit, dense = fit_ml(problem), Dense(problem)
    top, variances = dense.profile(float(fit.params[1]))
    np.testing.assert_allclose([fit.sigma2, fit.tau2], variances, rtol=1e-4)
    kent = dense.kent(float(fit.params[1]), fit.sigma2, fit.tau2)
    assert kent > 1.1 if stretched else kent == 1.0
    # derivatives of the covariance by central differences: 1e-6
    assert fit.kent_ratio == pytest.approx(kent, rel=1e-5)
    # v log(1 + F / (n - k)), v = n - q = n - k + 1, at 95 % and at 80 %
    for alpha in (0.05, 0.2):
        cut = kent * 28 * np.log1p(stats.f.isf(alpha, 1, 27) / 27)
        for end in profile_interval(problem, alpha=alpha):
            assert 2 * (top - dense.profile(end)[0]) == pytest.approx(cut, rel=1e-4)
    assert fit.interval == pytest.approx(profile_interval(problem), rel=1e-6)
    fall = 2 * (top - dense.profile(0.0)[0]) / kent
    assert fit.p_value == pytest.approx(stats.f.sf(27 * np.expm1(fall / 28), 1, 27), rel=1e-3)


def test_the_door_prints_the_interval_with_kents_ratio():
    problem = skewed(1)
    n = problem.n
    names = [f"C{i:02d}" for i in range(n)]
    frame = pd.DataFrame({"iso3": names * 2, "b": [*problem.y, *problem.x[:, 1]], "term": ["r"] * n + ["premium"] * n})
    v = np.block([[problem.v_y, problem.v_xy[0].T], [problem.v_xy[0], problem.v_x[0, 0]]])
    both = wg.Estimates.from_table(frame, term="term", vcov=v)
    link = wg.fit_link(
        "r ~ premium + control", both.select(term="r"), both.select(term="premium"),
        data=pd.DataFrame({"iso3": names, "control": problem.x[:, 2]}), method="ml",
    )  # fmt: skip
    fit = fit_ml(problem)
    assert fit.kent_ratio > 1.1
    assert link.interval == pytest.approx(fit.interval, rel=1e-8)
    assert link.tidy().set_index("term").loc["premium", "p_value"] == pytest.approx(fit.p_value, rel=1e-8)


# corrected moments ---------------------------------------------------------------------------------------------------


def related(seed, n=18, shared=0.0):
    """A problem with errors that cells of a region share, by as much; regions of three cells."""
    rng = np.random.default_rng(seed)
    region = np.repeat(np.arange(n // 3), 3)
    same = region[:, None] == region
    root = rng.normal(size=(2 * n, 2 * n)) * 0.02
    within = np.kron(np.ones((2, 2)), np.eye(n) + shared * (same & ~np.eye(n, dtype=bool)))
    v = (root @ root.T + 0.05 * np.eye(2 * n)) * within
    control = rng.normal(size=n)
    true = rng.normal(size=n) + 0.5 * control
    errors = np.linalg.cholesky(v) @ rng.normal(size=2 * n)
    p, y = true + errors[:n], 0.6 * true - 0.2 * control + 0.3 * rng.normal(size=n) + errors[n:]
    x = np.column_stack([np.ones(n), p, control])
    built = LinkProblem.build(y, x, estimated=[1], v_x=v[:n, :n], v_y=v[n:, n:], v_xy=v[:n, n:])
    return built, region


def moments(problem):
    """b = (X'X - D)^-1 (X'y - d) with D, d the traces tr(M V_pp), tr(M V_py) at the premium, and the rows' scores."""
    x, y, z = problem.x, problem.y, problem.controls
    m = np.eye(problem.n) - z @ np.linalg.inv(z.T @ z) @ z.T
    noise, cross = np.diag(m @ problem.v_x[0, 0]), np.diag(m @ problem.v_xy[0])
    left, right = x.T @ x, x.T @ y
    left[1, 1] -= noise.sum()
    right[1] -= cross.sum()
    b = np.linalg.solve(left, right)
    scores = x * (y - x @ b)[:, None]
    scores[:, 1] += b[1] * noise - cross
    return b, np.linalg.inv(left), scores


def beyond(problem, b, same):
    """X' Omega X over pairs of cells that are not the same: V_yy + b^2 V_pp - b (V_py + V_yp)."""
    omega = problem.v_y + b[1] ** 2 * problem.v_x[0, 0] - b[1] * (problem.v_xy[0] + problem.v_xy[0].T)
    return problem.x.T @ np.where(same, 0.0, omega) @ problem.x


@pytest.mark.parametrize("shared", [0.0, 0.9])
def test_corrected_moments_without_clusters(shared):
    problem, _ = related(3, shared=shared)
    b, bread, scores = moments(problem)
    fit = fit_eiv(problem)
    np.testing.assert_allclose(fit.params, b, rtol=1e-10)
    meat = 18 / 15 * scores.T @ scores + beyond(problem, b, np.eye(18, dtype=bool))
    np.testing.assert_allclose(fit.cov, bread @ meat @ bread, rtol=1e-8)
    assert (not shared) == np.allclose(beyond(problem, b, np.eye(18, dtype=bool)), 0)


@pytest.mark.parametrize("shared", [0.0, 0.9])
def test_corrected_moments_with_clusters_have_the_factor_of_cr1(shared):
    problem, region = related(4, shared=shared)
    b, bread, scores = moments(problem)
    sums = np.array([scores[region == g].sum(axis=0) for g in range(6)])
    # m / (m - 1) (n - 1) / (n - k) with 6 clusters of 18 cells and 3 columns
    meat = 6 / 5 * 17 / 15 * sums.T @ sums
    fit = fit_eiv(problem, groups=region)
    np.testing.assert_allclose(fit.params, b, rtol=1e-10)
    np.testing.assert_allclose(fit.cov, bread @ meat @ bread, rtol=1e-8)
    # clusters that cut across the regions: errors of cells in two clusters are added
    across = np.arange(18) % 6
    sums = np.array([scores[across == g].sum(axis=0) for g in range(6)])
    meat = 6 / 5 * 17 / 15 * sums.T @ sums + beyond(problem, b, across[:, None] == across)
    np.testing.assert_allclose(fit_eiv(problem, groups=across).cov, bread @ meat @ bread, rtol=1e-8)


def test_the_clustered_factor_through_the_door():
    problem, region = related(5)
    n = problem.n
    names = [f"C{i:02d}" for i in range(n)]
    frame = pd.DataFrame({"iso3": names * 2, "b": [*problem.y, *problem.x[:, 1]], "term": ["r"] * n + ["premium"] * n})
    v = np.block([[problem.v_y, problem.v_xy[0].T], [problem.v_xy[0], problem.v_x[0, 0]]])
    both = wg.Estimates.from_table(frame, term="term", vcov=v)
    link = wg.fit_link(
        "r ~ premium + control", both.select(term="r"), both.select(term="premium"), cluster="region", method="eiv",
        data=pd.DataFrame({"iso3": names, "control": problem.x[:, 2], "region": region}),
    )  # fmt: skip
    b, bread, scores = moments(problem)
    sums = np.array([scores[region == g].sum(axis=0) for g in range(6)])
    error = np.sqrt(np.diag(bread @ (6 / 5 * 17 / 15 * sums.T @ sums) @ bread))
    assert link.params["premium"] == pytest.approx(b[1], rel=1e-8)
    assert link.bse["premium"] == pytest.approx(error[1], rel=1e-8)
    assert link.estimates.df_resid == 5


def test_two_equations_with_their_factors_and_covariance():
    first, region = related(6, shared=0.9)
    rng = np.random.default_rng(1)
    v_12 = 0.3 * first.v_y
    y = first.x[:, 1] * 0.2 + rng.normal(size=18)
    z = np.column_stack([np.ones(18), first.x[:, 1]])
    second = LinkProblem.build(y, z, estimated=[1], v_x=first.v_x[0, 0], v_y=first.v_y, v_xy=0.5 * first.v_xy[0])
    v_y = np.array([[first.v_y, v_12], [v_12.T, second.v_y]])
    b, cov = solve_moments((first, second), np.eye(2), v_y, region)
    one, two = moments(first), moments(second)
    np.testing.assert_allclose(b, [*one[0], *two[0]], rtol=1e-10)
    sums = [np.array([part[2][region == g].sum(axis=0) for g in range(6)]) for part in (one, two)]
    roots = np.sqrt(6 / 5 * 17 / 15), np.sqrt(6 / 5 * 17 / 16)
    cross = roots[0] * roots[1] * sums[0].T @ sums[1]
    np.testing.assert_allclose(cov[:3, 3:], one[1] @ cross @ two[1], rtol=1e-8)
    np.testing.assert_allclose(cov[3:, 3:], two[1] @ (roots[1] ** 2 * sums[1].T @ sums[1]) @ two[1], rtol=1e-8)
    # without clusters errors of different cells are added: V_12 + b_1 b_2 V_pp - b_1 V_p2 - V_1p b_2
    cov = solve_moments((first, second), np.eye(2), v_y)[1]
    slopes = one[0][1], two[0][1]
    omega = v_12 + slopes[0] * slopes[1] * first.v_x[0, 0] - slopes[0] * second.v_xy[0] - slopes[1] * first.v_xy[0].T
    meat = np.sqrt(18 / 15 * 18 / 16) * one[2].T @ two[2] + first.x.T @ np.where(np.eye(18) > 0, 0, omega) @ second.x
    np.testing.assert_allclose(cov[:3, 3:], one[1] @ meat @ two[1], rtol=1e-8)


def shared_workers(unit=1.0, shift=0.0, mixed=3.0):
    """Deviations so small, and known covariances so negative, that the sum has no variance left in one direction."""
    n = 10
    p = np.linspace(-1, 1, n)
    y = 0.5 * p + np.array([0.01, -0.02, 0.0, 0.02, -0.01, 0.01, 0.02, -0.03, 0.0, 0.01])
    control = np.sin(2.5 * np.arange(n))
    trend = p + mixed * control
    v = 0.04 * (np.eye(n) - 0.95 * np.outer(trend, trend) / (trend @ trend))
    x = np.column_stack([np.ones(n), unit * p + shift, control])
    return LinkProblem.build(y, x, estimated=[1], v_x=np.full(n, 1e-4 * unit**2), v_y=v)


def test_a_negative_variance_is_repaired_whatever_the_unit_and_said():
    problem = shared_workers()
    b, bread, scores = moments(problem)
    meat = 10 / 7 * scores.T @ scores + beyond(problem, b, np.eye(10, dtype=bool))
    assert np.linalg.eigvalsh(bread @ meat @ bread)[0] < 0
    with pytest.warns(CovarianceWarning, match="1 of 3 directions"):
        fit = fit_eiv(problem)
    assert np.linalg.eigvalsh(fit.cov).min() > -1e-12
    for unit, shift in ((100.0, 0.0), (1.0, 3.0), (0.01, -2.0)):
        with pytest.warns(CovarianceWarning):
            other = fit_eiv(shared_workers(unit, shift))
        assert other.cov[1, 1] * unit**2 == pytest.approx(fit.cov[1, 1], rel=1e-6)
        assert other.cov[2, 2] == pytest.approx(fit.cov[2, 2], rel=1e-6)


def test_a_slope_without_variance_after_the_repair_has_no_error():
    problem = shared_workers(mixed=0.0)
    b, bread, scores = moments(problem)
    meat = 10 / 7 * scores.T @ scores + beyond(problem, b, np.eye(10, dtype=bool))
    assert (bread @ meat @ bread)[1, 1] < 0
    with pytest.warns(CovarianceWarning, match="1 of 3 directions"):
        fit = fit_eiv(problem)
    assert np.isnan(fit.cov[1, 1])
    assert fit.cov[0, 0] > 0


def test_moments_of_eivreg_with_clusters_have_the_factor_of_cr1_without_columns():
    problem, region = related(7)
    x, y, error = problem.x, problem.y, np.diag([0.0, 0.05, 0.0])
    b, cov = fit_moments(y, x, error, groups=region)
    bread = np.linalg.inv(x.T @ x / 18 - error)
    np.testing.assert_allclose(b, bread @ x.T @ y / 18, rtol=1e-10)
    scores = x * (y - x @ b)[:, None] + error @ b
    sums = np.array([scores[region == g].sum(axis=0) for g in range(6)])
    np.testing.assert_allclose(cov, 6 / 5 * bread @ sums.T @ sums @ bread / 18**2, rtol=1e-10)


def test_sums_of_scores_and_jackknife_by_hand():
    scores = np.array([[1.0, 0.0], [2.0, 1.0], [4.0, -1.0], [0.0, 3.0]])
    sums, factor = cluster_scores(scores, np.array(["a", "b", "a", "c"]))
    np.testing.assert_array_equal(sums, [[5, -1], [2, 1], [0, 3]])
    assert factor == pytest.approx(3 / 2 * 3 / 2)
    assert cluster_scores(scores, None)[1] == 4 / 2
    # ((m - 1) / m sum (b - mean)^2)^(1/2) of 1, 2, 6: mean 3, squares 4 + 1 + 9
    assert float(jackknife_errors(np.array([1.0, 2.0, 6.0]))) == pytest.approx(np.sqrt(2 / 3 * 14))


def test_a_rate_of_any_name_stands_in_backticks():
    frame = pd.DataFrame({"iso3": ["KOR", "USA", "JPN", "FRA", "DEU"], "b": [1.0, 2, 4, 5, 7], "se": 0.1})
    odd, plain = (wg.Estimates.from_table(frame, term=term, unit="log") for term in ("educ[T.1. < HS]", "educ"))
    ours = wg.fit_link("`educ[T.1. < HS]` ~ 1", odd, None)
    np.testing.assert_array_equal(ours.params, wg.fit_link("educ ~ 1", plain, None).params)
