"""The weighted corrected moments, the rule that holds them against the likelihood, and what is printed."""

from __future__ import annotations

import re
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import wagegap as wg
from wagegap.errors import CovarianceError, DataError, IdentificationError, OptionError, ReliabilityError
from wagegap.regression.link.estimators.moments import (
    corrected_moments,
    fit_weighted,
    precision_weights,
    spread_of_true,
    weak_set,
)
from wagegap.regression.link.problem import LinkProblem
from wagegap.regression.link.weak import WeakSet

pytestmark = pytest.mark.filterwarnings("ignore::wagegap.errors.ReliabilityWarning")

# The shipped study, per 10 log points: methods.md C2, whose figures have no decimals.
SHIPPED = {
    "developers": (("ai", "developer_pay", "net_migration ~ premium"), (-899, 133)),
    "developers_income": (("ai", "developer_pay", "net_migration ~ premium + log(gdp_per_head)"), (-597, 618)),
    "developers_data_science": (
        ("data_science", "developer_pay", "net_migration ~ premium + log(gdp_per_head)"), (-1343, 172),
    ),
}  # fmt: skip


def made(seed=0, n=24, share=0.7, slope=1.0, **other):
    """Arrays of a link with unequal, correlated errors and a control."""
    rng = np.random.default_rng(seed)
    sd = rng.uniform(0.3, 1.6, n)
    sd *= np.sqrt((1 - share) / share / np.mean(sd**2))
    true, z = rng.standard_normal(n), rng.standard_normal(n)
    a = rng.standard_normal(n)
    p, y = true + sd * a, slope * true + 0.3 * z + 0.5 * rng.standard_normal(n) + 0.2 * a
    x = np.column_stack([p, np.ones(n), z])
    return LinkProblem.build(y, x, v_x=sd**2, v_y=np.full(n, 0.04), v_xy=0.2 * sd, **other)


def by_hand(problem, weights, rows=None):
    """The estimator as its formula is written, one sample at a time."""
    w = np.diag(weights if rows is None else np.where(rows, weights, 0.0))
    z, p, y = problem.controls, problem.premiums, problem.y
    m = w - w @ z @ np.linalg.pinv(z.T @ w @ z) @ z.T @ w
    inside = p.T @ m @ p - np.array([[np.trace(m @ v) for v in row] for row in problem.v_x])
    return np.linalg.solve(inside, p.T @ m @ y - np.array([np.trace(m @ v) for v in problem.v_xy]))


def two_stages(p, se_p, y, se_y=None):
    names = [f"C{i:02d}" for i in range(len(p))]
    premiums = wg.Estimates.from_table(pd.DataFrame({"cell": names, "b": p, "se": se_p}), by=["cell"], term="premium")
    errors = {"std_error": None} if se_y is None else {}
    frame = pd.DataFrame({"cell": names, "b": y} | ({} if se_y is None else {"se": se_y}))
    return wg.Estimates.from_table(frame, by=["cell"], term="r", **errors), premiums


def arrays(seed, n=20, share=0.8, slope=1.0):
    rng = np.random.default_rng(seed)
    sd = rng.uniform(0.5, 1.5, n)
    sd *= np.sqrt((1 - share) / share / np.mean(sd**2))
    true = rng.standard_normal(n)
    return true + sd * rng.standard_normal(n), sd, slope * true + 0.5 * rng.standard_normal(n)


# the estimator -------------------------------------------------------------------------------------------------------


def test_the_slope_is_that_of_the_formula_in_every_deletion():
    problem = made()
    weights = precision_weights(problem)
    fit = fit_weighted(problem)
    n = problem.n
    np.testing.assert_allclose(fit.params[0], by_hand(problem, weights)[0], rtol=1e-12)
    without = [by_hand(problem, weights, np.arange(n) != i)[0] for i in range(n)]
    np.testing.assert_allclose(fit.deletions[:, 0], without, rtol=1e-10)
    around = np.array(without) - np.mean(without)
    np.testing.assert_allclose(fit.cov[0, 0], (n - 1) / n * around @ around, rtol=1e-9)


