"""Two tests of one hypothesis give one p-value, and degrees of freedom by their formulas."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import sparse, stats

import wagegap as wg
from wagegap.estimation.covariance.groupings import Grouping
from wagegap.estimation.covariance.options import Robust
from wagegap.estimation.covariance.sources import Block, ReplicateSource, ScoreSource, StatedSource, welch
from wagegap.estimation.estimates import Estimates


@pytest.fixture(scope="module")
def workers():
    rng = np.random.default_rng(8)
    n = 900
    frame = pd.DataFrame(
        {"iso": rng.choice(["KOR", "USA"], n, p=[0.3, 0.7]), "ai": rng.integers(0, 2, n), "x": rng.normal(size=n)}
    )
    frame["psu"], frame["firm"] = rng.integers(0, 24, n), rng.integers(0, 30, n)
    frame["lat"], frame["lon"] = rng.uniform(30, 50, 24)[frame["psu"]], rng.uniform(100, 140, 24)[frame["psu"]]
    frame["year"] = 2000 + frame["firm"] % 12
    return frame.assign(y=0.2 * frame["ai"] + 0.1 * frame["x"] + rng.normal(size=n))


COVS = [
    "iid", "HC1", "HC3", "CR1:psu", "CR2:psu", "CR3:psu", "CR1:psu+firm", wg.cov.Survey("psu"),
    wg.cov.DriscollKraay("year", 1), wg.cov.Bootstrap(49, rng=1), wg.cov.Conley("lat", "lon", 50, "bartlett"),
]  # fmt: skip


@pytest.mark.parametrize("cov", COVS, ids=str)
def test_tables_tests_and_maps_agree(workers, cov):
    fit = wg.fit_linear(workers, "y ~ ai + x", cov=cov)
    p = fit.tidy().set_index("term").loc["ai", "p_value"]
    row = np.array([[0.0, 1.0, 0.0]])
    doubled = fit.estimates.map(2 * row, labels=pd.DataFrame({"term": ["ai"]}))
    tests = [fit.test("ai = 0"), fit.test(["ai = 0"]), fit.test("-3 * ai = 0"), fit.test(row), doubled.test("ai")]
    np.testing.assert_allclose([test.p_value for test in tests], p, rtol=1e-10)
    assert doubled.pvalues["ai"] == pytest.approx(p, rel=1e-10)
    low, high = fit.conf_int(alpha=p).loc["ai"]
    assert min(abs(low), abs(high)) == pytest.approx(0, abs=1e-10)
    cells = wg.fit_premiums(workers, "y ~ ai + x", premium="ai", by="iso", cov=cov)
    gap = cells.test("USA = KOR")
    mapped = cells.estimates.map(np.array([[-1.0, 1.0]]), labels=pd.DataFrame({"term": ["gap"]}))
    assert mapped.pvalues["gap"] == pytest.approx(gap.p_value, rel=1e-10)


def test_signs_at_the_front_of_a_hypothesis(workers):
    fit = wg.fit_linear(workers, "y ~ ai + x")
    assert fit.test("ai = -0.1").estimate[0] == pytest.approx(fit.params["ai"] + 0.1)
    assert fit.test("-ai + x = 0").estimate[0] == pytest.approx(fit.params["x"] - fit.params["ai"])
    assert fit.test("-2 * ai = + 1").estimate[0] == pytest.approx(-2 * fit.params["ai"] - 1)


@pytest.mark.parametrize("cov", ["iid", "HC1", "CR1:psu", wg.cov.Survey("psu")], ids=str)
def test_joint_tests_do_not_depend_on_how_they_are_written(workers, cov):
    fit = wg.fit_linear(workers, "y ~ ai + x + C(iso)", cov=cov)
    one = fit.test(["ai = 0", "x = 0"])
    other = fit.test(["ai + x = 0", "2 * x - ai = 0"])
    assert (one.df_num, one.df_denom) == (other.df_num, other.df_denom)
    assert other.statistic == pytest.approx(one.statistic, rel=1e-9)
    assert other.p_value == pytest.approx(one.p_value, rel=1e-9)


@pytest.mark.filterwarnings("ignore:reliability of the premiums:wagegap.errors.ReliabilityWarning")
def test_a_link_by_likelihood_has_one_p_value():
    published = pd.DataFrame({"iso3": list("ABCDEFGH"), "b": [0.11, 0.25, 0.06, 0.18, 0.15, 0.31, 0.09, 0.22]})
    rates = published.assign(b=[0.16, 0.06, 0.15, 0.12, 0.09, 0.04, 0.13, 0.11], se=0.02)
    link = wg.fit_link(
        "emigration ~ premium",
        Estimates.from_table(rates, term="emigration", unit="share"),
        Estimates.from_table(published.assign(se=0.03), term="ai", unit="log"),
        method="ml",
    )
    p = link.tidy().set_index("term").loc["premium", "p_value"]
    assert link.p_premium == p == link.pvalues["premium"]
    for test in (link.test("premium = 0"), link.test("premium"), link.test("2 * premium = 0")):
        assert test.p_value == p
    wald = 2 * stats.t.sf(abs(link.tvalues["premium"]), link.estimates.df[1])
    assert wald != pytest.approx(p, rel=1e-3)
    assert link.test("premium = 0.1").p_value != p
    assert link.test("Intercept = 0").p_value == link.pvalues["Intercept"]


def test_welch_by_the_formula_of_its_paper():
    # Welch (1947): v = (3.2^2/12, 5.1^2/9) with 11 and 8 degrees; scipy's Welch test has the same
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=12) * 3, rng.normal(size=9) * 5
    variances = np.array([a.var(ddof=1) / 12, b.var(ddof=1) / 9])
    expected = stats.ttest_ind(a, b, equal_var=False).df
    assert welch(variances, np.array([11.0, 8.0])) == pytest.approx(expected, rel=1e-12)
    assert welch(np.array([1.0, 4.0]), np.array([10.0, 5.0])) == pytest.approx(25 / (1 / 10 + 16 / 5))
    assert welch(np.array([1.0, 0.0]), np.array([10.0, 5.0])) == pytest.approx(10)
    assert np.isinf(welch(np.array([1.0, 4.0]), np.array([np.inf, np.inf])))
    assert np.isinf(welch(np.zeros(2), np.array([10.0, 5.0])))


def test_stated_errors_with_degrees_of_their_own():
    stated = StatedSource("s", np.diag([4.0, 9.0, np.nan]), np.array([12.0, 7.0, 30.0]))
    assert stated.degrees(np.array([1.0, 0, 0])) == 12
    assert stated.degrees(np.array([0, -2.0, 0])) == 7
    assert stated.degrees(np.array([0, 0, 1.0])) == 30
    assert np.isinf(stated.degrees(np.zeros(3)))
    # v = (4, 4 * 9): 40^2 / (4^2/12 + 36^2/7)
    assert stated.degrees(np.array([1.0, -2.0, 0])) == pytest.approx(1600 / (16 / 12 + 36**2 / 7))
    same = StatedSource("s", np.diag([4.0, 9.0]), 15.0)
    assert same.degrees(np.array([1.0, -1.0])) == 15
    assert StatedSource("s", np.diag([4.0, 9.0]), np.array([8.0, 8.0])).degrees(np.ones(2)) == 8


def test_two_independent_results_have_welchs_degrees():
    labels = pd.DataFrame({"iso3": ["KOR", "USA"], "term": "ai", "unit": "log", "comparison": ""})
    sources = StatedSource("a", np.array([[0.01]]), 9.0), StatedSource("b", np.array([[0.04]]), 20.0)
    both = Estimates(labels, np.array([0.1, 0.4]), sources, (np.array([[1.0], [0]]), np.array([[0.0], [1]])))
    assert both.df.tolist() == [9, 20]
    test = both.test("USA = KOR")
    expected = 0.05**2 / (0.01**2 / 9 + 0.04**2 / 20)
    assert test.df_denom == pytest.approx(expected, rel=1e-12)
    assert test.p_value == pytest.approx(2 * stats.t.sf(0.3 / np.sqrt(0.05), expected), rel=1e-12)


def test_residual_degrees_of_cells_and_their_differences(workers):
    cells = wg.fit_premiums(workers, "y ~ ai + x", premium="ai", by="iso", cov="HC1")
    n = workers.groupby("iso").size().to_numpy() - 3
    assert cells.estimates.df.tolist() == n.tolist()
    v = cells.bse.to_numpy() ** 2
    assert cells.test("KOR = USA").df_denom == pytest.approx(v.sum() ** 2 / (v**2 / n).sum(), rel=1e-10)
    joint = cells.with_cov("HC1", small_sample="joint")
    assert joint.test("KOR = USA").df_denom == n.sum()


def make_source(cov, **changes):
    scores = sparse.csr_array(np.array([[1.0, 0], [2.0, 0], [0, 3.0], [0, -1.0]]))
    groupings = {
        "row": Grouping.from_keys("row", "s", np.arange(4)), "g": Grouping.from_keys("g", "s", np.array(list("abab"))),
        "h": Grouping.from_keys("h", "s", np.array(list("abcd"))),
    }  # fmt: skip
    blocks = (Block("a", 20, 2), Block("b", 30, 3))
    fields = dict(
        origin="s", scores=scores, column_block=np.array([0, 1]), row_block=np.array([0, 0, 1, 1], dtype=np.int32),
        blocks=blocks, groupings=groupings, cov=cov,
    )  # fmt: skip
    return ScoreSource(**{**fields, **changes})


def test_signed_sums_and_factors_by_hand():
    v = make_source(Robust("CR0", ("g",))).covariance()
    np.testing.assert_allclose(v, [[5, 1], [1, 10]])  # sums a (1, 3), b (2, -1): 1 + 4, 3 - 2, 9 + 1
    c = np.array([2 * 19 / 18, 2 * 29 / 27])  # G/(G - 1) (n - 1)/(n - k), both clusters in both blocks
    np.testing.assert_allclose(make_source(Robust("CR1", ("g",))).covariance(), v * np.sqrt(np.outer(c, c)))
    joint = make_source(Robust("CR1", ("g",)), rule="joint").covariance()
    np.testing.assert_allclose(joint, v * 2 * 49 / 45)
    # g + h - g&h: h and its intersection with g are single rows, which cancel
    np.testing.assert_allclose(make_source(Robust("CR0", ("g", "h"))).covariance(), v)
    repeated = make_source(Robust("HC0"), repeats=np.array([1.0, 4, 1, 1])).covariance()
    np.testing.assert_allclose(repeated, [[2, 0], [0, 10]])  # 1 + 4/4
    levers = make_source(Robust("HC3"), leverage=np.array([0.5, 0, 0, 0.5])).covariance()
    np.testing.assert_allclose(levers, [[8, 0], [0, 13]])
    half = make_source(Robust("HC2"), leverage=np.array([0.5, 0, 0, 0.5])).covariance()
    np.testing.assert_allclose(half, [[6, 0], [0, 11]])


def test_degrees_of_replicates():
    keys = tuple((scope, i) for scope in ("KOR", "USA") for i in range(3))
    deviations = np.array([[1.0, 0], [2, 0], [-1, 0], [0, 1], [0, 0], [0, 3]])
    source = ReplicateSource("s", deviations, keys, "JK2", np.array([9.0, 4.0]))
    assert source.degrees(np.array([1.0, 0])) == 8
    assert source.degrees(np.array([0, 1.0])) == 3
    assert source.degrees(np.array([1.0, 1])) == 3
    assert np.isinf(source.degrees(np.zeros(2)))
    both = source.join(replace(source, ranks=np.array([7.0, 2.0])))
    assert both.degrees(np.array([0, 0, 1.0, 0])) == 6
    np.testing.assert_allclose(both.covariance()[:2, 2:], source.covariance())
