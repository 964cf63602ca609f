"""R-squared of linear models, against statsmodels."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

import wagegap as wg


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    n = 300
    made = pd.DataFrame({"x": rng.normal(size=n), "w": rng.uniform(1, 3, n), "k": rng.integers(1, 4, n)})
    made["g"] = rng.integers(0, 9, n)
    made["y"] = 0.5 * made["x"] + 0.2 * made["g"] + rng.normal(size=n)
    return made


@pytest.mark.parametrize(
    ("formula", "other", "options", "expected"),
    [
        ("y ~ x", "y ~ x", {}, None),
        ("y ~ x - 1", "y ~ x - 1", {}, None),
        ("y ~ x | g", "y ~ x + C(g)", {}, None),
        ("y ~ x", "y ~ x", {"weights": "w", "weight_kind": "analytic"}, "w"),
        ("y ~ x", "y ~ x", {"weights": "k", "weight_kind": "frequency"}, "k"),
    ],
)
def test_shares_explained_are_those_of_statsmodels(rows, formula, other, options, expected):
    ours = wg.fit_linear(rows, formula, **options)
    if expected == "w":
        theirs = smf.wls(other, rows, weights=rows["w"]).fit()
    else:
        theirs = smf.ols(other, rows.loc[rows.index.repeat(rows["k"])] if expected == "k" else rows).fit()
    # one projection each: rounding alone
    np.testing.assert_allclose([ours.rsquared, ours.rsquared_adj], [theirs.rsquared, theirs.rsquared_adj], rtol=1e-10)
    assert ours.glance()[["r2", "r2_adjusted"]].iloc[0].tolist() == [ours.rsquared, ours.rsquared_adj]


def test_other_models_have_none(rows):
    fit = wg.fit_linear(rows.assign(i=np.arange(300) // 3), "y ~ x", model="random", unit="i")
    assert np.isnan(fit.rsquared)
    assert "r2" not in fit.glance()
