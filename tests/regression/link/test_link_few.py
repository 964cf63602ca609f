"""Few countries: wild bootstraps enumerated, permutations, downdating, and what could have been found."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import wagegap as wg
from wagegap.errors import IdentificationError, OptionError
from wagegap.estimation.reliability import annihilator
from wagegap.regression.link.estimators.ols import least_squares_without
from wagegap.regression.link.permutation import permute, permute_slope
from wagegap.regression.link.questions.few import detectable, influence, wild_test

# All 1,024 sign vectors of the ten firms of Grunfeld's data, counted with ties (own brute force, numpy): exact.
WILD = {("value", True): 4 / 1024, ("value", False): 0.0, ("capital", True): 24 / 1024, ("capital", False): 248 / 1024}


@pytest.fixture(scope="module")
def grunfeld(packaged):
    frame = packaged("plm", "Grunfeld")
    return frame, np.column_stack([np.ones(len(frame)), frame["value"], frame["capital"]])


@pytest.mark.parametrize(("name", "restricted"), WILD)
def test_enumerated_wild_bootstrap(grunfeld, facts, name, restricted):
    frame, x = grunfeld
    j = {"value": 1, "capital": 2}[name]
    found = wild_test(frame["inv"].to_numpy(), x, j, groups=frame["firm"], restricted=restricted)
    expected = facts("wild")[f"exact_WC{'R' if restricted else 'U'}_{name}"]
    assert (len(found.drawn), found.clusters, found.enumerated) == (1024, 10, True)
    assert found.p_value() == pytest.approx(expected["p_ge"], abs=1e-12) == pytest.approx(WILD[name, restricted])
    # The log's t has the factor G/(G-1) (n-1)/(n-k), which cancels in every p-value.
    assert found.statistic == pytest.approx(expected["t"] * np.sqrt(10 / 9 * 199 / 197), rel=1e-10)


@pytest.mark.parametrize(("weights", "points"), [("webb", 6), ("mammen", 2), ("rademacher", 2)])
def test_enumeration_is_the_limit_of_random_draws(weights, points):
    rng = np.random.default_rng(0)
    n = 5 if points == 6 else 12
    x, y = np.column_stack([rng.standard_normal(n), np.ones(n)]), rng.standard_normal(n)
    every = wild_test(y, x, 0, weights=weights)
    some = wild_test(y, x, 0, weights=weights, reps=points**n - 1, rng=1)
    assert (every.enumerated, some.enumerated) == (True, False)
    assert some.p_value() == pytest.approx(every.p_value(), abs=4 * np.sqrt(0.25 / points**n))


def test_one_cluster_is_refused():
    with pytest.raises(IdentificationError, match="two clusters"):
        wild_test(np.arange(3.0), np.ones((3, 1)), 0, groups=np.zeros(3))


@pytest.mark.parametrize(("n", "controls"), [(6, 0), (7, 1), (15, 0), (15, 2)])
def test_permutations_at_once_are_those_one_by_one(n, controls):
    rng = np.random.default_rng(n)
    y, x = rng.standard_normal((2, n))
    z = np.column_stack([np.ones(n), rng.standard_normal((n, controls))])
    m = annihilator(z)
    mx, rest = m @ x, m @ y

    def t(order):
        shuffled = m @ rest[order]
        b = mx @ shuffled / (mx @ mx)
        return b / np.sqrt(np.sum((shuffled - b * mx) ** 2) / (mx @ mx))

    ours, slow = permute_slope(y, x, z, reps=500), permute(t, n, reps=500)
    assert (ours.p_value, ours.orders) == (slow.p_value, slow.orders)
    assert ours.exact == (n <= 8 and controls == 0)
    assert ("approximate" in str(ours)) != ours.exact


def test_downdating_is_refitting_and_fast():
    rng = np.random.default_rng(0)
    x, y = np.column_stack([np.ones(40), rng.standard_normal((40, 2))]), rng.standard_normal(40)
    again = [np.linalg.lstsq(np.delete(x, i, 0), np.delete(y, i), rcond=None)[0][1] for i in range(40)]
    np.testing.assert_allclose(least_squares_without(y, x, 1), again, rtol=1e-10)
    start = time.process_time()
    frame = influence(y, x, 1, tuple(map(str, range(40))))
    assert time.process_time() - start < 0.1
    np.testing.assert_allclose(frame["slope"], again, rtol=1e-10)
    import statsmodels.api as sm

    theirs = sm.OLS(y, x).fit().get_influence()
    np.testing.assert_allclose(frame["leverage"], theirs.hat_matrix_diag, rtol=1e-10)
    np.testing.assert_allclose(frame["residual"], theirs.resid_studentized_external, rtol=1e-8)
    np.testing.assert_allclose(frame["change"], theirs.dfbetas[:, 1], rtol=1e-8)


def test_detectable_slope_is_detected_as_often_as_said():
    rng, n = np.random.default_rng(0), 8
    x = np.column_stack([np.linspace(-1, 1, n), np.ones(n)])
    error = 1 / np.sqrt(np.sum(x[:, 0] ** 2))
    slope = detectable(error, n - 2, 0.05, 0.8)
    y = slope * x[:, 0] + rng.standard_normal((20_000, n))
    b = y @ x @ np.linalg.inv(x.T @ x)
    s = np.sqrt(np.sum((y - b @ x.T) ** 2, axis=1) / (n - 2))
    power = np.mean(np.abs(b[:, 0] / (s * error)) > stats.t.isf(0.025, n - 2))
    assert power == pytest.approx(0.8, abs=3 * np.sqrt(0.16 / 20_000))


@pytest.fixture(scope="module")
def published():
    net = wg.datasets.talent_migration("ai")
    return wg.fit_link("net_migration ~ premium", net, wg.datasets.published_premiums())


def test_all_in_one_summary(published):
    few = published.few_countries()
    tests = few.tests.set_index("method")
    wild = ["wild rademacher", "wild webb", "wild mammen"]
    assert tests.index.tolist() == ["HC3", "CR2", "permutation", *wild, "jackknife"]
    assert tests.loc["permutation", "smallest_p"] == pytest.approx(1 / 720)
    assert tests.loc["permutation", "p_value"] == published.permutation.p_value
    assert tests.loc["wild rademacher", "smallest_p"] == pytest.approx(2 / 64)
    x = np.column_stack([published.cells.p[:, 0], np.ones(6)])
    import statsmodels.api as sm

    hc3 = sm.OLS(published.cells.y, x).fit(cov_type="HC3")
    assert tests.loc["HC3", "std_error"] == pytest.approx(hc3.bse[0], rel=1e-10)
    b = float(hc3.params[0])
    parts = [np.linalg.lstsq(np.delete(x, i, 0), np.delete(published.cells.y, i), rcond=None)[0][0] for i in range(6)]
    assert tests.loc["jackknife", "std_error"] == pytest.approx(np.sqrt(5 / 6 * np.sum((parts - np.mean(parts)) ** 2)))
    assert tests["estimate"].to_numpy() == pytest.approx(b)
    assert "With 6 countries" in few.in_words()
    assert "leaving out United States" in few.in_words()
    assert few.plot().get_xlabel().startswith("slope without")


def test_few_countries_asks_for_sensible_numbers(published):
    with pytest.raises(OptionError, match="between 0 and 1"):
        published.few_countries(power=80)


def test_cr2_is_that_of_the_covariance_engine():
    both = wg.datasets.stem_graduates()
    data = pd.DataFrame({"iso3": both.select(term="premium").labels["iso3"]})
    data["region"] = np.arange(len(data)) % 7
    link = wg.fit_link(
        "outside ~ premium", both.select(term="outside"), both.select(term="premium"), method="ols", data=data,
        cluster="region",
    )  # fmt: skip
    tests = link.few_countries(reps=199).tests.set_index("method")
    assert tests.loc["CR2", "std_error"] == pytest.approx(float(link.bse["premium"]), rel=1e-8)
    assert tests.loc["CR2", "df"] == pytest.approx(link.estimates.df[1], rel=1e-6)