def test_weights_are_of_the_diagonals_before_controls():
    problem = made()
    p, v = problem.premiums[:, 0], np.diag(problem.v_x[0, 0])
    s2 = max(np.var(p, ddof=1) - v.mean(), 0.02 * np.var(p, ddof=1))
    assert spread_of_true(p, v) == pytest.approx(s2, rel=1e-12)
    weights = precision_weights(problem)
    np.testing.assert_allclose(weights * (v + s2), weights[0] * (v[0] + s2), rtol=1e-12)


def test_covariances_across_cells_and_several_premiums_count():
    rng, n = np.random.default_rng(5), 18
    p = rng.standard_normal((n, 2))
    root = 0.2 * rng.standard_normal((3 * n, 3 * n)) / np.sqrt(3 * n)
    v = root @ root.T + 0.01 * np.eye(3 * n)
    blocks = v.reshape(3, n, 3, n).swapaxes(1, 2)
    problem = LinkProblem.build(
        p @ [1.0, -1.0] + rng.standard_normal(n), np.column_stack([p, np.ones(n)]), estimated=(0, 1),
        v_y=blocks[0, 0], v_x=blocks[1:, 1:], v_xy=blocks[1:, 0],
    )  # fmt: skip
    weights = rng.uniform(0.5, 2.0, n)
    fit = fit_weighted(problem, weights=weights)
    np.testing.assert_allclose(fit.params[:2], by_hand(problem, weights), rtol=1e-10)
    np.testing.assert_allclose(fit.deletions[3, :2], by_hand(problem, weights, np.arange(n) != 3), rtol=1e-9)


def test_clusters_are_left_out_together_with_their_effects():
    rng, groups = np.random.default_rng(2), np.repeat(np.arange(12), 4)
    n = len(groups)
    p = rng.standard_normal(n)
    dummies = np.eye(12)[groups]
    y = p + dummies @ rng.standard_normal(12) + 0.3 * rng.standard_normal(n)
    problem = LinkProblem.build(y, np.column_stack([p, dummies]), v_x=np.full(n, 0.05))
    weights = precision_weights(problem)
    fit = fit_weighted(problem, groups=groups)
    without = [by_hand(problem, weights, groups != g)[0] for g in range(12)]
    np.testing.assert_allclose(fit.deletions[:, 0], without, rtol=1e-9)


def test_premiums_without_error_give_least_squares_to_ten_digits():
    p, _, y = arrays(3)
    problem = LinkProblem.build(y, np.column_stack([p, np.ones(20)]))
    expected = np.linalg.lstsq(problem.x, y, rcond=None)[0]
    np.testing.assert_allclose(fit_weighted(problem).params, expected, rtol=1e-10)
    rates, premiums = two_stages(p, 0.0, y)
    link = wg.fit_link("r ~ premium", rates, premiums, method="moments")
    np.testing.assert_allclose(link.params.to_numpy(), expected[::-1], rtol=1e-10)


@settings(max_examples=25, deadline=None)
@given(st.floats(0.01, 100), st.floats(0.01, 100), st.integers(0, 10_000))
def test_units_and_order_do_not_matter(a, c, seed):
    problem = made(seed % 50)
    order = np.random.default_rng(seed).permutation(problem.n)
    other = LinkProblem.build(
        a * problem.y[order], problem.x[order] * [c, 1, 1], v_x=c**2 * np.diag(problem.v_x[0, 0])[order],
        v_y=a**2 * np.diag(problem.v_y)[order], v_xy=a * c * np.diag(problem.v_xy[0])[order],
    )  # fmt: skip
    if not corrected_moments(problem, precision_weights(problem), deletions=False).exists[0]:
        return
    first, second = fit_weighted(problem), fit_weighted(other)
    assert second.params[0] == pytest.approx(first.params[0] * a / c, rel=1e-9)
    assert second.cov[0, 0] == pytest.approx(first.cov[0, 0] * (a / c) ** 2, rel=1e-7)
    assert second.reliability == pytest.approx(first.reliability, rel=1e-9)


