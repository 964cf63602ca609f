"""Estimators of the link: references, identities, and what each does to known truth."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import wagegap as wg
from wagegap.errors import ReliabilityError
from wagegap.estimation.likelihood.simex import GRID, extrapolate, paired_draws
from wagegap.estimation.reliability import reliability
from wagegap.regression.link.estimators.bootstrap import expanded_percentiles, fit_bootstrap
from wagegap.regression.link.estimators.bounded import quasi_likelihood
from wagegap.regression.link.estimators.eiv import fit_eiv, solve_moments
from wagegap.regression.link.estimators.instruments import anderson_rubin, fit_instruments
from wagegap.regression.link.estimators.simex import fit_simex, least_squares
from wagegap.regression.link.estimators.split import fit_split
from wagegap.regression.link.problem import LinkProblem
from wagegap.regression.link.stages import draw_first_stage
from wagegap.regression.link.system import fit_link_system

# Reliability is set low on purpose in many cases here; what the warning says is tested on its own.
pytestmark = pytest.mark.filterwarnings("ignore::wagegap.errors.ReliabilityWarning")


def tables(p, y, v_p, v_y, v_py):
    """Rates and premiums with a joint covariance, as estimates."""
    n = len(p)
    v = np.block([[np.diag(v_y), np.diag(v_py)], [np.diag(v_py), np.diag(v_p)]])
    frame = pd.DataFrame(
        {"iso3": [f"C{i:02d}" for i in range(n)] * 2, "b": [*y, *p], "term": ["r"] * n + ["premium"] * n}
    )
    both = wg.Estimates.from_table(frame, term="term", vcov=v)
    return both.select(term="r"), both.select(term="premium")


def drawn(seed, n=20, share=0.8, rho=0.5, slope=1.0):
    rng = np.random.default_rng(seed)
    sd_y, sd_p = rng.uniform(0.15, 0.85, n), rng.uniform(0.5, 1.5, n)
    sd_p *= np.sqrt((1 - share) / share / np.mean(sd_p**2))
    a, c, true = rng.standard_normal((3, n))
    p = true + sd_p * (rho * a + np.sqrt(1 - rho**2) * c)
    y = slope * true + 0.5 * rng.standard_normal(n) + sd_y * a
    return p, y, sd_p**2, sd_y**2, rho * sd_p * sd_y


def problem_of(p, y, v_p, v_y, v_py):
    return LinkProblem.build(y, np.column_stack([p, np.ones(len(p))]), v_x=v_p, v_y=v_y, v_xy=v_py)


@pytest.fixture(scope="module")
def stages():
    """A panel of 20 countries with both first stages."""
    made = wg.simulate_panel(
        countries=20, workers=500, premium_sd=0.15, link_slope=-0.2, link_intercept=0.25, error_correlation=0.3, rng=1
    )
    premiums = wg.fit_premiums(made.panel, "log(hourly_wage) ~ ai + exper + female", premium="ai", by="iso3")
    events = {"emigration": "abroad_next", "switching": "new_field_next"}
    rates = wg.fit_rates(made.panel, events, among="ai", by="iso3")
    rng = np.random.default_rng(0)
    data = made.truth[["iso3"]].assign(z=made.truth["premium"] + rng.normal(0, 0.05, 20), w=rng.normal(size=20))
    return made.panel, premiums, rates, data


# simulation and extrapolation ----------------------------------------------------------------------------------------


def test_simex_of_r(facts, packaged):
    """R's simex 1.8, quadratic, 5,000 draws: three digits is what the draws allow either side."""
    log = facts("errors_in_variables")["simex_grunfeld_sigma2_0.1_quadratic_B5000"]
    data = packaged("plm", "Grunfeld")
    x = np.column_stack([np.ones(len(data)), np.log(data["value"]), np.log(data["capital"])])
    problem = LinkProblem.build(np.log(data["inv"].to_numpy()), x, estimated=(1,), v_x=np.full(len(data), 0.1))
    params, cov, means = fit_simex(problem, least_squares, draws=5_000)
    np.testing.assert_allclose(params, log["b"], rtol=2e-3)
    np.testing.assert_allclose(np.sqrt(np.diag(cov)), log["jackknife_se"], rtol=2e-2)
    by_scale = {row[0]: row[1:] for row in log["theta"]}
    for scale, path in zip([0.0, *GRID], means, strict=True):
        np.testing.assert_allclose(path, by_scale[scale], rtol=2e-3)


