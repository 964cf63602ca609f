"""Two tests of one hypothesis give one p-value: `tidy`, `test`, intervals and the small-sample tests."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import wagegap as wg

pytestmark = pytest.mark.filterwarnings("ignore::wagegap.errors.ReliabilityWarning")

ISO = [f"C{i:02d}" for i in range(14)]
RNG = np.random.default_rng(8)
TRUE = RNG.normal(0.2, 0.08, 14)
P = TRUE + RNG.normal(0, 0.03, 14)
Y = 0.3 - 0.5 * TRUE + RNG.normal(0, 0.03, 14)


def link(method, p_error=0.03, **options):
    rates, premiums = (
        wg.Estimates.from_table(pd.DataFrame({"iso3": ISO, "b": b, "se": se}), term=term, unit="none")
        for b, se, term in ((Y, 0.01, "emigration"), (P, p_error, "premium"))
    )
    return wg.fit_link("emigration ~ premium", rates, premiums, method=method, **options)


METHODS = {
    "ols": {}, "clustered": {"method": "ols", "cluster": "iso3"}, "knha": {"method": "meta", "p_error": 0.0},
    "z": {"method": "meta", "test": "z", "p_error": 0.0}, "eiv": {}, "ml": {}, "york": {}, "simex": {"draws": 50},
    "bootstrap": {"draws": 100}, "fractional": {"draws": 20}, "poisson": {"draws": 20},
}  # fmt: skip


@pytest.mark.parametrize("name", list(METHODS))
def test_tidy_and_test_give_one_p(name):
    fitted = link(**{"method": name, **METHODS[name]})
    p = fitted.tidy().set_index("term").loc["premium", "p_value"]
    assert fitted.test("premium = 0").p_value == pytest.approx(p, rel=1e-10)
    assert fitted.test("-premium = 0").p_value == pytest.approx(p, rel=1e-10)
    assert fitted.test(np.array([[0.0, 2.0]])).p_value == pytest.approx(p, rel=1e-10)
    if name != "bootstrap":
        for end in fitted.slope_interval():
            # crossings of the likelihood are found to 1e-8 of its root
            assert fitted.test(f"premium = {end!r}").p_value == pytest.approx(0.05, rel=1e-6)


def test_other_hypotheses_under_ml_are_walds():
    fitted = link("ml")
    both = fitted.test("premium + Intercept = 0.1")
    row = np.array([1.0, 1.0])
    error = np.sqrt(row @ fitted.cov_params().to_numpy() @ row)
    assert both.statistic == pytest.approx((fitted.params.sum() - 0.1) / error, rel=1e-10)


@pytest.mark.parametrize(("cov", "method"), [("HC3", "HC3"), ("CR2:iso3", "CR2")])
def test_small_sample_tests_are_those_of_the_naive_link(cov, method):
    fitted = link("ols", cov=cov, cluster="iso3" if "iso3" in cov else None)
    row = fitted.few_countries(reps=9).tests.set_index("method").loc[method]
    assert row["p_value"] == pytest.approx(fitted.tidy()["p_value"].iloc[1], rel=1e-8)
    assert fitted.few_countries().tests.set_index("method").loc["permutation", "p_value"] == fitted.permutation.p_value
