"""Rows alone in a level of an absorbed effect: left out and counted in every door, or kept by name."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wagegap as wg
from wagegap import errors
from wagegap.estimation.least_squares.absorb import find_singletons

pytestmark = pytest.mark.filterwarnings("ignore::wagegap.errors.FewClustersWarning")


@pytest.fixture(scope="module")
def psid(packaged):
    data = packaged("AER", "PSID7682").astype({"id": int, "year": int})
    return data.assign(union=(data["union"] == "yes").astype(int), lw=np.log(data["wage"]))


@pytest.fixture(scope="module")
def thinned(psid):
    return psid[(psid["id"] <= 150) | (psid["id"] % 7 == psid["year"] % 7)].reset_index(drop=True)


def uneven(n=120, seed=0):
    """Workers and firms, many of them seen once."""
    rng = np.random.default_rng(seed)
    data = pd.DataFrame({"w": rng.integers(0, n // 2, n), "f": rng.integers(0, n // 3, n), "x": rng.normal(size=n)})
    data["y"] = 0.5 * data["x"] + rng.normal(size=n)
    return data.assign(flow=rng.poisson(np.exp(1 + 0.3 * data["x"])) + 1, c=rng.integers(0, 2, n))


def without_singletons(data, effects, cell=()):
    """The rows left, by the definition."""
    while True:
        sizes = [data.groupby([*cell, name])[name].transform("size") for name in effects]
        keep = np.logical_and.reduce([size > 1 for size in sizes])
        if keep.all():
            return data
        data = data[keep]


@pytest.mark.public_case("singletons")
def test_singletons_do_not_lend_their_clusters(psid, facts):
    """Forty workers are seen seven times, 501 once."""
    right = facts("public_cases")["singletons"]["right"]
    data = pd.concat([psid.iloc[:280], psid[psid["year"] == 1980].iloc[44:545]]).reset_index(drop=True)
    fitted = wg.fit_linear(data, "log(wage) ~ weeks + experience | id", cov="CR1:id")
    assert fitted.bse["weeks"] == pytest.approx(right["se_weeks_without_singletons"], abs=5e-6)
    assert fitted.df_resid == right["df"]
    assert "501 singletons of id" in fitted.ledger.line()
    assert any("501 rows alone in a level" in note for note in fitted.ledger.notes)
    kept = wg.fit_linear(data, "log(wage) ~ weeks + experience | id", cov="CR1:id", singletons="keep")
    assert kept.bse["weeks"] == pytest.approx(0.00262, abs=5e-6)
    np.testing.assert_allclose(kept.params, fitted.params, rtol=1e-12)


CASES = {
    "fixef_rm_singleton": ("drop", "lw ~ union + weeks | id + year"),
    "fixef_rm_none": ("keep", "lw ~ union + weeks | id + year"),
    "two_way_cells_singleton": ("drop", "lw ~ weeks | id + industry^year"),
    "two_way_cells_none": ("keep", "lw ~ weeks | id + industry^year"),
}


@pytest.mark.parametrize("case", CASES)
def test_both_conventions_agree_with_pyfixest(thinned, facts, case):
    singletons, formula = CASES[case]
    expected = facts("singletons")[case]
    for cov, name in (("iid", "iid"), ("HC1", "HC1"), ("CR1:id", "CRV1_id")):
        if name not in expected["se"]:
            continue
        options = dict(cov=cov, small_sample="fixest", singletons=singletons)
        fitted = wg.fit_linear(thinned, formula, **options)
        premium = wg.fit_premiums(thinned, formula, premium="weeks", by=(), **options)
        np.testing.assert_allclose(fitted.params, expected["estimate"], rtol=1e-9)
        np.testing.assert_allclose(fitted.bse, expected["se"][name], rtol=1e-9)
        assert premium.bse.iloc[0] == pytest.approx(expected["se"][name][-1], rel=1e-9)
        assert (fitted.nobs, fitted.df_resid) == (expected["n"], expected["df"][name])
        assert premium.cells["n"].item() == expected["n"]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_estimates_are_those_of_all_rows_and_errors_those_of_the_rows_left(seed):
    data = uneven(seed=seed)
    left = without_singletons(data, ["w", "f"])
    codes = [pd.factorize(data[name])[0].astype(np.int32) for name in ("w", "f")]
    assert np.flatnonzero(~find_singletons(codes, np.ones(len(data)))).tolist() == left.index.tolist()
    if len(left) - left["w"].nunique() - left["f"].nunique() < 3:
        return
    for outcome, fit in (("y", wg.fit_linear), ("flow", wg.fit_flows)):
        formula = f"{outcome} ~ x | w + f"
        dropped, kept = (fit(data, formula, cov="CR1:w", singletons=how) for how in ("drop", "keep"))
        alone = fit(left, formula, cov="CR1:w", singletons="keep")
        np.testing.assert_allclose(dropped.params, kept.params, rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(dropped.params, alone.params, rtol=1e-9)
        np.testing.assert_allclose(dropped.bse, alone.bse, rtol=1e-8)
        assert (dropped.nobs, dropped.df_resid) == (len(left), alone.df_resid)


def test_cells_have_singletons_of_their_own_and_stacked_cells_share_them():
    data = uneven(400, seed=3).assign(holds=lambda f: (f["x"] > 0).astype(int))
    options = dict(premium="holds", by="c", min_treated=1, min_comparison=1, cov="HC1")
    left = without_singletons(data, ["w"], ["c"])
    separate = wg.fit_premiums(data, "y ~ holds | w", **options)
    np.testing.assert_array_equal(separate.cells["n"], left.groupby("c").size())
    alone = wg.fit_premiums(left, "y ~ holds | w", singletons="keep", **options)
    np.testing.assert_allclose(separate.bse, alone.bse, rtol=1e-10)
    shared = without_singletons(data, ["w", "c"])
    stacked = wg.fit_premiums(data, "y ~ holds | w", method="stacked", **options)
    np.testing.assert_array_equal(stacked.cells["n"], shared.groupby("c").size())
    kept = wg.fit_premiums(data, "y ~ holds | w", method="stacked", singletons="keep", **options)
    np.testing.assert_allclose(stacked.params, kept.params, rtol=1e-9)


def test_a_row_of_two_observations_is_no_singleton():
    data = uneven(seed=5).assign(times=lambda f: 1 + (np.arange(len(f)) % 3 == 0))
    rows = data.loc[data.index.repeat(data["times"])].reset_index(drop=True)
    for outcome, fit in (("y", wg.fit_linear), ("flow", wg.fit_flows)):
        weighted = fit(data, f"{outcome} ~ x | w", weights="times", weight_kind="frequency", cov="HC1")
        repeated = fit(rows, f"{outcome} ~ x | w", cov="HC1")
        np.testing.assert_allclose(weighted.bse, repeated.bse, rtol=1e-9)


def test_rows_that_separated_ones_leave_alone_are_singletons():
    rng = np.random.default_rng(0)
    pairs = pd.DataFrame({"o": np.repeat(range(12), 11), "d": [d for o in range(12) for d in range(12) if d != o]})
    pairs = pairs.assign(x=rng.normal(size=132), flow=rng.poisson(5, size=132))
    # origin 0 sends to destination 1 alone, and nobody else's flows there are known
    pairs.loc[pairs["o"] == 0, "flow"] = np.where(pairs.loc[pairs["o"] == 0, "d"] == 1, 4, 0)
    pairs.loc[(pairs["o"] == 0) & (pairs["d"] != 1), "block"] = 1.0
    pairs["block"] = pairs["block"].fillna(0.0)
    with pytest.warns(errors.IdentificationWarning, match="block left out"):
        fitted = wg.fit_flows(pairs, "flow ~ x + block | o + d", cov="HC1")
    assert len(fitted.separated) == 10
    assert "1 singletons of o, d" in fitted.ledger.line()


def test_instruments_and_the_wild_bootstrap_leave_singletons_out():
    data = uneven(seed=7).assign(z=lambda f: f["x"] + np.random.default_rng(1).normal(size=len(f)))
    left = without_singletons(data, ["w"])
    fits = [wg.fit_linear(rows, "y ~ x | w", instruments="x ~ z", cov="CR1:w") for rows in (data, left)]
    np.testing.assert_allclose(fits[0].bse, fits[1].bse, rtol=1e-9)
    tests = [wg.wild_bootstrap(rows, "y ~ x | w", "x", cluster="w", reps=199) for rows in (data, left)]
    assert tests[0].std_error == pytest.approx(tests[1].std_error, rel=1e-9)
    assert tests[0].clusters == left["w"].nunique()
    kept = wg.wild_bootstrap(data, "y ~ x | w", "x", cluster="w", reps=199, singletons="keep")
    assert kept.clusters == data["w"].nunique()


@pytest.mark.parametrize("fit", [wg.fit_linear, wg.fit_flows])
def test_nothing_but_singletons_is_refused_by_name(fit):
    data = uneven().assign(own=range(120))
    with pytest.raises(errors.IdentificationError, match=r"is alone in a level of own|does not vary within own"):
        fit(data, "flow ~ x | own")
    with pytest.raises(errors.OptionError, match="Did you mean 'drop'"):
        fit(data, "flow ~ x | w", singletons="dropp")
    with pytest.raises(errors.OptionError, match="Did you mean 'drop'"):
        fit(data, "flow ~ x", singletons="dropp")


def test_linear_hazards_beside_effects_are_the_linear_model():
    """A group in which nobody leaves has a finite effect there, and regressors that vary within it."""
    rng = np.random.default_rng(4)
    data = pd.DataFrame({"g": rng.integers(0, 90, 500), "x": rng.normal(size=500), "c": np.arange(500) % 2})
    data["left"] = (rng.random(500) < 0.1 + 0.1 * (data["x"] > 0)).astype(int)
    for singletons in ("drop", "keep"):
        options = dict(cov="HC1", singletons=singletons)
        hazard = wg.fit_exits(data, "left ~ x | g", model="lpm", **options)
        linear = wg.fit_linear(data, "left ~ x | g", **options)
        assert hazard.params["x"] == pytest.approx(linear.params["x"], rel=1e-9)
        assert hazard.bse["x"] == pytest.approx(linear.bse["x"], rel=1e-8)
        assert hazard.nobs == linear.nobs


def test_groups_without_variation_are_those_of_a_cell():
    """A group whose exits are all in one cell has no variation in the other."""
    rng = np.random.default_rng(4)
    data = pd.DataFrame({"g": rng.integers(0, 12, 600), "x": rng.normal(size=600), "c": rng.integers(0, 2, 600)})
    data["left"] = ((rng.random(600) < 0.4) & ~((data["g"] < 3) & (data["c"] == 0))).astype(int)
    both = wg.fit_exits(data, "left ~ x | g", by="c", cov="HC1")
    for c in (0, 1):
        alone = wg.fit_exits(data[data["c"] == c], "left ~ x | g", cov="HC1")
        found = both.estimates.select(c=c, term="x")
        assert found.values[0] == pytest.approx(alone.params["x"], rel=1e-9)
        assert found.bse.iloc[0] == pytest.approx(alone.bse["x"], rel=1e-8)