def test_rational_extrapolant_is_exact_for_equal_errors():
    # With equal errors the mean naive slope is b s / (s + (1 + c) v): a hyperbola in c.
    c = np.array([0.0, 0.5, 1.0, 1.5, 2.0])
    curve = 2.0 / (1.0 + (1 + c) * 0.5)
    assert extrapolate(c, curve[:, None], "rational")[0] == pytest.approx(2.0, rel=1e-5)
    assert abs(extrapolate(c, curve[:, None], "quadratic")[0] - 2.0) > 0.01


def test_simex_removes_related_errors():
    slopes = []
    for seed in range(60):
        parts = drawn(seed, n=40, share=0.9, rho=0.6, slope=0.0)
        slopes.append(fit_simex(problem_of(*parts), least_squares, draws=100)[0][0])
    naive = np.mean([np.polyfit(*drawn(seed, n=40, share=0.9, rho=0.6, slope=0.0)[:2], 1)[0] for seed in range(60)])
    assert naive > 0.05
    assert abs(np.mean(slopes)) < 3 * np.std(slopes) / np.sqrt(60) + 0.01


# without errors all are least squares -----------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["eiv", "ml", "simex", "meta"])
def test_without_errors_every_estimator_is_least_squares(method):
    p, y, *_ = drawn(3)
    nothing = np.zeros_like(p)
    rates, premiums = tables(p, y, nothing, nothing, nothing)
    link = wg.fit_link("r ~ premium", rates, premiums, method=method)
    slope = np.linalg.lstsq(np.column_stack([p, np.ones_like(p)]), y, rcond=None)[0][0]
    assert link.slope == pytest.approx(slope, rel=1e-10)
    assert link.naive().slope == pytest.approx(slope, rel=1e-10)


def test_without_errors_split_samples_are_least_squares():
    p, y, *_ = drawn(3)
    x = np.column_stack([p, np.ones_like(p)])
    params, cov = fit_split(x, 0, np.broadcast_to([y, p], (3, 2, 2, len(y))))
    np.testing.assert_allclose(params, np.linalg.lstsq(x, y, rcond=None)[0], rtol=1e-10)
    np.testing.assert_allclose(np.sqrt(np.diag(cov)), sm.OLS(y, x).fit(cov_type="HC1").bse, rtol=1e-10)


def test_split_samples_of_workers_without_noise():
    made = wg.simulate_panel(
        countries=8, workers=200, premium_sd=0.2, link_slope=-0.2, wage_sd=0.0, worker_sd=0.0, rng=2
    )
    panel = made.panel.assign(log_wage=np.log(made.panel.frame["hourly_wage"]))
    formula = "log_wage ~ ai + exper + I(exper**2) + female + C(educ)"
    premiums = wg.fit_premiums(panel, formula, premium="ai", by="iso3")
    rates = wg.fit_rates(panel, {"emigration": "abroad_next"}, among="ai", by="iso3")
    link = wg.fit_link("emigration ~ premium", rates, premiums, method="split", workers=panel, draws=2)
    # Premiums of both halves are the true ones, so that what is left is least squares of the halves' rates.
    truth = made.truth.set_index("iso3").loc[list(link.cells.keys["iso3"]), "premium"].to_numpy()
    np.testing.assert_allclose(link.cells.p[:, 0], truth, atol=1e-10)
    assert link.slope == pytest.approx(link.naive().slope, abs=0.02)


def test_reliability_falls_as_the_formula_says():
    p, _, v_p, *_ = drawn(1)
    once, twice = reliability(p, np.diag(v_p)), reliability(p, np.diag(2 * v_p))
    assert 1 - twice == pytest.approx(2 * (1 - once), rel=1e-12)