def test_permuted_outcomes_cost_a_product():
    problem = made(1)
    moments = corrected_moments(problem, precision_weights(problem))
    orders = np.array([np.random.default_rng(i).permutation(problem.n) for i in range(5)])
    several = moments.slopes(problem.y[orders], related=False)
    assert several.shape == (5, problem.n + 1, 1)
    np.testing.assert_allclose(several[2], moments.slopes(problem.y[orders[2]], related=False), rtol=1e-12)


def test_leave_one_out_of_forty_is_quick():
    problem = made(0, n=40)
    fit_weighted(problem)
    start = time.perf_counter()
    fit_weighted(problem)
    # The contract is 0.1 s; it takes about a millisecond on an idle core.
    assert time.perf_counter() - start < 0.1


def test_a_deletion_without_a_slope_is_refused_and_forced_without_interval():
    p = np.array([0.0, 0.1, -0.1, 0.05, -0.05, 0.02, -0.02, 0.08, -0.08, 0.03, 4.0])
    rates, premiums = two_stages(p, 0.3, p + 0.01 * np.arange(11))
    with pytest.raises(ReliabilityError, match=r"without C10 the premiums would vary no more"):
        wg.fit_link("r ~ premium", rates, premiums)
    forced = wg.fit_link("r ~ premium", rates, premiums, method="moments", force=True)
    assert np.isfinite(forced.slope)
    assert np.isnan(forced.slope_error)
    assert any("without C10" in note for note in forced.notes)


def test_premiums_of_countries_are_shared_by_their_years():
    """The premium of a country stands in each of its years: its error is one, and countries are left out whole."""
    rng, n, years = np.random.default_rng(0), 14, 4
    names = [f"C{i:02d}" for i in range(n)]
    true, se = rng.normal(size=n), rng.uniform(0.2, 0.5, n)
    p = true + se * rng.normal(size=n)
    cells = pd.DataFrame({"cell": np.repeat(names, years), "year": np.tile(np.arange(2000, 2000 + years), n)})
    cells["b"] = np.repeat(0.5 * true, years) + 0.3 * rng.normal(size=n * years)
    rates = wg.Estimates.from_table(cells, by=["cell", "year"], term="r", std_error=None)
    frame = pd.DataFrame({"cell": names, "b": p, "se": se})
    premiums = wg.Estimates.from_table(frame, by=["cell"], term="premium")
    link = wg.fit_link("r ~ premium | year", rates, premiums)
    d, z = np.kron(np.eye(n), np.ones((years, 1))), np.kron(np.ones((n, 1)), np.eye(years))
    problem = LinkProblem.build(
        cells["b"], np.column_stack([d @ p, z]), v_x=d @ np.diag(se**2) @ d.T, names=["p", *map(str, range(years))]
    )
    assert link.slope == pytest.approx(by_hand(problem, precision_weights(problem))[0], rel=1e-9)
    weights, groups = precision_weights(problem), np.repeat(np.arange(n), years)
    without = np.array([by_hand(problem, weights, groups != g)[0] for g in range(n)])
    assert link.slope_error == pytest.approx(np.sqrt((n - 1) * np.var(without)), rel=1e-8)
    assert link.df_resid == n - 2
    assert link.beside is None
    with pytest.raises(OptionError, match="56 cells share 14"):
        wg.fit_link("r ~ premium | year", rates, premiums, method="ml")
    with pytest.raises(OptionError, match="collinear with the controls"):
        wg.fit_link("r ~ premium | cell", rates, premiums)


# the rule ------------------------------------------------------------------------------------------------------------


def test_moments_speak_from_ten_cells_and_the_likelihood_below():
    for n, method in ((9, "ml"), (10, "moments")):
        p, se, y = arrays(11, n=n, share=0.95)
        link = wg.fit_link("r ~ premium", *two_stages(p, se, y))
        assert (link.method, link.settled, link.rule) == (method, True, method)
        assert link.beside is not None
        assert {link.method, link.beside.method} == {"moments", "ml"}
        assert link.tidy()["rule"].tolist() == [method] * 2
        assert link.moments.method == "moments"
        assert link.likelihood.method == "ml"


