"""Scale, selection and sorting; common correlated effects; gravity of occupations."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import wagegap as wg
from wagegap import errors
from wagegap.regression.gravity.common_effects import common_correlated_effects
from wagegap.regression.gravity.grogger_hanson import grogger_hanson, simulate_migrants
from wagegap.regression.gravity.occupations import occupation_gravity

COLUMNS = dict(
    origin="o", destination="d", movers=["skilled", "primary"], stayers=["stay_skilled", "stay_primary"],
    origin_wages=["wo_skilled", "wo_primary"], destination_wages=["wd_skilled", "wd_primary"],
)  # fmt: skip


def test_the_three_equations_find_the_slope_of_pay_in_levels():
    fitted = grogger_hanson(simulate_migrants(40, 20, rng=3), **COLUMNS, costs="log(dist)")
    wide = fitted.side_by_side()
    # Two and a half standard errors, of three equations at once.
    assert (abs(wide["linear"] - 0.05) < 2.5 * wide["linear_std_error"]).all()
    assert list(wide.index) == ["scale", "selection", "sorting"]


def test_levels_and_logarithms_predict_selection_of_opposite_sign():
    """Poor origins with a higher relative return to skill: Grogger and Hanson's point."""
    fitted = grogger_hanson(simulate_migrants(40, 20, rng=3), **COLUMNS, costs="log(dist)")
    assert fitted.gap["linear"] > 0 > fitted.gap["log"]
    predicted = fitted.predicted_selection()
    slope = fitted.estimates.select(equation="selection", term="wage_gap")
    np.testing.assert_allclose(predicted.values, slope.values * [fitted.gap["linear"], fitted.gap["log"]])
    np.testing.assert_allclose(predicted.bse, slope.bse.to_numpy() * np.abs([fitted.gap["linear"], fitted.gap["log"]]))


def test_each_equation_is_the_regression_it_says():
    data = simulate_migrants(12, 15, rng=1)
    fitted = grogger_hanson(data, **COLUMNS, costs="log(dist)")
    rows = data.assign(
        y=np.log(data["skilled"] / data["primary"]) - np.log(data["stay_skilled"] / data["stay_primary"]),
        gap=np.log(data["wd_skilled"] / data["wd_primary"]) - np.log(data["wo_skilled"] / data["wo_primary"]),
    )
    plain = wg.fit_flows(rows, "y ~ gap + log(dist)", family="gaussian", cov="CR1:d")
    own = fitted.estimates.select(equation="selection", wages="log")
    np.testing.assert_allclose(own.values, plain.params, rtol=1e-12)
    np.testing.assert_allclose(own.bse, plain.bse, rtol=1e-10)
    sorting = wg.fit_flows(
        data.assign(y=np.log(data["skilled"] / data["primary"]), gap=data["wd_skilled"] - data["wd_primary"]),
        "y ~ gap + log(dist) | o", family="gaussian", cov="CR1:d",
    )  # fmt: skip
    own = fitted.estimates.select(equation="sorting", wages="linear")
    np.testing.assert_allclose(own.values, sorting.params, rtol=1e-12)
    np.testing.assert_allclose(own.bse, sorting.bse, rtol=1e-10)


def test_equations_are_related_through_destinations():
    data = simulate_migrants(20, 15, rng=1)
    fitted = grogger_hanson(data, **COLUMNS)
    covariance = fitted.cov_params().to_numpy()
    assert np.linalg.eigvalsh(covariance).min() > -1e-12
    test = fitted.test("selection linear wage_gap = sorting linear wage_gap")
    assert 0 < test.p_value < 1
    with pytest.warns(errors.CovarianceWarning, match="12 coefficients is not positive semidefinite"):
        dyadic = grogger_hanson(data, **COLUMNS, cov=wg.cov.Dyadic("o", "d"))
    assert np.linalg.eigvalsh(dyadic.cov_params()).min() > -1e-12
    np.testing.assert_allclose(dyadic.params, fitted.params, rtol=1e-12)
    assert not np.allclose(dyadic.bse, fitted.bse)


def test_pairs_without_movers_are_counted_and_bad_input_refused():
    data = simulate_migrants(12, 15, rng=1)
    data.loc[:4, "skilled"] = 0
    fitted = grogger_hanson(data, **COLUMNS)
    assert "5 pairs without movers of either skill" in fitted.ledger.line()
    np.testing.assert_allclose(fitted.refit(data[5:]).params, fitted.params, rtol=1e-12)
    with pytest.raises(errors.DataError, match="'wo_skilled' is zero, negative or infinite in 1 of"):
        grogger_hanson(data.assign(wo_skilled=data["wo_skilled"].where(data.index != 9, 0)), **COLUMNS)
    with pytest.raises(errors.OptionError, match="clusters or dyads"):
        grogger_hanson(data, **COLUMNS, cov="HC1")
    with pytest.raises(errors.ColumnError, match="for movers"):
        grogger_hanson(data, **{**COLUMNS, "movers": ["skiled", "primary"]})
    with pytest.raises(errors.OptionError, match="two columns"):
        grogger_hanson(data, **{**COLUMNS, "movers": "skilled"})
    with pytest.warns(errors.FewClustersWarning) as said:
        grogger_hanson(simulate_migrants(12, 6, rng=1), **COLUMNS)
    assert len(said) == 1


# common correlated effects -------------------------------------------------------------------------------------------