# the other methods ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["ml", "eiv", "simex", "iv", "split", "bootstrap", "york", "meta", "ols"])
def test_every_method_on_one_panel(stages, method):
    panel, premiums, rates, data = stages
    given = {"split": {"workers": panel, "draws": 4}, "iv": {"instruments": "z"}}.get(method, {})
    if method == "york":
        premiums = premiums.estimates.select(np.arange(20)).without_units()
        premiums = wg.Estimates.from_table(
            premiums.labels.assign(b=premiums.values, se=premiums.bse.to_numpy()), unit="unit", term="term"
        )
        rates = rates.estimates.select(term="emigration")
        rates = wg.Estimates.from_table(
            rates.labels.assign(b=rates.values, se=rates.bse.to_numpy()), unit="unit", term="term"
        )
    link = wg.fit_link("emigration ~ premium", rates, premiums, data=data, method=method, force=True, **given)
    assert link.method == method
    assert -0.6 < link.slope < -0.05
    low, high = link.slope_interval()
    assert low < link.slope < high
    without = link.leave_one_out["slope"].dropna()
    assert len(without) == 20
    assert without.min() < link.slope < without.max()
    assert "percentage points" in link.slope_in_words()
    assert link.summary() == link.summary()


@pytest.mark.parametrize("method", ["fractional", "poisson"])
@pytest.mark.filterwarnings("ignore::statsmodels.tools.sm_exceptions.DomainWarning")
def test_bounded_outcomes(stages, method):
    _, premiums, rates, data = stages
    link = wg.fit_link("emigration ~ premium + w", rates, premiums, data=data, method=method, draws=100)
    family = sm.families.Binomial() if method == "fractional" else sm.families.Poisson()
    theirs = sm.GLM(link.cells.y, link.cells.design.x, family=family).fit(tol=1e-14)
    np.testing.assert_allclose(link.naive().params, theirs.params, rtol=1e-8)
    x, rest = link.cells.design.x, link.cells.y - theirs.fittedvalues
    weight = theirs.fittedvalues * (1 - theirs.fittedvalues if method == "fractional" else 1)
    bread = np.linalg.inv(x.T @ (x * weight[:, None]))
    v = 20 / 17 * bread @ (x * rest[:, None]).T @ (x * rest[:, None]) @ bread
    np.testing.assert_allclose(link.naive().bse, np.sqrt(np.diag(v)), rtol=1e-6)
    # Attenuation is undone: the corrected slope is the larger one.
    assert link.slope < link.naive().slope < 0
    assert ("log odds" if method == "fractional" else "log points") in link.slope_in_words()


def test_quasi_likelihood_of_many_is_that_of_each():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((5, 30, 2))
    y = rng.uniform(size=(5, 30))
    many = quasi_likelihood("fractional")(y, x)
    for i in range(5):
        one = quasi_likelihood("fractional")(y[[i]], x[[i]])
        np.testing.assert_allclose(one[0][0], many[0][i], rtol=1e-9)
        np.testing.assert_allclose(one[1][0], many[1][i], rtol=1e-9)


# instruments ---------------------------------------------------------------------------------------------------------


def test_two_stage_least_squares_written_down():
    rng = np.random.default_rng(0)
    n = 30
    z, w = rng.standard_normal((n, 2)), rng.standard_normal(n)
    p = z @ [1.0, 0.5] + rng.standard_normal(n)
    y = 2 * p + w + rng.standard_normal(n)
    x, every = np.column_stack([p, np.ones(n), w]), np.column_stack([z, np.ones(n), w])
    params, cov, strength = fit_instruments(y, x, 0, z)
    hat = every @ np.linalg.solve(every.T @ every, every.T @ x)
    b = np.linalg.solve(hat.T @ x, hat.T @ y)
    np.testing.assert_allclose(params, b, rtol=1e-10)
    bread = np.linalg.inv(hat.T @ hat)
    scores = hat * (y - x @ b)[:, None]
    np.testing.assert_allclose(cov, n / (n - 3) * bread @ scores.T @ scores @ bread, rtol=1e-10)
    first = sm.OLS(p, every).fit()
    assert strength == pytest.approx(float(first.f_test(np.eye(4)[:2]).fvalue), rel=1e-10)


def test_anderson_rubin_is_the_test_inverted():
    rng = np.random.default_rng(1)
    n = 25
    z = rng.standard_normal((n, 2))
    p = z @ [0.8, 0.3] + rng.standard_normal(n)
    y = p + rng.standard_normal(n)
    ones = np.ones((n, 1))
    found = anderson_rubin(y, p, ones, z)
    for end in found.pieces[0]:
        test = sm.OLS(y - end * p, np.column_stack([z, ones])).fit().f_test(np.eye(3)[:2])
        assert float(test.pvalue) == pytest.approx(0.05, abs=1e-8)
    zero = sm.OLS(y, np.column_stack([z, ones])).fit().f_test(np.eye(3)[:2])
    assert found.p_value == pytest.approx(float(zero.pvalue), rel=1e-8)