def test_clusters_count_as_what_the_jackknife_leaves_out():
    p, se, y = arrays(4, n=18, share=0.95)
    rates, premiums = two_stages(p, se, y)
    data = pd.DataFrame({"cell": [f"C{i:02d}" for i in range(18)], "region": np.repeat(list("abcdef"), 3)})
    clustered = wg.fit_link("r ~ premium", rates, premiums, data=data, cluster="region")
    assert clustered.method == "ml"
    moments = wg.fit_link("r ~ premium", rates, premiums, data=data, cluster="region", method="moments")
    assert moments.df_resid == 6 - 2
    half = stats.t.isf(0.025, 4) * moments.slope_error
    assert moments.slope_interval()[1] == pytest.approx(moments.slope + half)


def test_fewer_clusters_than_coefficients_are_refused():
    p, se, y = arrays(4, n=18, share=0.95)
    rates, premiums = two_stages(p, se, y)
    data = pd.DataFrame({"cell": [f"C{i:02d}" for i in range(18)], "half": ["a", "b"] * 9})
    with pytest.raises(IdentificationError, match="one of 2 groups"):
        wg.fit_link("r ~ premium", rates, premiums, data=data, cluster="half", method="moments")


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_links_are_not_settled(name):
    (skill, source, formula), (low, high) = SHIPPED[name]
    premiums = wg.datasets.country_premiums("stack_overflow") if source == "developer_pay" else None
    data = wg.datasets.income()
    link = wg.fit_link(formula, wg.datasets.talent_migration(skill), premiums, data=data)
    assert link.rule == "not settled"
    assert np.isnan(link.slope)
    # Per 10 log points, to the unit that the figures are given in
    assert np.round(np.array(link.slope_interval()) / 10).tolist() == [low, high]
    assert link.tidy().set_index("term").loc["premium", ["conf_low", "conf_high"]].tolist() == list(
        link.slope_interval()
    )
    words = " ".join(link.always_printed())
    assert "not settled" in words
    assert "Why: " in words
    assert not re.search(r"significan", words)


def test_graduates_who_leave_their_field_are_not_settled_either():
    both = wg.datasets.stem_graduates()
    rates, premiums = (both.select(term=term) for term in ("outside", "premium"))
    link = wg.fit_link("outside ~ premium", rates, premiums, labels={"outside": "graduates outside STEM"})
    assert np.round(np.array(link.slope_interval()) * 10, 0).tolist() == [-113, 27]
    words = " ".join(link.always_printed())
    assert "graduates outside STEM" in words
    assert "of outside" not in words
    assert "On the boundary in the restricted likelihood, tau = 0" in words


def test_an_explicit_method_is_given_and_the_doubt_is_said():
    net, premiums = wg.datasets.talent_migration("ai"), wg.datasets.country_premiums("stack_overflow")
    link = wg.fit_link("net_migration ~ premium", net, premiums, method="ml")
    assert link.settled
    assert np.isfinite(link.slope)
    assert "Not settled, taken with the other" in " ".join(link.always_printed())


def test_everything_of_an_unsettled_link_is_the_hull_or_unknown():
    net, premiums = wg.datasets.talent_migration("ai"), wg.datasets.country_premiums("stack_overflow")
    link = wg.fit_link("net_migration ~ premium", net, premiums)
    moments, likelihood = link.parts
    for values in (link.params, link.bse, link.pvalues, link.tvalues):
        assert values.isna().all()
    low, high = link.slope_interval(0.1)
    assert low == min(moments.slope_interval(0.1)[0], likelihood.slope_interval(0.1)[0])
    assert high == max(moments.slope_interval(0.1)[1], likelihood.slope_interval(0.1)[1])
    at = np.linspace(-0.2, 0.3, 5)
    fit, lower, upper = link.line(at)
    assert np.isnan(fit).all()
    np.testing.assert_allclose(lower, np.minimum(moments.line(at)[1], likelihood.line(at)[1]))
    np.testing.assert_allclose(upper, np.maximum(moments.line(at)[2], likelihood.line(at)[2]))
    with pytest.raises(IdentificationError, match="not settled"):
        link.test("premium = 0")
    row = link.glance().iloc[0]
    assert row["sigma_moments"] == pytest.approx(0.1249, abs=1e-4)
    assert row["sigma_likelihood"] == pytest.approx(0.0502, abs=1e-4)
    assert row["reliability_likelihood"] == pytest.approx(0.21, abs=5e-3)
    assert "not settled" in wg.table(link).text()