def make_panel(units=25, periods=18, seed=0):
    rng = np.random.default_rng(seed)
    rows = pd.MultiIndex.from_product([range(units), range(periods)], names=["o", "t"]).to_frame(index=False)
    factor, loading = rng.normal(size=periods)[rows["t"]], rng.uniform(0.5, 2, units)[rows["o"]]
    rows["gdp"] = factor * loading + rng.normal(size=len(rows))
    rows["policy"] = rng.normal(size=len(rows)) + 0.3 * factor
    rows["y"] = 0.5 * rows["gdp"] - 0.2 * rows["policy"] + 2 * factor * loading + rng.normal(size=len(rows))
    return rows


def test_common_effects_are_unit_specific_slopes_on_means():
    rows = make_panel(11, 12)
    fitted = common_correlated_effects(rows, "y ~ gdp + policy", unit="o", period="t", cov="HC1")
    means = rows.groupby("t")[["y", "gdp", "policy"]].transform("mean").to_numpy()
    dummies = np.eye(11)[rows["o"]]
    own = np.column_stack([dummies, *(dummies * m[:, None] for m in means.T)])
    x = np.column_stack([rows[["gdp", "policy"]], own])
    b, *_ = np.linalg.lstsq(x, rows["y"], rcond=None)
    np.testing.assert_allclose(fitted.params, b[:2], rtol=1e-9)
    residuals = rows["y"] - x @ b
    bread = np.linalg.pinv(x.T @ x)
    variance = bread @ (x.T * residuals.to_numpy() ** 2) @ x @ bread * len(x) / (len(x) - 2 - 44)
    np.testing.assert_allclose(fitted.bse, np.sqrt(np.diag(variance))[:2], rtol=1e-8)


def test_common_effects_take_out_the_factor_that_pooling_mistakes_for_income():
    estimates = []
    for seed in range(20):
        rows = make_panel(seed=seed)
        estimates.append(common_correlated_effects(rows, "y ~ gdp + policy", unit="o", period="t").params["gdp"])
    pooled = wg.fit_flows(make_panel(), "y ~ gdp + policy | o", family="gaussian").params["gdp"]
    assert abs(np.mean(estimates) - 0.5) < 0.03
    assert pooled > 0.9


def test_common_effects_refuse_what_they_take_up():
    rows = make_panel().assign(world=lambda f: f["t"] ** 0.5)
    with pytest.raises(errors.IdentificationError, match="world is not identified"):
        common_correlated_effects(rows, "y ~ gdp + world", unit="o", period="t")
    with pytest.raises(errors.IdentificationError, match="25 of 25 units have no more than 3 periods"):
        common_correlated_effects(rows[rows["t"] < 3], "y ~ gdp", unit="o", period="t")
    with pytest.raises(errors.FormulaError, match="has its own"):
        common_correlated_effects(rows, "y ~ gdp | o", unit="o", period="t")
    with pytest.raises(errors.OptionError, match="not defined here"):
        common_correlated_effects(rows, "y ~ gdp", unit="o", period="t", cov="HC3")


# occupations ---------------------------------------------------------------------------------------------------------


def make_occupations(n=14, seed=0, slope=-1.2):
    rng = np.random.default_rng(seed)
    task = rng.uniform(0, 3, n)
    pairs = pd.MultiIndex.from_product([range(n), range(n)], names=["left", "entered"]).to_frame(index=False)
    pairs["distance"] = np.abs(task[pairs["left"]] - task[pairs["entered"]])
    stay = rng.integers(2000, 9000, n)
    mean = 0.02 * stay[pairs["left"]] * np.exp(slope * pairs["distance"])
    pairs["moved"] = np.where(pairs["left"] == pairs["entered"], stay[pairs["left"]], rng.poisson(mean))
    return pairs


@pytest.mark.parametrize("family", ["poisson", "gaussian"])
def test_flows_over_stayers_fall_with_task_distance(family):
    pairs = make_occupations()
    fitted = occupation_gravity(pairs, "distance", origin="left", target="entered", flow="moved", family=family)
    assert abs(fitted.params["distance"] + 1.2) < 4 * fitted.bse["distance"]
    assert "14 stayers" in fitted.ledger.line()
    again = fitted.refit(pairs)
    np.testing.assert_allclose(again.params, fitted.params, rtol=1e-12)
    with pytest.raises(errors.OptionError, match="takes no weights"):
        fitted.refit(pairs, weights=np.ones(len(pairs)))


def test_stayers_must_be_there_once():
    pairs = make_occupations()
    call = dict(origin="left", target="entered", flow="moved")
    with pytest.raises(errors.EmptyDataError, match="hold the stayers"):
        occupation_gravity(pairs[pairs["left"] != pairs["entered"]], "distance", **call)
    with pytest.raises(errors.DataError, match="1 occupation has no stayers: 3"):
        occupation_gravity(pairs[(pairs["left"] != 3) | (pairs["entered"] != 3)], "distance", **call)
    with pytest.raises(errors.DuplicateKeyError, match="stayers of 0"):
        occupation_gravity(pd.concat([pairs, pairs.head(1)]), "distance", **call)
    with pytest.raises(errors.ColumnError, match="for flow"):
        occupation_gravity(pairs, "distance", origin="left", target="entered", flow="move")


def test_a_plus_in_the_name_of_a_unit_is_no_second_cluster():
    rng = np.random.default_rng(0)
    rows = pd.MultiIndex.from_product([range(12), range(8)], names=["unit", "t"]).to_frame(index=False)
    rows[["gdp", "flow"]] = rng.normal(size=(96, 2))
    plain, named = (
        wg.common_correlated_effects(rows.rename(columns={"unit": name}), "flow ~ gdp", unit=name, period="t")
        for name in ("unit", "home+away")
    )
    np.testing.assert_array_equal(plain.bse, named.bse)