def test_anderson_rubin_holds_the_truth_where_instruments_are_weak():
    rng, n, draws = np.random.default_rng(2), 20, 1_000
    held = unbounded = 0
    for _ in range(draws):
        z = rng.standard_normal((n, 1))
        v = rng.standard_normal(n)
        p = 0.1 * z[:, 0] + v
        y = p + 0.8 * v + 0.6 * rng.standard_normal(n)
        pieces = anderson_rubin(y, p, np.ones((n, 1)), z).pieces
        held += any(low <= 1 <= high for low, high in pieces)
        unbounded += any(np.isinf(low) or np.isinf(high) for low, high in pieces)
    assert held / draws == pytest.approx(0.95, abs=3 * np.sqrt(0.0475 / draws))
    assert unbounded / draws > 0.5


def test_another_source_instruments_a_premium():
    rng = np.random.default_rng(0)
    n, slopes, naive = 200, [], []
    for _ in range(40):
        true = rng.standard_normal(n)
        p, other, y = true + rng.standard_normal(n), true + rng.standard_normal(n), true + 0.5 * rng.standard_normal(n)
        x = np.column_stack([p, np.ones(n)])
        slopes.append(fit_instruments(y, x, 0, other[:, None])[0][0])
        naive.append(np.linalg.lstsq(x, y, rcond=None)[0][0])
    assert np.mean(naive) == pytest.approx(0.5, abs=0.05)
    assert np.mean(slopes) == pytest.approx(1.0, abs=0.05)


def test_instruments_from_another_source_of_premiums():
    net, mine = wg.datasets.talent_migration("ai"), wg.datasets.country_premiums("stack_overflow")
    other = wg.datasets.country_premiums("kaggle")
    shared = mine.select(mine.labels["iso3"].isin(other.labels["iso3"]).to_numpy())
    link = wg.fit_link("net_migration ~ premium", net, shared, method="iv", instruments=other)
    assert "Anderson-Rubin" in " ".join(link.notes)


# bootstrap ------------------------------------------------------------------------------------------------------------


def test_first_stage_draws_have_the_covariance_of_the_estimates(stages):
    _, premiums, _, _ = stages
    own = premiums.with_cov("HC1").estimates
    draws = draw_first_stage(own, 4_000, np.random.default_rng(0))
    v = np.cov(draws, rowvar=False)
    # A variance from 4,000 draws is right to about 2 sqrt(2 / 4,000) = 4.5 %; random groups add as much once.
    np.testing.assert_allclose(np.diag(v), np.diag(own.covariance), rtol=0.25)
    assert np.mean(np.diag(v) / np.diag(own.covariance)) == pytest.approx(1.0, abs=0.05)
    assert draws.mean(axis=0) == pytest.approx(0.0, abs=5 * np.sqrt(np.diag(v).max() / 4_000))


def test_bootstrap_of_countries_agrees_with_the_sandwich():
    ratios = []
    for seed in range(8):
        problem = problem_of(*drawn(seed, n=60, share=0.85))
        params, cov, _ = fit_bootstrap(problem, 500, np.random.default_rng(seed))
        sandwich = fit_eiv(problem)
        np.testing.assert_allclose(params, sandwich.params, rtol=1e-8)
        ratios.append(np.sqrt(cov[0, 0] / sandwich.cov[0, 0]))
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.12)


def test_bootstrap_interval_holds_the_truth():
    held = []
    for seed in range(150):
        problem = problem_of(*drawn(seed))
        slopes = fit_bootstrap(problem, 300, np.random.default_rng(seed))[2]
        low, high = expanded_percentiles(slopes, problem.n, problem.n - problem.k)
        held.append(low <= 1 <= high)
    slack = 3 * np.sqrt(0.0475 / 150)
    assert 0.93 - slack <= np.mean(held) <= 1.0


def test_split_interval_holds_the_truth():
    rng, n, held, slopes = np.random.default_rng(0), 30, [], []
    for _ in range(300):
        true = rng.standard_normal(n)
        e, v = 0.5 * rng.standard_normal((2, 2, n))
        v += 0.8 * e
        halves = true + np.stack([e, v], axis=1)[None]
        params, cov = fit_split(np.column_stack([true, np.ones(n)]), 0, halves)
        slopes.append(params[0])
        held.append(abs(params[0] - 1) <= 2.048 * np.sqrt(cov[0, 0]))
    # Errors of premium and rate are related within a half, and the slope is right all the same.
    assert np.median(slopes) == pytest.approx(1.0, abs=0.03)
    assert np.mean(held) >= 0.93 - 3 * np.sqrt(0.0475 / 300)