def test_figures_of_an_unsettled_link_have_both_lines_and_one_wedge():
    net, premiums = wg.datasets.talent_migration("ai"), wg.datasets.country_premiums("stack_overflow")
    ax = wg.fit_link("net_migration ~ premium", net, premiums).plot()
    said = [text.get_text() for text in ax.get_legend().get_texts()]
    assert said == [
        "every slope these data allow (95 %)", "weighted corrected moments: −90.5 per 10 log points",
        "restricted likelihood: −366 per 10 log points", "naive (premiums as exact): −14.7 per 10 log points",
        "error unknown",
    ]  # fmt: skip


def test_systems_give_the_hull_of_each_equation():
    net, premiums = wg.datasets.talent_migration("ai"), wg.datasets.country_premiums("stack_overflow")
    other = wg.datasets.talent_migration("data_science")
    frames = [part.labels.assign(b=part.values, term=name) for part, name in ((net, "ai"), (other, "ds"))]
    rates = wg.Estimates.from_table(
        pd.concat(frames), by=["iso3"], term="term", std_error=None, unit=str(net.labels["unit"].iloc[0])
    )
    system = wg.fit_link_system(["ai ~ premium", "ds ~ premium"], rates, premiums)
    alone = wg.fit_link("ai ~ premium", rates, premiums)
    rows = system.tidy().set_index("term")
    assert rows.loc["ai: premium", "rule"] == "not settled"
    assert np.isnan(system.params["ai: premium"])
    assert rows.loc["ai: premium", "conf_low"] == pytest.approx(alone.slope_interval()[0])
    assert "not settled" in str(system)
    assert system.cov_params().isna().all().all()
    drawn = system.plot().get_legend().get_texts()
    assert [text.get_text() for text in drawn] == [
        f"{name}, {title}" for name in ("ai", "ds") for title in ("weighted corrected moments", "restricted likelihood")
    ]
    with pytest.raises(IdentificationError, match="not settled"):
        system.test("ai: premium = ds: premium")


# the weak set --------------------------------------------------------------------------------------------------------


def test_weak_set_is_where_the_moment_is_not_rejected():
    problem = made(3, n=40, share=0.8)
    df = problem.n - problem.k
    found = WeakSet(*weak_set(problem, df), 0.05)
    moments = corrected_moments(problem, precision_weights(problem))
    top = moments.within[:, 0] @ problem.y - moments.offset[:, 0]

    def rejects(b0):
        values = top - b0 * moments.inside[:, 0, 0]
        around = values[1:] - values[1:].mean()
        variance = problem.n / (problem.n - 1) * around @ around
        return values[0] ** 2 > stats.t.isf(0.025, df) ** 2 * variance

    assert found.shape == "interval"
    for end, inward in ((found.low, 1e-6), (found.high, -1e-6)):
        assert not rejects(end + inward)
        assert rejects(end - inward)
    assert found.holds(fit_weighted(problem).params[0])


def test_weak_set_has_three_shapes():
    shapes = set()
    for seed in range(60):
        problem = made(seed, n=14, share=0.5)
        if corrected_moments(problem, precision_weights(problem), deletions=False).exists[0]:
            found = WeakSet(*weak_set(problem, problem.n - problem.k), 0.05)
            shapes.add(found.shape)
            assert found.holds(fit_weighted(problem).params[0])
    assert shapes == {"interval", "two rays", "whole line"}


def test_weak_set_through_the_door():
    net, premiums = wg.datasets.talent_migration("ai"), wg.datasets.country_premiums("stack_overflow")
    link = wg.fit_link("net_migration ~ premium", net, premiums)
    assert link.weak_set(0.1).low > link.weak_set(0.05).low
    exact = wg.fit_link("net_migration ~ premium", net, wg.datasets.published_premiums())
    with pytest.raises(CovarianceError, match="errors are unknown"):
        exact.weak_set()


