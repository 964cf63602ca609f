"""Rows and clusters that alone decide a coefficient: their residuals are zero, and so is what HC2 divides by."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import wagegap as wg
from wagegap.errors import CovarianceError, CovarianceWarning
from wagegap.estimation.covariance.clusters import adjust_clusters


@pytest.fixture
def rows():
    rng = np.random.default_rng(13)
    n = 400
    frame = pd.DataFrame({"x": rng.normal(size=n), "c": np.arange(n) % 16, "w": rng.uniform(0.5, 2, n)})
    frame["only"] = (frame.index == 7).astype(int)
    frame["group"] = np.where(frame.index == 7, "alone", np.where(frame["c"] % 2 == 0, "even", "odd"))
    return frame.assign(y=0.3 * frame["x"] + 1.6 * rng.normal(size=n))


def said(call):
    """Result, and the warnings about covariances."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = call()
    return result, [str(one.message) for one in caught if one.category is CovarianceWarning]


@pytest.mark.parametrize("cov", ["HC2", "HC3"])
@pytest.mark.parametrize("kind", [None, "sampling", "analytic", "frequency"])
def test_a_row_alone_in_its_dummy(rows, cov, kind):
    weights = {} if kind is None else {"weights": "w", "weight_kind": kind}
    if kind == "frequency":
        rows = rows.assign(w=np.where(rows.index == 7, 1, 1 + rows["c"] % 3))
    full, words = said(lambda: wg.fit_linear(rows, "y ~ x + only", cov=cov, **weights))
    assert len(words) == 1
    assert "1 of 3 coefficients" in words[0]
    assert "1 rows of leverage one (row 7)" in words[0]
    assert full.bse.isna().tolist() == [False, False, True]
    assert full.pvalues.isna().tolist() == [False, False, True]
    # the others are those without the row, which has no part in them: all but the cells' own leverage
    less = wg.fit_linear(rows[rows["only"] == 0], "y ~ x", cov=cov, **weights)
    np.testing.assert_allclose(full.bse[["Intercept", "x"]], less.bse, rtol=1e-8)
    assert full.test("x = 0").p_value == pytest.approx(full.pvalues["x"], rel=1e-12)
    assert np.isnan(full.test("only = 0").p_value)


def test_dummies_absorbed_effects_and_other_doors(rows):
    dummies, words = said(lambda: wg.fit_linear(rows, "y ~ x + C(group)", cov="HC3"))
    # the base level is the row: every other level is compared with it
    assert dummies.bse.isna().tolist() == [True, False, True, True]
    assert len(words) == 1
    absorbed, words = said(lambda: wg.fit_linear(rows, "y ~ x | group", cov="HC3"))
    assert words == []
    assert absorbed.bse["x"] == pytest.approx(dummies.bse["x"], rel=1e-9)
    for method in ("separate", "stacked"):
        premiums, words = said(
            lambda method=method: wg.fit_premiums(
                rows.assign(cell="a"), "y ~ only + x", premium="only", by="cell", cov="HC2", method=method,
                min_treated=1, min_comparison=1,
            )
        )  # fmt: skip
        assert premiums.bse.isna().all()
        assert len(words) == 1
    levels, words = said(
        lambda: wg.fit_premiums(rows, "y ~ group + x", premium="group", base="odd", by=(), cov="HC2", min_treated=1)
    )
    assert levels.bse.isna().tolist() == [True, False]
    assert len(words) == 1


@pytest.mark.parametrize("cov", ["HC0", "HC1"])
def test_without_an_adjustment_the_error_is_too_small_and_it_is_said(rows, cov):
    result, words = said(lambda: wg.fit_linear(rows, "y ~ x + only", cov=cov))
    assert result.bse["only"] < 0.2 < wg.fit_linear(rows, "y ~ x + only", cov="iid").bse["only"]
    assert words[0].startswith(f"{cov} errors of 1 of 3 coefficients are far too small")
    later, words = said(lambda: result.with_cov("HC3"))
    assert np.isnan(later.bse["only"])
    assert len(words) == 1
    assert said(lambda: result.with_cov("iid"))[1] == []


def test_leverages_of_absorbed_effects_are_not_forgotten(rows):
    """Switching to HC2 took the leverages within groups alone, and gave errors that were too small."""
    absorbed = wg.fit_linear(rows.assign(f=np.arange(400) % 150), "y ~ x | f", cov="HC1")
    with pytest.raises(CovarianceError, match=r"HC2 needs the leverages.*refit with cov='HC2'"):
        absorbed.with_cov("HC2")
    refitted = absorbed.refit(rows.assign(f=np.arange(400) % 150), cov="HC2")
    dummies = wg.fit_linear(rows.assign(f=np.arange(400) % 150), "y ~ x + C(f)", cov="HC2")
    assert refitted.bse["x"] == pytest.approx(dummies.bse["x"], rel=1e-9)


@pytest.mark.parametrize("cov", ["CR2:c", "CR3:c"])
@pytest.mark.parametrize("weights", [None, "w"])
def test_a_cluster_alone_in_its_dummy(rows, cov, weights):
    rows = rows.assign(third=(rows["c"] == 3).astype(int))
    result, words = said(lambda: wg.fit_linear(rows, "y ~ x + third", cov=cov, weights=weights))
    assert result.bse.isna().tolist() == [False, False, True]
    assert len(words) == 1
    assert "1 clusters of leverage one (c 3)" in words[0]
    every, words = said(lambda: wg.fit_linear(rows, "y ~ x + C(c)", cov=cov, weights=weights))
    assert every.bse.isna().tolist() == [True, False, *[True] * 15]
    assert "16 clusters" in words[0]
    absorbed, words = said(lambda: wg.fit_linear(rows, "y ~ x | c", cov=cov, weights=weights))
    assert words == []
    assert absorbed.bse["x"] == pytest.approx(every.bse["x"], rel=1e-8)
    two = said(lambda: wg.fit_linear(rows.assign(two=rows["c"].isin([3, 4]) * 1), "y ~ x + two", cov=cov))
    assert two[0].bse.notna().all()
    assert two[1] == []


@pytest.mark.parametrize("kind", ["CR2", "CR3"])
def test_parameters_that_a_cluster_decides_in_any_units(kind):
    rng = np.random.default_rng(0)
    clusters = np.repeat(np.arange(6), 5).astype(np.int32)
    x = np.column_stack([np.ones(30), rng.normal(size=30), 1e6 * (clusters == 2)])
    bread = np.linalg.inv(x.T @ x)
    _, degrees = adjust_clusters(x, rng.normal(size=30), bread, clusters, bread, kind=kind)
    assert degrees.undefined.tolist() == [False, False, True]
    assert degrees.singular.tolist() == [False, False, True, False, False, False]


def test_joined_results_keep_what_is_undefined(rows):
    panel = wg.read_panel(rows, source_name="rows")
    first, _ = said(lambda: wg.fit_linear(panel, "y ~ x + only", cov="HC2"))
    second, _ = said(lambda: wg.fit_linear(panel, "w ~ x + only", cov="HC2"))
    parts = [
        fit.estimates.map(np.eye(3), labels=fit.estimates.labels.assign(term=[f"{n}{i}" for n in "abc"]))
        for i, fit in enumerate((first, second))
    ]
    both, words = said(lambda: wg.join(*parts))
    assert both.bse.isna().tolist() == [False, False, True] * 2
    assert len(words) == 1