def test_bootstrap_through_a_million_workers():
    """Scores as a first stage of 25,000 workers in each of 40 countries keeps them; 1,000 draws, end to end."""
    from scipy import sparse

    from wagegap.estimation.covariance.groupings import Grouping
    from wagegap.estimation.covariance.options import parse_cov
    from wagegap.estimation.covariance.sources import Block, ScoreSource

    rng, n_cells, per = np.random.default_rng(0), 40, 25_000
    n = n_cells * per
    cell = np.repeat(np.arange(n_cells), per)
    rows = Grouping.from_keys("row", "big", np.arange(n))
    blocks = tuple(Block(str(c), per, 5) for c in range(n_cells))
    true = rng.normal(0.15, 0.1, n_cells)
    parts = []
    for name, scale, values in (("premium", 3.0, true), ("r", 1.0, 0.3 - 0.2 * true)):
        scores = sparse.csr_array((scale * rng.standard_normal(n) / per, (np.arange(n), cell)), shape=(n, n_cells))
        source = ScoreSource(
            "big", scores, np.arange(n_cells), cell.astype(np.int32), blocks, {"row": rows}, parse_cov("HC1")
        )
        labels = pd.DataFrame(
            {"iso3": [f"C{c:02d}" for c in range(n_cells)], "term": name, "unit": "none", "comparison": ""}
        )
        noisy = values + np.asarray(scores.sum(axis=0)).ravel()
        parts.append(wg.Estimates(labels, noisy, (source,), (np.eye(n_cells),)))
    start = time.process_time()
    link = wg.fit_link("r ~ premium", parts[1], parts[0], method="bootstrap", draws=1_000)
    taken = time.process_time() - start
    assert taken < 10
    analytic = wg.fit_link("r ~ premium", parts[1], parts[0], method="eiv")
    assert link.slope == pytest.approx(analytic.slope, rel=0.02)
    assert float(link.bse["premium"]) == pytest.approx(float(analytic.bse["premium"]), rel=0.35)


# systems ----------------------------------------------------------------------------------------------------------


def test_system_of_separate_equations_is_the_separate_fits(stages):
    _, premiums, rates, data = stages
    formulas = ["emigration ~ premium", "switching ~ premium + w"]
    system = fit_link_system(formulas, rates, premiums, data=data)
    for formula in formulas:
        one = wg.fit_link(formula, rates, premiums, data=data, method="moments")
        name = formula.split(" ")[0]
        for term in one.params.index:
            assert system.params[f"{name}: {term}"] == pytest.approx(one.params[term], rel=1e-9)
            assert system.bse[f"{name}: {term}"] == pytest.approx(one.bse[term], rel=1e-8)
    test = system.test("emigration: premium = switching: premium")
    assert 0 < test.p_value < 1


def test_seemingly_unrelated_equations_with_equal_regressors_are_separate(stages):
    _, premiums, rates, data = stages
    formulas = ["emigration ~ premium + w", "switching ~ premium + w"]
    sur = fit_link_system(formulas, rates, premiums, data=data, weighting="sur")
    own = [wg.fit_link(formula, rates, premiums, data=data, method="eiv") for formula in formulas]
    np.testing.assert_allclose(sur.params, np.concatenate([link.params for link in own]), rtol=1e-8)
    np.testing.assert_allclose(sur.bse, np.concatenate([link.bse for link in own]), rtol=1e-7)
    assert set(sur.tidy()["rule"]) == {"sur"}


