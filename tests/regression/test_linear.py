"""Linear models of panels and with instruments, against R's plm and AER, their own definitions, and the truth."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest

import wagegap as wg
from wagegap import errors
from wagegap.regression.linear.panel_models import two_stage, variance_components

FORMULA = "inv ~ value + capital"
CIGARETTES = dict(formula="log(packs) ~ log(rprice) + log(rincome)", instruments="log(rprice) ~ tdiff + rtax")
# R plm 2.6 and AER 1.2 on the same data in the same order: what is left is rounding.
ROUNDING = 1e-9


@pytest.fixture(scope="module")
def reference(facts):
    return {**facts("plm"), **facts("clubsandwich"), **facts("aer")}


@pytest.fixture(scope="module")
def grunfeld(packaged):
    return packaged("plm", "Grunfeld")


@pytest.fixture(scope="module")
def cigarettes(packaged):
    """States in 1995, in prices of that year, as the manual of AER has them."""
    states = packaged("AER", "CigarettesSW").query("year.astype('str') == '1995'", engine="python")
    return states.reset_index(drop=True).assign(
        rprice=lambda f: f["price"] / f["cpi"],
        rincome=lambda f: f["income"] / f["population"] / f["cpi"],
        tdiff=lambda f: (f["taxs"] - f["tax"]) / f["cpi"],
        rtax=lambda f: f["tax"] / f["cpi"],
    )


def panel(units=30, periods=5, *, seed=0, taste=1.0):
    """Units with an effect; movers are those with a taste for moving, and an offer for an instrument."""
    rng = np.random.default_rng(seed)
    rows = pd.MultiIndex.from_product([range(units), range(periods)], names=["unit", "year"]).to_frame(index=False)
    effect, noise = rng.normal(size=units)[rows["unit"]], rng.normal(size=(3, len(rows)))
    rows["offer"], rows["exper"] = rng.normal(size=(2, len(rows)))
    rows["moved"] = 0.8 * rows["offer"] + 0.3 * rows["exper"] + taste * noise[0] + noise[1]
    rows["pay"] = 0.5 * rows["moved"] + 0.2 * rows["exper"] + effect + taste * noise[0] + noise[2]
    return rows


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("pooling", {}),
        ("within", {"formula": f"{FORMULA} | firm"}),
        ("random", {"model": "random", "unit": "firm"}),
        ("between", {"model": "between", "unit": "firm"}),
        ("fd", {"model": "differences", "unit": "firm", "period": "year"}),
    ],
)
def test_panel_models_of_plm(grunfeld, reference, name, call):
    fitted = wg.fit_linear(grunfeld, **{"formula": FORMULA, **call}, cov="iid")
    np.testing.assert_allclose(fitted.params, reference[f"plm_grunfeld_{name}"]["b"], rtol=ROUNDING)
    np.testing.assert_allclose(fitted.bse, reference[f"plm_grunfeld_{name}"]["se"], rtol=ROUNDING)


def test_errors_of_beck_and_katz(grunfeld, reference):
    fitted = wg.fit_linear(grunfeld, f"{FORMULA} | firm", cov=wg.cov.BeckKatz("firm", "year"))
    np.testing.assert_allclose(fitted.bse, reference["plm_grunfeld_beck_katz"]["se"], rtol=ROUNDING)
    shuffled = wg.fit_linear(
        grunfeld.sample(frac=1, random_state=1), f"{FORMULA} | firm", cov=wg.cov.BeckKatz("firm", "year")
    )
    np.testing.assert_allclose(shuffled.bse, fitted.bse, rtol=1e-10)
    assert "BeckKatz(firm, year)" in str(fitted)


def test_several_hypotheses_under_cr2(grunfeld, reference):
    """R clubSandwich 0.6.0, Wald_test(test = "HTZ"); p may depend on nothing but the space that is tested."""
    fitted = wg.fit_linear(grunfeld, f"{FORMULA} | firm", cov="CR2:firm")
    theirs = reference["clubSandwich_grunfeld_HTZ"]
    for rows in (np.eye(2), np.array([[1.0, 1], [3, -2]])):
        found = fitted.test(rows)
        assert found.statistic == pytest.approx(theirs["F"], rel=1e-7)
        assert (found.df_num, found.df_denom) == (theirs["df_num"], pytest.approx(theirs["df_denom"], rel=1e-6))
        assert found.p_value == pytest.approx(theirs["p"], rel=1e-6)
    few = grunfeld[grunfeld["firm"] < 4].assign(more=lambda f: f["value"] ** 0.5, yet=lambda f: f["capital"] ** 0.5)
    crowded = wg.fit_linear(few, "inv ~ value + capital + more + yet", cov="CR2:firm")
    with pytest.raises(errors.IdentificationError, match="too many for these clusters"):
        crowded.test(np.eye(5)[1:])


def test_the_joint_test_holds_its_size_where_wald_does_not():
    """12 clusters of unequal size, 3 hypotheses, 400 draws at 5 %: three Monte Carlo errors allow .083."""

    def p_values(seed):
        rng = np.random.default_rng(seed)
        firm = np.repeat(np.arange(12), np.arange(12) + 3)
        rows = pd.DataFrame(rng.normal(size=(len(firm), 3)) + rng.normal(size=(12, 3))[firm], columns=["a", "b", "c"])
        rows["y"] = rng.normal(size=12)[firm] + rng.normal(size=len(firm))
        call = dict(data=rows.assign(firm=firm), formula="y ~ a + b + c")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", errors.FewClustersWarning)
            return [wg.fit_linear(**call, cov=f"{k}:firm").test(np.eye(4)[1:]).p_value for k in ("CR2", "CR1")]

    joint, wald = np.mean([np.array(p_values(seed)) < 0.05 for seed in range(400)], axis=0)
    assert joint < 0.05 + 3 * np.sqrt(0.0475 / 400)
    assert wald > 0.09


def test_an_outcome_that_does_not_vary_is_refused(grunfeld):
    """Its errors of zero were printed as if they were known."""
    for formula in (FORMULA, f"{FORMULA} | firm", "inv ~ 1"):
        with pytest.raises(errors.DataError, match=r"'inv' is 3 in all 200 rows: there is nothing to explain"):
            wg.fit_linear(grunfeld.assign(inv=3.0), formula)


def test_hausman_of_plm(grunfeld, reference):
    fits = [
        wg.fit_linear(grunfeld, f"{FORMULA} | firm", cov="iid"),
        wg.fit_linear(grunfeld, FORMULA, model="random", unit="firm", cov="iid"),
    ]
    found, theirs = wg.hausman(*fits).iloc[0], reference["hausman_grunfeld"]
    assert found["statistic"] == pytest.approx(theirs["chi2"], rel=1e-8)
    assert (found["df_num"], found["p_value"]) == (theirs["df"], pytest.approx(theirs["p"], rel=1e-8))
    with pytest.raises(errors.CovarianceError, match="robust test"):
        wg.hausman(*fits[::-1])


PRODUCTION = "log(gsp) ~ log(pcap) + log(pc) + log(emp) + unemp"


def within_and_random(data, formula, unit):
    return (
        wg.fit_linear(data, f"{formula} | {unit}", cov="iid"),
        wg.fit_linear(data, formula, model="random", unit=unit, cov="iid"),
    )


@pytest.mark.public_case("hausman")
def test_hausman_of_baltagis_example(packaged, facts):
    right = facts("public_cases")["hausman"]["right"]
    fits = within_and_random(packaged("plm", "Produc"), PRODUCTION, "state")
    with pytest.warns(errors.IdentificationWarning, match=r"1\.002 times, in 1 of 4 directions.*sigmamore"):
        found = wg.hausman(*fits).iloc[0]
    assert found["statistic"] == pytest.approx(right["statistic"], abs=5e-5)
    assert (found["df_num"], found["p_value"]) == (right["df"], pytest.approx(right["p"], abs=5e-5))


@pytest.mark.parametrize("error_variance", ["own", "fixed", "random"])
@pytest.mark.filterwarnings("ignore:the variance of the second fit:wagegap.errors.IdentificationWarning")
def test_hausman_does_not_depend_on_units(packaged, error_variance):
    data = packaged("plm", "Produc")
    formula, scaled = PRODUCTION, data.assign(unemp=1e7 * data["unemp"], pc=1e-9 * data["pc"])
    tests = [
        wg.hausman(*within_and_random(rows, formula, "state"), error_variance=error_variance).loc[0, "statistic"]
        for rows in (data, scaled)
    ]
    assert tests[1] == pytest.approx(tests[0], rel=1e-6)


def test_hausman_with_one_error_variance(packaged):
    """V_f s_r^2 / s_f^2 - V_r and V_f - V_r s_f^2 / s_r^2, both positive."""
    fixed, random = within_and_random(packaged("plm", "Produc"), PRODUCTION, "state")
    v_f, v_r = fixed.estimates.covariance, random.estimates.covariance[1:, 1:]
    gap, ratio = fixed.estimates.values - random.estimates.values[1:], (random.sigma / fixed.sigma) ** 2
    for name, variance in (("random", ratio * v_f - v_r), ("fixed", v_f - v_r / ratio)):
        assert np.linalg.eigvalsh(variance)[0] > 0
        found = wg.hausman(fixed, random, error_variance=name).loc[0, "statistic"]
        assert found == pytest.approx(gap @ np.linalg.solve(variance, gap), rel=1e-8)
    with pytest.raises(errors.OptionError, match="error_variance"):
        wg.hausman(fixed, random, error_variance="sigmamore")


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.filterwarnings("ignore:the variance of the second fit:wagegap.errors.IdentificationWarning")
def test_hausman_with_the_random_fits_error_variance_is_never_refused(seed):
    """Regressors that hardly vary within units, between them, or in size."""
    rng = np.random.default_rng(seed)
    firm = np.repeat(np.arange(15), rng.integers(2, 8, 15))
    data = pd.DataFrame({"firm": firm, "a": rng.normal(size=15)[firm] + 0.01 * rng.normal(size=len(firm))})
    data = data.assign(b=1e6 * rng.normal(size=len(firm)), c=rng.normal(size=len(firm)) + 2020)
    data["y"] = data["a"] + rng.normal(size=15)[firm] + rng.normal(size=len(firm))
    found = wg.hausman(*within_and_random(data, "y ~ a + b + c", "firm"), error_variance="random").iloc[0]
    assert found["statistic"] >= 0
    assert 0 <= found["p_value"] <= 1


def test_instruments_of_aer(cigarettes, reference):
    theirs = reference["ivreg_cigs"]
    fitted = wg.fit_linear(cigarettes, **CIGARETTES, cov="iid")
    np.testing.assert_allclose(fitted.params, theirs["b"], rtol=ROUNDING)
    np.testing.assert_allclose(fitted.bse, theirs["se"], rtol=ROUNDING)
    np.testing.assert_allclose(wg.fit_linear(cigarettes, **CIGARETTES).bse, theirs["se_hc1"], rtol=ROUNDING)
    found = fitted.diagnostics
    assert list(found["test"]) == ["weak instruments", "exogeneity", "Sargan"]
    # R's rows: numerator and denominator degrees, statistic, p.
    expected = np.array([[np.nan if v is None else v for v in row] for row in theirs["diagnostics"]])
    np.testing.assert_allclose(found["statistic"], expected[:, 2], rtol=1e-8)
    np.testing.assert_allclose(found["p_value"], expected[:, 3], rtol=1e-8)
    np.testing.assert_array_equal(found["df_num"], expected[:, 0])
    assert "first-stage F 244.7" in " ".join(fitted.notes)
    assert fitted.endogenous == ("log(rprice)",)


def test_two_stage_scores_by_hand():
    rows = panel()
    fitted = wg.fit_linear(rows, "pay ~ moved + exper", instruments="moved ~ offer", cov="CR0:unit")
    x = np.column_stack([np.ones(len(rows)), rows["moved"], rows["exper"]])
    z = np.column_stack([np.ones(len(rows)), rows["offer"], rows["exper"]])
    b = np.linalg.solve(z.T @ x, z.T @ rows["pay"])
    np.testing.assert_allclose(fitted.params, b, rtol=1e-10)
    scores = pd.DataFrame(z * (rows["pay"] - x @ b).to_numpy()[:, None]).groupby(rows["unit"]).sum().to_numpy()
    inverse = np.linalg.inv(z.T @ x)
    np.testing.assert_allclose(fitted.cov_params(), inverse @ scores.T @ scores @ inverse.T, rtol=1e-9)


def test_exogenous_regressors_may_stand_among_the_instruments():
    rows = panel()
    short, long = (
        wg.fit_linear(rows, "pay ~ moved + exper", instruments=f"moved ~ offer{more}") for more in ("", " + exper")
    )
    np.testing.assert_array_equal(long.params, short.params)
    pd.testing.assert_frame_equal(long.diagnostics, short.diagnostics)


def test_instrumented_by_itself_is_least_squares():
    """An instrument that is the regressor in another unit leaves nothing to correct."""
    rows = panel().assign(hundredths=lambda f: 100 * f["moved"])
    call = dict(cov="CR1:unit")
    both = wg.fit_linear(rows, "pay ~ moved + exper", instruments="moved ~ hundredths + offer", **call)
    plain = wg.fit_linear(rows, "pay ~ moved + exper", **call)
    np.testing.assert_allclose(both.params, plain.params, rtol=1e-9)
    np.testing.assert_allclose(both.bse, plain.bse, rtol=1e-9)


@pytest.mark.filterwarnings("ignore:CR2.unit is not defined for 12 of 14 coefficients:wagegap.errors.CovarianceWarning")
@pytest.mark.parametrize("cov", ["iid", "HC1", "HC3", "CR2:unit"])
def test_absorbed_effects_are_dummies_with_instruments(cov):
    rows = panel(12)
    call = dict(instruments="moved ~ offer", cov=cov)
    absorbed = wg.fit_linear(rows, "pay ~ moved + exper | unit", **call)
    dummies = wg.fit_linear(rows, "pay ~ moved + exper + C(unit)", **call)
    names = ["moved", "exper"]
    np.testing.assert_allclose(absorbed.params[names], dummies.params[names], rtol=1e-9)
    np.testing.assert_allclose(absorbed.bse[names], dummies.bse[names], rtol=1e-8)
    if cov in ("iid", "HC1"):
        np.testing.assert_allclose(absorbed.diagnostics["statistic"], dummies.diagnostics["statistic"], rtol=1e-7)


def test_weights_of_instruments():
    rows = panel().assign(k=lambda f: 1 + f["unit"] % 3, w=lambda f: 0.5 + f["unit"] % 4)
    call = dict(instruments="moved ~ offer", cov="HC1")
    weighted = wg.fit_linear(rows, "pay ~ moved", weights="k", weight_kind="frequency", **call)
    repeated = wg.fit_linear(rows.loc[rows.index.repeat(rows["k"])].reset_index(drop=True), "pay ~ moved", **call)
    np.testing.assert_allclose(weighted.params, repeated.params, rtol=1e-9)
    np.testing.assert_allclose(weighted.bse, repeated.bse, rtol=1e-9)
    np.testing.assert_allclose(
        weighted.diagnostics.drop(columns=["test", "of"]).astype(float),
        repeated.diagnostics.drop(columns=["test", "of"]).astype(float), rtol=1e-7,
    )  # fmt: skip
    one, two = (
        wg.fit_linear(rows.assign(w=scale * rows["w"]), "pay ~ moved", weights="w", weight_kind="sampling", **call)
        for scale in (1, 1e4)
    )
    np.testing.assert_allclose(one.bse, two.bse, rtol=1e-9)


def test_replicates_fit_both_stages_again():
    rows = panel(100)
    call = dict(formula="pay ~ moved + exper", instruments="moved ~ offer")
    drawn = wg.fit_linear(rows, **call, cov=wg.cov.Bootstrap(400, cluster="unit", rng=0))
    analytic = wg.fit_linear(rows, **call, cov="CR0:unit")
    np.testing.assert_allclose(drawn.params, analytic.params, rtol=1e-10)
    # Monte Carlo error of 400 draws, .035 of an error, three times; and 1/100 of small-sample difference.
    np.testing.assert_allclose(drawn.bse, analytic.bse, rtol=0.115)


def test_random_effects_between_nothing_and_everything():
    """No spread of units: least squares. Units that are all: within."""
    rows = panel(40, 6)
    effect = rows.groupby("unit")["pay"].transform("mean") - rows.groupby("unit")["moved"].transform("mean") / 2
    plain = wg.fit_linear(rows.assign(pay=rows["pay"] - effect), "pay ~ moved", model="random", unit="unit")
    pooled = wg.fit_linear(rows.assign(pay=rows["pay"] - effect), "pay ~ moved")
    assert "standard deviation 0.00," in " ".join(plain.notes)
    np.testing.assert_allclose(plain.params, pooled.params, rtol=1e-9)
    far = rows.assign(pay=rows["pay"] + 1e6 * np.random.default_rng(0).normal(size=40)[rows["unit"]])
    wide = wg.fit_linear(far, "pay ~ moved", model="random", unit="unit").params["moved"]
    within = wg.fit_linear(far, "pay ~ moved | unit").params["moved"]
    assert wide == pytest.approx(within, rel=1e-3)  # what is left of the means is of the order of 1e-6 of the effects


def test_variance_components_of_unbalanced_panels_are_unbiased():
    """Units of one to seven rows: variances of 1 and .25, each mean of 400 draws within three of its errors."""
    rng = np.random.default_rng(0)
    codes = np.repeat(np.arange(60), 1 + np.arange(60) % 7).astype(np.int32)
    x = np.column_stack([np.ones(len(codes)), rng.normal(size=len(codes)) + rng.normal(size=60)[codes]])
    found = []
    for _ in range(400):
        y = x @ [1.0, 2] + rng.normal(size=60)[codes] + 0.5 * rng.normal(size=len(codes))
        part = variance_components(y, x, codes)
        found.append((part.unit, part.row))
    mean, error = np.mean(found, axis=0), np.std(found, axis=0) / 20
    assert (np.abs(mean - [1.0, 0.25]) < 3 * error).all(), (mean, error)


def test_between_is_least_squares_of_means():
    rows = panel()
    found = wg.fit_linear(rows, "pay ~ moved + exper", model="between", unit="unit", cov="HC1")
    means = rows.groupby("unit", as_index=False)[["pay", "moved", "exper"]].mean()
    plain = wg.fit_linear(means, "pay ~ moved + exper", cov="HC1")
    np.testing.assert_allclose(found.params, plain.params, rtol=1e-10)
    np.testing.assert_allclose(found.bse, plain.bse, rtol=1e-10)


def test_differences_skip_gaps_and_say_so():
    rows = panel(20, 6)
    holes = rows[~((rows["unit"] < 5) & (rows["year"] == 3))].sample(frac=1, random_state=0)
    found = wg.fit_linear(holes, "pay ~ moved", model="differences", unit="unit", period="year", cov="CR1:unit")
    assert found.nobs == 20 * 5 - 5 * 2
    assert f"{20 + 5:,} no row in the year before" in found.ledger.line()
    wide = holes.pivot(index="unit", columns="year", values=["pay", "moved"])
    y, x = (np.diff(wide[name].to_numpy(), axis=1).ravel() for name in ("pay", "moved"))
    steps = pd.DataFrame({"y": y, "x": x}).dropna()
    np.testing.assert_allclose(found.params, wg.fit_linear(steps, "y ~ x").params, rtol=1e-9)


def test_two_periods_of_differences_are_fixed_effects():
    rows = panel(50, 2)
    steps = wg.fit_linear(rows, "pay ~ moved", model="differences", unit="unit", period="year", cov="CR0:unit")
    fixed = wg.fit_linear(rows, "pay ~ moved | unit + year", cov="CR0:unit")
    assert steps.params["moved"] == pytest.approx(fixed.params["moved"], rel=1e-9)
    assert steps.bse["moved"] == pytest.approx(fixed.bse["moved"], rel=1e-9)


@pytest.mark.parametrize("model", ["pooled", "random", "between", "differences"])
@pytest.mark.parametrize("seed", [0, 1])
def test_order_and_units_do_not_matter(model, seed):
    rows = panel(25, 4, seed=seed)
    call = {} if model == "pooled" else dict(model=model, unit="unit", period="year")
    one = wg.fit_linear(rows, "pay ~ moved + exper", **call, cov="CR1:unit")
    other = rows.sample(frac=1, random_state=seed).assign(moved=lambda f: 100 * f["moved"], pay=lambda f: 3 * f["pay"])
    two = wg.fit_linear(other, "pay ~ exper + moved", **call, cov="CR1:unit")
    scale = pd.Series({"Intercept": 3.0, "moved": 0.03, "exper": 3.0})
    for name in one.params.index:
        assert two.params[name] == pytest.approx(scale[name] * one.params[name], rel=1e-7)
        assert two.bse[name] == pytest.approx(scale[name] * one.bse[name], rel=1e-7)


def test_premiums_and_linear_fits_of_one_panel_join():
    """The scores are those of the rows, so that fits of the same people have a covariance."""
    rows = panel(60)
    first = wg.fit_linear(rows, "pay ~ moved | unit", cov="CR0:unit")
    second = wg.fit_linear(rows, "exper ~ offer | unit", cov="CR0:unit")
    v = wg.join(first, second).cov_params().to_numpy()
    within = rows - rows.groupby("unit").transform("mean").reindex(columns=rows.columns, fill_value=0)
    parts = []
    for y, x in (("pay", "moved"), ("exper", "offer")):
        e = within[y] - within[x] * (within[x] @ within[y]) / (within[x] @ within[x])
        parts.append((within[x] * e / (within[x] @ within[x])).groupby(rows["unit"]).sum().to_numpy())
    np.testing.assert_allclose(v, np.array(parts) @ np.array(parts).T, rtol=1e-9)


def test_robust_hausman_holds_its_size_and_has_power():
    """250 draws at 5 %, three Monte Carlo errors: at most .091. Errors differ in size between units."""

    def p_value(seed, related):
        rng = np.random.default_rng(seed)
        rows = pd.DataFrame({"unit": np.repeat(np.arange(40), 5)})
        effect = rng.normal(size=40)[rows["unit"]]
        rows["x"] = rng.normal(size=200) + related * effect
        rows["y"] = rows["x"] + effect + rng.normal(size=200) * rng.uniform(0.2, 2, 40)[rows["unit"]]
        call = dict(cov="CR1:unit")
        fits = (
            wg.fit_linear(rows, "y ~ x | unit", **call),
            wg.fit_linear(rows, "y ~ x", model="random", unit="unit", **call),
        )
        return wg.hausman(*fits).loc[0, "p_value"]

    assert np.mean([p_value(seed, 0.0) < 0.05 for seed in range(250)]) < 0.05 + 3 * np.sqrt(0.0475 / 250)
    assert np.mean([p_value(seed, 1.0) < 0.05 for seed in range(40)]) > 0.9


def test_instruments_cover_the_truth():
    """250 draws of 40 clusters: .93 to .97 widened by three Monte Carlo errors; least squares never does."""
    covered, naive = [], []
    for seed in range(250):
        rows = panel(40, seed=seed)
        for fits, call in ((covered, {"instruments": "moved ~ offer"}), (naive, {})):
            low, high = wg.fit_linear(rows, "pay ~ moved + exper", cov="CR1:unit", **call).conf_int().loc["moved"]
            fits.append(low <= 0.5 <= high)
    margin = 3 * np.sqrt(0.0475 / 250)
    assert 0.93 - margin < np.mean(covered) < 0.97 + margin
    assert np.mean(naive) < 0.05


def test_the_test_of_overidentification_sees_a_bad_instrument():
    rows = panel(200).assign(second=lambda f: f["offer"] + np.random.default_rng(9).normal(size=len(f)))
    call = dict(formula="pay ~ moved", instruments="moved ~ offer + second", cov="CR1:unit")
    good = wg.fit_linear(rows, **call).diagnostics.set_index("test").loc["overidentification"]
    bad = wg.fit_linear(rows.assign(pay=rows["pay"] + rows["second"]), **call)
    assert good["p_value"] > 0.01
    assert bad.diagnostics.set_index("test").loc["overidentification", "p_value"] < 1e-6


def test_weak_and_idle_instruments_are_named():
    rows = panel(seed=3).assign(noise=np.random.default_rng(0).normal(size=150), again=lambda f: 2 * f["offer"])
    with pytest.warns(errors.IdentificationWarning, match=r"weak instruments for moved \(F = "):
        wg.fit_linear(rows, "pay ~ moved", instruments="moved ~ noise")
    with pytest.warns(errors.IdentificationWarning, match="instruments left out.*: again"):
        kept = wg.fit_linear(rows, "pay ~ moved", instruments="moved ~ offer + again")
    np.testing.assert_allclose(
        kept.params, wg.fit_linear(rows, "pay ~ moved", instruments="moved ~ offer").params, rtol=1e-9
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        wg.fit_linear(rows, "pay ~ moved", instruments="moved ~ offer")


def test_kernel_leaves_exogenous_columns_alone():
    rng = np.random.default_rng(0)
    x, z = rng.normal(size=(50, 3)), rng.normal(size=(50, 2))
    stage = two_stage(rng.normal(size=50), x, z, np.array([False, True, False]))
    np.testing.assert_array_equal(stage.x[:, [0, 2]], x[:, [0, 2]])
    np.testing.assert_allclose(stage.left.T @ np.column_stack([z, x[:, [0, 2]]]), 0, atol=1e-12)


def test_refit_pickle_table_and_plot():
    rows = panel()
    fitted = wg.fit_linear(rows, "pay ~ moved", instruments="moved ~ offer", cov="CR1:unit")
    again = pickle.loads(pickle.dumps(fitted))
    pd.testing.assert_frame_equal(again.tidy(), fitted.tidy())
    np.testing.assert_allclose(fitted.refit(rows, instruments=None).params["moved"],
                               wg.fit_linear(rows, "pay ~ moved").params["moved"])  # fmt: skip
    assert "moved" in str(wg.table(fitted, wg.fit_linear(rows, "pay ~ moved | unit")))
    assert fitted.plot().get_xlabel().startswith("Two-stage least squares, pooled")
    assert fitted.with_cov("CR0:unit").bse["moved"] < fitted.bse["moved"]


BAD = [
    ({"model": "fixed"}, errors.OptionError, "model='fixed'"),
    ({"model": "random"}, errors.OptionError, "needs unit='column'"),
    ({"model": "differences", "unit": "unit"}, errors.OptionError, "needs period='column'"),
    ({"model": "random", "unit": "unti"}, errors.ColumnError, "'unti'.*'unit'"),
    ({"model": "random", "unit": "unit", "weights": "exper2"}, errors.OptionError, "takes no weights"),
    ({"model": "random", "unit": "unit", "cov": wg.cov.Bootstrap(50)}, errors.OptionError, "model='pooled' only"),
    ({"formula": "pay ~ moved | unit", "model": "between", "unit": "unit"}, errors.FormulaError, "behind a bar"),
    ({"model": "random", "unit": "unit", "instruments": "moved ~ offer"}, errors.OptionError, "model='pooled'"),
    ({"instruments": "moved"}, errors.FormulaError, "must read"),
    ({"instruments": "exper ~ offer"}, errors.FormulaError, "exper of instruments= is not among the regressors"),
    ({"instruments": "moved ~ moved"}, errors.FormulaError, "both endogenous and an instrument"),
    ({"instruments": "moved ~ offer | unit"}, errors.FormulaError, "stand in the formula"),
    ({"instruments": "moved ~ ofer"}, errors.ColumnError, "'ofer'"),
    ({"formula": "pay ~ moved + exper", "instruments": "moved + exper ~ offer"}, errors.IdentificationError,
     "1 instruments.*2 endogenous"),
    ({"instruments": "moved ~ offer", "cov": wg.cov.BeckKatz("unit", "year")}, errors.OptionError, "does not go with"),
    ({"formula": "pay ~ moved + one | unit"}, errors.IdentificationError, "'one' is not identified"),
    ({"cov": wg.cov.BeckKatz("unit", "yer")}, errors.ColumnError, "'yer'"),
    ({"cov": wg.cov.BeckKatz("unit", "exper")}, errors.DataError, "needs every unit in every exper once"),
    ({"model": "differences", "unit": "unit", "period": "unit"}, errors.DuplicateKeyError, "stand for a unit"),
    ({"model": "differences", "unit": "row", "period": "year"}, errors.EmptyDataError, "neighbouring"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "error", "words"), BAD)
def test_bad_input(change, error, words):
    rows = panel(8).assign(one=1.0, exper2=lambda f: f["exper"] ** 2, row=lambda f: np.arange(len(f)))
    with pytest.raises(error, match=words):
        wg.fit_linear(rows, **{"formula": "pay ~ moved", **change})


def test_beck_katz_is_for_linear_models():
    with pytest.raises(errors.OptionError, match=r"fit_premiums\(\): cov=.* must be text, a Robust"):
        wg.fit_premiums(panel(), "pay ~ moved", premium="moved", by=[], cov=wg.cov.BeckKatz("unit", "year"))
    with pytest.raises(errors.OptionError, match=r"hausman\(\): random=1 must be a Linear"):
        wg.hausman(wg.fit_linear(panel(), "pay ~ moved"), 1)