# bad input -----------------------------------------------------------------------------------------------------------


def test_errors_missing_but_one_are_unknown():
    p, se, y = arrays(6)
    some = np.where(np.arange(20) == 3, se, np.nan)
    rates, premiums = two_stages(p, some, y)
    link = wg.fit_link("r ~ premium", rates, premiums)
    assert link.method == "ols"
    assert link.reliability is None
    with pytest.raises(CovarianceError, match="unknown in 19 of 20 cells"):
        wg.fit_link("r ~ premium", rates, premiums, method="moments")


def test_errors_larger_than_the_spread_are_refused_forced_or_not():
    p, _, y = arrays(7)
    rates, premiums = two_stages(p, 3.0, y)
    with pytest.raises(ReliabilityError, match="below 0"):
        wg.fit_link("r ~ premium", rates, premiums)
    with pytest.raises(ReliabilityError, match="does not exist"):
        wg.fit_link("r ~ premium", rates, premiums, force=True)


def test_three_cells():
    rates, premiums = two_stages([0.1, 0.4, 0.2], 0.01, [0.1, 0.3, 0.2])
    with pytest.raises(IdentificationError, match="3 cells for 2 coefficients"):
        wg.fit_link("r ~ premium", rates, premiums, method="moments")
    link = wg.fit_link("r ~ premium", rates, premiums)
    assert (link.method == "ml" and "not settled" in " ".join(link.always_printed())) or np.isfinite(link.slope)


def test_labels_are_of_the_links_own_names():
    net, premiums = wg.datasets.talent_migration("ai"), wg.datasets.country_premiums("stack_overflow")
    with pytest.raises(OptionError, match="Did you mean 'premium'"):
        wg.fit_link("net_migration ~ premium", net, premiums, labels={"premum": "pay"})
    with pytest.raises((OptionError, DataError)):
        wg.fit_link("net_migration ~ premium", net, premiums, labels=["pay"])


def test_two_rays_are_drawn_beside_the_line():
    for seed in range(40):
        p, se, y = arrays(seed, n=14, share=0.75)
        try:
            link = wg.fit_link("r ~ premium", *two_stages(p, se, y))
        except ReliabilityError:
            continue
        if link.weak_set().shape == "two rays":
            break
    found, ax = link.weak_set(), link.plot()
    assert found.rays() == ((-np.inf, found.low), (found.high, np.inf))
    assert "slopes not rejected: beyond these" in [text.get_text() for text in ax.get_legend().get_texts()]
    dotted = [line for line in ax.lines if line.get_linestyle() == ":"]
    slopes = sorted(float(np.diff(line.get_ydata())[0] / np.diff(line.get_xdata())[0]) for line in dotted)
    np.testing.assert_allclose(slopes, [found.low, found.high], rtol=1e-9)
    assert "are not rejected" in " ".join(link.always_printed())


def test_one_interval_is_not_called_two():
    """Cells that share premiums have no likelihood beside the moments: what is not settled has one interval."""
    rng, n = np.random.default_rng(0), 14
    names = [f"C{i:02d}" for i in range(n)]
    true, se = 0.3 * rng.normal(size=n), rng.uniform(0.2, 0.5, n)
    frame = pd.DataFrame({"cell": names, "b": true + se * rng.normal(size=n), "se": se})
    cells = pd.DataFrame({"cell": np.repeat(names, 3), "year": np.tile([2001, 2002, 2003], n)})
    cells["b"] = np.repeat(true, 3) + 0.1 * rng.normal(size=3 * n)
    rates = wg.Estimates.from_table(cells, by=["cell", "year"], term="r", std_error=None)
    link = wg.fit_link("r ~ premium", rates, wg.Estimates.from_table(frame, by=["cell"], term="premium"), force=True)
    assert not link.settled
    assert link.beside is None
    assert "both" not in link.slope_in_words()
    said = [text.get_text() for text in link.plot().get_legend().get_texts()]
    assert said[0] == "every slope these data allow (95 %)"
    assert not any("likelihood" in text for text in said)