def test_system_covariance_across_equations_is_seen_in_draws():
    rng, n, draws, sd = np.random.default_rng(0), 60, 400, 0.4
    mix = sd * np.array([[1, 0, 0], [0.5, 1, 0], [0, 0, 1]])
    v = mix @ mix.T
    eye = np.eye(n)
    v_y = v[1:, 1:, None, None] * eye
    found, said = [], []
    for _ in range(draws):
        true, common = rng.standard_normal((2, n))
        e = mix @ rng.standard_normal((3, n))
        x = np.column_stack([true + e[0], np.ones(n)])
        outcomes = true + common + e[1], 0.5 * true + common + e[2]
        equations = [
            LinkProblem.build(y, x, v_x=v[0, 0] * eye, v_y=v[1 + j, 1 + j] * eye, v_xy=v[0, 1 + j] * eye)
            for j, y in enumerate(outcomes)
        ]
        b, cov = solve_moments(equations, np.eye(2), v_y)
        found.append(b[[0, 2]])
        said.append(cov[0, 2])
    np.testing.assert_allclose(np.mean(found, axis=0), [1.0, 0.5], atol=0.04)
    assert np.mean(said) == pytest.approx(np.cov(found, rowvar=False)[0, 1], rel=0.25)


# panels -----------------------------------------------------------------------------------------------------------


def test_effects_transform_the_error_covariance(stages):
    panel, *_ = stages
    premiums = wg.fit_premiums(panel, "log(hourly_wage) ~ ai + exper", premium="ai", by=["iso3", "year"])
    rates = wg.fit_rates(panel, {"emigration": "abroad_next"}, among="ai", by=["iso3", "year"])
    link = wg.fit_link("emigration ~ premium | year", rates, premiums, method="eiv", force=True)
    cells = link.cells
    year = pd.get_dummies(cells.keys["year"]).to_numpy(dtype=float)
    m = np.eye(cells.n) - year @ np.linalg.inv(year.T @ year) @ year.T
    p, v, c = cells.p[:, 0], cells.block(1, 1), cells.block(1, 0)
    slope = (p @ m @ cells.y - np.trace(m @ c)) / (p @ m @ p - np.trace(m @ v))
    assert link.slope == pytest.approx(slope, rel=1e-9)
    ml = wg.fit_link("emigration ~ premium | year", rates, premiums, method="ml", force=True)
    assert ml.slope == pytest.approx(link.slope, abs=2 * float(link.bse["premium"]))


def test_several_premiums_together():
    rng, n = np.random.default_rng(0), 150
    true = rng.standard_normal((n, 2)) @ np.array([[1, 0.5], [0, 1]])
    sd = np.array([0.5, 0.7])
    seen = true + sd * rng.standard_normal((n, 2))
    y = true @ [1.0, -1.0] + 0.3 * rng.standard_normal(n)
    lab = [f"C{i}" for i in range(n)]
    skill, licence = (
        wg.Estimates.from_table(pd.DataFrame({"iso3": lab, "b": seen[:, j], "se": sd[j]}), term="premium")
        for j in (0, 1)
    )
    rates = wg.Estimates.from_table(pd.DataFrame({"iso3": lab, "b": y, "se": 0.01}), term="r")
    link = wg.fit_link("r ~ skill + licence", rates, {"skill": skill, "licence": licence})
    assert link.method == "moments"
    np.testing.assert_allclose(link.params[["skill", "licence"]], [1.0, -1.0], atol=0.25)
    assert abs(link.naive().params["skill"] - 1) > 0.25


def test_low_reliability_is_refused_with_what_would_help():
    parts = drawn(1, n=12, share=0.45)
    assert 0 < reliability(parts[0], np.diag(parts[2])) < 0.5
    with pytest.raises(ReliabilityError, match="times as many workers"):
        wg.fit_link("r ~ premium", *tables(*parts))
    with pytest.warns(wg.errors.ReliabilityWarning):
        assert wg.fit_link("r ~ premium", *tables(*parts), force=True).method == "moments"


def test_likelihood_and_moments_that_disagree_say_so():
    both = wg.datasets.stem_graduates()
    link = wg.fit_link("outside ~ premium", both.select(term="outside"), both.select(term="premium"))
    assert not link.settled
    assert np.isnan(link.slope)
    assert "The slope is not settled" in " ".join(link.always_printed())
    parts = drawn(2, n=40, share=0.95)
    assert "not settled" not in " ".join(wg.fit_link("r ~ premium", *tables(*parts)).always_printed())


@pytest.mark.parametrize("draws", [4, 5])
def test_draws_come_in_pairs_and_as_many_as_asked(draws):
    found = paired_draws(np.diag([1.0, 4.0]), draws, np.random.default_rng(1))
    assert found.shape == (draws, 2)
    half = (draws + 1) // 2
    np.testing.assert_array_equal(found[half:], -found[: draws - half])
